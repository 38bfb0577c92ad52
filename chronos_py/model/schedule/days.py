"""Which local days a job may run on, by calendars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from chronos_py.model.schedule.calendar import Calendar
from chronos_py.model.schedule.zone import to_instant

_DAY = timedelta(days=1)
# 29 February on some weekday comes back after 40 years at the latest; nothing is looked for longer.
HORIZON_DAYS = 366 * 41


def start_of(day: date, zone: tzinfo) -> datetime:
    """The first instant of a local day, aware UTC."""
    return to_instant(datetime.combine(day, time.min), zone)


@dataclass(frozen=True, slots=True)
class AllowedDays:
    """Days in none of ``exclude`` and, where ``only`` names any, in one of ``only``."""

    exclude: Sequence[Calendar] = ()
    only: Sequence[Calendar] = ()

    @property
    def is_every_day(self) -> bool:
        return not self.exclude and not self.only

    def why_blocked(self, day: date) -> str | None:
        """Why a job may not run on ``day``, such as "2026-12-25 is in calendar DE (Christmas Day)"; else None."""
        for calendar in self.exclude:
            label = calendar.label(day)
            if label is not None:
                named = "" if label == calendar.name else f" ({label})"
                return f"{day} is in calendar {calendar.name}{named}"
        if self.only and not any(calendar.label(day) is not None for calendar in self.only):
            return f"{day} is not in calendar {' or '.join(calendar.name for calendar in self.only)}"
        return None

    def next_allowed(self, day: date) -> date | None:
        """The first allowed day from ``day`` on; None within the horizon."""
        return self._find(day, 1, blocked=False)

    def previous_allowed(self, day: date) -> date | None:
        """The last allowed day up to ``day``; None within the horizon."""
        return self._find(day, -1, blocked=False)

    def next_blocked(self, day: date) -> date | None:
        """The first day from ``day`` on that is not allowed; None within the horizon."""
        return None if self.is_every_day else self._find(day, 1, blocked=True)

    def _find(self, day: date, step: int, blocked: bool) -> date | None:
        first = day.toordinal()
        last = date.max.toordinal() if step > 0 else date.min.toordinal()
        for ordinal in range(first, last + step, step)[:HORIZON_DAYS]:
            found = date.fromordinal(ordinal)
            if (self.why_blocked(found) is not None) is blocked:
                return found
        return None
