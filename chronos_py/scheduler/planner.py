"""Plan: turn what is due into runs."""

from __future__ import annotations

from datetime import datetime

from chronos_py.model.overlap import skip_sentence
from chronos_py.model.run import Reason, RunState, Trigger
from chronos_py.model.schedule import parse_schedule
from chronos_py.model.schedule.catch_up import Due, decide
from chronos_py.scheduler.context import TermContext
from chronos_py.store import jobs, runs
from chronos_py.store.jobs import DueJob
from chronos_py.store.runs import NewRun

BATCH = 500


class Planner:
    """Takes due jobs in batches, the longest overdue first; one batch is one transaction."""

    name = "planner"

    def __init__(self, term: TermContext) -> None:
        self._term = term

    def step(self) -> datetime | None:
        """Plan everything that is due; when the next job is. Raises Deposed, DatabaseUnavailable."""
        while True:
            with self._term.read() as connection:
                earliest = jobs.earliest_due(connection)
            if earliest is None or earliest > self._term.now():
                return earliest
            if not self._plan_batch():
                return self._term.now()  # what is left is being edited at this moment

    def _plan_batch(self) -> int:
        now = self._term.now()
        with self._term.lead() as connection:
            due = jobs.due_jobs(connection, now, BATCH)
            unfinished = runs.count_unfinished(connection, [job.schedule.job_id for job in due])
            new_runs: list[NewRun] = []
            advanced: list[tuple[int, datetime | None, int | None]] = []
            for job in due:
                decision = _decide(job, now)
                new_runs += _runs_of(job, decision, *unfinished[job.schedule.job_id], now)
                advanced.append((job.schedule.job_id, decision.next_due, decision.repetitions_left))
            runs.insert_runs(connection, new_runs)
            jobs.advance_schedules(connection, advanced)
        self._term.wake.dispatcher.set()
        return len(due)


def _decide(job: DueJob, now: datetime) -> Due:
    stored = job.schedule
    schedule = parse_schedule(stored.expression, stored.time_zone, job.definition.name).anchored(stored.defined_at)
    return decide(schedule, stored.next_due or now, stored.repetitions_left, now, job.definition.catch_up)


def _runs_of(job: DueJob, decision: Due, active: int, waiting: int, now: datetime) -> list[NewRun]:
    """The rows of a due job: the run, or the reason why there is none; and those for what was missed."""
    new_runs: list[NewRun] = []
    skipped = decision.skipped
    if skipped is not None:
        new_runs.append(
            NewRun(
                job_id=job.schedule.job_id,
                revision=job.revision,
                trigger=Trigger.SCHEDULE,
                scheduled_at=skipped.first,
                created_at=now,
                state=RunState.SKIPPED,
                occurrence=skipped.first,
                reason=Reason.MISSED,
                message=skipped.message,
                scheduled_until=skipped.last,
                occurrences=skipped.count,
            )
        )
    for occurrence in decision.run_at:
        # Several at once were missed, and catchUp: all wants each: they wait for each other, none is skipped.
        is_due_alone = len(decision.run_at) == 1
        overlap = skip_sentence(job.definition.overlap, active, waiting) if is_due_alone else None
        new_runs.append(
            NewRun(
                job_id=job.schedule.job_id,
                revision=job.revision,
                trigger=Trigger.SCHEDULE,
                scheduled_at=occurrence,
                created_at=now,
                state=RunState.SKIPPED if overlap else RunState.QUEUED,
                occurrence=occurrence,
                reason=Reason.OVERLAP if overlap else Reason.NONE,
                message=overlap or "",
                high_priority=job.definition.high_priority,
            )
        )
    return new_runs
