"""Watch: hold the pool's truth against what SQL believes, and settle the difference."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from chronos_py.logs import TaskLogs
from chronos_py.model.outcome import judge, judge_report
from chronos_py.model.outputs import Outputs
from chronos_py.model.run import AttemptState, Reason
from chronos_py.pools import PartlyUnavailable, Permit, PoolUnavailable, TaskState, TaskStatus
from chronos_py.scheduler.collector import Collector, NotYet
from chronos_py.scheduler.context import TermContext
from chronos_py.scheduler.launcher import Launcher
from chronos_py.scheduler.settler import Settler
from chronos_py.store import attempts, runs
from chronos_py.store.attempts import Ending, LiveAttempt, SettledTask

logger = logging.getLogger(__name__)

# A task that a second leader had a hand in keeps its name for so long after its end: an earlier leader that
# was paused between its intent and its call must find the name taken when it wakes.
TOMBSTONE = timedelta(hours=24)

_UNDER_WAY = (TaskState.WAITING, TaskState.RUNNING)
_UNREPORTED = "its command has ended well; its outcome is still to be reported (the job is asynchronous)"
_UNREAD = "it has ended; its output cannot be read yet: {}"
_VANISHED = "the task vanished from the pool: someone removed it; how it ended is not known"


class Watcher:
    """One pass: list the pool, adopt, recover, kill, settle, clean up."""

    name = "watcher"

    def __init__(
        self, term: TermContext, launcher: Launcher, settler: Settler, logs: TaskLogs, permit: Permit
    ) -> None:
        self._term = term
        self._launcher = launcher
        self._settler = settler
        self._collector = Collector(term, logs, permit)
        self._killed: dict[int, datetime] = {}

    def step(self) -> datetime | None:
        """Look once; when the next timeout of a running task comes.

        Raises Deposed, DatabaseUnavailable, and PoolUnavailable: then what the tasks do is unknown, not failed.
        """
        # First what SQL believes, then the pool's list: a task launched in between is in neither or in both.
        with self._term.read() as connection:
            live = attempts.live_attempts(connection, self._term.pool.name)
        hidden = ""
        try:
            statuses = {status.name: status for status in self._term.pool.list()}
        except PartlyUnavailable as error:
            statuses, hidden = {status.name: status for status in error.statuses}, str(error)
            if self._term.health.report("pool", hidden):
                logger.error("%s", hidden)
        except PoolUnavailable:
            if any(entry.attempt.unreachable_since is None for entry in live):
                with self._term.lead() as connection:
                    attempts.mark_unreachable(connection, self._term.pool.name, self._term.now())
            raise
        if not hidden and self._term.health.clear("pool"):
            logger.info("The pool answers again.")
        if any(entry.attempt.unreachable_since is not None for entry in live):
            with self._term.lead() as connection:
                attempts.mark_reachable(connection, self._term.pool.name)
        if hidden:
            live = self._without_hidden(live, statuses, f"unknown: {hidden}")
        self._collector.begin_pass(statuses)
        self._observe(live, statuses)
        self._settle_ended(live, statuses)
        self._kill(live, statuses)
        self._forget_settled(statuses)
        return self._next_timeout(live)

    def _without_hidden(
        self, live: Sequence[LiveAttempt], statuses: Mapping[str, TaskStatus], message: str
    ) -> list[LiveAttempt]:
        """Those that the pool can see. Of the others nobody knows whether they run, have ended, or never began."""
        seen = [entry for entry in live if entry.attempt.task_name in statuses]
        unseen = [entry.attempt for entry in live if entry.attempt.task_name not in statuses]
        newly = [attempt.id for attempt in unseen if attempt.message != message]
        if newly:
            with self._term.lead() as connection:
                attempts.note_waiting(connection, newly, message)
        return seen

    def _observe(self, live: Sequence[LiveAttempt], statuses: Mapping[str, TaskStatus]) -> None:
        """Note tasks that have begun, or wait, and recover launches that were left in doubt."""
        begun: list[tuple[LiveAttempt, TaskStatus]] = []
        said: dict[str, list[int]] = {}
        for entry in live:
            status = statuses.get(entry.attempt.task_name)
            if status is not None and status.state in _UNDER_WAY and status.message != entry.attempt.message:
                said.setdefault(status.message, []).append(entry.attempt.id)
            if status is not None and status.state is TaskState.RUNNING:
                if entry.attempt.state is AttemptState.STARTING or entry.attempt.started_at is None:
                    begun.append((entry, status))
            elif _is_in_doubt(entry, status):
                self._launcher.recover(entry)  # does nothing while the launch is in flight
        if not begun and not said:
            return
        now = self._term.now()
        with self._term.lead() as connection:
            for entry, status in begun:
                recovered = self._is_inherited_intent(entry)
                started_at = status.started_at or now
                attempts.note_running(connection, entry.attempt.id, status.handle, status.node, started_at, recovered)
                runs.mark_run_running(connection, entry.run.id, started_at)
            for message, attempt_ids in said.items():
                attempts.note_waiting(connection, attempt_ids, message)

    def _settle_ended(self, live: Sequence[LiveAttempt], statuses: Mapping[str, TaskStatus]) -> None:
        endings: list[tuple[LiveAttempt, Ending]] = []
        unreported: list[LiveAttempt] = []
        for entry in live:
            status = statuses.get(entry.attempt.task_name)
            if status is None and entry.attempt.state is AttemptState.RUNNING:
                status = TaskStatus(entry.attempt.task_name, "", TaskState.LOST, message=_VANISHED)
            if status is None or not status.is_final:
                continue
            if _awaits_report(entry, status):
                unreported.append(entry)
                continue
            try:
                outputs = self._collector.collect(entry, status)
            except NotYet as reason:
                self._say_of_ended([entry], _UNREAD.format(reason) if str(reason) else "")
            else:
                endings.append((entry, self._ending(entry, status, outputs)))
        self._settler.settle(endings)
        for entry, _ in endings:
            self._killed.pop(entry.attempt.id, None)
        self._say_of_ended(unreported, _UNREPORTED)

    def _say_of_ended(self, entries: Sequence[LiveAttempt], words: str) -> None:
        newly = [entry.attempt.id for entry in entries if words and entry.attempt.message != words]
        if newly:
            with self._term.lead() as connection:
                attempts.note_waiting(connection, newly, words)

    def _ending(self, entry: LiveAttempt, status: TaskStatus, outputs: Outputs) -> Ending:
        attempt = entry.attempt
        exit_code = status.exit_code
        has_only_begun = entry.definition.is_asynchronous and _ended_well(status)
        finished_at = attempt.reported_at if has_only_begun else status.finished_at
        outcome = judge(
            status.exit_code,
            status.cause,
            status.message,
            finished_at,
            attempt.kill_requested_at,
            attempt.kill_reason,
            attempt.kill_message,
        )
        if has_only_begun and outcome.state is AttemptState.SUCCEEDED:
            outcome = judge_report(attempt.reported_status or 0)
            exit_code = attempt.reported_status
        return Ending(
            state=outcome.state,
            reason=outcome.reason,
            message=outcome.message,
            finished_at=finished_at or self._term.now(),
            exit_code=exit_code,
            started_at=status.started_at,
            cpu_seconds=status.usage.cpu_seconds,
            max_memory_mb=status.usage.max_memory_mb,
            node=status.node,
            handle=status.handle,
            recovered=self._is_inherited_intent(entry),
            outputs=outputs.values,
            output_warning=outputs.warning,
        )

    def _is_inherited_intent(self, entry: LiveAttempt) -> bool:
        """Whether an earlier leader may still be about to launch this very attempt."""
        return entry.attempt.epoch != self._term.epoch and entry.attempt.state is AttemptState.STARTING

    def _kill(self, live: Sequence[LiveAttempt], statuses: Mapping[str, TaskStatus]) -> None:
        """Kill what a person or a timeout wants dead; asked again at intervals until the pool confirms the end."""
        now = self._term.now()
        overdue = [entry.run.id for entry in live if self._is_overdue(entry, now)]
        if overdue:
            with self._term.lead() as connection:
                for entry in live:
                    if entry.run.id in overdue:
                        attempts.request_kill(connection, [entry.run.id], Reason.TIMEOUT, _overdue_words(entry), now)
        for entry in live:
            attempt = entry.attempt
            status = statuses.get(attempt.task_name)
            wanted = attempt.kill_requested_at is not None or entry.run.id in overdue
            if not wanted or status is None or status.state not in _UNDER_WAY:
                continue
            grace = entry.definition.grace_seconds
            asked = self._killed.get(attempt.id)
            if asked is None or now - asked > timedelta(seconds=grace + 5):
                self._killed[attempt.id] = now
                self._term.pool.kill(status.handle, grace)

    @staticmethod
    def _deadline(entry: LiveAttempt) -> datetime | None:
        attempt, definition = entry.attempt, entry.definition
        has_started = attempt.started_at is not None
        since = attempt.started_at if has_started else attempt.launched_at
        seconds = definition.limits.wall_seconds if has_started else definition.startup_seconds
        return None if seconds is None or since is None else since + timedelta(seconds=seconds)

    def _is_overdue(self, entry: LiveAttempt, now: datetime) -> bool:
        deadline = self._deadline(entry)
        return deadline is not None and deadline <= now and entry.attempt.kill_requested_at is None

    def _next_timeout(self, live: Sequence[LiveAttempt]) -> datetime | None:
        deadlines = [self._deadline(entry) for entry in live if entry.attempt.kill_requested_at is None]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def _forget_settled(self, statuses: Mapping[str, TaskStatus]) -> None:
        """Let the pool free what is ended, settled and archived."""
        over = [name for name, status in statuses.items() if status.is_final or status.state is TaskState.CREATED]
        if not over:
            return
        with self._term.read() as connection:
            settled = attempts.settled_tasks(connection, over)
        now = self._term.now()
        for task in settled:
            status = statuses[task.name]
            if self._collector.may_be_forgotten(task, status) and not _keeps_its_name(task, now):
                self._term.pool.forget(status.handle)


def _ended_well(status: TaskStatus) -> bool:
    return status.state is TaskState.EXITED and status.exit_code == 0 and not status.cause


def _awaits_report(entry: LiveAttempt, status: TaskStatus) -> bool:
    """Whether the command of an asynchronous job has ended well and nobody has said yet how its work ended."""
    attempt = entry.attempt
    is_over = attempt.reported_status is not None or attempt.kill_requested_at is not None
    return entry.definition.is_asynchronous and _ended_well(status) and not is_over


def _overdue_words(entry: LiveAttempt) -> str:
    if entry.attempt.started_at is None:
        return f"killed: it had not started {entry.definition.startup_seconds:g} s after its launch (startupTimeout)"
    return f"killed: it ran longer than {entry.definition.limits.wall_seconds:g} s (timeout)"


def _is_in_doubt(entry: LiveAttempt, status: TaskStatus | None) -> bool:
    """Whether nobody can say that the attempt was launched: a new leader, or this one, has to find out."""
    if status is None:
        return entry.attempt.state is AttemptState.STARTING
    return status.state is TaskState.CREATED  # named, by whoever it was, and never started


def _keeps_its_name(task: SettledTask, now: datetime) -> bool:
    return task.recovered and task.finished_at is not None and now - task.finished_at < TOMBSTONE
