"""Repeating intervals: anchor + k * period, on the wall clock for days and months, elapsed for hours."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronos_py.errors import InvalidDefinition, ScheduleError
from chronos_py.model.schedule import parse_schedule, preview


def times(text: str, zone: str, start: str, count: int) -> list[str]:
    schedule = parse_schedule(text, zone).anchored(datetime.fromisoformat(start))
    return [time.isoformat() for time in preview(schedule, count, datetime.fromisoformat(start))]


def test_month_ends_are_not_clipped_for_good() -> None:
    assert times("R/2026-01-31T09:00:00Z/P1M", "", "2026-01-31T09:00:00+00:00", 4) == [
        "2026-02-28T09:00:00+00:00",
        "2026-03-31T09:00:00+00:00",
        "2026-04-30T09:00:00+00:00",
        "2026-05-31T09:00:00+00:00",
    ]


def test_days_keep_the_wall_clock_through_a_change_of_the_clock() -> None:
    assert times("R/2021-03-27T08:00:00+01:00/P1D", "Europe/Berlin", "2021-03-27T07:00:00+00:00", 2) == [
        "2021-03-28T06:00:00+00:00",
        "2021-03-29T06:00:00+00:00",
    ]


def test_hours_keep_elapsed_time_through_a_change_of_the_clock() -> None:
    assert times("R/2021-03-27T08:00:00+01:00/PT24H", "Europe/Berlin", "2021-03-27T07:00:00+00:00", 1) == [
        "2021-03-28T07:00:00+00:00"
    ]


def test_a_time_in_the_gap_comes_at_the_first_instant_after_it_and_does_not_drift() -> None:
    assert times("R/2021-03-27T02:30:00+01:00/P1D", "Europe/Berlin", "2021-03-27T02:00:00+00:00", 2) == [
        "2021-03-28T01:00:00+00:00",
        "2021-03-29T00:30:00+00:00",
    ]


def test_the_zone_overrides_the_written_offset() -> None:
    assert times("R/2026-06-01T09:00:00Z/P1D", "America/New_York", "2026-06-01T00:00:00+00:00", 1) == [
        "2026-06-01T13:00:00+00:00"
    ]


def test_an_empty_start_is_the_time_of_definition() -> None:
    now = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
    schedule = parse_schedule("R//PT10M").anchored(now)
    assert schedule.first(now) == now
    assert schedule.next_after(now) == now + timedelta(minutes=10)


def test_a_start_in_the_past_owes_its_latest_occurrence_only() -> None:
    now = datetime(2026, 5, 1, 12, 34, tzinfo=UTC)
    schedule = parse_schedule("R/2014-01-01T00:00:00Z/PT1H").anchored(now)
    assert schedule.first(now) == datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def test_no_repetitions_means_never() -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    assert parse_schedule("R0//PT0M").anchored(now).first(now) is None


def test_once_with_an_empty_period_is_now_and_never_again() -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    schedule = parse_schedule("R1//PT0S").anchored(now)
    assert schedule.first(now) == now
    assert schedule.next_after(now) is None


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("R/x/P1D", 2),
        ("R1//", 0),
        ("R//PT0S", 3),
        ("R//P-1D", 3),
        ("R//PT", 3),
        ("R//P1H", 3),
        ("R//PT0.5H", 3),
        ("R-1//P1D", 0),
        ("R/2026-02-30T00:00:00Z/P1D", 2),
        ("R/2026-01-01 00:00:00Z/P1D", 2),
        ("R/0001-01-01T00:00:00+14:00/P1D", 2),
        ("R/9999-12-31T23:00:00-14:00/P1D", 2),
        ("R//P999999999Y", 3),
        ("R//P99999999999999999D", 3),
        ("R//PT99999999999999999S", 3),
        ("R//P1M-31D", 3),
        ("R//PT0.0000000001S", 3),
        ("R99999999999999999999//P1D", 1),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_with_its_place(text: str, position: int) -> None:
    with pytest.raises(ScheduleError) as refusal:
        parse_schedule(text)
    assert refusal.value.position == position
    assert text in str(refusal.value)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "null", "../etc/passwd", "/etc/passwd", "europe"])
def test_an_unknown_zone_is_refused_by_name(zone: str) -> None:
    with pytest.raises(InvalidDefinition, match="scheduleTimeZone") as refusal:
        parse_schedule("R//P1D", zone)
    assert zone in str(refusal.value)


periods = st.sampled_from(["PT1S", "PT7M", "PT1H", "P1D", "P1W", "P1M", "P1Y", "P1M3DT5H", "PT0.5S", "P2DT1H"])
zones = st.sampled_from(["", "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
moments = st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))


@given(period=periods, zone=zones, start=moments, later=moments)
def test_next_is_strictly_later_and_skipping_equals_stepping(
    period: str, zone: str, start: datetime, later: datetime
) -> None:
    schedule = parse_schedule(f"R/{start:%Y-%m-%dT%H:%M:%S}Z/{period}", zone)
    following = schedule.next_after(later)
    assert following is not None
    assert following > later
    latest = schedule.latest_at_or_before(later)
    if latest is not None:
        assert latest <= later
        assert schedule.next_after(latest) == following
        assert schedule.count_between(latest, following) == 2


@pytest.mark.parametrize("text", ["R" + "9" * 5000 + "//P1D", "R//P" + "9" * 5000 + "D", "R//P" + "1" * 100_000])
def test_endless_numbers_are_refused_in_short(text: str) -> None:
    with pytest.raises(ScheduleError) as refusal:
        parse_schedule(text)
    assert len(str(refusal.value)) < 400


@settings(max_examples=400)
@given(text=st.text(max_size=40))
def test_any_text_gives_a_schedule_or_a_schedule_error(text: str) -> None:
    with contextlib.suppress(ScheduleError):
        parse_schedule(text)


@settings(max_examples=600)
@given(text=st.from_regex(r"R[0-9]{0,30}/.{0,30}/P[0-9YMWDTHS.,-]{0,20}", fullmatch=True))
def test_nearly_right_text_gives_a_schedule_or_a_schedule_error(text: str) -> None:
    try:
        schedule = parse_schedule(text).anchored(datetime(2026, 1, 1, tzinfo=UTC))
    except ScheduleError:
        return
    preview(schedule, 3, datetime(2026, 1, 1, tzinfo=UTC))
