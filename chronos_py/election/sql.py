"""Election by a lease on a row in the database: the default, so that one machine needs nothing more."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from chronos_py.clock import Clock
from chronos_py.election import Deposed, Elected
from chronos_py.errors import DatabaseUnavailable

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 0.5
_CAMPAIGN_SECONDS = 1.0
_AFTER_SECONDS = 0.02  # so as not to look a moment too early
_BACK_OFF_SECONDS = (0.5, 1.0, 2.0, 3.0)  # between looks at a database that is away


class Lease(Protocol):
    """The row. Its time is the database's: leases never compare the clocks of two nodes."""

    def holder(self) -> str:
        """Who holds it, "" when nobody does."""

    def seconds_left(self) -> float:
        """How long it still runs unless it is renewed; negative when it has run out."""

    def acquire(self, seconds: float, now: datetime, dead_holder: str | None = None) -> int | None:
        """Take it when it is free, has run out, or is held by ``dead_holder``. The new epoch, or None."""

    def renew(self, epoch: int, seconds: float) -> bool:
        """Prolong it; False when the term of ``epoch`` is over."""

    def release(self, epoch: int) -> None:
        """Give it back."""


class SqlElection:
    """Stands for leadership in a thread of its own.

    Its waits are measured on the monotonic clock, so that a step of the wall clock never costs the term.
    """

    def __init__(
        self,
        lease: Lease,
        clock: Clock,
        lease_seconds: float,
        is_dead: Callable[[str], bool],
        on_database: Callable[[str | None], None],
    ) -> None:
        """``is_dead`` tells whether a holder's process is surely gone: then nobody need wait for its lease.

        ``on_database`` is told in a sentence that the database is away, and None when it answers.
        """
        self._lease = lease
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._is_dead = is_dead
        self._on_database = on_database
        self._stop = threading.Event()
        self._look = threading.Event()
        self._thread: threading.Thread | None = None
        self._epoch: int | None = None
        self._valid_until = 0.0
        self._failures = 0

    def start(self, on_elected: Elected, on_deposed: Deposed) -> None:
        self._thread = threading.Thread(target=self._run, args=(on_elected, on_deposed), name="election", daemon=True)
        self._thread.start()

    def may_launch(self) -> bool:
        return self._epoch is not None and self._clock.monotonic() < self._valid_until

    def look(self) -> None:
        """Look at the lease now: somebody says that it was given back. Any thread may call this."""
        self._look.set()

    def stop(self) -> None:
        self._stop.set()
        self._look.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, on_elected: Elected, on_deposed: Deposed) -> None:
        while not self._stop.is_set():
            epoch = self._epoch
            try:
                pause = self._campaign(on_elected) if epoch is None else self._renew(epoch, on_deposed)
            except Exception:  # a bug must not take the node out of the election silently: say so, and go on
                logger.exception("The election failed")
                self._on_database("The election failed with an internal error; see the server's log.")
                pause = _RETRY_SECONDS
                if self._epoch is not None and (epoch is None or not self.may_launch()):
                    self._end_term("the election failed", on_deposed)
            self._look.wait(pause)
            self._look.clear()
        if self._epoch is not None:
            epoch = self._epoch
            self._end_term("the server is stopping", on_deposed)
            try:
                self._lease.release(epoch)
            except DatabaseUnavailable as error:
                logger.warning("The lease could not be given back, it will run out by itself: %s", error)

    def _campaign(self, on_elected: Elected) -> float:
        asked = self._clock.monotonic()
        try:
            holder = self._lease.holder()
            dead = holder if holder and self._is_dead(holder) else None
            epoch = self._lease.acquire(self._lease_seconds, self._clock.now(), dead)
            pause = self._lease.seconds_left() if epoch is None else 0.0
        except DatabaseUnavailable as error:
            self._on_database(str(error))
            self._failures += 1
            return _BACK_OFF_SECONDS[min(self._failures, len(_BACK_OFF_SECONDS)) - 1]
        self._failures = 0
        self._on_database(None)
        if epoch is None:  # look when it runs out, if it is not renewed: nobody leads from then on
            return min(max(pause, 0.0) + _AFTER_SECONDS, _CAMPAIGN_SECONDS)
        self._epoch = epoch
        self._valid_until = asked + self._lease_seconds
        logger.info("This node leads: term %d begins.", epoch)
        on_elected(epoch)
        return self._lease_seconds / 3

    def _renew(self, epoch: int, on_deposed: Deposed) -> float:
        asked = self._clock.monotonic()
        try:
            renewed = self._lease.renew(epoch, self._lease_seconds)
        except DatabaseUnavailable as error:
            self._on_database(str(error))
            if self._clock.monotonic() >= self._valid_until:
                self._end_term("the lease ran out while the database was away", on_deposed)
            return _RETRY_SECONDS
        self._on_database(None)
        if not renewed:
            self._end_term("another node leads", on_deposed)
            return _CAMPAIGN_SECONDS
        self._valid_until = asked + self._lease_seconds
        return self._lease_seconds / 3

    def _end_term(self, why: str, on_deposed: Deposed) -> None:
        logger.info("Term %s is over: %s.", self._epoch, why)
        self._epoch = None
        on_deposed(why)
