"""Every time zone of the tz database, 2020 to 2040: around each change of its offset, cron against the oracle.

Zones whose clocks changed alike in all these years share the long look; each zone has a short one of its own.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest

from chronos_py.model.schedule import parse_schedule
from tests.unit.cron_oracle import (
    FIRST_YEAR,
    HOUR,
    MINUTE,
    QUARTER,
    Change,
    Oracle,
    changes,
    minutes_between,
    offset_at,
)
from tests.unit.cron_oracle import zone_names as every_zone

FIXED = ("30 2 * * *", "0 1,3 * * *", "15 0 * * *", "59 23 * * 0", "*/20 0-4 * * *")
ELAPSED = ("*/30 * * * *", "20 */2 * * *", "5,45 1/2 * * *")
BOTH = (FIXED[0], ELAPSED[0])
PARTS = 24
# Where the clock stands still there is still a day to look at.
QUIET_DAY = datetime(2026, 3, 29, 1, tzinfo=UTC)


@lru_cache(maxsize=1)
def zones_alike() -> list[list[str]]:
    """The zones by what their clocks do in these years."""
    alike: dict[tuple[timedelta, tuple[Change, ...]], list[str]] = {}
    for name in every_zone():
        begin = offset_at(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), ZoneInfo(name))
        alike.setdefault((begin, changes(name)), []).append(name)
    return list(alike.values())


def assert_firings(name: str, middle: datetime, around: timedelta, expressions: tuple[str, ...]) -> None:
    """Near ``middle``: every firing, the next and the latest one at any time, and any count."""
    zone = ZoneInfo(name)
    start, end = middle - around, middle + around
    minutes = minutes_between(start, end, zone)
    chance = random.Random(f"{name} {middle}")
    for expression in expressions:
        where = (name, expression, str(middle))
        wanted = Oracle(expression).firings(minutes)
        schedule = parse_schedule(expression, name)
        found, cursor = [], schedule.next_after(start)
        while cursor is not None and cursor <= end:
            found.append(cursor)
            cursor = schedule.next_after(cursor)
        assert found == wanted, where
        for instant in [*chance.sample(wanted, min(len(wanted), 4)), *_times_between(chance, start, end, 5)]:
            place = bisect_right(wanted, instant)
            following = schedule.next_after(instant)
            if place < len(wanted):
                assert following == wanted[place], (where, instant)
            if place:
                assert schedule.latest_at_or_before(instant) == wanted[place - 1], (where, instant)
        for _ in range(3):
            first, last = sorted(_times_between(chance, start + MINUTE, end, 2))
            count = bisect_right(wanted, last) - bisect_left(wanted, first)
            assert schedule.count_between(first, last) == count, (where, first, last)


def _times_between(chance: random.Random, start: datetime, end: datetime, count: int) -> list[datetime]:
    return [start + timedelta(seconds=chance.randrange(int((end - start).total_seconds()))) for _ in range(count)]


@pytest.mark.parametrize("part", range(PARTS))
def test_every_firing_around_every_change_of_every_clock(part: int) -> None:
    for alike in zones_alike()[part::PARTS]:
        for change in changes(alike[0]):
            assert_firings(alike[0], change.at, 26 * HOUR, FIXED + ELAPSED)
        for name in alike:
            history = changes(name)
            for middle in {history[0].at, history[-1].at} if history else {QUIET_DAY}:
                assert_firings(name, middle, 6 * HOUR, BOTH)


def test_the_table_holds_every_zone_and_every_change() -> None:
    groups = zones_alike()
    names = [name for alike in groups for name in alike]
    assert sorted(names) == every_zone()
    assert len(names) > 590
    assert {"Europe/Berlin", "Australia/Lord_Howe", "Antarctica/Troll", "Africa/Casablanca", "UTC"} <= set(names)
    assert sum(len(changes(alike[0])) for alike in groups) > 1300


def test_offsets_are_quarters_of_an_hour_and_changes_fall_on_minutes() -> None:
    """What the oracle builds its strides on."""
    for alike in zones_alike():
        for change in changes(alike[0]):
            assert (change.before % QUARTER, change.after % QUARTER) == (timedelta(0), timedelta(0)), alike[0]
            assert offset_at(change.at - timedelta(microseconds=1), ZoneInfo(alike[0])) == change.before
