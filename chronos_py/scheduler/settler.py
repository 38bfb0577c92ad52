"""Settle: commit how an attempt ended, and everything that follows from it, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from chronos_py.model.overlap import OverlapDecision, Unfinished, decide_overlap
from chronos_py.model.retry import next_attempt_at
from chronos_py.model.run import AttemptState, Reason, Run, RunState, Trigger
from chronos_py.scheduler.context import TermContext
from chronos_py.scheduler.replacement import end_replaced
from chronos_py.store import attempts, backfills, chains, jobs, outbox, runs
from chronos_py.store.attempts import Ending, LiveAttempt
from chronos_py.store.jobs import CurrentDefinition
from chronos_py.store.runs import NewRun

_RUN_STATE = {
    AttemptState.SUCCEEDED: RunState.SUCCEEDED,
    AttemptState.FAILED: RunState.FAILED,
    AttemptState.KILLED: RunState.KILLED,
    AttemptState.LOST: RunState.LOST,
}


class Settler:
    """Ends attempts, decides on retries, moves counters, marks edges and makes ready children's runs."""

    def __init__(self, term: TermContext) -> None:
        self._term = term

    def settle(self, endings: Sequence[tuple[LiveAttempt, Ending]]) -> None:
        """Commit these endings together; one that is settled already changes nothing.

        Raises Deposed, DatabaseUnavailable.
        """
        if not endings:
            return
        now = self._term.now()
        with self._term.lead() as connection:
            # In the order of jobs, so that two batches at once lock their rows one way round.
            for live, ending in sorted(endings, key=lambda each: each[0].run.job_id):
                if attempts.end_attempt(connection, live.attempt.id, ending):
                    self._settle_run(connection, live, ending, now)
        self._term.wake.dispatcher.set()

    def _settle_run(self, connection: Connection, live: LiveAttempt, ending: Ending, now: datetime) -> None:
        run = live.run
        if ending.state in (AttemptState.FAILED, AttemptState.LOST):
            definition = live.definition
            retry_at = next_attempt_at(
                live.attempt.number, definition.retries, definition.retry_delay, ending.reason, now
            )
            if retry_at is not None and attempts.is_unwanted(connection, live.attempt.id):
                retry_at = None  # it failed in the moment in which someone asked to kill it
            if retry_at is not None:
                runs.await_retry(connection, run.id, retry_at, ending.reason, ending.message)
                return
        runs.end_run(connection, run.id, _RUN_STATE[ending.state], ending.reason, ending.message, now)
        if ending.state is AttemptState.SUCCEEDED:
            jobs.count_success(connection, run.job_id, now)
            self._start_children(connection, run, now)
        elif ending.state is not AttemptState.KILLED:
            self._fail_for_good(connection, live, ending, now)
        jobs.disable_exhausted(connection, run.job_id, now)
        if run.backfill_id is not None:
            backfills.finish_if_over(connection, run.backfill_id, now)

    def _fail_for_good(self, connection: Connection, live: LiveAttempt, ending: Ending, now: datetime) -> None:
        run = live.run
        jobs.count_error(connection, run.job_id, now)
        payload = {
            "job": run.job_name,
            "run": run.id,
            "attempts": live.attempt.number,
            "reason": ending.reason.value,
            "message": ending.message,
        }
        outbox.put(connection, "run_failed", payload, now)
        if live.definition.soft_error:
            self._start_children(connection, run, now)

    def _start_children(self, connection: Connection, run: Run, now: datetime) -> None:
        if not run.starts_children:
            return
        for child_id, current, unfinished in self._ready_children(connection, run):
            overlap = OverlapDecision()
            if run.backfill_id is None:  # every wave of a backfill goes through, whatever else the child does
                overlap = decide_overlap(current.definition.overlap, unfinished)
            state, reason, message = RunState.QUEUED, Reason.NONE, ""
            if current.definition.disabled:
                state, reason, message = RunState.SKIPPED, Reason.DISABLED, "skipped: the job is paused"
            elif overlap.skip is not None:
                state, reason, message = RunState.SKIPPED, Reason.OVERLAP, overlap.skip
            elif overlap.replaces:
                end_replaced(connection, child_id, run.scheduled_at, now)
                self._term.wake.watcher.set()
            runs.insert_run(
                connection,
                NewRun(
                    job_id=child_id,
                    revision=current.revision,
                    trigger=Trigger.DEPENDENCY,
                    scheduled_at=run.scheduled_at,
                    created_at=now,
                    state=state,
                    reason=reason,
                    message=message,
                    high_priority=current.definition.high_priority,
                    root_run_id=run.root_run_id or run.id,
                    parent_run_id=run.id,
                    backfill_id=run.backfill_id,
                    note=overlap.note,
                ),
            )

    def _ready_children(self, connection: Connection, run: Run) -> list[tuple[int, CurrentDefinition, Unfinished]]:
        """The children that are ready now that ``run`` has succeeded, or counts as if it had."""
        if run.backfill_id is None:
            ready = chains.mark_success(connection, run.job_id, run.id)
        else:
            backfill = backfills.find_backfill(connection, run.backfill_id)
            if backfill is None or backfill.cancelled_at is not None:
                return []
            ready = chains.mark_success_in_wave(connection, backfill.job_id, run.root_run_id or run.id, run.job_id)
        definitions = jobs.current_definitions(connection, ready)
        unfinished = runs.count_unfinished(connection, ready)
        return [(child_id, definitions[child_id], unfinished[child_id]) for child_id in ready]
