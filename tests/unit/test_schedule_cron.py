"""Cron: the wall clock by croniter, the changes of the clock by our rule."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import thread_time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chronos_py.errors import ScheduleError
from chronos_py.model.schedule import parse_schedule, preview
from chronos_py.model.schedule.cron import CronExpression, parse_cron
from script.verify_cron import expression

BERLIN = "Europe/Berlin"
SPRING = datetime(2026, 3, 28, 20, 0, tzinfo=UTC)  # the clock goes from 02:00 to 03:00 on 29 March, 01:00 UTC
AUTUMN = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)  # and from 03:00 to 02:00 on 25 October, 01:00 UTC


def local_times(text: str, zone: str, start: datetime, count: int) -> list[str]:
    schedule = parse_schedule(text, zone)
    return [time.astimezone(ZoneInfo(zone)).isoformat() for time in preview(schedule, count, start)]


def test_a_fixed_time_in_the_gap_comes_at_the_first_instant_after_it() -> None:
    assert local_times("30 2 * * *", BERLIN, SPRING, 2) == ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]


def test_a_fixed_time_in_the_overlap_comes_once_at_its_first_reading() -> None:
    assert local_times("30 2 * * *", BERLIN, AUTUMN, 2) == ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]


def test_a_wildcard_hour_follows_elapsed_time_through_both_changes() -> None:
    for start in (SPRING, AUTUMN):
        found = preview(parse_schedule("*/30 * * * *", BERLIN), 30, start)
        assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(minutes=30)}


def test_without_a_zone_cron_is_utc() -> None:
    schedule = parse_schedule("0 3 * * *")
    assert schedule.next_after(datetime(2026, 1, 1, 2, 59, tzinfo=UTC)) == datetime(2026, 1, 1, 3, 0, tzinfo=UTC)


def first_after(text: str, moment: str, name: str = "") -> str:
    found = parse_schedule(text, "UTC", name).next_after(datetime.fromisoformat(f"{moment}+00:00"))
    assert found is not None
    return found.isoformat()[:19]


@pytest.mark.parametrize(
    ("text", "after", "wanted"),
    [
        ("15 0 3 * * *", "2026-01-01T03:00:00", "2026-01-01T03:00:15"),
        ("*/20 * * * * *", "2026-01-01T03:00:41", "2026-01-01T03:01:00"),
        ("@daily", "2026-01-01T03:00:00", "2026-01-02T00:00:00"),
        ("@yearly", "2026-01-01T03:00:00", "2027-01-01T00:00:00"),
        ("@hourly", "2026-01-01T03:00:00", "2026-01-01T04:00:00"),
        ("0 0 L * *", "2028-02-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 L,15 * *", "2026-02-15T00:00:00", "2026-02-28T00:00:00"),
        ("0 0 15W * *", "2026-08-01T00:00:00", "2026-08-14T00:00:00"),  # the 15th is a Saturday
        ("0 0 1W * *", "2026-08-01T00:00:00", "2026-08-03T00:00:00"),  # a Saturday, and the month goes no earlier
        ("0 0 LW * *", "2026-05-01T00:00:00", "2026-05-29T00:00:00"),  # the 31st is a Sunday
        ("0 0 5,15W * *", "2026-08-05T00:00:00", "2026-08-14T00:00:00"),
        ("0 0 31W * *", "2026-02-01T00:00:00", "2026-03-31T00:00:00"),
        ("0 9 * * 1#2", "2026-06-01T09:00:00", "2026-06-08T09:00:00"),
        ("0 9 * * L5", "2026-06-01T09:00:00", "2026-06-26T09:00:00"),
        ("0 9 ? jan-mar mon-fri", "2026-06-01T09:00:00", "2027-01-01T09:00:00"),
        ("0 0 29 2 *", "2096-03-01T00:00:00", "2104-02-29T00:00:00"),
        ("0 0 13 * 5", "2026-02-01T00:00:00", "2026-02-06T00:00:00"),  # the 13th or a Friday
        (
            "0 0 */2 * 1",
            "2026-06-01T00:00:00",
            "2026-06-15T00:00:00",
        ),  # a star restricts nothing: Mondays with odd days
        ("0 0 1-31 * 1", "2026-06-01T00:00:00", "2026-06-02T00:00:00"),  # without a star: any day
        ("0 3-3 * * *", "2026-06-01T03:00:00", "2026-06-02T03:00:00"),  # three o'clock, not every hour
        ("50-10/20 * * * *", "2026-06-01T03:50:00", "2026-06-01T04:10:00"),
        ("0 0 * apr-feb/2 *", "2026-12-31T00:00:00", "2027-02-01T00:00:00"),
        ("0 0 * * sat-mon/2", "2026-06-01T00:00:00", "2026-06-06T00:00:00"),
        ("0 0 31-L * *", "2026-06-01T00:00:00", "2026-07-31T00:00:00"),
        ("0 0 2-31,L * *", "2026-05-31T00:00:00", "2026-06-02T00:00:00"),  # 31 items, yet not all the days
        ("0 9 * * 1,5#2", "2026-06-08T09:00:00", "2026-06-12T09:00:00"),  # Mondays and the second Friday
        ("0 0 13 * 0-6,1#2", "2026-06-01T00:00:00", "2026-06-02T00:00:00"),
        ("0 9 * * mon-fri#2", "2026-06-01T09:00:00", "2026-06-08T09:00:00"),
        ("0 9 * * 7", "2026-06-01T09:00:00", "2026-06-07T09:00:00"),
    ],
)
def test_the_language(text: str, after: str, wanted: str) -> None:
    assert first_after(text, after) == wanted


def test_h_is_the_same_for_a_job_and_spreads_over_jobs() -> None:
    starts = {first_after("H H(0-5) * * *", "2026-01-01T00:00:00", f"job-{number}") for number in range(200)}
    assert len(starts) > 100
    assert all(start <= "2026-01-02T05:59:59" for start in starts)
    assert first_after("H H * * *", "2026-01-01T00:00:00", "a") == first_after(
        "H H * * *", "2026-01-01T00:00:00", "a"
    )


def test_h_takes_steps() -> None:
    found = preview(parse_schedule("H/15 * * * *", "UTC", "job"), 8, datetime(2026, 1, 1, tzinfo=UTC))
    assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(minutes=15)}


def test_h_with_a_step_of_one_number_only_keeps_it() -> None:
    """croniter takes 59-59/60 for a wildcard."""
    for number in range(100):
        (minute,) = {
            time.minute for time in preview(parse_schedule("H/60 0 * * *", "UTC", f"job-{number}"), 5, SPRING)
        }
        assert first_after("H(7-7) H(3-3)/1 * * *", "2026-01-01T00:00:00", f"job-{minute}")[11:16] == "03:07"


def test_a_listed_minute_of_the_overlap_is_counted_once() -> None:
    schedule = parse_schedule("*/20 2 * * *", BERLIN)
    second_reading = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert schedule.count_between(second_reading, datetime(2026, 10, 25, 12, tzinfo=UTC)) == 0
    assert schedule.count_between(AUTUMN, second_reading) == 3


def test_a_step_hour_that_stands_for_one_hour_is_seen_at_both_readings() -> None:
    """The change lies months after the instant that is asked for, and the firing is on its day."""
    schedule = parse_schedule("30 2/24 25 10 *", BERLIN)
    first = schedule.next_after(datetime(2026, 1, 1, tzinfo=UTC))
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert schedule.next_after(first) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_every_second_is_quick_on_the_days_after_a_change() -> None:
    schedule = parse_schedule("* * 0-22 * * *", BERLIN)
    begin = thread_time()
    found = preview(schedule, 500, datetime(2026, 10, 25, 12, tzinfo=UTC))
    assert found[-1] - found[0] == timedelta(seconds=499)
    assert thread_time() - begin < 1


def test_ten_years_of_minutes_are_counted_at_once() -> None:
    schedule = parse_schedule("* * * * *", BERLIN)
    start = datetime(2016, 1, 1, tzinfo=UTC)
    assert schedule.count_between(start, datetime(2026, 1, 1, tzinfo=UTC)) == 3653 * 1440 + 1


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("61 * * * *", 0, 'minute is "61" but must be 0-59, *, a list, a range or a step.'),
        ("0 25 * * *", 2, 'hour is "25" but must be 0-23, *,'),
        ("0 0 32 * *", 4, 'day of the month is "32" but must be 1-31, L (the last), 15W'),
        ("0 0 0 * *", 4, 'day of the month is "0" but must be 1-31'),
        ("0 0 * 13 *", 6, 'month is "13" but must be 1-12 or jan-dec,'),
        ("0 0 * * 9", 8, 'weekday is "9" but must be 0-7 or sun-sat, 5#2 (the second Friday),'),
        ("99 0 0 * * *", 0, 'second is "99" but must be 0-59,'),
        ("0  x * * *", 3, 'hour is "x" but must be 0-23'),
        ("0 1,2,x,4 * * *", 6, 'hour is "x"'),
        ("0 0 1,,2 * *", 6, 'day of the month is ""'),
        ("0 0 L, * *", 6, 'day of the month is ""'),
        ("0 0 ?,1 * *", 4, 'day of the month is "?,1" but must be 1-31'),
        ("0 0 W * *", 4, 'day of the month is "W"'),
        ("0 0 * JANUARY *", 6, 'month is "JANUARY"'),
        ("0 0 * * 1,Fri#6", 10, 'weekday is "Fri#6"'),
        ("*/0 * * * *", 0, 'minute is "*/0"'),
        ("1-99999999/1 * * * *", 0, 'minute is "1-99999999/1"'),
        ("1-5/2/3 * * * *", 0, 'minute is "1-5/2/3"'),
        ("\u0663 * * * *", 0, 'minute is "\u0663"'),  # a digit, but not one of ASCII
        ("0 \u0130 * * *", 2, 'hour is "\u0130"'),  # longer in lower case
        ("0 R * * *", 2, 'hour is "R" but must be H, H(low-high) or H/step within 0-23.'),
        ("0 0 H(1-30) * *", 4, 'day of the month is "H(1-30)" but must be H, H(low-high) or H/step within 1-28.'),
        ("0 1H * * *", 2, 'hour is "1H"'),
        ("0 0 31 2 *", 4, 'day of the month is "31" but must be a day that there is in month "2".'),
        ("0 0 */31 2 1#5", 4, 'must be a day that there is in month "2", weekday "1#5".'),
        ("", 0, "nor a cron expression of 5 fields"),
        ("@reboot", 0, "(it has 1)"),
        ("* * *", 5, "(it has 3)"),
        ("* * * * * * 2026", 12, "(it has 7)"),
        ("1," * 5000 + "1 * * * *", 1000, "has 10009 characters but must have at most 1000."),
    ],
)
def test_a_refusal_points_at_the_bad_part_and_says_what_it_must_be(text: str, position: int, says: str) -> None:
    with pytest.raises(ScheduleError) as refusal:
        parse_cron(text, None, "job")
    assert refusal.value.position == position
    assert says in str(refusal.value)


@pytest.mark.parametrize(
    "text", ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6 *", "0 0 31W 2 ?", "0 0 30-31 feb *", "0 0 */31 2 1#5"]
)
def test_what_never_comes_is_refused_at_once(text: str) -> None:
    begin = thread_time()
    with pytest.raises(ScheduleError, match="never comes"):
        parse_schedule(text, BERLIN)
    assert thread_time() - begin < 1


@pytest.mark.parametrize(
    "text",
    [
        "0-59," * 199 + "* * * * *",
        "9" * 990 + " * * * *",
        f"*/{'9' * 900} * * * *",
        f"0-59/{'9' * 900} 5-1/{'9' * 50} * * *",
        "* * " + "1-31," * 190 + "x * *",
        "-" * 990 + " * * * *",
        "#" * 400 + " * * * " + "l" * 400,
        "1-9" * 300 + " * * * *",
        "x" * 10_000_000,
        "* " * 100_000,
    ],
)
def test_no_text_takes_long_to_read_or_to_refuse(text: str) -> None:
    begin = thread_time()
    assert_read_or_refused(text)
    assert thread_time() - begin < 1


def refusal_of(text: str) -> ScheduleError | None:
    try:
        schedule = parse_cron(text, None, "job")
    except ScheduleError as refusal:
        return refusal
    assert schedule.next_after(datetime(2026, 1, 1, tzinfo=UTC)) is not None
    return None


def assert_read_or_refused(text: str) -> None:
    """A schedule that comes, or a ScheduleError with a place in the text and one sentence of reasonable length."""
    refusal = refusal_of(text)
    if refusal is not None:
        assert isinstance(refusal.position, int)
        assert 0 <= refusal.position <= len(text)
        assert str(refusal).startswith('schedule "')
        assert str(refusal).endswith(".")
        assert " must " in str(refusal) or " nor " in str(refusal)
        assert len(str(refusal)) < 500


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    assert_read_or_refused(text)


numbers = st.one_of(st.integers(-1, 100), st.integers(), st.integers(10**9, 10**40)).map(str)
parts = "* ? L W LW H R H(0-5) H(5-99999) jan fri FRI#2 L5 @daily - / , # ( ) 1-99999999/1"
pieces = st.one_of(numbers, st.sampled_from(parts.split()), st.characters(categories=("Nd", "Zs", "Lu")))
items = st.lists(st.tuples(pieces, st.sampled_from(("", "", "-", "/", ",", "#"))), min_size=1, max_size=5).map(
    lambda pairs: "".join(piece + joint for piece, joint in pairs)
)


@settings(max_examples=500, deadline=None)
@given(
    fields=st.lists(st.one_of(st.just("*"), items), min_size=4, max_size=7), joint=st.sampled_from((" ", "\t", "  "))
)
def test_nearly_right_text_is_read_or_refused(fields: list[str], joint: str) -> None:
    assert_read_or_refused(joint.join(fields))


# Expressions of the whole language.
expressions = st.integers(min_value=0).map(lambda number: expression(random.Random(number)))
zones = st.sampled_from(
    ["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Antarctica/Troll", "Africa/Casablanca", "Asia/Tehran"]
)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))


@settings(max_examples=300, deadline=None)
@given(text=expressions, place=st.integers(0, 80), letter=st.characters())
def test_an_expression_with_a_wrong_letter_is_read_or_refused(text: str, place: int, letter: str) -> None:
    assert_read_or_refused(text[:place] + letter + text[place + 1 :])


def parsed(text: str, zone: str) -> CronExpression:
    refusal = refusal_of(text)
    assume(refusal is None or "never comes" not in str(refusal))
    return parse_cron(text, ZoneInfo(zone), "job")


@settings(max_examples=200, deadline=None)
@given(text=expressions, zone=zones, moment=moments, ahead=st.floats(0, 1))
def test_next_is_strictly_later_and_skipping_equals_stepping(
    text: str, zone: str, moment: datetime, ahead: float
) -> None:
    schedule = parsed(text, zone)
    times = preview(schedule, 20, moment)
    assert len(times) == 20
    assert moment < times[0]
    assert all(earlier < later for earlier, later in pairwise(times))
    for number, time in enumerate(times):
        assert schedule.latest_at_or_before(time) == time
        assert schedule.count_between(times[0], time) == number + 1
    # Into the midst of it, without the steps before.
    between = times[0] + ahead * (times[-1] - times[0])
    passed = [time for time in times if time <= between]
    assert schedule.latest_at_or_before(between) == passed[-1]
    assert schedule.next_after(between) == (
        times[len(passed)] if len(passed) < 20 else schedule.next_after(times[-1])
    )
    assert schedule.count_between(moment, between) == len(passed) + (schedule.latest_at_or_before(moment) == moment)


def printed(schedule: CronExpression) -> str:
    """An expression of nothing but lists that means the same."""
    fields = schedule.fields
    # A step that leads out of the field lists one number, and is a step still.
    hours = [f"{hour}/24" if schedule.follows_elapsed_time else str(hour) for hour in fields.hours]
    days = [*map(str, fields.month_days), *(f"{day or 'L'}W" for day in fields.nearest), *["L"] * fields.last_day]
    weekdays = [*map(str, fields.weekdays)]
    weekdays += [f"L{weekday}" if number < 0 else f"{weekday}#{number}" for weekday, number in fields.nth_weekdays]
    if not fields.either:
        every_day, every_weekday = len(fields.month_days) == 31, len(fields.weekdays) == 7
        assume(every_day or every_weekday)  # a list cannot say both a restriction and "no restriction"
        days, weekdays = (["*"], weekdays) if every_day else (days, ["*"])
    lists = (fields.seconds, fields.minutes, hours, days, fields.months, weekdays)
    return " ".join(",".join(map(str, numbers)) for numbers in lists)


@settings(max_examples=200, deadline=None)
@given(text=expressions, zone=zones, moment=moments)
def test_what_is_printed_is_read_as_the_same(text: str, zone: str, moment: datetime) -> None:
    schedule = parsed(text, zone)
    again = parsed(printed(schedule), zone)
    assert again.follows_elapsed_time == schedule.follows_elapsed_time
    assert preview(again, 5, moment) == preview(schedule, 5, moment)
    later = moment + timedelta(days=1500)
    assert again.count_between(moment, later) == schedule.count_between(moment, later)
