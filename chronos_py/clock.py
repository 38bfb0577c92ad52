"""The one clock.

Every rule takes ``now`` as a value; only the edges of the program ask a clock, and they get it injected.
Durations (leases, back-off) are measured with :meth:`Clock.monotonic`, so that a step of the wall clock
neither stalls nor hurries them.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where the program learns the time."""

    def now(self) -> datetime:
        """The wall clock, as an aware UTC datetime."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary origin, never going back."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class SetClock:
    """A clock that is set by another one: the machine's, and how much it is behind that."""

    def __init__(self, machine: Clock) -> None:
        self._machine = machine
        self._behind = timedelta(0)

    def now(self) -> datetime:
        return self._machine.now() + self._behind

    @property
    def behind(self) -> timedelta:
        """How much the machine's clock is behind the one that this was set by."""
        return self._behind

    def monotonic(self) -> float:
        return self._machine.monotonic()

    def set_by(self, read: datetime, asked: datetime, answered: datetime) -> timedelta:
        """Take over a time that was read between two looks at the machine's clock; how far that was behind.

        It may be off by half of the time that the reading took. What is less than that changes nothing.
        """
        behind = read - (asked + (answered - asked) / 2)
        if abs(behind - self._behind) > (answered - asked) / 2 + timedelta(milliseconds=5):
            self._behind = behind
        return self._behind
