"""Blackout windows: times in which a schedule starts nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


class _Recurring(Protocol):
    def next_after(self, instant: datetime) -> datetime | None: ...

    def latest_at_or_before(self, instant: datetime) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Window:
    """One stretch of time, from ``start`` up to, not including, ``end``; aware UTC."""

    start: datetime
    end: datetime
    reason: str

    @property
    def why_blocked(self) -> str:
        until = f"it lies in a blackout from {self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC"
        return f"{until} ({self.reason})" if self.reason else until


@dataclass(frozen=True, slots=True)
class OnceBlackout:
    """A single window."""

    window: Window

    def covering(self, instant: datetime) -> Window | None:
        """The window that ``instant`` lies in."""
        return self.window if self.window.start <= instant < self.window.end else None

    def next_start(self, instant: datetime) -> datetime | None:
        """When the next window begins, strictly after ``instant``."""
        return self.window.start if self.window.start > instant else None


@dataclass(frozen=True, slots=True)
class RecurringBlackout:
    """A window of ``duration`` at every occurrence of a schedule."""

    schedule: _Recurring
    duration: timedelta
    reason: str

    def covering(self, instant: datetime) -> Window | None:
        """The window that ``instant`` lies in."""
        start = self.schedule.latest_at_or_before(instant)
        if start is None or instant >= start + self.duration:
            return None
        return Window(start, start + self.duration, self.reason)

    def next_start(self, instant: datetime) -> datetime | None:
        """When the next window begins, strictly after ``instant``."""
        return self.schedule.next_after(instant)


Blackout = OnceBlackout | RecurringBlackout
