"""From wall clocks to instants, by one rule.

A local time that a change of the clock leaves out (a gap) stands for the first instant after it; a local
time that comes twice (an overlap) stands for the first of the two. The rule is Vixie cron's and Debian's
intent; the common libraries disagree with it and with each other.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from chronos_py.errors import InvalidDefinition

_STEP = timedelta(microseconds=1)
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

    There must be exactly one change in (before, after]. Both are aware UTC.
    """
    offset = before.astimezone(zone).utcoffset()
    while after - before > _STEP:
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def next_transition(before: datetime, after: datetime, zone: tzinfo) -> datetime | None:
    """The first change of offset in (before, after]; None when there is none. Both are aware.

    Changes less than a week apart that cancel each other out are not seen; no zone has had such since 1970.
    """
    offset = before.astimezone(zone).utcoffset()
    cursor = before
    while cursor < after:
        following = min(cursor + _STRIDE, after)
        if following.astimezone(zone).utcoffset() != offset:
            return transition_between(cursor, following, zone)
        cursor = following
    return None
