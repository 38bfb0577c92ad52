"""Run a job now, kill, run again, look at runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from chronos_py.errors import Conflict, NotFound
from chronos_py.model.reader import shown
from chronos_py.model.run import Attempt, Overrides, Reason, Run, RunState, Trigger
from chronos_py.services.application import Application
from chronos_py.services.jobs import end_unfinished, require_job
from chronos_py.store import attempts, backfills, chains, jobs, runs
from chronos_py.store.runs import NewRun


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run with its attempts, first to last."""

    run: Run
    attempts: Sequence[Attempt]


def run_now(
    app: Application,
    name: str,
    overrides: Overrides | None = None,
    requested_by: str = "",
    scheduled_at: datetime | None = None,
    even_if_disabled: bool = True,
) -> Run:
    """Queue a run of a job, whatever its schedule or parents say. Raises NotFound.

    ``scheduled_at`` (default: now) is the time the run stands for. A run of a paused job is recorded as skipped
    unless ``even_if_disabled``.
    """
    now = app.clock.now()
    with app.database.write() as connection:
        job = require_job(connection, name)
        held_back = job.definition.disabled and not even_if_disabled
        run_id = runs.insert_run(
            connection,
            NewRun(
                job_id=job.id,
                revision=job.revision,
                trigger=Trigger.MANUAL,
                scheduled_at=scheduled_at or now,
                created_at=now,
                state=RunState.SKIPPED if held_back else RunState.QUEUED,
                reason=Reason.DISABLED if held_back else Reason.NONE,
                message="skipped: the job is paused" if held_back else "",
                high_priority=job.definition.high_priority,
                requested_by=requested_by,
                overrides=overrides or Overrides(),
            ),
        )
        # A forced child starts from a clean slate: it waits for all its parents again.
        if not held_back:
            chains.consume(connection, [job.id])
        run = require_run(connection, run_id)
    app.wake.dispatcher.set()
    return run


def rerun(app: Application, run_id: int, requested_by: str = "") -> Run:
    """Queue the same again: the job as it is defined now, for the same scheduled time, with the same overrides.

    Raises NotFound, and Conflict while the run has not ended.
    """
    now = app.clock.now()
    with app.database.write() as connection:
        old = require_run(connection, run_id)
        if not old.is_final:
            raise Conflict(
                f"Run {run_id} of job {shown(old.job_name)} has not ended yet; kill it or wait for its end."
            )
        job = require_job(connection, old.job_name)
        if old.backfill_id is not None:
            backfills.reopen(connection, old.backfill_id)
        new_id = runs.insert_run(
            connection,
            NewRun(
                job_id=job.id,
                revision=job.revision,
                trigger=Trigger.RERUN,
                scheduled_at=old.scheduled_at,
                created_at=now,
                high_priority=job.definition.high_priority,
                requested_by=requested_by,
                overrides=old.overrides,
                parent_run_id=old.id,
                # What a backfill began goes on in its own wave, and beside today's runs.
                root_run_id=(old.root_run_id or old.id) if old.backfill_id is not None else None,
                backfill_id=old.backfill_id,
                starts_children=old.starts_children,
            ),
        )
        run = require_run(connection, new_id)
    app.wake.dispatcher.set()
    return run


def kill_run(app: Application, run_id: int, requested_by: str = "") -> Run:
    """End a run: at once while it waits, through the pool once its task runs. The run as it is now.

    A running task is ``killed`` only when the pool has confirmed its end. Raises NotFound, and Conflict when
    the run has ended already.
    """
    now = app.clock.now()
    with app.database.write() as connection:
        run = require_run(connection, run_id)
        if run.is_final:
            raise Conflict(f"Run {run_id} of job {shown(run.job_name)} has ended already: {run.state.value}.")
        message = _killed_by(requested_by)
        # No row is locked on the way: the leader takes attempts before runs, this would be the other way round.
        if runs.end_waiting(connection, [run_id], Reason.KILLED, message, now):
            jobs.disable_exhausted(connection, run.job_id, now)
            backfills.note_end(connection, [run_id], now)
        else:
            attempts.request_kill(connection, [run_id], Reason.KILLED, message, now)
        run = require_run(connection, run_id)
    app.wake.watcher.set()
    return run


def kill_job_runs(app: Application, name: str, requested_by: str = "") -> int:
    """End every run of a job that has not ended; how many. Raises NotFound."""
    now = app.clock.now()
    with app.database.write() as connection:
        job = require_job(connection, name)
        count = end_unfinished(connection, job.id, Reason.KILLED, _killed_by(requested_by), now)
        jobs.disable_exhausted(connection, job.id, now)
    app.wake.watcher.set()
    return count


def _killed_by(person: str) -> str:
    return f"killed by {person}" if person else "killed on request"


def get_run(app: Application, run_id: int) -> RunDetail:
    """A run with its attempts. Raises NotFound."""
    with app.database.read() as connection:
        return RunDetail(require_run(connection, run_id), attempts.attempts_of(connection, run_id))


def list_runs(
    app: Application,
    job_name: str | None = None,
    states: Iterable[RunState] = (),
    before: int | None = None,
    limit: int = 50,
    backfill_id: int | None = None,
) -> list[Run]:
    """Runs, newest first, those with an id below ``before``. Raises NotFound for an unknown job."""
    with app.database.read() as connection:
        job_id = None if job_name is None else require_job(connection, job_name).id
        return runs.list_runs(connection, job_id, states, before, limit, backfill_id)


def require_run(connection: Connection, run_id: int, lock: bool = False) -> Run:
    """The run of that id. Raises NotFound."""
    run = runs.find_run(connection, run_id, lock)
    if run is None:
        raise NotFound(f"Run {run_id} not found.")
    return run
