"""Days on a wall clock, and bars in them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chronos_py.model.run import RunState
from chronos_py.model.schedule import parse_schedule
from chronos_py.services.timeline import (
    Band,
    Day,
    Planned,
    Row,
    Stretch,
    TimedRun,
    add_to_bins,
    joined,
    occurrences,
    still_to_come,
)
from chronos_py.store.timeline import PlannedJob
from chronos_py.web.timeline.bars import SHORTEST, density, draw_row, month_cells, ticks
from chronos_py.web.timeline.days import ZOOMS, month_of, window_of

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 3, 10)
MIDNIGHT = datetime(2026, 3, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
WHOLE = Stretch(MIDNIGHT, MIDNIGHT + 24 * HOUR)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (DAY, 24)])
def test_a_day_is_as_long_as_on_the_wall(day: date, hours: int) -> None:
    window = window_of(day, BERLIN)
    assert window.stretch.end - window.stretch.start == hours * HOUR
    assert len(list(window.hours_of_day())) == hours
    assert len(ticks(window)) == hours
    assert window.clock(window.stretch.start) == "00:00"


@given(
    some.dates(date(1971, 1, 2), date(9000, 1, 1)),
    some.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"]),
    some.from_regex(r"\A([01]\d|2[0-3]):[0-5]\d\Z"),
    some.sampled_from(sorted(ZOOMS)),
)
def test_a_part_of_a_day_lies_within_it(day: date, zone: str, begin: str, hours: int) -> None:
    window = window_of(day, ZoneInfo(zone), begin, hours)
    assert window.whole.start <= window.stretch.start < window.stretch.end <= window.whole.end
    assert window.percent(window.stretch.start) == 0
    assert window.percent(window.stretch.end) == 100
    assert all(0 <= at < 100 for at, _, _ in ticks(window))


@pytest.mark.parametrize("begin", ["", "25:00", "noon", "٣:00"])
def test_what_is_no_time_is_the_beginning(begin: str) -> None:
    assert window_of(DAY, BERLIN, begin, 6).begin == "00:00"


def test_parts_of_a_day_follow_one_another() -> None:
    window = window_of(DAY, ZoneInfo("UTC"), "06:00", 6)
    assert (window.earlier, window.later) == ("00:00", "12:00")
    assert window_of(DAY, ZoneInfo("UTC"), "18:00", 6).later == ""
    assert window_of(DAY, ZoneInfo("UTC"), "00:00", 6).earlier == ""
    assert [window.around(MIDNIGHT + 12.5 * HOUR, hours) for hours in (12, 3, 1)] == ["08:00", "11:00", "12:00"]


def test_a_month_has_its_days_and_weeks() -> None:
    days, stretches = month_of(date(2026, 2, 5), BERLIN)
    assert (len(days), days[0], days[-1]) == (28, date(2026, 2, 1), date(2026, 2, 28))
    assert all(one.end == other.start for one, other in pairwise(stretches))
    ended = [Counter({RunState.FAILED: 1, RunState.LOST: 1, RunState.KILLED: 3})] * 28
    weeks = month_cells(days, ended, [0] * 28, days[3], str)
    assert [len(week) for week in weeks] == [7] * 5
    first = weeks[0][6]  # a Sunday
    assert first is not None
    assert (first.failed, first.other, first.day.day) == (2, 3, 1)


def test_occurrences_of_a_schedule_in_a_day() -> None:
    plan = occurrences(parse_schedule("0 */6 * * *"), WHOLE, 300)
    assert [time.hour for time in plan.times] == [0, 6, 12, 18]
    assert plan.count == 4
    many = occurrences(parse_schedule("* * * * *"), WHOLE, 300)
    assert (many.times, many.count) == ((), 1440)
    assert (many.first, many.last) == (MIDNIGHT, MIDNIGHT + timedelta(minutes=1439))
    assert occurrences(parse_schedule("0 0 1 1 *"), WHOLE, 300) == Planned()


def test_what_was_decided_is_not_planned_any_more() -> None:
    def job(next_run: datetime, left: int | None = None) -> PlannedJob:
        return PlannedJob(1, 1, MIDNIGHT, next_run, left)

    plan = occurrences(parse_schedule("0 */6 * * *"), WHOLE, 300)
    assert still_to_come(plan, job(MIDNIGHT + 6 * HOUR), MIDNIGHT, 300).count == 3
    assert still_to_come(plan, job(MIDNIGHT, left=2), MIDNIGHT, 300).times == plan.times[:2]
    assert still_to_come(plan, job(MIDNIGHT + 20 * HOUR), MIDNIGHT, 300) == Planned()
    many = occurrences(parse_schedule("* * * * *"), WHOLE, 300)
    half = still_to_come(many, job(MIDNIGHT + 12 * HOUR), MIDNIGHT, 300)
    assert (half.count, half.first, half.last) == (720, MIDNIGHT + 12 * HOUR, many.last)
    two = still_to_come(many, job(MIDNIGHT + 12.05 * HOUR, left=4), MIDNIGHT, 300)
    assert (two.count, two.bins[143:147]) == (4, [0, 2, 2, 0])
    assert two.last is not None
    assert two.last < MIDNIGHT + 12.25 * HOUR
    assert still_to_come(many, job(MIDNIGHT, left=0), MIDNIGHT, 300) == Planned()


@pytest.mark.parametrize("text", ["*/10 * * * *", "R/2026-01-01T00:00:00Z/PT10M", "*/2 5-9 * * *", "7/9 * * * * *"])
def test_many_occurrences_are_counted_where_they_are(text: str) -> None:
    schedule, bins, expected = parse_schedule(text), [0] * 288, [0] * 288
    add_to_bins(occurrences(schedule, WHOLE, 300), MIDNIGHT, 300, bins)
    time = schedule.next_after(MIDNIGHT - timedelta(microseconds=1))
    while time is not None and time < WHOLE.end:
        expected[int((time - MIDNIGHT) / timedelta(minutes=5))] += 1
        time = schedule.next_after(time)
    assert bins == expected
    assert sum(bins) > 100


def test_bins_that_look_alike_are_one_band() -> None:
    good, bad = {RunState.SUCCEEDED: 2}, {RunState.SUCCEEDED: 1, RunState.FAILED: 1}
    bands = joined(MIDNIGHT, 300, {0: good, 1: {RunState.SUCCEEDED: 5}, 2: bad, 7: good})
    assert [(band.start.minute, band.end.minute, dict(band.states)) for band in bands] == [
        (0, 10, {RunState.SUCCEEDED: 7}),
        (10, 15, bad),
        (35, 40, good),
    ]


def run(number: int, hours: float, length: float | None, state: RunState = RunState.SUCCEEDED) -> TimedRun:
    start = MIDNIGHT + hours * HOUR
    end = None if length is None else start + length * HOUR
    return TimedRun(number, 1, state, start, end, True, 1, 1, "")


def test_bars_are_where_runs_were() -> None:
    window = window_of(DAY, ZoneInfo("UTC"))
    now = MIDNIGHT + 18 * HOUR
    runs = [run(1, 6, 6), run(2, 12, 0.0001, RunState.FAILED), run(3, 17, None, RunState.RUNNING), run(4, -3, 6)]
    coming = Planned([MIDNIGHT + 20 * HOUR], MIDNIGHT + 20 * HOUR, MIDNIGHT + 20 * HOUR, 1)
    row = Row("job", runs, {}, (), coming, 2 * HOUR)
    bars = draw_row(row, window, now, lambda begin: begin).bars
    found = {bar.run_id: (bar.x, bar.width) for bar in bars if bar.run_id}
    assert found == {1: (25, 25), 2: (50, SHORTEST), 3: (70.833, 4.167), 4: (0, 12.5)}
    planned, expected = (next(bar for bar in bars if bar.kind == kind) for kind in ("planned", "expected"))
    assert (planned.x, planned.width) == (83.333, 8.334)
    assert (expected.x, expected.width) == (75, 4.167)
    assert "usually takes 2 h" in planned.words


def test_many_runs_are_a_band_of_their_worst_state() -> None:
    window = window_of(DAY, ZoneInfo("UTC"))
    band = Band(MIDNIGHT, MIDNIGHT + HOUR, {RunState.SUCCEEDED: 700, RunState.FAILED: 3})
    [bar] = draw_row(Row("job", (), {}, [band], Planned(), None), window, MIDNIGHT, lambda begin: f"at {begin}").bars
    assert (bar.state, bar.address) == ("failed", "at 00:00")
    assert bar.words == "703 runs from 00:00 to 01:00: 3 failed, 700 succeeded"


def test_collisions_are_seen() -> None:
    window = window_of(DAY, ZoneInfo("UTC"))
    launched, planned = [0] * 288, [0] * 288
    launched[0], planned[287] = 40, 60
    strip = density(Day(WHOLE, (), 300, launched, planned, 0, None), window)
    assert strip.most == 60
    assert "Most at once: 60 within 5 min from 23:55" in strip.words
    assert [(column.launched, column.planned) for column in strip.columns] == [(66.67, 0), (0, 100)]
