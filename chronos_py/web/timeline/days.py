"""Days and parts of days on a wall clock, as stretches of time; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from chronos_py.model.schedule.days import start_of
from chronos_py.model.schedule.zone import to_instant
from chronos_py.services.timeline import Stretch

# How many hours can be seen at once, and in bins of how many seconds launches are counted then.
ZOOMS: Mapping[int, int] = {24: 300, 12: 120, 6: 60, 3: 30, 1: 10}
_HOUR = timedelta(hours=1)
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")


@dataclass(frozen=True, slots=True)
class Window:
    """What is seen of a day: all of it (23 to 25 hours), or some hours of it. ``begin`` is its time on the wall."""

    day: date
    zone: ZoneInfo
    whole: Stretch
    stretch: Stretch
    hours: int

    @property
    def bin_seconds(self) -> int:
        return ZOOMS[self.hours]

    @property
    def begin(self) -> str:
        return self.clock(self.stretch.start)

    @property
    def earlier(self) -> str:
        """Where the part before this one begins, "" if this is the first."""
        if self.stretch.start <= self.whole.start:
            return ""
        return self.clock(max(self.stretch.start - self.hours * _HOUR, self.whole.start))

    @property
    def later(self) -> str:
        """Where the part after this one begins, "" if this is the last."""
        return self.clock(self.stretch.end) if self.stretch.end < self.whole.end else ""

    def clock(self, moment: datetime) -> str:
        return f"{moment.astimezone(self.zone):%H:%M}"

    def percent(self, moment: datetime) -> float:
        """How far from the left a time is, from 0 to 100; what is outside is at the side."""
        share = (moment - self.stretch.start) / (self.stretch.end - self.stretch.start)
        return round(min(max(share, 0.0), 1.0) * 100, 3)

    def around(self, moment: datetime, hours: int) -> str:
        """The full hour at which a part of so many hours begins that has a time in its first half."""
        if hours == 24:
            return "00:00"
        wanted = moment - hours // 3 * _HOUR
        wanted = min(max(wanted, self.whole.start), self.whole.end - hours * _HOUR)
        return f"{wanted.astimezone(self.zone).replace(minute=0):%H:%M}"

    def hours_of_day(self) -> Iterator[tuple[float, str]]:
        """The full hours that are seen: how far from the left each begins, and its time on the wall."""
        moment = self.whole.start
        while moment < self.stretch.end:
            if moment + _HOUR > self.stretch.start:
                yield self.percent(moment), self.clock(moment)
            moment += _HOUR


def window_of(day: date, zone: ZoneInfo, begin: str = "", hours: int = 24) -> Window:
    """``hours`` of a day from the time ``begin`` on; all of it where that is none."""
    whole = Stretch(start_of(day, zone), start_of(day + timedelta(days=1), zone))
    clock = _CLOCK.fullmatch(begin)
    if hours == 24 or clock is None:
        return Window(day, zone, whole, whole if hours == 24 else _first(whole, hours), hours)
    start = to_instant(datetime.combine(day, time(int(clock[1]), int(clock[2]))), zone)
    start = max(min(start, whole.end - hours * _HOUR), whole.start)
    return Window(day, zone, whole, Stretch(start, start + hours * _HOUR), hours)


def _first(whole: Stretch, hours: int) -> Stretch:
    return Stretch(whole.start, whole.start + hours * _HOUR)


def month_of(month: date, zone: ZoneInfo) -> tuple[list[date], list[Stretch]]:
    """The days of a month, and when they begin and end."""
    first = month.replace(day=1)
    count = ((first + timedelta(days=32)).replace(day=1) - first).days
    days = [first + timedelta(days=number) for number in range(count)]
    return days, [Stretch(start_of(day, zone), start_of(day + timedelta(days=1), zone)) for day in days]
