"""Views of the list of jobs that people keep by name, for everyone who uses this cluster."""

from __future__ import annotations

from chronos_py.errors import InvalidDefinition, NotFound
from chronos_py.model.reader import shown
from chronos_py.services.application import Application
from chronos_py.store import views
from chronos_py.store.views import SavedView

LONGEST_NAME = 60
LONGEST_QUERY = 4000
MOST = 50


def list_views(app: Application) -> list[SavedView]:
    """All of them, by name."""
    with app.database.read() as connection:
        return views.list_views(connection)


def save_view(app: Application, name: str, query: str, author: str = "") -> SavedView:
    """Keep the list that has ``query`` in its address, in the place of one of that name. Raises InvalidDefinition."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidDefinition(
            f"name is {shown(name)} but a view needs one of 1 to {LONGEST_NAME} characters.", "name"
        )
    if len(query) > LONGEST_QUERY:
        raise InvalidDefinition(f"query is longer than {LONGEST_QUERY} characters; filter by less.", "query")
    view = SavedView(name, query, author, app.clock.now())
    with app.database.write() as connection:
        known = {each.name for each in views.list_views(connection)}
        if name not in known and len(known) >= MOST:
            raise InvalidDefinition(f"There are {MOST} views already; delete one that nobody needs first.", "name")
        views.put_view(connection, view)
    return view


def delete_view(app: Application, name: str) -> None:
    """Raises NotFound."""
    with app.database.write() as connection:
        if not views.delete_view(connection, name):
            raise NotFound(f"View {shown(name)} not found.")
