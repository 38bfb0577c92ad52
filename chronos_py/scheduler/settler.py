"""Settle: commit how an attempt ended, and everything that follows from it, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from chronos_py.model.job import Definition
from chronos_py.model.retry import next_attempt_at
from chronos_py.model.run import AttemptState, Outcome, Reason, RunState
from chronos_py.scheduler.context import TermContext
from chronos_py.services.announcing import announce, disable_if_exhausted
from chronos_py.services.following import follow
from chronos_py.services.jobs import skip_waiting
from chronos_py.store import attempts, backfills, jobs, runs
from chronos_py.store.attempts import Ending, LiveAttempt

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
        run, definition = live.run, live.definition
        if ending.state in (AttemptState.FAILED, AttemptState.LOST):
            attempt = live.attempt
            retry_at = next_attempt_at(
                definition.retry, attempt.number, ending.reason, ending.exit_code, attempt.task_name, now
            )
            if retry_at is not None and attempts.is_unwanted(connection, attempt.id):
                retry_at = None  # it failed in the moment in which someone asked to kill it
            if retry_at is not None:
                runs.await_retry(connection, run.id, retry_at, ending.reason, ending.message)
                return
        outcome = _outcome(ending, definition)
        runs.end_run(connection, run.id, _RUN_STATE[ending.state], ending.reason, ending.message, now, outcome)
        if ending.outputs or ending.output_warning:
            runs.keep_outputs(connection, run.id, ending.outputs, ending.output_warning)
        if ending.state is AttemptState.SUCCEEDED:
            jobs.count_success(connection, run.job_id, now)
        elif ending.state is not AttemptState.KILLED:
            self._fail_for_good(connection, live, ending, now)
        if follow(connection, run, outcome, now):
            self._term.wake.watcher.set()
        disable_if_exhausted(connection, run.job_id, now)
        if run.backfill_id is not None:
            backfills.finish_if_over(connection, run.backfill_id, now)

    def _fail_for_good(self, connection: Connection, live: LiveAttempt, ending: Ending, now: datetime) -> None:
        run = live.run
        job = jobs.find_job(connection, run.job_name)
        failures = jobs.count_error(connection, run.job_id, now)
        if job is None or job.id != run.job_id:
            return  # it was deleted in the same moment, and its owner told that
        details = {"run": run.id, "attempts": live.attempt.number, "reason": ending.reason.value}
        announce(connection, "run_failed", job, ending.message, now, task=live.attempt.task_name, **details)
        most = live.definition.disable_after_failures
        if most is not None and failures >= most:
            why = f"chronos: {failures} runs in a row failed (disableAfterFailures: {most})"
            if jobs.disable(connection, run.job_id, why, now):
                skip_waiting(connection, run.job_id, now)
                announce(connection, "job_disabled", job, why.removeprefix("chronos: "), now)


def _outcome(ending: Ending, definition: Definition) -> Outcome:
    """What the children see: a soft error counts as a success, and what was replaced or deleted as nothing."""
    match ending.state:
        case AttemptState.SUCCEEDED:
            return Outcome.SUCCESS
        case AttemptState.KILLED:
            return Outcome.FAILURE if ending.reason is Reason.KILLED else Outcome.NONE
        case _:
            return Outcome.SUCCESS if definition.soft_error else Outcome.FAILURE
