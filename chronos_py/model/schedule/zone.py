"""From wall clocks to instants, by one rule.

A local time that a change of the clock leaves out (a gap) stands for the first instant after it; a local
time that comes twice (an overlap) stands for the first of the two. The rule is Vixie cron's and Debian's
intent; the common libraries disagree with it and with each other.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from chronos_py.errors import InvalidDefinition

_ZERO = timedelta(0)
_SECOND = timedelta(seconds=1)
_STRIDE = timedelta(days=7)


def parse_zone(text: str) -> ZoneInfo:
    """The zone of the tz database named ``text``. Raises InvalidDefinition naming ``scheduleTimeZone``."""
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError) as error:  # not found is a KeyError, a path a ValueError
        raise InvalidDefinition(
            f'scheduleTimeZone "{text}" is not a known time zone; use a name such as "UTC" or "Europe/Berlin".',
            "scheduleTimeZone",
        ) from error


def to_instant(local: datetime, zone: tzinfo) -> datetime:
    """The instant (aware UTC) that the naive wall-clock time ``local`` stands for in ``zone``."""
    # Around a change fold=0 reads the wall clock with the offset before it, fold=1 with the one after it.
    before = zone.utcoffset(local.replace(fold=0) if local.fold else local) or _ZERO
    after = zone.utcoffset(local.replace(fold=1)) or _ZERO
    reading = local.replace(tzinfo=UTC)
    if before >= after:
        return reading - before
    # In a gap: the two readings lie on either side of the change.
    return transition_between(reading - after, reading - before, zone)


def transition_between(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The first instant after ``before`` at which the offset of ``zone`` is no longer what it was at ``before``.

    There must be exactly one change in (before, after]. Both are aware UTC. Changes fall on whole seconds.
    """
    start = before.replace(microsecond=0, tzinfo=zone)
    offset = _offset(start, zone)
    seconds = range(-((before.replace(microsecond=0) - after) // _SECOND))
    passed = bisect_left(seconds, True, key=lambda second: _offset(start + timedelta(0, second), zone) != offset)
    return (start + timedelta(0, passed)).replace(tzinfo=UTC)


def _offset(utc: datetime, zone: tzinfo) -> timedelta:
    """The offset at a time of UTC that is marked with ``zone``: the quick way, where many are asked for."""
    return zone.fromutc(utc) - utc


def transitions(before: datetime, after: datetime, zone: tzinfo) -> Iterator[datetime]:
    """The changes of offset in (before, after], which are aware UTC, in order.

    Changes less than a week apart that cancel each other out are not seen; no zone has had such since 1970
    (a week, though: Gaza's clock of 2040).
    """
    for year in range(before.year, after.year + 1):
        for change in _transitions_of(year, zone):
            if change > after:
                return
            if change > before:
                yield change


@lru_cache(maxsize=8192)
def _transitions_of(year: int, zone: tzinfo) -> tuple[datetime, ...]:
    """The changes of offset in a year of UTC; none in the first and the last year of the calendar."""
    if isinstance(zone, timezone) or not MINYEAR < year < MAXYEAR:
        return ()
    before, end = (datetime(number, 1, 1, tzinfo=zone) - _SECOND for number in (year, year + 1))
    offset = _offset(before, zone)
    found = []
    while before < end:
        after = min(before + _STRIDE, end)
        next_offset = _offset(after, zone)
        if next_offset != offset:
            found.append(transition_between(before.replace(tzinfo=UTC), after.replace(tzinfo=UTC), zone))
        before, offset = after, next_offset
    return tuple(found)
