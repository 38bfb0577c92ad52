"""ISO 8601 repeating intervals: ``R[n]/[start]/period``.

Occurrence k is the anchor plus k periods, always computed from the original anchor, so that neither month
ends nor clock changes nor rounding accumulate. Grammar: the original's (R and P in capitals, empty start
for "now").
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from chronos_py.errors import ScheduleError
from chronos_py.model.schedule.period import Cursor, Period, add_months, print_period, quoted, read_period
from chronos_py.model.schedule.start import print_start, read_start
from chronos_py.model.schedule.zone import to_instant

_MOST_REPETITIONS = 2**63 - 1  # what the original and the database can count


@dataclass(frozen=True, slots=True)
class RepeatingInterval:
    """A parsed repeating interval.

    ``start`` is the naive local time of the anchor in ``zone`` (its ``fold`` says which of two equal ones); None
    until :meth:`anchored` fixes an empty start. ``repetitions`` None means for ever.
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
        return replace(self, start=defined_at.astimezone(self.zone).replace(tzinfo=None))

    def occurrence(self, k: int) -> datetime:
        """The instant (aware UTC) of occurrence ``k`` = 0, 1, ... Raises OverflowError beyond the year 9999."""
        if self.start is None:
            raise ValueError("an empty start must be anchored first")
        local = self.start
        if k > 0 and (self.period.months or self.period.days):
            local = add_months(local, k * self.period.months) + timedelta(days=k * self.period.days)
        # Only the start itself can be the second of two equal times.
        second = local.replace(tzinfo=self.zone).astimezone(UTC) if local.fold else None
        return (second or to_instant(local, self.zone)) + k * self.period.elapsed

    def _index_at_or_before(self, instant: datetime) -> int:
        """The largest k with occurrence(k) <= instant, -1 when even the first is later."""
        anchor = self.occurrence(0)
        if instant < anchor:
            return -1
        if self.period.is_zero:
            return 0
        k = (instant - anchor) // self.period.nominal
        if not (self.period.months or self.period.days):
            return k
        # The estimate is off by the unevenness of months and clock changes only: a step or two.
        while k > 0 and self._is_past(k, instant):
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
        if first <= self.occurrence(0):
            before_first = -1
        else:
            before_first = self._index_at_or_before(first - timedelta(microseconds=1))
        return max(0, self._index_at_or_before(last) - before_first)


def parse_repeating_interval(text: str, zone: tzinfo | None) -> RepeatingInterval:
    """Read a repeating interval whose period leads on. ``zone`` overrides the offset written in the start.

    Without either it is UTC: the original took the zone of the server's machine, which nobody can see.
    Raises ScheduleError with the place of what cannot be read.
    """
    schedule = read_repeating_interval(text, zone)
    written, length = text.rpartition("/")[2], schedule.period.nominal
    if length < timedelta(0):
        problem = "goes backwards; write it without minus"
    elif length == timedelta(0) and schedule.repetitions not in (0, 1):
        problem = "is zero; write a longer one such as PT1H, or R1 to run once"
    elif "-" in written:
        problem = "has a negative number in it; write it without minus"
    else:
        return schedule
    raise ScheduleError(
        f"schedule {quoted(text)}: the period {quoted(written, 40)} {problem}.", len(text) - len(written)
    )


def read_repeating_interval(text: str, zone: tzinfo | None) -> RepeatingInterval:
    """Read as :func:`parse_repeating_interval` does, also where the period is zero or goes backwards.

    Nothing may then be asked of it but its parts.
    """
    cursor = Cursor(text)
    cursor.expect("R", '"R"')
    repetitions = _read_repetitions(cursor)
    cursor.expect("/", 'a number of repetitions or "/"')
    start_position = cursor.position
    start, offset = read_start(cursor)
    period = read_period(cursor)
    if start is not None and zone is not None and offset is not None:
        start = _second_of_two(start, zone, offset)
    schedule = RepeatingInterval(text, repetitions, start, period, zone or offset or UTC)
    if start is not None:
        _check_start(schedule, start_position)
    return schedule


def print_repeating_interval(schedule: RepeatingInterval) -> str:
    """The schedule as the original writes it: the start to the millisecond with its offset, the period in the
    units in which it was written. Reads as the same schedule again, in the same zone.
    """
    repetitions = "" if schedule.repetitions is None else schedule.repetitions
    start = "" if schedule.start is None else print_start(schedule.start, schedule.zone)
    return f"R{repetitions}/{start}/{print_period(schedule.text.rpartition('/')[2])}"


def _read_repetitions(cursor: Cursor) -> int | None:
    begin = cursor.position
    digits = cursor.digits()
    if not digits:
        return None
    significant = digits.lstrip("0") or "0"
    if len(significant) > len(str(_MOST_REPETITIONS)) or int(significant) > _MOST_REPETITIONS:
        raise ScheduleError(
            f"schedule {quoted(cursor.text)}: more than {_MOST_REPETITIONS} repetitions cannot be counted;"
            " write R without a number for ever.",
            begin,
        )
    return int(significant)


def _second_of_two(start: datetime, zone: tzinfo, offset: tzinfo) -> datetime:
    """The second of two equal local times in ``zone`` where the written offset says so, as in the original."""
    first, second = (start.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    comes_twice = first is not None and second is not None and first > second
    return start.replace(fold=1) if comes_twice and second == offset.utcoffset(None) else start


def _check_start(schedule: RepeatingInterval, position: int) -> None:
    try:
        schedule.occurrence(0)
    except OverflowError as error:
        raise ScheduleError(
            f"schedule {quoted(schedule.text)}: the start lies out of the years 1 to 9999 in UTC.", position
        ) from error
