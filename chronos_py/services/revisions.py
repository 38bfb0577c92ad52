"""The history of a definition: who changed what and when, and going back to what it was."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chronos_py.errors import NotFound
from chronos_py.model.document import DEFAULTS, complete
from chronos_py.model.job import Job
from chronos_py.model.reader import shown
from chronos_py.model.secrets import mask, mask_value
from chronos_py.services.application import Application
from chronos_py.services.jobs import ANY_REVISION, require_job, save_job
from chronos_py.store import revisions
from chronos_py.store.revisions import StoredRevision

LIMIT = 50
_LONGEST_VALUE = 40


@dataclass(frozen=True, slots=True)
class Change:
    """A field of a document, by its path, as it was and as it is. Of lists also what came and what went."""

    field: str
    before: Any
    after: Any
    added: Sequence[Any] | None = None
    removed: Sequence[Any] | None = None

    @property
    def in_words(self) -> str:
        """What was done, such as ``retries: 2 -> 5``."""
        if self.added is not None and self.removed is not None:
            signs = [f"+{_short(item)}" for item in self.added] + [f"-{_short(item)}" for item in self.removed]
            return f"{self.field}: {', '.join(signs) or 'other order'}"
        if _is_long(self.before) or _is_long(self.after):
            return f"{self.field} changed"
        return f"{self.field}: {_short(self.before)} -> {_short(self.after)}"


@dataclass(frozen=True, slots=True)
class RevisionView:
    """A version of a definition. ``changes`` are those against ``against``, None for the first of all."""

    number: int
    document: Mapping[str, Any]
    author: str
    note: str
    created_at: datetime
    against: int | None
    changes: Sequence[Change]

    @property
    def in_words(self) -> str:
        """What was changed, in one line."""
        if self.against is None:
            return "created"
        return "; ".join(change.in_words for change in self.changes) or "nothing changed"


def list_revisions(app: Application, name: str, before: int | None = None, limit: int = LIMIT) -> list[RevisionView]:
    """Versions of a job, newest first, those before ``before``, each with its changes. Raises NotFound."""
    with app.database.read() as connection:
        job = require_job(connection, name)
        found = revisions.list_revisions(connection, job.id, before, limit + 1)
    earlier: list[StoredRevision | None] = [*found[1:], None]
    return [_view(*pair) for pair in zip(found, earlier, strict=True)][:limit]


def get_revision(app: Application, name: str, number: int, against: int | None = None) -> RevisionView:
    """A version of a job with its changes against the one before, or against another. Raises NotFound."""
    with app.database.read() as connection:
        job = require_job(connection, name)
        found = revisions.find_revision(connection, job.id, number)
        if found is None:
            raise _no_revision(job, number)
        other = revisions.find_revision(connection, job.id, number - 1 if against is None else against)
        if other is None and against is not None:
            raise _no_revision(job, against)
        return _view(found, other)


def pause_of(app: Application, job: Job) -> StoredRevision | None:
    """The version that paused a job, None where it is not paused."""
    with app.database.read() as connection:
        return revisions.pause_began(connection, job.id, job.revision)


def restore_revision(
    app: Application, name: str, number: int, author: str = "", if_revision: int | None = None
) -> Job:
    """Go back to a version: it becomes the newest one, under the job's present name.

    Raises NotFound, Outdated, and InvalidDefinition where it is not possible any more, such as with a parent that is
    gone.
    """
    found = get_revision(app, name, number)
    expected = ANY_REVISION if if_revision is None else if_revision
    job, _ = save_job(app, {**found.document, "name": name}, author, expected, note=f"went back to revision {number}")
    return job


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """What two documents say differently, with all defaults filled in, in the order of the fields."""
    before, after = (dict(_members({**DEFAULTS, **complete(document)})) for document in (old, new))
    fields = sorted({**before, **after}, key=_place)
    return [
        _change(field, before.get(field), after.get(field))
        for field in fields
        if before.get(field) != after.get(field) or (field in before) != (field in after)
    ]


def _members(document: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every member by its path; an object counts as its members, one without any, or null, as nothing."""
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from _members(value, f"{path}{name}.")
        elif value is not None:
            yield f"{path}{name}", value


def _place(field: str) -> tuple[int, str]:
    """Known fields in their order, then the others."""
    names = list(DEFAULTS)
    name = field.partition(".")[0]
    return (names.index(name) if name in DEFAULTS else len(names), field)


def _change(field: str, before: Any, after: Any) -> Change:
    lists = [value if isinstance(value, list) else [] for value in (before, after)]
    if not isinstance(before, list) and not isinstance(after, list):
        return Change(field, before, after)
    return Change(field, before, after, _without(lists[1], lists[0]), _without(lists[0], lists[1]))


def _without(items: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    return [item for item in items if item not in others]


def _view(revision: StoredRevision, other: StoredRevision | None) -> RevisionView:
    changes = [] if other is None else difference(other.document, revision.document)
    return RevisionView(
        revision.number,
        revision.document,
        revision.author,
        revision.note,
        revision.created_at,
        None if other is None else other.number,
        changes,
    )


def _no_revision(job: Job, number: int) -> NotFound:
    return NotFound(f"Job {shown(job.name)} has no revision {number}; its newest one is {job.revision}.")


def _is_long(value: Any) -> bool:
    return isinstance(value, str) and (len(value) > _LONGEST_VALUE or "\n" in value)


def _short(value: Any) -> str:
    """A value in a sentence."""
    if value is None or value == "":
        return "nothing"
    if isinstance(value, dict) and set(value) == {"name", "value"}:
        value = f"{value['name']}={mask_value(str(value['name']), str(value['value']))}"
    value = mask(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."
