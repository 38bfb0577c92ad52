"""Run a job now, kill, run again, look at runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from chronos_py.errors import Conflict, InvalidDefinition, NotFound
from chronos_py.model.job import Job
from chronos_py.model.reader import shown
from chronos_py.model.run import WAITING_RUN_STATES, Attempt, Outcome, Overrides, Reason, Run, RunState, Trigger
from chronos_py.services.announcing import disable_if_exhausted
from chronos_py.services.application import Application
from chronos_py.services.ending import end_or_kill
from chronos_py.services.following import follow
from chronos_py.services.jobs import end_unfinished, require_job
from chronos_py.services.waiting import what_it_waits_for
from chronos_py.store import attempts, backfills, calendars, chains, jobs, runs
from chronos_py.store.runs import NewRun

LONGEST_NOTE = 1000
CLEARED = 500  # runs that are taken out of the queue at a time


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run with its attempts, first to last, and what it waits for ("" when it does not)."""

    run: Run
    attempts: Sequence[Attempt]
    waits_for: str = ""


def run_now(
    app: Application,
    name: str,
    overrides: Overrides | None = None,
    requested_by: str = "",
    scheduled_at: datetime | None = None,
    even_if_disabled: bool = True,
    with_children: bool = True,
) -> Run:
    """Queue a run of a job, whatever its schedule or parents say. Raises NotFound, InvalidDefinition.

    ``scheduled_at`` (default: now) is the time the run stands for. A run of a paused job is recorded as skipped
    unless ``even_if_disabled``. ``with_children``: the jobs after it run as after any other run.
    """
    now = app.clock.now()
    scheduled_at = scheduled_at or now
    if not 1970 <= scheduled_at.year <= 9998:
        raise InvalidDefinition(
            f"scheduledTime is {shown(scheduled_at.isoformat())} but must be from 1970 to 9998.", "scheduledTime"
        )
    with app.database.write() as connection:
        job = require_job(connection, name)
        held_back = job.definition.disabled and not even_if_disabled
        run_id = force_run(
            connection,
            job,
            now,
            overrides,
            requested_by,
            scheduled_at,
            held_back=held_back,
            with_children=with_children,
        )
        run = require_run(connection, run_id)
    app.wake.dispatcher.set()
    return run


def force_run(
    connection: Connection,
    job: Job,
    now: datetime,
    overrides: Overrides | None = None,
    requested_by: str = "",
    scheduled_at: datetime | None = None,
    *,
    held_back: bool = False,
    with_children: bool = True,
) -> int:
    """Queue a run that a person asks for; its id. ``held_back``: only record that the job is paused."""
    scheduled_at = scheduled_at or now
    run_id = runs.insert_run(
        connection,
        NewRun(
            job_id=job.id,
            revision=job.revision,
            trigger=Trigger.MANUAL,
            scheduled_at=scheduled_at,
            created_at=now,
            state=RunState.SKIPPED if held_back else RunState.QUEUED,
            reason=Reason.DISABLED if held_back else Reason.NONE,
            message="skipped: the job is paused" if held_back else "",
            high_priority=job.definition.high_priority,
            priority=job.definition.concurrency.priority,
            requested_by=requested_by,
            overrides=overrides or Overrides(),
            starts_children=with_children,
            interval_start=_interval_start(connection, job, scheduled_at),
            note="" if with_children else "the jobs after it do not run",
        ),
    )
    # A forced child starts from a clean slate: it waits for all its parents again.
    if not held_back:
        chains.consume(connection, [job.id])
    return run_id


def _interval_start(connection: Connection, job: Job, scheduled_at: datetime) -> datetime | None:
    """The last occurrence of a job's schedule before the time that a run stands for."""
    definition = job.definition
    if not definition.schedule or job.anchored_at is None:
        return None
    known = calendars.calendars_named(connection, definition.restrictions.calendars)
    timetable = definition.timetable(known, job.anchored_at)
    return timetable.latest_at_or_before(scheduled_at - timedelta(microseconds=1))


def rerun(app: Application, run_id: int, requested_by: str = "", from_failure: bool = False) -> Run:
    """Queue the same again: the job as it is defined now, for the same scheduled time, with the same overrides.

    Only this run; ``from_failure``: and after it, in its wave, every run that did not succeed, each once all its
    parents in that wave have. Raises NotFound, and Conflict while the run has not ended.
    """
    now = app.clock.now()
    with app.database.write() as connection:
        old = require_run(connection, run_id)
        if not old.is_final:
            raise Conflict(
                f"Run {run_id} of job {shown(old.job_name)} has not ended yet; kill it or wait for its end."
            )
        job = require_job(connection, old.job_name)
        new_id = runs.insert_run(
            connection,
            NewRun(
                job_id=job.id,
                revision=job.revision,
                trigger=Trigger.RERUN,
                scheduled_at=old.scheduled_at,
                created_at=now,
                high_priority=job.definition.high_priority,
                priority=job.definition.concurrency.priority,
                requested_by=requested_by,
                overrides=old.overrides,
                root_run_id=old.root_run_id or old.id,
                parent_run_id=old.id,
                parent_runs=old.parent_runs,
                backfill_id=old.backfill_id,
                starts_children=from_failure,
                in_wave=True,
                interval_start=old.interval_start,
                note="with what did not succeed after it" if from_failure else "",
            ),
        )
        backfills.note_more(connection, old.backfill_id)
        run = require_run(connection, new_id)
    app.wake.dispatcher.set()
    return run


