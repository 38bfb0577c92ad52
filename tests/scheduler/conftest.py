"""A leader whose clock and pool the test moves by hand: no thread runs but those of launches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chronos_py.health import Health
from chronos_py.logs import LogArchive, TaskLogs
from chronos_py.model.run import Run, RunState
from chronos_py.scheduler.context import TermContext
from chronos_py.scheduler.dispatcher import Dispatcher
from chronos_py.scheduler.launcher import Launcher
from chronos_py.scheduler.planner import Planner
from chronos_py.scheduler.settler import Settler
from chronos_py.scheduler.watcher import Watcher
from chronos_py.services import Application, jobs, runs
from chronos_py.store.database import Database
from chronos_py.store.leadership import SqlLease
from chronos_py.wake import Wake
from tests.scheduler.scripted_pool import ScriptedPool

START = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)


class ManualClock:
    """A clock that stands still until the test moves it."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    def advance(self, **amount: float) -> None:
        self._now += timedelta(**amount)


@dataclass
class Term:
    epoch: int | None = None


@dataclass
class Leader:
    """One leader's duties, stepped by hand."""

    database: Database
    clock: ManualClock
    pool: ScriptedPool
    application: Application
    epoch: int
    health: Health

    def __post_init__(self) -> None:
        app = self.application
        term = TermContext(self.database, self.clock, self.epoch, self.pool, app.wake, self.health)
        self.settler = Settler(term)
        self.launcher = Launcher(term, self.settler, lambda: None, 8)
        self.planner = Planner(term)
        self.dispatcher = Dispatcher(term, self.launcher, "test", 100)
        self.watcher = Watcher(term, self.launcher, self.settler, app.logs, lambda: None)

    def wait_for_launches(self) -> None:
        """Until nothing is in flight."""
        deadline = time.monotonic() + 60
        while self.launcher.free() < 8:
            assert time.monotonic() < deadline, "launches do not end"
            time.sleep(0.001)  # between two looks at other threads; the deadline decides

    def turn(self) -> None:
        """Plan, dispatch, launch, watch: once round."""
        self.planner.step()
        self.dispatcher.step()
        self.wait_for_launches()
        self.watcher.step()
        self.wait_for_launches()

    def define(self, name: str, **fields: Any) -> None:
        jobs.save_job(self.application, {"name": name, "command": "true", **fields})

    def runs(self, name: str) -> list[Run]:
        """Oldest first."""
        return list(reversed(runs.list_runs(self.application, name)))

    def states(self, name: str) -> list[RunState]:
        return [run.state for run in self.runs(name)]

    def end_last(self, name: str, exit_code: int | None = 0, **details: Any) -> None:
        """Let the running task of the job's newest run end, and settle it."""
        self.end(self.runs(name)[-1], exit_code, **details)

    def end(self, run: Run, exit_code: int | None = 0, **details: Any) -> None:
        """Let the running task of a run end, and settle it."""
        task = f"chronos-test-{run.id}-{run.attempts}"
        self.pool.end(task, exit_code, finished_at=self.clock.now(), **details)
        self.watcher.step()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def pool() -> ScriptedPool:
    return ScriptedPool()


@pytest.fixture
def application(database: Database, clock: ManualClock, pool: ScriptedPool, tmp_path: Path) -> Application:
    health = Health(clock)
    logs = TaskLogs(LogArchive(str(tmp_path / "logs")), pool)
    return Application(database, clock, Wake(), health, logs, pool, Term(), "test:1", clock.now())


def elect(application: Application, pool: ScriptedPool, holder: str, dead: str | None = None) -> Leader:
    """A new leader that takes over from ``dead``."""
    lease = SqlLease(application.database, holder, "test:1")
    epoch = lease.acquire(3600, application.clock.now(), dead)
    assert epoch is not None
    clock = application.clock
    assert isinstance(clock, ManualClock)
    return Leader(application.database, clock, pool, application, epoch, application.health)


@pytest.fixture
def leader(application: Application, pool: ScriptedPool) -> Iterator[Leader]:
    leader = elect(application, pool, "first")
    yield leader
    leader.launcher.stop()
