"""Rows for the tests of the store, through the store's own functions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, update

from chronos_py.model.document import read_definition
from chronos_py.model.run import Attempt, Run, RunState, Trigger
from chronos_py.store import attempts, jobs, runs
from chronos_py.store.runs import NewRun
from chronos_py.store.tables import RunRow

NOW = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
POOL = "process"


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def add_job(connection: Connection, name: str = "job", **fields: Any) -> int:
    """A job at revision 1; its id."""
    document = {"name": name, "command": "true", **fields}
    new = jobs.NewJob(read_definition(document), document)
    return jobs.insert_jobs(connection, [new], "somebody", NOW)[new.definition.name]


def change_job(connection: Connection, name: str, **fields: Any) -> None:
    job = jobs.find_job(connection, name, lock=True)
    assert job is not None
    document = {**job.document, **fields}
    jobs.update_job(connection, job, read_definition(document), document, "somebody else", later(60))


def add_run(connection: Connection, job_id: int, state: RunState = RunState.QUEUED, **fields: Any) -> int:
    """A run in any state; its id. ``not_before`` and the fields of NewRun may be given."""
    not_before = fields.pop("not_before", NOW)
    new = NewRun(
        **{
            "job_id": job_id,
            "revision": 1,
            "trigger": Trigger.MANUAL,
            "scheduled_at": NOW,
            "created_at": NOW,
            **fields,
        }
    )
    run_id = runs.insert_run(connection, new)
    connection.execute(update(RunRow).where(RunRow.id == run_id).values(state=state.value, not_before=not_before))
    return run_id


def add_attempt(connection: Connection, run_id: int, number: int = 1, pool: str = POOL, revision: int = 1) -> Attempt:
    return attempts.insert_attempt(connection, run_id, number, revision, f"task-{run_id}-{number}", pool, 1, NOW)


def stored_run(connection: Connection, run_id: int) -> Run:
    run = runs.find_run(connection, run_id)
    assert run is not None
    return run
