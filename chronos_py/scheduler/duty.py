"""A duty of the leader: one thread that takes steps until its term ends."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from chronos_py.errors import DatabaseUnavailable, Deposed
from chronos_py.health import Reports
from chronos_py.pools import PoolUnavailable
from chronos_py.scheduler.timers import Timers

logger = logging.getLogger(__name__)

_BACK_OFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)


class Step(Protocol):
    """The work of a duty."""

    name: str

    def step(self) -> datetime | None:
        """Do what there is to do; when to come back at the latest, None: when woken."""


class Duty:
    """Calls ``work.step`` when ``wake`` is set, at the time the step asked for, and every ``poll_seconds``.

    A step that fails because the database or the pool is away is reported and tried again with growing delays;
    one that finds its term over ends the duty and calls ``on_deposed``.
    """

    def __init__(
        self,
        work: Step,
        wake: threading.Event,
        poll_seconds: float,
        timers: Timers,
        health: Reports,
        on_deposed: Callable[[], None],
    ) -> None:
        self._work = work
        self._wake = wake
        self._poll_seconds = poll_seconds
        self._timers = timers
        self._health = health
        self._on_deposed = on_deposed
        self._stop = threading.Event()
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name=work.name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; see :meth:`join`."""
        self._stop.set()
        self._wake.set()

    def join(self, seconds: float) -> None:
        if self._thread.ident is not None:  # it has been started
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                due = self._work.step()
            except Deposed as error:
                logger.info("%s stops: %s", self._work.name, error)
                self._on_deposed()
                return
            except DatabaseUnavailable as error:
                self._fail("database", str(error))
            except PoolUnavailable as error:
                self._fail("pool", str(error))
            except Exception:  # a bug must not end the duty silently: say so, and go on
                logger.exception("%s failed", self._work.name)
                self._fail(
                    self._work.name, f"The {self._work.name} failed with an internal error; see the server's log."
                )
            else:
                self._succeed()
                self._timers.wake_at(self._work.name, self._wake, due)
                self._wake.wait(self._poll_seconds)

    def _fail(self, part: str, message: str) -> None:
        if self._health.report(part, message):
            logger.error("%s", message)
        delay = _BACK_OFF_SECONDS[min(self._failures, len(_BACK_OFF_SECONDS) - 1)]
        self._failures += 1
        self._stop.wait(delay)

    def _succeed(self) -> None:
        self._failures = 0
        self._health.clear(self._work.name)
        if self._health.clear("database"):
            logger.info("The database answers again.")
