"""Cron against the oracle on random triples, and the oracle against what is known without it."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter

from script.verify_cron import SEED, compare, expression, instant, triples
from tests.unit.cron_oracle import Change, Oracle, changes, zone_names

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("part", range(3))
def test_random_triples_agree_with_the_oracle(part: int) -> None:
    """The first of those that script/verify_cron.py compares."""
    counts, lines = compare(SEED, range(part * 1000, part * 1000 + 1000))
    assert not lines
    assert counts["agree"] > 950


def test_the_triples_are_the_same_every_time_and_however_they_are_shared_out() -> None:
    assert list(triples(SEED, range(50, 60))) == list(triples(SEED, range(100)))[50:60]


def test_the_oracle_finds_the_changes_of_a_clock() -> None:
    in_2026 = [change for change in changes("Europe/Berlin") if change.at.year == 2026]
    assert [change.at for change in in_2026] == [
        datetime(2026, 3, 29, 1, tzinfo=UTC),
        datetime(2026, 10, 25, 1, tzinfo=UTC),
    ]
    assert all(isinstance(change, Change) and change.before != change.after for change in in_2026)
    assert not changes("UTC")
    assert len(zone_names()) > 590


@pytest.mark.parametrize(
    ("text", "after", "wanted"),
    [
        ("30 2 * * *", "2026-03-28T12:00", "2026-03-29T03:00+02:00"),  # left out: the first instant after the gap
        ("30 2 * * *", "2026-10-24T12:00", "2026-10-25T02:30+02:00"),  # twice: the first of the two
        ("30 2 * * *", "2026-10-25T00:30", "2026-10-26T02:30+01:00"),
        ("30 * * * *", "2026-10-25T00:30", "2026-10-25T02:30+01:00"),  # elapsed time: both
        ("30 */2 * * *", "2026-03-28T23:30", "2026-03-29T04:30+02:00"),
        ("15 30 2 * * *", "2026-10-24T12:00", "2026-10-25T02:30:15+02:00"),
        ("0 0 L 2 *", "2028-01-01T00:00", "2028-02-29T00:00+01:00"),
        ("0 0 LW * *", "2026-05-01T00:00", "2026-05-29T00:00+02:00"),  # the 31st is a Sunday
        ("0 0 1W * *", "2026-08-01T00:00", "2026-08-03T00:00+02:00"),  # the 1st is a Saturday
        ("0 9 * * fri#5", "2026-06-01T00:00", "2026-07-31T09:00+02:00"),
        ("0 9 * * L5", "2026-06-01T09:00", "2026-06-26T09:00+02:00"),
        ("0 0 13 * 5", "2026-02-01T00:00", "2026-02-06T00:00+01:00"),  # both restricted: either
        ("0 0 */2 * 1", "2026-06-01T12:00", "2026-06-15T00:00+02:00"),  # a star: both
        ("50-10/20 3 * * *", "2026-06-01T01:15", "2026-06-01T03:50+02:00"),
        ("@monthly", "2026-06-01T12:00", "2026-07-01T00:00+02:00"),
    ],
)
def test_the_oracle_knows_what_people_know(text: str, after: str, wanted: str) -> None:
    found = Oracle(text).next_after(datetime.fromisoformat(f"{after}+00:00"), BERLIN)
    assert found == datetime.fromisoformat(wanted)


def test_the_oracle_sees_that_a_day_never_comes() -> None:
    assert Oracle("0 0 31 4,6 *").next_after(datetime(2026, 1, 1, tzinfo=UTC), BERLIN) is None


def test_the_oracle_reads_plain_fields_as_croniter_matches_them() -> None:
    """Without days of both kinds, ranges that run backwards and what else croniter reads its own way."""
    texts = (
        "*/7 */5 * * *",
        "5,35 3,15 15,30 2 *",
        "10-20/3 8-18 * 1-6 1-5",
        "0 0 L * *",
        "0 12 * */4 5#2",
        "1 2 * * L5",
    )
    for text in texts:
        oracle = Oracle(text)
        for number in range(0, 366, 3):
            day = date.fromordinal(date(2028, 1, 1).toordinal() + number)
            for hour, minute in ((0, 0), (3, 35), (12, 0), (13, 13), (2, 1), (10, 14)):
                time = datetime(day.year, day.month, day.day, hour, minute)
                assert oracle.lists(time) == croniter.match(text, time), (text, time)


def test_half_of_the_instants_are_near_a_change() -> None:
    chance = random.Random(1)
    history = [change.at for change in changes("Europe/Berlin")]
    times = [instant(chance, "Europe/Berlin") for _ in range(300)]
    near = [time for time in times if any(abs((time - at).total_seconds()) <= 108_000 for at in history)]
    assert 120 < len(near) < 200
    assert len({expression(chance) for _ in range(300)}) > 250
