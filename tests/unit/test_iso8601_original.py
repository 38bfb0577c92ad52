"""The original as a yardstick: the grammar that it read, and its arithmetic where that has no bug."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronos_py.errors import ScheduleError
from chronos_py.model.schedule.catch_up import CatchUpPolicy, decide
from chronos_py.model.schedule.iso8601 import parse_repeating_interval, print_repeating_interval
from chronos_py.model.schedule.period import Period
from chronos_py.model.schedule.zone import parse_zone

STARTS = {
    "": None,
    "2026-02-01": "2026-02-01T00:00:00",
    "2026-02": "2026-02-01T00:00:00",
    "2026": "2026-01-01T00:00:00",
    "2026-032": "2026-02-01T00:00:00",
    "2024-366": "2024-12-31T00:00:00",
    "2026-W05": "2026-01-26T00:00:00",
    "2026-W05-4": "2026-01-29T00:00:00",
    "2020-W53-5": "2021-01-01T00:00:00",
    "0001-W01": "0001-01-01T00:00:00",
    "9999-W52-5": "9999-12-31T00:00:00",
    "2024-02-29T23:59:59": "2024-02-29T23:59:59",
    "2026-01-01T10": "2026-01-01T10:00:00",
    "2026-01-01T10:30": "2026-01-01T10:30:00",
    "2026T10": "2026-01-01T10:00:00",
    "2026-W05-4T10:30": "2026-01-29T10:30:00",
    "2026-032T10:30": "2026-02-01T10:30:00",
    "2026-01-01T10:30:00.5": "2026-01-01T10:30:00.500",
    "2026-01-01T10:30:00,123999999999": "2026-01-01T10:30:00.123",
    "2026-01-01T10:30,25": "2026-01-01T10:30:15",
    "2026-01-01T10.5": "2026-01-01T10:30:00",
    "T10:00": "1970-01-01T10:00:00",
}
OFFSETS = {"Z": 0, "z": 0, "+02": 120, "+0530": 330, "-03:30": -210, "-00:00": 0, "+23:59": 1439}


@pytest.mark.parametrize("start", STARTS)
def test_a_start_is_read_in_every_form(start: str) -> None:
    expected = STARTS[start] and datetime.fromisoformat(str(STARTS[start]))
    schedule = parse_repeating_interval(f"R/{start}/P1D", None)
    assert (schedule.start, schedule.zone) == (expected, UTC)
    if "T" in start:
        for offset, minutes in OFFSETS.items():
            schedule = parse_repeating_interval(f"R/{start}{offset}/P1D", None)
            assert schedule.start == expected
            assert schedule.zone.utcoffset(None) == timedelta(minutes=minutes)


PERIODS = {
    "P1Y2M3W4DT5H6M7.5S": Period(14, 25, timedelta(hours=5, minutes=6, seconds=7.5)),
    "P1W": Period(days=7),
    "PT0.1S": Period(elapsed=timedelta(milliseconds=100)),
    "PT1,000001999S": Period(elapsed=timedelta(seconds=1, microseconds=1)),
    "PT4294967297S": Period(elapsed=timedelta(seconds=4294967297)),
    "P0000000000000000000000001D": Period(days=1),
    "P1M2DT3H": Period(1, 2, timedelta(hours=3)),
}


@pytest.mark.parametrize("period", PERIODS)
def test_a_period_is_read_exactly(period: str) -> None:
    assert parse_repeating_interval(f"R//{period}", None).period == PERIODS[period]


def test_repetitions_are_counted_in_64_bits() -> None:
    read = {number: parse_repeating_interval(f"R{number}//P1D", None).repetitions for number in ("", "0", "007")}
    assert read == {"": None, "0": 0, "007": 7}
    assert parse_repeating_interval("R0009223372036854775807//P1D", None).repetitions == 2**63 - 1


REFUSED = [
    # the whole
    ("R/", 2, '"/" for one that is now'),
    ("R5/P1D", 3, "a start such as"),
    ("R1//", 4, "a period such as P1D"),
    ("R/2026/P1D/", 10, "the end"),
    ("R-1//P1D", 1, 'a number of repetitions or "/"'),
    ("R 5//P1D", 1, 'a number of repetitions or "/"'),
    ("R9223372036854775808//P1D", 1, "write R without a number"),
    # the start
    ("R/x/P1D", 2, "a start such as"),
    ("R/ 2026/P1D", 2, "a start such as"),
    ("R/+2026/P1D", 2, "a start such as"),
    ("R/0000-01-01/P1D", 2, "a year from 0001 to 9999"),
    ("R/202/P1D", 5, "a year from 0001 to 9999"),
    ("R/20080301T130000Z/P1D", 6, '"-" and a month'),
    ("R/2026-13-01/P1D", 7, "a month from 01 to 12"),
    ("R/2026-1-01/P1D", 8, "a month from 01 to 12"),
    ("R/2026-02-30T00:00:00Z/P1D", 10, "a day of 2026-02 from 01 to 28"),
    ("R/2026-04-00/P1D", 10, "a day of 2026-04 from 01 to 30"),
    ("R/2026-366/P1D", 7, "a day of the year 2026 from 001 to 365"),
    ("R/2026-W54/P1D", 8, "a week of the year 2026 from 01 to 53"),
    ("R/2026-W05-8/P1D", 11, "a day of the week from 1 to 7"),
    ("R/9999-W52-6/P1D", 11, "a day of the week from 1 to 5"),
    ("R/2026-01-01 00:00:00Z/P1D", 12, '"T" and a time'),
    ("R/2026-01-01t00:00:00Z/P1D", 12, '"T" and a time'),
    ("R/2026-01-01Z/P1D", 12, '"T" and a time'),
    ("R/2026-01-01T/P1D", 13, "an hour from 00 to 23"),
    ("R/2026-01-01T24:00:00Z/P1D", 13, "an hour from 00 to 23"),
    ("R/2026-01-01T1000Z/P1D", 15, '":" and a minute'),
    ("R/2026-01-01T10:60Z/P1D", 16, "a minute from 00 to 59"),
    ("R/2026-01-01T10:00:60Z/P1D", 19, "a second from 00 to 59"),
    ("R/2026-01-01T10:00:00.Z/P1D", 22, "a digit"),
    ("R/2026-01-01T10:00:00+24/P1D", 22, "the hours of an offset, from 00 to 23"),
    ("R/2026-01-01T10:00:00+01:60/P1D", 25, "the minutes of an offset, from 00 to 59"),
    ("R/2026-01-01T10:00:00+01:00:00/P1D", 27, '"/" and the period'),
    ("R/2026-01-01T10:00:00[UTC]/P1D", 21, "an offset such as Z"),
    ("R/0001-01-01T00:00:00+14:00/P1D", 2, "years 1 to 9999"),
    ("R/9999-12-31T23:00:00-14:00/P1D", 2, "years 1 to 9999"),
    # the period
    ("R//p1D", 3, "a period such as P1D"),
    ("R//-P1D", 3, "a period such as P1D"),
    ("R//1D", 3, "a period such as P1D"),
    ("R//PT", 5, "a number of hours, minutes or seconds"),
    ("R//P1DT", 7, "a number of hours, minutes or seconds"),
    ("R//P1", 5, '"Y", "M", "W" or "D"'),
    ("R//P1H", 5, 'after a "T"'),
    ("R//P1d", 5, '"Y", "M", "W" or "D"'),
    ("R//P1D1W", 6, "a smaller unit"),
    ("R//P1D1D", 6, "a smaller unit"),
    ("R//P0.5D", 5, '"Y", "M", "W" or "D"'),
    ("R//PT0.5H", 8, '"S"'),
    ("R//PT.5S", 5, "a number of hours, minutes or seconds"),
    ("R//PT1.S", 7, "a digit"),
    ("R//P+1D", 4, "a smaller unit"),
    ("R//P--1D", 5, "a digit"),
    ("R//PT1S ", 7, "a smaller unit"),
    ("R//P\u0661D", 4, "a smaller unit"),
    ("R//PT0S", 3, "is zero"),
    ("R//P", 3, "is zero"),
    ("R2//P0Y0DT0.0000009S", 4, "is zero"),
    ("R//P1DT-24H", 3, "is zero"),
    ("R//P-1D", 3, "goes backwards"),
    ("R1//PT-0.5S", 4, "goes backwards"),
    ("R//P1M-31D", 3, "goes backwards"),
    ("R//P1M-1D", 3, "negative"),
    ("R//P999999999Y", 3, "longer than any calendar"),
    ("R//P-999999999Y", 3, "longer than any calendar"),
    ("R//P99999999999999999D", 3, "longer than any calendar"),
    ("R//PT99999999999999999S", 3, "longer than any calendar"),
]


@pytest.mark.parametrize(("text", "position", "expected"), REFUSED)
def test_a_text_that_cannot_be_read_is_refused_with_its_place_and_what_was_expected(
    text: str, position: int, expected: str
) -> None:
    with pytest.raises(ScheduleError) as refusal:
        parse_repeating_interval(text, None)
    assert refusal.value.position == position
    assert text in str(refusal.value)
    assert expected in str(refusal.value)


def test_a_lower_case_r_is_refused_at_its_place() -> None:
    with pytest.raises(ScheduleError, match='"R" is expected') as refusal:
        parse_repeating_interval("r//P1D", None)
    assert refusal.value.position == 0


def advance(text: str, zone: str, now: datetime) -> str:
    """What the original (3.x) makes of the stored ``text``, without months, when it launches at ``now``.

    Written down from its rules with plain datetimes and nothing of ours: text in, text out.
    """
    repetitions, written_start, period = text.removeprefix("R").split("/")
    # An empty start is a second ago.
    start = datetime.fromisoformat(written_start) if written_start else now - timedelta(seconds=1)
    place = ZoneInfo(zone) if zone else start.tzinfo
    start = start.replace(tzinfo=place) if written_start else start.astimezone(place)
    days, seconds = period_parts(period)
    skip = 0
    if start < now and (days or seconds):
        skip = int((now - start).total_seconds()) // (86400 * days + seconds) + 1
    local = (start + timedelta(days=skip * days)).astimezone(UTC)
    moved = (local + timedelta(seconds=skip * seconds)).astimezone(place)
    left = str(int(repetitions) - 1) if repetitions else ""
    offset = moved.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"R{left}/{offset}/{period}"


def period_parts(period: str) -> tuple[int, int]:
    """Days and seconds of a period of whole numbers without months."""
    lengths = {"W": (7, 0), "D": (1, 0), "H": (0, 3600), "M": (0, 60), "S": (0, 1)}
    days = seconds = 0
    for number, unit in re.findall(r"(\d+)([WDHMS])", period):
        days += int(number) * lengths[unit][0]
        seconds += int(number) * lengths[unit][1]
    return days, seconds


# Stored text, zone, time of the launch, and what it becomes.
TABLE = [
    ("R/2020-06-01T09:00:00Z/PT30M", "", "2020-06-01T09:00:02Z", "R/2020-06-01T09:30:00.000Z/PT30M"),
    ("R/2020-06-01T09:00:00Z/PT30M", "", "2020-06-01T11:47:00Z", "R/2020-06-01T12:00:00.000Z/PT30M"),
    ("R3/2020-06-01T09:00:00Z/PT30M", "", "2020-06-01T11:47:00Z", "R2/2020-06-01T12:00:00.000Z/PT30M"),
    ("R2/2020-06-01T09:00:00Z/PT30M", "", "2020-06-01T08:00:00Z", "R1/2020-06-01T09:00:00.000Z/PT30M"),
    ("R//PT10M", "", "2020-06-01T09:00:00Z", "R/2020-06-01T09:09:59.000Z/PT10M"),
    ("R1//PT10M", "", "2020-06-01T09:00:00Z", "R0/2020-06-01T09:09:59.000Z/PT10M"),
    (
        "R/2021-03-27T08:00:00+01:00/P1D",
        "Europe/Berlin",
        "2021-03-27T07:00:01Z",
        "R/2021-03-28T08:00:00.000+02:00/P1D",
    ),
    (
        "R/2021-03-27T08:00:00+01:00/PT24H",
        "Europe/Berlin",
        "2021-03-27T07:00:01Z",
        "R/2021-03-28T09:00:00.000+02:00/PT24H",
    ),
    (
        "R/2021-03-27T02:30:00+01:00/P1D",
        "Europe/Berlin",
        "2021-03-27T01:30:01Z",
        "R/2021-03-28T03:30:00.000+02:00/P1D",
    ),
    ("R/2021-03-27T08:00:00+01:00/P1D", "", "2021-03-27T07:00:01Z", "R/2021-03-28T08:00:00.000+01:00/P1D"),
]


def test_the_oracle_is_the_original() -> None:
    """Its rules, held against what its real libraries computed."""
    for stored, zone, launch, becomes in TABLE:
        assert advance(stored, zone, datetime.fromisoformat(launch)) == becomes


def our_advance(text: str, zone: str, launch: str, trigger: str = "schedule") -> str:
    """The form that we show after the launch, by the planner's own decision."""
    now = datetime.fromisoformat(launch)
    schedule = parse_repeating_interval(text, parse_zone(zone) if zone else None).anchored(now)
    left, following = schedule.repetitions, schedule.first(now)
    if trigger == "schedule" and following is not None and following <= now:
        due = decide(schedule, following, left, now, CatchUpPolicy())
        left, following = due.repetitions_left, schedule.next_after(now)
    assert following is not None
    local = following.astimezone(schedule.zone).replace(tzinfo=None)
    return print_repeating_interval(replace(schedule, repetitions=left, start=local))


