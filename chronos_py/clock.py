"""The one clock.

Every rule takes ``now`` as a value; only the edges of the program ask a clock, and they get it injected.
Durations (leases, back-off) are measured with :meth:`Clock.monotonic`, so that a step of the wall clock
neither stalls nor hurries them.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
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
