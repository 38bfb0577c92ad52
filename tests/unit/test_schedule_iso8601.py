"""Repeating intervals: anchor + k * period, on the wall clock for days and months, elapsed for hours."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chronos_py.errors import InvalidDefinition, ScheduleError
from chronos_py.model.schedule import parse_schedule, parse_zone, preview
from chronos_py.model.schedule.iso8601 import (
    RepeatingInterval,
    parse_repeating_interval,
    print_repeating_interval,
    read_repeating_interval,
)
from chronos_py.model.schedule.period import parse_period, parse_seconds


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


@pytest.mark.parametrize("zone", ["Mars/Olympus", "null", "../etc/passwd", "/etc/passwd", "europe"])
def test_an_unknown_zone_is_refused_by_name(zone: str) -> None:
    with pytest.raises(InvalidDefinition, match="scheduleTimeZone") as refusal:
        parse_schedule("R//P1D", zone)
    assert zone in str(refusal.value)


def test_durations_of_other_fields_are_never_negative() -> None:
    assert [parse_period(text) for text in ("P-1D", "P1M-1D", "1D", "")] == [None] * 4
    assert [parse_seconds(text) for text in ("PT0S", "PT1M0.25S", "PT-1S")] == [0, 60.25, None]


@pytest.mark.parametrize(
    ("text", "zone", "printed"),
    [
        ("R//PT60M", "", "R//PT60M"),
        ("R007/2026/P7D", "", "R7/2026-01-01T00:00:00.000Z/P7D"),
        ("R1//P", "", "R1//PT0S"),
        ("R0/T10/P0W", "", "R0/1970-01-01T10:00:00.000Z/PT0S"),
        ("R/2026-07-01T09:00:00-0330/P1W3DT0H090M1,50S", "", "R/2026-07-01T09:00:00.000-03:30/P1W3DT90M1.5S"),
        ("R/2026-07-01T09:00:00Z/P1Y", "Europe/Berlin", "R/2026-07-01T09:00:00.000+02:00/P1Y"),
        ("R/2026-10-25T02:30:00+01:00/PT1H", "Europe/Berlin", "R/2026-10-25T02:30:00.000+01:00/PT1H"),
        ("R/1850-01-01T00:00:00Z/PT1H", "Europe/Berlin", "R/1850-01-01T00:00:00.000+00:53/PT1H"),
        ("R//P1W-8DT-0.5S", "", "R//P1W-8DT-0.5S"),
    ],
)
def test_printing_keeps_the_units(text: str, zone: str, printed: str) -> None:
    assert print_repeating_interval(read_repeating_interval(text, parse_zone(zone) if zone else None)) == printed


def test_of_two_equal_local_times_the_written_offset_chooses() -> None:
    berlin = parse_zone("Europe/Berlin")
    anchors = {
        offset: parse_repeating_interval(f"R/2026-10-25T02:30:00{offset}/P1D", berlin).occurrence(0).hour
        for offset in ("+02:00", "+01:00", "Z", "")
    }
    assert anchors == {"+02:00": 0, "+01:00": 1, "Z": 0, "": 0}
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert parse_repeating_interval("R//PT90M", berlin).anchored(second).occurrence(0) == second


def test_nothing_accumulates_over_ten_thousand_periods() -> None:
    def at(text: str, zone: str, k: int) -> str:
        return parse_repeating_interval(text, parse_zone(zone)).occurrence(k).isoformat()

    assert at("R/2026-01-01T00:00:00Z/PT0.1S", "UTC", 10_000) == "2026-01-01T00:16:40+00:00"
    assert at("R/2026-01-01T02:30:00Z/P1D", "Europe/Berlin", 10_000) == "2053-05-19T00:30:00+00:00"
    assert at("R/2026-01-31T09:00:00Z/P1M", "Europe/Berlin", 10_002) == "2859-07-31T07:00:00+00:00"
    assert at("R/2026-01-31T00:00:00Z/P1M2DT3H", "UTC", 100) == "2034-12-29T12:00:00+00:00"


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("R/0001-01-01/P1M", ""),
        ("R/0001-01-02T00:00:00/P1D", "Pacific/Kiritimati"),
        ("R/0001-01-01/PT0.001S", ""),
        ("R/0001-01-01/PT0.000001S", ""),
        ("R/0001-01-31T12:00:00/P1M1DT0.000001S", "America/New_York"),
        ("R/1970-01-01/P9998Y", ""),
        ("R/9999-12-31T00:00:00/P1D", "Pacific/Auckland"),
    ],
)
def test_the_ends_of_the_calendar_are_reached_in_a_step_or_two(
    text: str, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = parse_schedule(text, zone)
    assert isinstance(schedule, RepeatingInterval)
    looks: list[int] = []
    occurrence = RepeatingInterval.occurrence

    def counted(self: RepeatingInterval, k: int) -> datetime:
        looks.append(k)
        return occurrence(self, k)

    monkeypatch.setattr(RepeatingInterval, "occurrence", counted)
    for instant in (datetime.min, datetime(1969, 7, 20), datetime(9970, 1, 1), datetime.max):
        moment = instant.replace(tzinfo=UTC)
        following = schedule.next_after(moment)
        assert following is None or following > moment
        latest = schedule.latest_at_or_before(moment)
        assert latest is None or latest <= moment
        assert schedule.count_between(datetime.min.replace(tzinfo=UTC), moment) >= (latest is not None)
    assert schedule.next_after(datetime.max.replace(tzinfo=UTC)) is None
    assert len(looks) < 100


unit_numbers = st.one_of(st.integers(0, 3), st.integers(0, 400)).map(str)


@st.composite
def period_texts(draw: st.DrawFn) -> str:
    """Any period of the grammar, zeros and leading zeros too."""
    dates = "".join(f"{draw(unit_numbers)}{unit}" for unit in "YMWD" if draw(st.booleans()))
    times = "".join(f"{draw(unit_numbers)}{unit}" for unit in "HM" if draw(st.booleans()))
    if draw(st.booleans()):
        fraction = draw(st.sampled_from(["", ".5", ",25", ".000001", ".1234567", "0"]))
        times += f"0{draw(unit_numbers)}{fraction}S"
    return f"P{dates}" + (f"T{times}" if times else "")


periods = st.one_of(
    st.sampled_from(["PT1S", "PT7M", "PT1H", "P1D", "P1W", "P1M", "P1Y", "P1M3DT5H", "PT0.5S"]), period_texts()
)
zones = st.sampled_from(["", "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
moments = st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))
counts = st.sampled_from(["", "1"])
STARTS = ["", "2026-02", "2026-W05-4", "T10", "2026-01-01T10:00:00.123+01:00"]
offsets = st.sampled_from(["Z", "+01:00", "-0330", ""])


@given(
    period=periods, zone=zones, offset=offsets, start=moments, later=moments, repetitions=st.sampled_from(["", "1"])
)
def test_a_printed_schedule_reads_as_the_same(
    period: str, zone: str, offset: str, start: datetime, later: datetime, repetitions: str
) -> None:
    where = parse_zone(zone) if zone else None
    schedule = read_repeating_interval(f"R{repetitions}/{start:%Y-%m-%dT%H:%M:%S.%f}{offset}/{period}", where)
    printed = print_repeating_interval(schedule)
    again = read_repeating_interval(printed, where)
    assert (again.repetitions, again.start, again.period) == (schedule.repetitions, schedule.start, schedule.period)
    assert again.occurrence(0) == schedule.occurrence(0)
    assert again.zone.utcoffset(later) == schedule.zone.utcoffset(later)
    assert print_repeating_interval(again) == printed


@given(period=periods, zone=zones, start=moments, later=moments)
def test_next_is_strictly_later_and_skipping_equals_stepping(
    period: str, zone: str, start: datetime, later: datetime
) -> None:
    text = f"R/{start:%Y-%m-%dT%H:%M:%S}Z/{period}"
    assume(not read_repeating_interval(text, None).period.is_zero)
    schedule = parse_schedule(text, zone)
    stepped = preview(schedule, 5, later)
    assert stepped == sorted(set(stepped))
    assert stepped[0] > later
    for index, occurrence in enumerate(stepped):
        assert schedule.latest_at_or_before(occurrence) == occurrence
        assert schedule.count_between(stepped[0], occurrence) == index + 1
        assert schedule.count_between(later + timedelta(microseconds=1), occurrence) == index + 1
    latest = schedule.latest_at_or_before(later)
    if latest is not None:
        assert latest <= later
        assert schedule.next_after(latest) == stepped[0]
        assert schedule.count_between(latest, stepped[0]) == 2


def refused_or_usable(text: str) -> None:
    """Any text is a schedule whose times can be asked for, or is refused in short with its place."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    try:
        schedule = parse_repeating_interval(text, None).anchored(now)
    except ScheduleError as error:
        refusal = error
    else:
        check_usable(schedule, now)
        return
    assert refusal.position is not None
    assert 0 <= refusal.position <= len(text)
    assert len(str(refusal)) < 400
    assert "\n" not in str(refusal)


