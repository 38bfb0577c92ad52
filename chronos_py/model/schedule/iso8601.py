"""ISO 8601 repeating intervals: ``R[n]/[start]/period``.

Occurrence k is the anchor plus k periods, always computed from the original anchor, so that neither month
ends nor clock changes nor rounding accumulate. Grammar: the original's (R and P in capitals, empty start
for "now").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from chronos_py.errors import ScheduleError
from chronos_py.model.schedule.period import Period, add_months, parse_period
from chronos_py.model.schedule.zone import to_instant

_REPEATING = re.compile(r"R(\d*)/(.*)/(P.*)", re.DOTALL | re.ASCII)

_MOST_DIGITS = 18  # what the database can count


@dataclass(frozen=True, slots=True)
class RepeatingInterval:
    """A parsed repeating interval.

    ``start`` is the naive local time of the anchor in ``zone``; None until :meth:`anchored` fixes an empty start.
    ``repetitions`` None means for ever.
    """

    text: str
    repetitions: int | None
    start: datetime | None
    period: Period
    zone: tzinfo

    def anchored(self, defined_at: datetime) -> RepeatingInterval:
        """The same schedule with an empty start fixed at ``defined_at``."""
        if self.start is not None:
            return self
        local = defined_at.astimezone(self.zone).replace(tzinfo=None)
        return RepeatingInterval(self.text, self.repetitions, local, self.period, self.zone)

    def occurrence(self, k: int) -> datetime:
        """The instant (aware UTC) of occurrence ``k`` = 0, 1, ... Raises OverflowError beyond the year 9999."""
        if self.start is None:
            raise ValueError("an empty start must be anchored first")
        local = add_months(self.start, k * self.period.months) + timedelta(days=k * self.period.days)
        return to_instant(local, self.zone) + k * self.period.elapsed

    def _index_at_or_before(self, instant: datetime) -> int:
        """The largest k with occurrence(k) <= instant, -1 when even the first is later."""
        if instant < self.occurrence(0):
            return -1
        if self.period.is_zero:
            return 0
        k = max(0, int((instant - self.occurrence(0)) / self.period.nominal))
        # The estimate is off by the unevenness of months and clock changes only: a step or two.
        while self._is_past(k, instant):
            k -= 1
        while not self._is_past(k + 1, instant):
            k += 1
        return k

    def _is_past(self, k: int, instant: datetime) -> bool:
        try:
            return self.occurrence(k) > instant
        except OverflowError:
            return True

    def first(self, defined_at: datetime) -> datetime | None:
        """The first occurrence owed to a job defined at ``defined_at``.

        A start in the past owes its latest occurrence at once (the original's behaviour), not all of them.
        """
        if self.repetitions == 0:
            return None
        return self.latest_at_or_before(defined_at) or self.occurrence(0)

    def next_after(self, instant: datetime) -> datetime | None:
        """The first occurrence strictly after ``instant``; None when there is none."""
        if self.period.is_zero and instant >= self.occurrence(0):
            return None
        try:
            return self.occurrence(self._index_at_or_before(instant) + 1)
        except OverflowError:
            return None

    def latest_at_or_before(self, instant: datetime) -> datetime | None:
        """The last occurrence at or before ``instant``; None when the first is later."""
        k = self._index_at_or_before(instant)
        return None if k < 0 else self.occurrence(k)

    def count_between(self, first: datetime, last: datetime) -> int:
        """How many occurrences lie in [first, last]."""
        before_first = self._index_at_or_before(first - timedelta(microseconds=1))
        return self._index_at_or_before(last) - before_first


def parse_repeating_interval(text: str, zone: tzinfo | None) -> RepeatingInterval:
    """Read a repeating interval. ``zone`` overrides the offset written in the start. Raises ScheduleError."""
    match = _REPEATING.fullmatch(text)
    if match is None:
        raise ScheduleError(
            f"schedule {_quoted(text)} is not of the form R[n]/start/period, such as R/2026-01-01T03:00:00Z/P1D.", 0
        )
    if len(match[1]) > _MOST_DIGITS:
        raise ScheduleError(
            f"schedule {_quoted(text)}: that many repetitions are too large a number; write R for ever.", 1
        )
    repetitions = int(match[1]) if match[1] else None
    start, start_zone = _parse_start(text, match[2], match.start(2))
    period = parse_period(match[3])
    if period is None and "-" not in match[3]:
        raise ScheduleError(
            f'schedule {_quoted(text)}: the period "{match[3][:40]}" is not an ISO 8601 duration such as P1D, PT1H30M'
            " or P1W, or it is longer than any calendar.",
            match.start(3),
        )
    if period is None or (period.is_zero and repetitions not in (0, 1)):
        raise ScheduleError(
            f'schedule {_quoted(text)}: the period "{match[3][:40]}" must be longer than zero.', match.start(3)
        )
    schedule = RepeatingInterval(text, repetitions, start, period, zone or start_zone)
    if start is not None:
        _check_start(schedule, match.start(2))
    return schedule


def _check_start(schedule: RepeatingInterval, position: int) -> None:
    try:
        schedule.occurrence(0)
    except OverflowError as error:
        raise ScheduleError(
            f"schedule {_quoted(schedule.text)}: the start lies out of the years 1 to 9999.", position
        ) from error


def _quoted(text: str) -> str:
    return f'"{text}"' if len(text) <= 80 else f'"{text[:77]}..."'


def _parse_start(text: str, start: str, position: int) -> tuple[datetime | None, tzinfo]:
    if not start:
        return None, UTC
    try:
        if " " in start:
            raise ValueError("a blank stands where T is expected")
        moment = datetime.fromisoformat(start.replace(",", "."))
    except ValueError as error:
        raise ScheduleError(
            f'schedule {_quoted(text)}: the start "{start[:40]}" is not an ISO 8601 date and time,'
            " such as 2026-01-01T03:00:00Z.",
            position,
        ) from error
    # Without an offset the start is UTC: the original took the zone of the server's machine, which nobody can see.
    return moment.replace(tzinfo=None), moment.tzinfo or UTC
