"""Backfill: run what a schedule would have run in the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from chronos_py.errors import Conflict, InvalidDefinition, NotFound
from chronos_py.model.backfill import LeftOut, choose, past_occurrences
from chronos_py.model.instant import read_instant
from chronos_py.model.job import Job
from chronos_py.model.reader import shown
from chronos_py.model.run import FINAL_RUN_STATES, Reason, RunState, Trigger
from chronos_py.model.schedule import Schedule
from chronos_py.services.application import Application
from chronos_py.services.ending import end_or_kill
from chronos_py.services.jobs import require_job
from chronos_py.store import backfills, calendars, runs
from chronos_py.store.backfills import Backfill
from chronos_py.store.runs import NewRun

MOST = 10_000
MOST_PARALLEL = 1_000
_BATCH = 500
_INSTANT = timedelta(microseconds=1)
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a backfill would do: the occurrences that it runs, the earliest first, and those that it leaves alone."""

    first: datetime
    last: datetime
    occurrences: Sequence[datetime]
    left_out: Sequence[LeftOut]
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class BackfillView:
    """A backfill and how far it is: its own runs by state, and those of children in its waves."""

    backfill: Backfill
    runs: Mapping[RunState, int]
    child_runs: Mapping[RunState, int]

    @property
    def total(self) -> int:
        return sum(self.runs.values())

    @property
    def ended(self) -> int:
        return sum(count for state, count in self.runs.items() if state in FINAL_RUN_STATES)

    @property
    def state(self) -> str:
        """``running``, ``cancelled``, ``failed`` (some run did not succeed) or ``succeeded``."""
        counts = [*self.runs.items(), *self.child_runs.items()]
        if any(state not in FINAL_RUN_STATES for state, _ in counts):
            return "running"
        if self.backfill.cancelled_at is not None:
            return "cancelled"
        return "failed" if any(state is not RunState.SUCCEEDED for state, _ in counts) else "succeeded"


def plan_backfill(app: Application, name: str, first: str, last: str, force: bool = False) -> Plan:
    """What :func:`start_backfill` would do. Raises as it does, but for Conflict."""
    with app.database.read() as connection:
        return _plan(connection, require_job(connection, name), first, last, force, app.clock.now())


def start_backfill(
    app: Application,
    name: str,
    first: str,
    last: str,
    parallel: int = 1,
    with_children: bool = False,
    force: bool = False,
    requested_by: str = "",
) -> BackfillView:
    """Queue a run for every occurrence of a job from ``first`` to ``last`` that has not run; both are still in it.

    They are ISO 8601 times, in the job's zone unless they have an offset, or dates, which stand for the whole day.
    At most ``parallel`` runs go on at a time, whatever the job's overlap says; other runs of the job go first.
    ``with_children`` runs the jobs after it too, each wave by itself. ``force`` runs again what has run.

    Raises NotFound; InvalidDefinition for a job without a schedule and times without occurrences; Conflict when
    nothing is left to run.
    """
    if not 1 <= parallel <= MOST_PARALLEL:
        raise InvalidDefinition(f"parallel is {parallel} but must be from 1 to {MOST_PARALLEL}.", "parallel")
    now = app.clock.now()
    with app.database.write() as connection:
        job = require_job(connection, name, lock=True)
        plan = _plan(connection, job, first, last, force, now)
        if not plan.occurrences:
            raise Conflict(
                f"All {len(plan.left_out)} occurrences of job {shown(name)} in that time have a run already, such as"
                f" run {plan.left_out[-1].run.id}; say force to run those again that have ended."
            )
        backfill_id = backfills.insert_backfill(
            connection, job.id, plan.first, plan.last, parallel, with_children, force, requested_by, now
        )
        for start in range(0, len(plan.occurrences), _BATCH):
            batch = plan.occurrences[start : start + _BATCH]
            runs.free_occurrences(connection, job.id, batch)
            runs.insert_runs(
                connection,
                [
                    NewRun(
                        job_id=job.id,
                        revision=job.revision,
                        trigger=Trigger.BACKFILL,
                        scheduled_at=occurrence,
                        created_at=now,
                        occurrence=occurrence,
                        requested_by=requested_by,
                        backfill_id=backfill_id,
                        starts_children=with_children,
                        in_wave=True,
                        interval_start=plan.schedule.latest_at_or_before(occurrence - _INSTANT),
                    )
                    for occurrence in batch
                ],
            )
        view = _view(connection, _require_backfill(connection, backfill_id))
    app.wake.dispatcher.set()
    return view


