"""One term of leadership: starts the duties when this node is elected, stops them when it is deposed."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from chronos_py.clock import Clock
from chronos_py.election import Election
from chronos_py.errors import Deposed
from chronos_py.health import Health, TermHealth
from chronos_py.logs import TaskLogs
from chronos_py.notifications import Channel
from chronos_py.notifications.log import LogChannel
from chronos_py.pools import Pool, PoolUnavailable
from chronos_py.scheduler.context import TermContext
from chronos_py.scheduler.dispatcher import Dispatcher
from chronos_py.scheduler.duty import Duty, Step
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
MESSAGE_SECONDS = 2.0
JOIN_SECONDS = 10.0
OF_EVERY_NODE = ("database", "zookeeper", "clock")  # what a node looks after whether it leads or not


@dataclass(frozen=True, slots=True)
class LeaderParts:
    """What the duties of a leader work with. ``patience`` is how long a message may wait to be delivered."""

    database: Database
    clock: Clock
    pool: Pool
    logs: TaskLogs
    wake: Wake
    health: Health
    cluster: str
    max_running: int
    resync: timedelta = timedelta(seconds=5)
    channels: Sequence[Channel] = field(default_factory=lambda: (LogChannel(),))
    patience: timedelta = timedelta(hours=24)


class LeaderTerm:
    """The duties of one epoch."""

    def __init__(self, parts: LeaderParts, epoch: int, may_launch: Callable[[], bool], timers: Timers) -> None:
        self.epoch = epoch
        self._may_launch = may_launch
        self._over = threading.Event()
        health = TermHealth(parts.health, self._over.is_set)
        term = TermContext(parts.database, parts.clock, epoch, parts.pool, parts.wake, health)
        settler = Settler(term)
        self._term = term
        self._launcher = Launcher(term, settler, self._permit, parallelism=max(4, 2 * (os.cpu_count() or 1)))
        dispatcher = Dispatcher(term, self._launcher, parts.cluster, parts.max_running)
        watcher = Watcher(term, self._launcher, settler, parts.logs, self._permit)
        names = [channel.name for channel in parts.channels]
        messengers = [
            Messenger(term, channel, names, parts.patience, self._over.is_set) for channel in parts.channels
        ]
        steps: list[tuple[Step, threading.Event, float]] = [
            (Planner(term), parts.wake.planner, POLL_SECONDS),
            (dispatcher, parts.wake.dispatcher, POLL_SECONDS),
            (watcher, parts.wake.watcher, parts.resync.total_seconds()),
            *((messenger, threading.Event(), MESSAGE_SECONDS) for messenger in messengers),
        ]
        self._duties = [Duty(work, event, seconds, timers, health, self._over.set) for work, event, seconds in steps]
        self._hints = threading.Thread(target=self._listen, name="pool hints", daemon=True)

    def start(self) -> None:
        for duty in self._duties:
            duty.start()
        self._hints.start()

    def stop(self) -> None:
        """End the term; calls to the pool that are under way are waited for, though not for ever.

        Not so the hints: they decide nothing, a pool may take a second to give them up, and until this returns
        nobody leads.
        """
        self._over.set()
        for duty in self._duties:
            duty.stop()
        for duty in self._duties:
            duty.join(JOIN_SECONDS)
        self._launcher.stop(JOIN_SECONDS)

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
            except Exception:  # a bug must not leave the term without hints: every end would be seen seconds late
                logger.exception("Listening to the pool failed")
            self._over.wait(1.0)


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
            self._parts.health.keep_only(OF_EVERY_NODE)
