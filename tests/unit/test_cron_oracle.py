"""Cron against an independent oracle that looks at every minute of the wall clock.

The oracle knows nothing of steps and transitions: it looks at one minute after the other with zoneinfo.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from croniter import croniter

from chronos_py.model.schedule import parse_schedule, preview

MINUTE = timedelta(minutes=1)
Shows = Callable[[datetime], bool]

FIXED: dict[str, Shows] = {
    "30 2 * * *": lambda wall: (wall.hour, wall.minute) == (2, 30),
    "0 1,3 * * *": lambda wall: wall.minute == 0 and wall.hour in (1, 3),
    "15 0 * * *": lambda wall: (wall.hour, wall.minute) == (0, 15),
    "59 23 * * 0": lambda wall: (wall.hour, wall.minute) == (23, 59) and wall.isoweekday() == 7,
}
ELAPSED: dict[str, Shows] = {
    "*/30 * * * *": lambda wall: wall.minute in (0, 30),
    "20 * * * *": lambda wall: wall.minute == 20,
    "0 */2 * * *": lambda wall: wall.minute == 0 and wall.hour % 2 == 0,
}
ZONES = sorted(zone for zone in available_timezones() if not zone.startswith(("posix", "right", "Etc/")))


def local(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


def elapsed_oracle(shows: Shows, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Every minute of (start, end] at which the wall clock shows a listed time."""
    instants = (start + MINUTE * step for step in range(1, int((end - start) / MINUTE) + 1))
    return [instant for instant in instants if shows(local(instant, zone))]


def fixed_oracle(shows: Shows, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """For each listed local time the first minute at which the wall clock shows it or is past it."""
    found = set()
    wall = (local(start, zone) - timedelta(days=1)).replace(second=0)
    while wall <= local(end, zone) + timedelta(days=1):
        if shows(wall):
            guess = wall.replace(tzinfo=UTC) - timedelta(hours=27)
            while local(guess, zone) < wall:
                guess += MINUTE
            found.add(guess)
        wall += MINUTE
    return sorted(instant for instant in found if start < instant <= end)


def changes(zone: ZoneInfo, year: int) -> list[datetime]:
    """The hours in which the clock of a zone changes in a year."""
    hours = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(8760)]
    return [
        later for earlier, later in pairwise(hours) if local(later, zone) - local(earlier, zone) != timedelta(hours=1)
    ]


CASES = [(zone, random.Random(zone).randint(2020, 2040)) for zone in random.Random(2026).sample(ZONES, 24)]


@pytest.mark.parametrize(("name", "year"), [*CASES, ("Australia/Lord_Howe", 2027), ("America/Sao_Paulo", 2018)])
def test_every_firing_around_a_change_of_the_clock_is_the_oracles(name: str, year: int) -> None:
    zone = ZoneInfo(name)
    moments = changes(zone, year) or [datetime(year, 3, 28, 1, tzinfo=UTC)]
    for change in moments[:2]:
        start, end = change - timedelta(hours=20), change + timedelta(hours=20)
        for expressions, oracle in ((FIXED, fixed_oracle), (ELAPSED, elapsed_oracle)):
            for expression, shows in expressions.items():
                wanted = oracle(shows, zone, start, end)
                found = [time for time in preview(parse_schedule(expression, name), 200, start) if time <= end]
                assert found == wanted, (name, expression, change)
                assert parse_schedule(expression, name).count_between(start + MINUTE, end) == len(wanted)
                for firing in wanted:
                    assert parse_schedule(expression, name).latest_at_or_before(firing + 10 * MINUTE) == max(
                        other for other in wanted if other <= firing + 10 * MINUTE
                    )


def test_random_expressions_step_like_the_matcher() -> None:
    chance = random.Random(4400)
    zone = ZoneInfo("UTC")
    for _ in range(60):
        minute = chance.choice(["*", "*/7", "0", "5,35", "10-20/3"])
        hour = chance.choice(["*", "*/5", "0", "3,15", "8-18"])
        month = chance.choice(["*", "2", "1-6", "*/4"])
        # Not L or # beside the other kind of day: the matcher wants both then, Vixie's rule either.
        days = chance.choice(["* %s *", "1 %s 1-5", "15,30 %s 0", "L %s *", "* %s 5#2", "* %s L5", "* %s 6,0"])
        expression = f"{minute} {hour} {days % month}"
        start = datetime(chance.randint(2020, 2035), chance.randint(1, 12), chance.randint(1, 28), tzinfo=UTC)
        found = preview(parse_schedule(expression, "UTC"), 3, start)
        assert len(found) == 3, expression
        for time in found:
            assert croniter.match(expression, local(time, zone)), (expression, time)
        between = start
        for _ in range(50):
            between += (found[0] - start) / 51
            assert not croniter.match(expression, local(between, zone).replace(second=0, microsecond=0)) or (
                between.replace(second=0, microsecond=0) <= start
            ), (expression, between)