def _plan(connection: Connection, job: Job, first: str, last: str, force: bool, now: datetime) -> Plan:
    schedule = _timetable(connection, job)
    begin = max(_time("from", first, schedule), _EARLIEST)
    if begin > now:
        raise InvalidDefinition(
            f"from is {shown(first)} but must be in the past; later occurrences run by themselves.", "from"
        )
    end = _time("to", last, schedule, is_end=True)
    if end < begin:
        raise InvalidDefinition(f"to is {shown(last)}, which is before from.", "to")
    end = min(end, now)
    counted = schedule.count_between(begin, end)
    occurrences = [] if counted is not None and counted > MOST else past_occurrences(schedule, begin, end, MOST)
    if len(occurrences) > MOST or (counted or 0) > MOST:
        many = f"{counted:,}" if counted else f"more than {MOST:,}"
        raise InvalidDefinition(
            f"from {shown(first)} to {shown(last)} there are {many} occurrences; at most {MOST:,} can be run at once,"
            " so choose a shorter time.",
            "from",
        )
    if not occurrences:
        raise InvalidDefinition(
            f"from {shown(first)} to {shown(last)} the schedule {shown(job.definition.schedule)} has no occurrence.",
            "from",
        )
    standing = backfills.standing_runs(connection, job.id, occurrences[0], occurrences[-1])
    return Plan(begin, end, *choose(occurrences, standing, force), schedule)


def _timetable(connection: Connection, job: Job) -> Schedule:
    definition = job.definition
    if not definition.schedule:
        parents = f"; backfill the job at the head of its chain ({', '.join(definition.parents)})"
        raise InvalidDefinition(
            f"Job {shown(job.name)} has no schedule, so it has no past occurrences"
            f"{parents if definition.parents else '; run it by hand'}.",
            "schedule",
        )
    known = calendars.calendars_named(connection, definition.restrictions.calendars)
    return definition.timetable(known, job.anchored_at or job.created_at)


def _time(field: str, text: str, schedule: Schedule, is_end: bool = False) -> datetime:
    moment = read_instant(text.strip(), schedule.zone, is_end)
    if moment is None:
        raise InvalidDefinition(
            f"{field} is {shown(text)} but must be a date such as 2026-01-31, or an ISO 8601 time.", field
        )
    return moment


def get_backfill(app: Application, backfill_id: int) -> BackfillView:
    """A backfill by its number. Raises NotFound."""
    with app.database.read() as connection:
        return _view(connection, _require_backfill(connection, backfill_id))


def list_backfills(
    app: Application, job_name: str | None = None, before: int | None = None, limit: int = 50
) -> list[BackfillView]:
    """Backfills, newest first, those numbered below ``before``. Raises NotFound for an unknown job."""
    with app.database.read() as connection:
        job_id = None if job_name is None else require_job(connection, job_name).id
        found = backfills.list_backfills(connection, job_id, before, limit)
        counts = backfills.count_runs(connection, [backfill.id for backfill in found])
        return [BackfillView(backfill, *counts[backfill.id]) for backfill in found]


def cancel_backfill(app: Application, backfill_id: int, by: str = "", kill: bool = False) -> BackfillView:
    """Begin nothing more of a backfill; ``kill`` also kills what runs. Raises NotFound, Conflict once it is over."""
    now = app.clock.now()
    with app.database.write() as connection:
        backfill = _require_backfill(connection, backfill_id, lock=True)
        view = _view(connection, backfill)
        if view.state != "running" or (backfill.cancelled_at is not None and not kill):
            raise Conflict(f"Backfill {backfill_id} of job {shown(backfill.job_name)} is over already: {view.state}.")
        words = f"the backfill was cancelled by {by}" if by else "the backfill was cancelled"
        if backfill.cancelled_at is None or kill:  # what it was asked to go on with after the first time, too
            backfills.cancel(connection, backfill_id, by, f"not begun: {words}", now)
        if kill:
            active = backfills.active_runs(connection, backfill_id)
            end_or_kill(connection, active, Reason.CANCELLED, f"killed: {words}", now)
        backfills.finish_if_over(connection, backfill_id, now)
        view = _view(connection, _require_backfill(connection, backfill_id))
    app.wake.watcher.set()
    return view


def _require_backfill(connection: Connection, backfill_id: int, lock: bool = False) -> Backfill:
    backfill = backfills.find_backfill(connection, backfill_id, lock)
    if backfill is None:
        raise NotFound(f"Backfill {backfill_id} not found.")
    return backfill


def _view(connection: Connection, backfill: Backfill) -> BackfillView:
    return BackfillView(backfill, *backfills.count_runs(connection, [backfill.id])[backfill.id])
