"""Plan: turn what is due into runs."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import datetime, timedelta

from chronos_py.errors import InvalidDefinition
from chronos_py.model.overlap import OverlapDecision, Unfinished, decide_overlap
from chronos_py.model.restrictions import moved_from
from chronos_py.model.run import Reason, RunState, Trigger
from chronos_py.model.schedule import Schedule
from chronos_py.model.schedule.catch_up import Due, Skipped, Why, decide
from chronos_py.model.schedule.jitter import jitter
from chronos_py.scheduler.context import TermContext
from chronos_py.services.replacement import end_replaced
from chronos_py.store import calendars, runs, schedules
from chronos_py.store.runs import NewRun
from chronos_py.store.schedules import Advance, DueJob

BATCH = 500
_REASONS = {Why.MISSED: Reason.MISSED, Why.BLOCKED: Reason.BLOCKED}


class Planner:
    """Takes due jobs in batches, the longest overdue first; one batch is one transaction."""

    name = "planner"

    def __init__(self, term: TermContext) -> None:
        self._term = term

    def step(self) -> datetime | None:
        """Plan everything that is due; when the next job is. Raises Deposed, DatabaseUnavailable."""
        while True:
            with self._term.read() as connection:
                earliest = schedules.earliest_due(connection)
            if earliest is None or earliest > self._term.now():
                return earliest
            if not self._plan_batch():
                return self._term.now()  # what is left is being edited at this moment

    def _plan_batch(self) -> int:
        now = self._term.now()
        with self._term.lead() as connection:
            due = schedules.due_jobs(connection, now, BATCH)
            names = {name for job in due for name in job.definition.restrictions.calendars}
            known = calendars.calendars_named(connection, names)
            ids = [job.schedule.job_id for job in due]
            unfinished = runs.count_unfinished(connection, ids)
            taken = runs.taken_occurrences(connection, ids)
            new_runs: list[NewRun] = []
            advances: list[Advance] = []
            for job in due:
                job_id = job.schedule.job_id
                try:
                    timetable = job.definition.timetable(known, job.schedule.defined_at)
                except InvalidDefinition as error:  # accepted by another version; the others go on
                    new_runs.append(_unreadable_row(job, error, now))
                    advances.append(Advance(job_id, None, None, job.schedule.repetitions_left))
                    continue
                decision = _decide(job, timetable, now)
                there: Set[datetime] = taken.get(job_id, frozenset())
                new_runs += [
                    _skipped_row(job, skipped, now, there)
                    for skipped in decision.skipped
                    if not _is_all_there(skipped, there)
                ]
                run_at = [occurrence for occurrence in decision.run_at if occurrence not in there]
                overlap = _overlap(job, run_at, unfinished[job_id])
                if overlap.replaces:
                    end_replaced(connection, job_id, run_at[0], now)
                    self._term.wake.watcher.set()
                new_runs += [_run(job, occurrence, overlap, timetable, now) for occurrence in run_at]
                advances.append(Advance(job_id, decision.next_due, decision.next_run, decision.repetitions_left))
            runs.insert_runs(connection, new_runs)
            schedules.advance_schedules(connection, advances)
        self._term.wake.dispatcher.set()
        return len(due)


def _decide(job: DueJob, timetable: Schedule, now: datetime) -> Due:
    stored = job.schedule
    return decide(timetable, stored.next_due or now, stored.repetitions_left, now, job.definition.catch_up)


def _overlap(job: DueJob, run_at: Sequence[datetime], unfinished: Unfinished) -> OverlapDecision:
    """Several at once were missed, and catchUp: all wants each: they wait for each other, none is skipped."""
    if len(run_at) != 1:
        return OverlapDecision()
    return decide_overlap(job.definition.overlap, unfinished)


def _is_all_there(skipped: Skipped, taken: Set[datetime]) -> bool:
    """Whether a backfill was faster, and all that would be skipped has a run."""
    return skipped.count == sum(skipped.first <= occurrence <= skipped.last for occurrence in taken)


def _skipped_row(job: DueJob, skipped: Skipped, now: datetime, taken: Set[datetime]) -> NewRun:
    """The row for what was missed or is blocked; it tells of all even if a backfill runs some of it."""
    return NewRun(
        job_id=job.schedule.job_id,
        revision=job.revision,
        trigger=Trigger.SCHEDULE,
        scheduled_at=skipped.first,
        created_at=now,
        state=RunState.SKIPPED,
        occurrence=None if skipped.first in taken else skipped.first,
        reason=_REASONS[skipped.why],
        message=skipped.message,
        scheduled_until=skipped.last,
        occurrences=skipped.count,
    )


def _unreadable_row(job: DueJob, error: InvalidDefinition, now: datetime) -> NewRun:
    """Why a job does not run any more. Its stored schedule is told of, for the definition may lack it."""
    scheduled_at = job.schedule.next_due or now
    return NewRun(
        job_id=job.schedule.job_id,
        revision=job.revision,
        trigger=Trigger.SCHEDULE,
        scheduled_at=scheduled_at,
        created_at=now,
        state=RunState.SKIPPED,
        occurrence=scheduled_at,
        reason=Reason.BLOCKED,
        message=f'skipped, and not due again: the schedule "{job.schedule.expression}" cannot be read any more'
        f" ({error}); save the job with one that can",
        occurrences=None,
    )


def _run(job: DueJob, occurrence: datetime, overlap: OverlapDecision, timetable: Schedule, now: datetime) -> NewRun:
    """The run of an occurrence, or the reason why there is none."""
    definition = job.definition
    not_before = occurrence + jitter(definition.name, occurrence, definition.jitter)
    deadline = definition.catch_up.start_deadline
    return NewRun(
        job_id=job.schedule.job_id,
        revision=job.revision,
        trigger=Trigger.SCHEDULE,
        scheduled_at=occurrence,
        created_at=now,
        state=RunState.SKIPPED if overlap.skip else RunState.QUEUED,
        occurrence=occurrence,
        reason=Reason.OVERLAP if overlap.skip else Reason.NONE,
        message=overlap.skip or "",
        high_priority=definition.high_priority,
        not_before=max(now, not_before),
        start_before=None if deadline is None else not_before + deadline,
        priority=definition.concurrency.priority,
        interval_start=timetable.latest_at_or_before(occurrence - timedelta(microseconds=1)),
        note="; ".join(filter(None, (overlap.note, _moved(timetable, occurrence)))),
    )


def _moved(timetable: Schedule, occurrence: datetime) -> str:
    origin = moved_from(timetable, occurrence)
    return "" if origin is None else f"moved here from {origin.astimezone(timetable.zone):%Y-%m-%d %H:%M}"