def check_usable(schedule: RepeatingInterval, now: datetime) -> None:
    if not schedule.period.is_zero:
        assert parse_repeating_interval(print_repeating_interval(schedule), None).period == schedule.period
    times = preview(schedule, 3, now)
    assert times == sorted(set(times))


@pytest.mark.parametrize(
    "text",
    [
        *("R" + "9" * 5000 + "//P1D", "R//P" + "9" * 5000 + "D", "R//P" + "1" * 100_000),
        *("R//PT0." + "0" * 100_000 + "S", "R//PT" + "1H" * 50_000, "R" + "0" * 100_000 + "5//P1D"),
        *("R" * 100_000, "R/" + "2" * 100_000, "R//" + "P" * 100_000, "R/" * 50_000, "R" + "\0" * 100_000),
        "R/2026-01-01T00:00:00." + "3" * 100_000 + "Z/P1D",
    ],
    ids=lambda text: text[:20],
)
def test_endless_texts_are_refused_in_short_or_read(text: str) -> None:
    refused_or_usable(text)


@settings(max_examples=400)
@given(text=st.text(max_size=40))
def test_any_text_gives_a_schedule_or_a_schedule_error(text: str) -> None:
    refused_or_usable(text)
    refused_or_usable("R" + text)
    with contextlib.suppress(ScheduleError):
        parse_schedule(text)


@settings(max_examples=1000)
@given(text=st.from_regex(r"R\d{0,30}/[\dT:Zz+.,W-]{0,30}/P[\dYMWDTHS.,-]{0,20}", fullmatch=True))
def test_nearly_right_text_gives_a_schedule_or_a_schedule_error(text: str) -> None:
    refused_or_usable(text)


@settings(max_examples=1000)
@given(data=st.data(), period=periods, start=st.sampled_from(STARTS))
def test_a_right_text_with_one_wrong_character_gives_a_schedule_or_a_schedule_error(
    data: st.DataObject, period: str, start: str
) -> None:
    text = f"R5/{start}/{period}"
    place = data.draw(st.integers(0, len(text)))
    wrong = data.draw(st.one_of(st.sampled_from(list("0129-+/TZPRWS., \0\u0663\ud800")), st.characters()))
    refused_or_usable(text[:place] + wrong + text[place + data.draw(st.integers(0, 1)) :])
