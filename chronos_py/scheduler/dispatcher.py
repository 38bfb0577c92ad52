"""Dispatch: choose which waiting runs start now and commit the intent before the pool is called."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from chronos_py.model.environment import task_name
from chronos_py.model.overlap import Overlap
from chronos_py.model.run import Run
from chronos_py.scheduler.context import TermContext
from chronos_py.scheduler.launcher import Launcher
from chronos_py.store import attempts, jobs, runs
from chronos_py.store.attempts import LiveAttempt
from chronos_py.store.jobs import CurrentDefinition


class Dispatcher:
    """Takes waiting runs by priority, then scheduled time, as many as may be launched now."""

    name = "dispatcher"

    def __init__(self, term: TermContext, launcher: Launcher, cluster: str, max_running: int) -> None:
        self._term = term
        self._launcher = launcher
        self._cluster = cluster
        self._max_running = max_running

    def step(self) -> datetime | None:
        """Launch what can be launched; when the next retry is due. Raises Deposed, DatabaseUnavailable."""
        now = self._term.now()
        with self._term.read() as connection:
            waiting = runs.has_launchable(connection, now)
            next_retry = runs.next_retry(connection, now)
            room = self._max_running - attempts.count_live(connection, self._term.pool.name)
        limit = min(room, self._launcher.free())
        if waiting and limit > 0:
            for live in self._commit_intents(limit):
                self._launcher.launch(live)
        return next_retry

    def _commit_intents(self, limit: int) -> list[LiveAttempt]:
        reserved: list[str] = []
        try:
            with self._term.lead() as connection:
                return self._choose(connection, limit, reserved)
        except BaseException:
            for name in reserved:
                self._launcher.release(name)
            raise

    def _choose(self, connection: Connection, limit: int, reserved: list[str]) -> list[LiveAttempt]:
        """Insert the attempts of the runs that start now; their task names are added to ``reserved``."""
        now = self._term.now()
        candidates = runs.launchable(connection, now, limit)
        definitions = jobs.current_definitions(connection, {run.job_id for run in candidates})
        chosen: list[LiveAttempt] = []
        for run in _one_per_job(candidates, definitions):
            number, current = run.attempts + 1, definitions[run.job_id]
            name = task_name(self._cluster, run.id, number)
            if not self._launcher.reserve(name):
                continue
            reserved.append(name)
            runs.start_run(connection, run.id, number, current.revision)  # its row is locked, so it still waits
            attempt = attempts.insert_attempt(
                connection, run.id, number, current.revision, name, self._term.pool.name, self._term.epoch, now
            )
            chosen.append(LiveAttempt(attempt, run, current.definition))
        return chosen


def _one_per_job(candidates: Sequence[Run], definitions: dict[int, CurrentDefinition]) -> list[Run]:
    """Of several waiting runs of a job that must not overlap, only the first."""
    seen: set[int] = set()
    kept: list[Run] = []
    for run in candidates:
        if definitions[run.job_id].definition.overlap is Overlap.ALLOW or run.job_id not in seen:
            seen.add(run.job_id)
            kept.append(run)
    return kept
