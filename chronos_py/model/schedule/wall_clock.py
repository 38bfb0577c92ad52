"""Cron fields as integers, and stepping a naive wall clock through them.

Nothing here knows of zones or of changes of the clock: see :mod:`chronos_py.model.schedule.cron`.
"""

from __future__ import annotations

import calendar
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

# 29 February on the fifth of some weekday comes back after 40 years at the latest (28, and 12 across 2100).
HORIZON_MONTHS = 12 * 41

LAST = 0  # in ``nearest``: the last day of the month


@dataclass(frozen=True, slots=True)
class CronFields:
    """What a wall clock must show. Hours, minutes and seconds are sorted.

    ``last_day`` adds the last day of the month to ``month_days``. ``nearest`` holds days of the month whose nearest
    Monday to Friday is meant, in the same month, with LAST for the last day. In ``weekdays`` 0 is Sunday;
    ``nth_weekdays`` adds (weekday, n) with n from 1 to 5, or -1 for the last. ``either``: a day of the month or a
    weekday will do, else both are wanted (crontab(5): either where both are restricted).
    """

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    month_days: frozenset[int]
    last_day: bool
    nearest: frozenset[int]
    weekdays: frozenset[int]
    nth_weekdays: frozenset[tuple[int, int]]
    either: bool
    _days: dict[tuple[int, int], tuple[int, ...]] = field(default_factory=dict, compare=False, repr=False)

    def days(self, year: int, month: int) -> tuple[int, ...]:
        """The matching days of a month."""
        if month not in self.months:
            return ()
        shape = _shape(year, month)
        known = self._days.get(shape)
        if known is None:
            known = self._days[shape] = tuple(self._matching_days(*shape))
        return known

    def _matching_days(self, first_weekday: int, length: int) -> list[int]:
        dates = self.month_days | {_nearest(day or length, first_weekday, length) for day in self.nearest}
        if self.last_day:
            dates |= {length}
        found = []
        for day in range(1, length + 1):
            by_weekday = self._is_weekday((first_weekday + day) % 7, day, length)  # calendar counts from Monday
            if (day in dates or by_weekday) if self.either else (day in dates and by_weekday):
                found.append(day)
        return found

    def _is_weekday(self, weekday: int, day: int, length: int) -> bool:
        if weekday in self.weekdays or (weekday, (day + 6) // 7) in self.nth_weekdays:
            return True
        return day + 7 > length and (weekday, -1) in self.nth_weekdays

    def following(self, moment: datetime) -> datetime | None:
        """The first matching time strictly after ``moment``, whose zone is not looked at; None within the horizon."""
        if moment.day in self.days(moment.year, moment.month):
            later = self._time_after(moment.hour, moment.minute, moment.second)
            if later is not None:
                return datetime(moment.year, moment.month, moment.day, *later)
        day = self._day_after(moment)
        return None if day is None else datetime(*day, self.hours[0], self.minutes[0], self.seconds[0])

    def preceding(self, moment: datetime) -> datetime | None:
        """The last matching time at or before ``moment``, whose zone is not looked at; None within the horizon."""
        if moment.day in self.days(moment.year, moment.month):
            earlier = self._time_before(moment.hour, moment.minute, moment.second)
            if earlier is not None:
                return datetime(moment.year, moment.month, moment.day, *earlier)
        day = self._day_before(moment)
        return None if day is None else datetime(*day, self.hours[-1], self.minutes[-1], self.seconds[-1])

    def matches(self, moment: datetime) -> bool:
        """Whether the clock shows such a time at ``moment``, which has no fraction of a second."""
        return (
            moment.second in self.seconds
            and moment.minute in self.minutes
            and moment.hour in self.hours
            and moment.day in self.days(moment.year, moment.month)
        )

    def count(self, first: datetime, end: datetime) -> int:
        """How many matching times lie in [first, end), below zero where ``end`` is the earlier.

        The cost grows with the months in between.
        """
        if end < first:
            return -self.count(end, first)
        begin = 12 * first.year + first.month - 1
        return self._count_since(begin, end) - self._count_since(begin, first)

    def _count_since(self, begin: int, moment: datetime) -> int:
        """Matching times from the first of a month, counted from year 0, up to, not including, ``moment``."""
        passed = range(begin, 12 * moment.year + moment.month - 1)
        days = sum(len(self.days(month // 12, month % 12 + 1)) for month in passed)
        this_month = self.days(moment.year, moment.month)
        days += bisect_left(this_month, moment.day)
        today = self._count_today(moment) if moment.day in this_month else 0
        return days * len(self.hours) * len(self.minutes) * len(self.seconds) + today

    def _count_today(self, moment: datetime) -> int:
        minutes, seconds = len(self.minutes), len(self.seconds)
        count = bisect_left(self.hours, moment.hour) * minutes * seconds
        if moment.hour in self.hours:
            count += bisect_left(self.minutes, moment.minute) * seconds
            if moment.minute in self.minutes:
                # A fraction of a second is past that second.
                count += bisect_left(self.seconds, moment.second + (moment.microsecond > 0))
        return count

    def _time_after(self, hour: int, minute: int, second: int) -> tuple[int, int, int] | None:
        """The first matching (hour, minute, second) after the given one, on the same day."""
        if hour in self.hours:
            if minute in self.minutes:
                index = bisect_right(self.seconds, second)
                if index < len(self.seconds):
                    return hour, minute, self.seconds[index]
            index = bisect_right(self.minutes, minute)
            if index < len(self.minutes):
                return hour, self.minutes[index], self.seconds[0]
        index = bisect_right(self.hours, hour)
        return (self.hours[index], self.minutes[0], self.seconds[0]) if index < len(self.hours) else None

    def _time_before(self, hour: int, minute: int, second: int) -> tuple[int, int, int] | None:
        """The last matching (hour, minute, second) at or before the given one, on the same day."""
        if hour in self.hours:
            if minute in self.minutes:
                index = bisect_right(self.seconds, second)
                if index:
                    return hour, minute, self.seconds[index - 1]
            index = bisect_left(self.minutes, minute)
            if index:
                return hour, self.minutes[index - 1], self.seconds[-1]
        index = bisect_left(self.hours, hour)
        return (self.hours[index - 1], self.minutes[-1], self.seconds[-1]) if index else None

    def _day_after(self, day: datetime) -> tuple[int, int, int] | None:
        year, month, number = day.year, day.month, day.day
        for _ in range(HORIZON_MONTHS):
            if month in self.months:
                days = self.days(year, month)
                index = bisect_right(days, number)
                if index < len(days):
                    return year, month, days[index]
            year, month, number = (year, month + 1, 0) if month < 12 else (year + 1, 1, 0)
            if year > 9999:
                return None
        return None

    def _day_before(self, day: datetime) -> tuple[int, int, int] | None:
        year, month, number = day.year, day.month, day.day
        for _ in range(HORIZON_MONTHS):
            if month in self.months:
                days = self.days(year, month)
                index = bisect_left(days, number)
                if index:
                    return year, month, days[index - 1]
            year, month, number = (year, month - 1, 32) if month > 1 else (year - 1, 12, 32)
            if year < 1:
                return None
        return None


@lru_cache(maxsize=4096)
def _shape(year: int, month: int) -> tuple[int, int]:
    """A month's first weekday, Monday = 0, and its length: all that its matching days depend on."""
    first_weekday, length = calendar.monthrange(year, month)
    return int(first_weekday), length


def _nearest(day: int, first_weekday: int, length: int) -> int:
    """The Monday to Friday nearest to a day, in the same month; 0, no day, where the month has no such day."""
    if day > length:
        return 0
    weekday = (first_weekday + day - 1) % 7  # Monday = 0
    if weekday == 5:
        return day - 1 if day > 1 else day + 2
    if weekday == 6:
        return day + 1 if day < length else day - 2
    return day
