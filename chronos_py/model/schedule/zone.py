"""From wall clocks to instants, by one rule.

A local time that a change of the clock leaves out (a gap) stands for the first instant after it; a local
time that comes twice (an overlap) stands for the first of the two. The rule is Vixie cron's and Debian's
intent; the common libraries disagree with it and with each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from chronos_py.errors import InvalidDefinition

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
    first = local.replace(tzinfo=zone, fold=0)
    instant = first.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local:
        return instant
    # In a gap: fold=0 reads the wall clock with the offset before it, fold=1 with the one after it,
    # so the two readings lie on either side of the change.
    later = instant
    earlier = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return transition_between(earlier, later, zone)


def transition_between(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The first instant after ``before`` at which the offset of ``zone`` is no longer what it was at ``before``.

    There must be exactly one change in (before, after]. Both are aware UTC. Changes fall on whole seconds.
    """
    offset = before.astimezone(zone).utcoffset()
    start = before.replace(microsecond=0)
    low, high = 0, -((start - after) // _SECOND)
    while high - low > 1:
        middle = (low + high) // 2
        if (start + timedelta(seconds=middle)).astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return start + timedelta(seconds=high)


def transitions(before: datetime, after: datetime, zone: tzinfo) -> Iterator[datetime]:
    """The changes of offset in (before, after], which are aware UTC, in order.

    Changes less than a week apart that cancel each other out are not seen; no zone has had such since 1970.
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
    cursor, end = (datetime(number, 1, 1, tzinfo=UTC) - _SECOND for number in (year, year + 1))
    found = []
    while cursor < end:
        following = min(cursor + _STRIDE, end)
        if following.astimezone(zone).utcoffset() != cursor.astimezone(zone).utcoffset():
            found.append(transition_between(cursor, following, zone))
        cursor = following
    return tuple(found)