EQUAL = [row for row in TABLE if not row[0].startswith(("R//", "R1//", "R2/", "R/2021-03-27T02:30"))]


@pytest.mark.parametrize(("stored", "zone", "launch", "becomes"), EQUAL)
def test_the_row_is_the_same(stored: str, zone: str, launch: str, becomes: str) -> None:
    assert our_advance(stored, zone, launch) == becomes


def test_a_run_by_hand_eats_no_repetition() -> None:
    stored = "R2/2020-06-01T09:00:00Z/PT30M"
    assert our_advance(stored, "", "2020-06-01T08:00:00Z", "manual") == "R2/2020-06-01T09:00:00.000Z/PT30M"


def test_an_empty_start_is_now_and_not_a_second_ago() -> None:
    assert our_advance("R//PT10M", "", "2020-06-01T09:00:00Z") == "R/2020-06-01T09:10:00.000Z/PT10M"
    assert our_advance("R1//PT10M", "", "2020-06-01T09:00:00Z").startswith("R0/")


@pytest.mark.parametrize(
    ("stored", "launch", "becomes"),
    [
        # Where the original clips the 31st for good, overshoots March, and runs twice on the 1st:
        ("R/2020-03-31T09:00:00Z/P1M", "2020-03-31T09:00:01Z", "R/2020-04-30T09:00:00.000Z/P1M"),
        ("R/2020-03-31T09:00:00Z/P1M", "2020-04-30T09:00:01Z", "R/2020-05-31T09:00:00.000Z/P1M"),
        ("R/2018-01-01T00:00:00Z/P1M", "2020-02-10T00:00:00Z", "R/2020-03-01T00:00:00.000Z/P1M"),
        ("R/2019-02-01T00:00:00Z/P1M", "2019-03-01T00:00:05Z", "R/2019-04-01T00:00:00.000Z/P1M"),
    ],
)
def test_months_go_on_from_the_anchor(stored: str, launch: str, becomes: str) -> None:
    assert our_advance(stored, "", launch) == becomes


