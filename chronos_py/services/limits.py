"""Named limits that jobs share: define, look at, delete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chronos_py.errors import Conflict, InvalidDefinition, NotFound
from chronos_py.model.policies import LIMIT_NAME, MOST_UNITS
from chronos_py.model.reader import shown
from chronos_py.services.application import Application
from chronos_py.store import chains, limits
from chronos_py.store.limits import StoredLimit


@dataclass(frozen=True, slots=True)
class LimitView:
    """A limit and the jobs that share it."""

    limit: StoredLimit
    jobs: Sequence[str]


def list_limits(app: Application) -> list[LimitView]:
    """All limits by name, with what is taken of them."""
    with app.database.read() as connection:
        return [
            LimitView(limit, limits.jobs_sharing(connection, limit.name)) for limit in limits.list_limits(connection)
        ]


def get_limit(app: Application, name: str) -> LimitView:
    """A limit by name. Raises NotFound."""
    for view in list_limits(app):
        if view.limit.name == name:
            return view
    raise NotFound(f"Limit {shown(name)} not found.")


def set_limit(
    app: Application, name: str, units: int, description: str = "", author: str = ""
) -> tuple[LimitView, bool]:
    """Create a limit or change it; the limit, and whether it is new. What runs goes on when it is lowered.

    Raises InvalidDefinition.
    """
    if not LIMIT_NAME.fullmatch(name):
        raise InvalidDefinition(
            f"name {shown(name)} is not allowed for a limit: use up to 100 letters, digits and _ . -.", "name"
        )
    if not 1 <= units <= MOST_UNITS:
        raise InvalidDefinition(f"units is {units} but must be from 1 to {MOST_UNITS}.", "units")
    with app.database.write() as connection:
        chains.lock_definitions(connection)
        is_new = limits.put_limit(connection, name, units, description, author, app.clock.now())
    app.wake.dispatcher.set()
    return get_limit(app, name), is_new


def delete_limit(app: Application, name: str) -> None:
    """Delete a limit that no job shares. Raises NotFound, and Conflict naming the jobs that do."""
    with app.database.write() as connection:
        chains.lock_definitions(connection)
        names = limits.jobs_sharing(connection, name)
        if names:
            raise Conflict(
                f"Limit {shown(name)} is shared by {', '.join(names[:10])}{' and others' if names[10:] else ''};"
                " take it out of these jobs first."
            )
        if not limits.delete_limit(connection, name):
            raise NotFound(f"Limit {shown(name)} not found.")
