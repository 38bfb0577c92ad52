"""Dispatch: choose which waiting runs start now and commit the intent before the pool is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from chronos_py.model.environment import task_name
from chronos_py.model.overlap import Overlap
from chronos_py.model.run import Run, RunState
from chronos_py.scheduler.context import TermContext
from chronos_py.scheduler.launcher import Launcher
from chronos_py.scheduler.placement import NodeView
from chronos_py.services.announcing import disable_if_exhausted
from chronos_py.store import attempts, jobs, queue, runs
from chronos_py.store.attempts import LiveAttempt
from chronos_py.store.jobs import CurrentDefinition

_OVERDUE = (
    "skipped: it could not start in time (startDeadline); an earlier run was still there, or the pool had no room"
)


class Dispatcher:
    """Takes waiting runs by priority, then scheduled time, as many as may be launched now."""

    name = "dispatcher"

    def __init__(self, term: TermContext, launcher: Launcher, cluster: str, max_running: int) -> None:
        self._term = term
        self._launcher = launcher
        self._cluster = cluster
        self._max_running = max_running
        self._nodes = NodeView(term.pool, term.clock)

    def step(self) -> datetime | None:
        """Launch what can be launched; when the time of another run comes. Raises Deposed, DatabaseUnavailable."""
        now = self._term.now()
        with self._term.read() as connection:
            is_overdue = queue.has_overdue(connection, now)
            placements = queue.waiting_placements(connection, now)
            next_change = queue.next_change(connection, now)
            room = self._max_running - attempts.count_live(connection, self._term.pool.name)
        unplaceable = self._nodes.unplaceable(placements)
        with self._term.read() as connection:
            waiting = queue.has_launchable(connection, now, unplaceable)
        if is_overdue:
            with self._term.lead() as connection:
                for job_id in queue.skip_overdue(connection, now, _OVERDUE):
                    disable_if_exhausted(connection, job_id, now)
        limit = min(room, self._launcher.free())
        if waiting and limit > 0:
            for live in self._commit_intents(limit, unplaceable):
                self._launcher.launch(live)
        return next_change

    def _commit_intents(self, limit: int, unplaceable: Sequence[str]) -> list[LiveAttempt]:
        reserved: list[str] = []
        try:
            with self._term.lead() as connection:
                return self._choose(connection, limit, unplaceable, reserved)
        except BaseException:
            for name in reserved:
                self._launcher.release(name)
            raise

    def _choose(
        self, connection: Connection, limit: int, unplaceable: Sequence[str], reserved: list[str]
    ) -> list[LiveAttempt]:
        """Insert the attempts of the runs that start now; their task names are added to ``reserved``."""
        now = self._term.now()
        rooms = queue.backfill_rooms(connection)
        candidates = queue.launchable(connection, now, limit, rooms, unplaceable)
        definitions = jobs.current_definitions(connection, {run.job_id for run in candidates})
        inherited = attempts.inherited_variables(connection, candidates)
        chosen: list[LiveAttempt] = []
        active = queue.count_active(connection, list(definitions))
        with_task = queue.count_with_task(connection, list(definitions))
        for run in _that_go_together(candidates, definitions, rooms, active, with_task):
            number, current = run.attempts + 1, definitions[run.job_id]
            name = task_name(self._cluster, run.id, number)
            if not self._launcher.reserve(name):
                continue
            reserved.append(name)
            runs.start_run(connection, run.id, number, current.revision)  # its row is locked, so it still waits
            attempt = attempts.insert_attempt(
                connection, run.id, number, current.revision, name, self._term.pool.name, self._term.epoch, now
            )
            chosen.append(LiveAttempt(attempt, run, current.definition, inherited.get(run.id, {})))
        return chosen


def _that_go_together(
    candidates: Sequence[Run],
    definitions: Mapping[int, CurrentDefinition],
    rooms: Mapping[int, int],
    active: Mapping[int, int],
    with_task: Mapping[int, int],
) -> list[Run]:
    """Of several waiting runs of a job that must not overlap only the first; of a backfill as many as it has room.

    Runs of one backfill may overlap each other: that is what its limit is for. For ``maxConcurrent``, ``active``
    counts the runs of each job that have begun and not ended, ``with_task`` those that are no pending retries.
    """
    first: dict[int, Run] = {}
    left = dict(rooms)
    begun, running = dict(active), dict(with_task)
    kept: list[Run] = []
    for run in candidates:
        other = first.setdefault(run.job_id, run)
        may_overlap = definitions[run.job_id].definition.overlap is Overlap.ALLOW
        is_together = run.backfill_id is not None and run.backfill_id == other.backfill_id
        if not (other is run or may_overlap or is_together):
            continue
        most = definitions[run.job_id].definition.concurrency.most
        is_new = run.state is RunState.QUEUED  # a retry has begun: it waits for tasks only
        if most is not None and (begun if is_new else running).get(run.job_id, 0) >= most:
            continue
        if run.backfill_id is not None and is_new:
            if left.get(run.backfill_id, 0) <= 0:
                continue
            left[run.backfill_id] -= 1
        begun[run.job_id] = begun.get(run.job_id, 0) + is_new
        running[run.job_id] = running.get(run.job_id, 0) + 1
        kept.append(run)
    return kept