def test_a_gap_is_waited_for_and_does_not_move_the_days_after() -> None:
    """The original moves on by the whole gap, to 03:30, and stays there."""
    stored = "R/2021-03-27T02:30:00+01:00/P1D"
    berlin = "Europe/Berlin"
    assert our_advance(stored, berlin, "2021-03-27T01:30:01Z") == "R/2021-03-28T03:00:00.000+02:00/P1D"
    assert our_advance(stored, berlin, "2021-03-28T01:00:01Z") == "R/2021-03-29T02:30:00.000+02:00/P1D"


def test_what_stops_the_original_is_no_matter_here() -> None:
    """Periods below a second divide by zero there, more than 68 years of seconds overflow."""
    assert our_advance("R/2020-06-01T09:00:00Z/PT0.5S", "", "2020-06-01T09:00:02.600Z").startswith(
        "R/2020-06-01T09:00:03.000Z"
    )
    assert our_advance("R/1901-01-01T00:00:00Z/PT1S", "", "2020-06-01T09:00:02Z").startswith(
        "R/2020-06-01T09:00:03.000Z"
    )


@settings(max_examples=500)
@given(
    period=st.sampled_from(
        ["PT1S", "PT7M", "PT90S", "PT1H", "PT24H", "PT36H5M", "P1D", "P1W", "P2DT1H", "P1W3DT7M1S"]
    ),
    # Fixed offsets, and zones without a change of the clock: over one the original estimates, and drifts.
    place=st.sampled_from(
        [("Z", ""), ("+05:30", ""), ("-03:00", ""), ("Z", "Asia/Kolkata"), ("Z", "America/Phoenix")]
    ),
    start=st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)).map(lambda moment: moment.replace(microsecond=0)),
    late=st.timedeltas(timedelta(microseconds=1), timedelta(days=10_000)),
    repetitions=st.sampled_from(["", "1", "5"]),
)
def test_any_launch_makes_of_a_fixed_period_what_the_original_makes_of_it(
    period: str, place: tuple[str, str], start: datetime, late: timedelta, repetitions: str
) -> None:
    offset, zone = place
    stored = f"R{repetitions}/{start.isoformat()}{offset}/{period}"
    anchor = parse_repeating_interval(stored, parse_zone(zone) if zone else None).occurrence(0)
    launch = anchor + late
    assert our_advance(stored, zone, launch.isoformat()) == advance(stored, zone, launch)