def mark_successful(app: Application, run_id: int, note: str = "", by: str = "") -> Run:
    """Let a run that ended otherwise count as successful: the jobs after it run as if it had been.

    Its state stays what it was; ``note`` says why. Raises NotFound, InvalidDefinition for an endless note, and
    Conflict for a run that has not ended or counts as successful already.
    """
    if len(note) > LONGEST_NOTE:
        raise InvalidDefinition(f"note has {len(note)} characters; at most {LONGEST_NOTE} are kept.", "note")
    now = app.clock.now()
    with app.database.write() as connection:
        run = require_run(connection, run_id, lock=True)
        if not run.is_final or run.outcome is Outcome.SUCCESS:
            why = "counts as successful already" if run.is_final else "has not ended yet"
            raise Conflict(f"Run {run_id} of job {shown(run.job_name)} {why}.")
        other = runs.success_in_wave(connection, run.job_id, run.root_run_id or run.id)
        if other is not None:
            raise Conflict(
                f"Run {other} of job {shown(run.job_name)} has succeeded in the same wave: nothing waits for it."
            )
        words = f"marked successful by {by}" if by else "marked successful"
        words = f"{words}: {note.strip()}" if note.strip() else words
        runs.overrule(connection, run_id, "; ".join(filter(None, (run.note, words))))
        has_to_kill = follow(connection, run, Outcome.SUCCESS, now)
        backfills.note_more(connection, run.backfill_id)
        run = require_run(connection, run_id)
    app.wake.dispatcher.set()
    if has_to_kill:
        app.wake.watcher.set()
    return run


def mark_job_successful(app: Application, name: str, by: str = "") -> Run:
    """Let a job count as having succeeded now, without running: the jobs after it run. Raises NotFound.

    It gets a run that says so. Its schedule goes on as before; it waits for all its parents anew.
    """
    now = app.clock.now()
    with app.database.write() as connection:
        job = require_job(connection, name, lock=True)
        run_id = runs.insert_run(
            connection,
            NewRun(
                job_id=job.id,
                revision=job.revision,
                trigger=Trigger.MANUAL,
                scheduled_at=now,
                created_at=now,
                state=RunState.SUCCEEDED,
                message="marked successful without running",
                requested_by=by,
            ),
        )
        jobs.count_success(connection, job.id, now)
        chains.consume(connection, [job.id])
        run = require_run(connection, run_id)
        has_to_kill = follow(connection, run, Outcome.SUCCESS, now)
    app.wake.dispatcher.set()
    if has_to_kill:
        app.wake.watcher.set()
    return run


def clear_queue(app: Application, requested_by: str = "") -> int:
    """End every run of every job that waits to start; what runs goes on. How many there were."""
    ended = 0
    while True:
        now = app.clock.now()
        with app.database.write() as connection:
            waiting = {run.id: run for run in runs.list_runs(connection, states=WAITING_RUN_STATES, limit=CLEARED)}
            for run_id in runs.end_waiting(connection, waiting, Reason.KILLED, killed_by(requested_by), now):
                # Without its children: they would only take its place in the queue.
                disable_if_exhausted(connection, waiting[run_id].job_id, now)
                ended += 1
            backfills.note_end(connection, list(waiting), now)
        if len(waiting) < CLEARED:
            return ended


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
        message = killed_by(requested_by)
        if end_or_kill(connection, [run_id], Reason.KILLED, message, now):
            follow(connection, run, Outcome.FAILURE, now)
            disable_if_exhausted(connection, run.job_id, now)
            backfills.note_end(connection, [run_id], now)
        run = require_run(connection, run_id)
    app.wake.watcher.set()
    return run


def kill_job_runs(app: Application, name: str, requested_by: str = "") -> int:
    """End every run of a job that has not ended; how many. Raises NotFound."""
    now = app.clock.now()
    with app.database.write() as connection:
        job = require_job(connection, name)
        count = end_unfinished(connection, job.id, Reason.KILLED, killed_by(requested_by), now)
        disable_if_exhausted(connection, job.id, now)
    app.wake.watcher.set()
    return count


def killed_by(person: str) -> str:
    """Why a run was ended that a person, "" for an unknown one, asked to end."""
    return f"killed by {person}" if person else "killed on request"


def get_run(app: Application, run_id: int) -> RunDetail:
    """A run with its attempts. Raises NotFound."""
    with app.database.read() as connection:
        run, tries = require_run(connection, run_id), attempts.attempts_of(connection, run_id)
    return RunDetail(run, tries, what_it_waits_for(app, run))


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
