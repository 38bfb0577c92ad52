"""One term of leadership: starts the duties when this node is elected, stops them when it is deposed."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from chronos_py.clock import Clock
from chronos_py.election import Election
from chronos_py.errors import DatabaseUnavailable, Deposed
from chronos_py.health import Health
from chronos_py.logs import TaskLogs
from chronos_py.pools import Pool, PoolUnavailable
from chronos_py.scheduler.context import TermContext
from chronos_py.scheduler.dispatcher import Dispatcher
from chronos_py.scheduler.duty import Duty
from chronos_py.scheduler.launcher import Launcher
from chronos_py.scheduler.messenger import Messenger
from chronos_py.scheduler.planner import Planner
from chronos_py.scheduler.settler import Settler
from chronos_py.scheduler.timers import Timers
from chronos_py.scheduler.watcher import Watcher
from chronos_py.store.database import Database
from chronos_py.wake import Wake

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0  # the fall-back where a wake-up got lost
RESYNC_SECONDS = 5.0
MESSAGE_SECONDS = 5.0
JOIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class LeaderParts:
    """What the duties of a leader work with."""

    database: Database
    clock: Clock
    pool: Pool
    logs: TaskLogs
    wake: Wake
    health: Health
    cluster: str
    max_running: int


class LeaderTerm:
    """The duties of one epoch."""

    def __init__(self, parts: LeaderParts, epoch: int, may_launch: Callable[[], bool], timers: Timers) -> None:
        self.epoch = epoch
        self._timers = timers
        self._may_launch = may_launch
        self._over = threading.Event()
        term = TermContext(parts.database, parts.clock, epoch, parts.pool, parts.wake, parts.health)
        settler = Settler(term)
        self._term = term
        self._launcher = Launcher(term, settler, self._permit, parallelism=max(4, 2 * (os.cpu_count() or 1)))
        self._messenger = Messenger(term)
        dispatcher = Dispatcher(term, self._launcher, parts.cluster, parts.max_running)
        watcher = Watcher(term, self._launcher, settler, parts.logs)
        self._duties = [
            Duty(work, event, seconds, timers, parts.health, self._over.set)
            for work, event, seconds in (
                (Planner(term), parts.wake.planner, POLL_SECONDS),
                (dispatcher, parts.wake.dispatcher, POLL_SECONDS),
                (watcher, parts.wake.watcher, RESYNC_SECONDS),
            )
        ]
        self._hints = threading.Thread(target=self._listen, name="pool hints", daemon=True)

    def start(self) -> None:
        for duty in self._duties:
            duty.start()
        self._hints.start()
        self._timers.every("messenger", timedelta(seconds=MESSAGE_SECONDS), self._deliver)

    def stop(self) -> None:
        """End the term; calls to the pool that are under way are waited for."""
        self._over.set()
        self._timers.cancel("messenger")
        for duty in self._duties:
            duty.stop()
        for duty in self._duties:
            duty.join(JOIN_SECONDS)
        self._launcher.stop()
        self._hints.join(JOIN_SECONDS)

    def _permit(self) -> None:
        """Raises Deposed unless the term is surely still this node's."""
        if self._over.is_set() or not self._may_launch():
            raise Deposed(f"term {self.epoch} is over or in doubt on this node; nothing more is launched.")

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                for _ in self._term.pool.watch(self._over):
                    self._term.wake.watcher.set()
            except PoolUnavailable as error:
                self._term.health.report("pool", str(error))
            self._over.wait(1.0)

    def _deliver(self) -> None:
        try:
            self._messenger.deliver()
        except Deposed:
            self._over.set()
        except DatabaseUnavailable as error:
            self._term.health.report("database", str(error))


class Leadership:
    """This node's part in the leadership; joins election and duties."""

    def __init__(self, parts: LeaderParts, election: Election, timers: Timers) -> None:
        self._parts = parts
        self._election = election
        self._timers = timers
        self._term: LeaderTerm | None = None

    @property
    def epoch(self) -> int | None:
        """The epoch of this node's term while it leads, else None."""
        term = self._term
        return term.epoch if term is not None and self._election.may_launch() else None

    def start(self) -> None:
        self._timers.start()
        self._election.start(self._begin, self._end)

    def stop(self) -> None:
        """Hand over: launch nothing more, then let the next node lead."""
        self._election.stop()
        self._timers.stop()

    def _begin(self, epoch: int) -> None:
        self._term = LeaderTerm(self._parts, epoch, self._election.may_launch, self._timers)
        self._term.start()

    def _end(self, why: str) -> None:
        term, self._term = self._term, None
        if term is not None:
            term.stop()
