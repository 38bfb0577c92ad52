"""What is done to many jobs at once beside pausing them: all of them or, on any error, none."""

from __future__ import annotations

from chronos_py.errors import InvalidDefinition
from chronos_py.model.document import read_definition
from chronos_py.model.labels import check_key, check_value
from chronos_py.model.run import Reason
from chronos_py.services.announcing import disable_if_exhausted
from chronos_py.services.application import Application
from chronos_py.services.jobs import end_unfinished, store_definition
from chronos_py.services.runs import force_run, killed_by
from chronos_py.services.selections import Outcome, Selection, lock_selected
from chronos_py.store import chains


def run_jobs(app: Application, selection: Selection, requested_by: str = "") -> int:
    """Force a run of each of the jobs, paused ones too; how many. Raises NotFound, naming a job."""
    now = app.clock.now()
    with app.database.write() as connection:
        found = lock_selected(connection, selection)
        for job in found:
            force_run(connection, job, now, requested_by=requested_by)
    app.wake.dispatcher.set()
    return len(found)


def kill_runs(app: Application, selection: Selection, requested_by: str = "") -> int:
    """End every run of the jobs that has not ended; how many runs. Raises NotFound, naming a job."""
    now, count = app.clock.now(), 0
    with app.database.write() as connection:
        for job in lock_selected(connection, selection):
            count += end_unfinished(connection, job.id, Reason.KILLED, killed_by(requested_by), now)
            disable_if_exhausted(connection, job.id, now)
    app.wake.watcher.set()
    return count


def label_jobs(app: Application, selection: Selection, change: str, author: str = "") -> Outcome:
    """Give the jobs a label, ``key=value``, or take one away, ``-key``. Raises InvalidDefinition, NotFound."""
    key, value = read_change(change)
    now = app.clock.now()
    note = f"with other jobs: label {change.strip()}"
    changed: list[str] = []
    unchanged: list[str] = []
    with app.database.write() as connection:
        chains.lock_definitions(connection)
        for job in lock_selected(connection, selection):
            labels = {name: text for name, text in job.definition.labels.items() if name != key}
            if value is not None:
                labels[key] = value
            (unchanged if labels == job.definition.labels else changed).append(job.name)
            if labels != job.definition.labels:
                document = {**job.document, "labels": labels}
                store_definition(connection, job, read_definition(document), document, author, now, note)
    return Outcome(sorted(changed), sorted(unchanged))


def read_change(change: str) -> tuple[str, str | None]:
    """``key=value`` to set and ``-key`` to take away (None), as people type them. Raises InvalidDefinition."""
    text = change.strip()
    if not text:
        raise InvalidDefinition("labels is empty; type team=etl to set a label, or -team to take it away.", "labels")
    if text.startswith("-"):
        return check_key(text[1:].strip()), None
    key, _, value = text.partition("=")
    return check_key(key.strip()), check_value(key, value.strip())
