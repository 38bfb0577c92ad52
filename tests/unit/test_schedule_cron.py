"""Cron: the wall clock by croniter, the changes of the clock by our rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronos_py.errors import ScheduleError
from chronos_py.model.schedule import parse_schedule, preview

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


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * *",
        "61 * * * *",
        "* * * * * * *",
        "0 0 31 2 *",
        "a b c d e",
        "0 0 * * 9",
        "*/0 * * * *",
        "R R * * *",
        "@reboot",
        "0 0 W * *",
    ],
)
def test_what_is_no_cron_expression_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError):
        parse_schedule(text)


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


@pytest.mark.parametrize(
    ("text", "position"),
    [("0 25 * * *", 2), ("0 0 32 * *", 4), ("0 0 * 13 *", 6), ("99 0 0 * * *", 0), ("0  x * * *", 3)],
)
def test_the_bad_field_is_pointed_at(text: str, position: int) -> None:
    with pytest.raises(ScheduleError) as refusal:
        parse_schedule(text)
    assert refusal.value.position == position


expressions = st.sampled_from(
    [
        "* * * * *",
        "*/7 * * * *",
        "0 * * * *",
        "30 2 * * *",
        "0 0 1 * *",
        "15 10-14 * * 1-5",
        "0 3,15 * * *",
        "0 */5 * * *",
    ]
)
zones = st.sampled_from(
    ["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Tehran"]
)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))


@given(text=expressions, zone=zones, moment=moments)
def test_next_is_strictly_later_and_latest_is_its_mirror(text: str, zone: str, moment: datetime) -> None:
    schedule = parse_schedule(text, zone)
    following = schedule.next_after(moment)
    assert following is not None
    assert following > moment
    latest = schedule.latest_at_or_before(moment)
    assert latest is not None
    assert latest <= moment
    assert schedule.next_after(latest) == following
    assert schedule.latest_at_or_before(following) == following
    later = preview(schedule, 50, following)[-1]
    assert schedule.count_between(following, later) == 51


@given(
    text=st.from_regex(r"[0-9*/,\-a-zA-Z?#]{1,6}( [0-9*/,\-a-zA-Z?#]{1,6}){4}", fullmatch=True),
)
def test_nearly_right_text_gives_a_schedule_or_a_schedule_error(text: str) -> None:
    try:
        schedule = parse_schedule(text)
    except ScheduleError:
        return
    assert schedule.next_after(datetime(2026, 1, 1, tzinfo=UTC)) is not None
