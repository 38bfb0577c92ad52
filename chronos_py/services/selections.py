"""Pause and resume several jobs at once: all of them or, on any error, none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from chronos_py.errors import InvalidDefinition, NotFound
from chronos_py.model.document import read_definition
from chronos_py.model.job import Job
from chronos_py.model.labels import Labels, check_key, check_value, in_words
from chronos_py.model.reader import Reader, shown
from chronos_py.services.application import Application
from chronos_py.services.jobs import store_definition
from chronos_py.store import chains, jobs

KINDS = ("names", "labels", "text")
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Selection:
    """Jobs by name, or those that have all of some labels, or those whose name or command has a text in it."""

    names: Sequence[str] = ()
    labels: Labels = ()
    text: str = ""

    @property
    def note(self) -> str:
        """Why the history of one of them has this change."""
        if self.labels:
            return f"with all jobs labelled {in_words(self.labels)}"
        return f"with all jobs that fit {shown(self.text)}" if self.text else ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The names of the jobs that were changed, and of those that were as asked already."""

    changed: Sequence[str]
    unchanged: Sequence[str]


def read_selection(body: Mapping[str, Any]) -> Selection:
    """The selection of a request: exactly one of ``names``, ``labels`` and ``text``. Raises InvalidDefinition."""
    given = [kind for kind in KINDS if body.get(kind) is not None]
    if len(given) != 1:
        what = " and ".join(given) or "nothing"
        raise InvalidDefinition(f"Say which jobs by exactly one of names, labels and text; {what} was given.")
    read, kind = Reader(body), given[0]
    selection = Selection(
        tuple(dict.fromkeys(read.texts("names"))), _read_labels(read), read.text("text") if kind == "text" else ""
    )
    if not (selection.names or selection.labels or selection.text.strip()):
        raise InvalidDefinition(f"{kind} is empty; that would choose no job, or all of them.", kind)
    return selection


def _read_labels(read: Reader) -> Labels:
    """``{"team": "etl", "urgent": null}``; null stands for any value."""
    labels = read.get("labels", {})
    if not isinstance(labels, dict):
        read.refuse("labels", 'an object of texts, such as {"team": "etl"}, with null for any value')
    return [(check_key(key), None if value is None else check_value(key, value)) for key, value in labels.items()]


def pause_jobs(app: Application, selection: Selection, author: str = "") -> Outcome:
    """Pause jobs; what the schedule or parents had queued is skipped. Raises NotFound, naming a job."""
    return _set_disabled(app, selection, author, True, False)


def resume_jobs(app: Application, selection: Selection, author: str = "", catch_up: bool = False) -> Outcome:
    """Resume jobs. What came meanwhile is skipped, with one row that says so in the history of each.

    With ``catch_up`` it counts as missed: the rule ``catchUp`` of each job says what becomes of it. Raises NotFound,
    naming a job.
    """
    return _set_disabled(app, selection, author, False, catch_up)


def disabled_among(app: Application, names: Sequence[str]) -> set[str]:
    """Which of these jobs are paused. Raises NotFound, naming one that is not there."""
    with app.database.read() as connection:
        return {job.name for job in _named(connection, names).values() if job.definition.disabled}


def _set_disabled(app: Application, selection: Selection, author: str, disabled: bool, catch_up: bool) -> Outcome:
    now = app.clock.now()
    with app.database.write() as connection:
        chains.lock_definitions(connection)
        found = lock_selected(connection, selection)
        changed = [job for job in found if job.definition.disabled is not disabled]
        for job in changed:
            _change(connection, job, disabled, author, now, selection.note, catch_up)
    app.wake.all()
    names = sorted(job.name for job in changed)
    return Outcome(names, sorted({job.name for job in found} - set(names)))


def lock_selected(connection: Connection, selection: Selection) -> list[Job]:
    """The jobs, locked in the order in which the leader locks several: by id."""
    if selection.names:
        found = list(_named(connection, selection.names).values())
    else:
        found = jobs.list_jobs(connection, selection.text, wanted=selection.labels)
    names = [job.name for job in sorted(found, key=lambda job: job.id)]
    locked: list[Job] = []
    for start in range(0, len(names), _BATCH):
        locked += jobs.find_jobs(connection, names[start : start + _BATCH], lock=True).values()
    return locked


def _named(connection: Connection, names: Sequence[str]) -> dict[str, Job]:
    """The jobs of these names. Raises NotFound."""
    found: dict[str, Job] = {}
    for start in range(0, len(names), _BATCH):
        found |= jobs.find_jobs(connection, names[start : start + _BATCH])
    for name in names:
        if name not in found:
            raise NotFound(f"Job {shown(name)} not found.")
    return found


def _change(
    connection: Connection, job: Job, disabled: bool, author: str, now: datetime, note: str, catch_up: bool
) -> None:
    document = {**job.document, "disabled": disabled}
    if not disabled:
        del document["disabled"]
    store_definition(connection, job, read_definition(document), document, author, now, note, catch_up)
