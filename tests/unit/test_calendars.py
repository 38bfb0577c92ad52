"""Calendars, and what is left of a schedule that obeys them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronos_py.errors import InvalidDefinition
from chronos_py.model.document import read_definition
from chronos_py.model.schedule import Schedule, parse_schedule, preview
from chronos_py.model.schedule.calendar import (
    Calendar,
    built_in_calendar,
    built_in_names,
    check_calendar_name,
    days_of,
    find_calendars,
    read_calendar,
)
from chronos_py.model.schedule.jitter import jitter

BERLIN = ZoneInfo("Europe/Berlin")


def named(name: str) -> Calendar:
    calendar = built_in_calendar(name)
    assert calendar is not None
    return calendar


def timetable(own: dict[str, Calendar] | None = None, **fields: Any) -> Schedule:
    definition = read_definition({"name": "job", "command": "true", "scheduleTimeZone": "Europe/Berlin", **fields})
    known = find_calendars(definition.restrictions.calendars, own or {})
    return definition.timetable(known, datetime(2026, 1, 1, tzinfo=UTC))


def local(schedule: Schedule, start: str, count: int) -> list[str]:
    times = preview(schedule, count, datetime.fromisoformat(start).replace(tzinfo=BERLIN))
    return [f"{time.astimezone(BERLIN):%a %Y-%m-%d %H:%M}" for time in times]


def test_built_in_calendars() -> None:
    assert named("DE").label(date(2026, 12, 25)) == "Christmas Day"
    assert named("DE").label(date(2026, 1, 6)) is None
    assert named("DE-BY").label(date(2026, 1, 6)) == "Epiphany"
    assert named("NYSE").label(date(2026, 11, 26)) == "Thanksgiving Day"
    assert named("weekends").label(date(2026, 11, 21)) == "Saturday"
    assert named("weekends").label(date(2026, 11, 20)) is None
    assert [built_in_calendar(name) for name in ("", "XX", "DE-", "DE-XX", "de", "../DE")] == [None] * 6
    assert {"weekends", "DE", "US", "NYSE"} <= set(built_in_names())


def test_an_own_calendar() -> None:
    calendar = read_calendar(
        "closing",
        {
            "dates": ["2026-12-24", {"date": "12-31", "name": "New Year's Eve"}, {"date": "02-29"}],
            "weekdays": ["Fri", "saturday"],
            "includes": ["DE"],
            "exceptDates": ["2026-12-26"],
        },
    )
    assert calendar.label(date(2026, 12, 24)) == "closing"
    assert calendar.label(date(2027, 12, 24)) == "Friday"
    assert calendar.label(date(2030, 12, 31)) == "New Year's Eve"
    assert calendar.label(date(2028, 2, 29)) == "closing"
    assert calendar.label(date(2026, 12, 25)) == "Christmas Day"
    assert calendar.label(date(2026, 12, 26)) is None, "excepted, though a Saturday and a holiday"
    assert calendar.label(date(2026, 12, 23)) is None
    assert len(days_of(calendar, 2028)) > 52 * 2


@pytest.mark.parametrize(
    ("document", "field", "words"),
    [
        ({}, "dates", "has no day"),
        ({"dates": "2026-12-24"}, "dates", "must be a list"),
        ({"dates": ["24.12.2026"]}, "dates[0]", "2026-12-24"),
        ({"dates": ["2026-12-24", "2026-02-30"]}, "dates[1]", "2026-02-30"),
        ({"dates": ["02-30"]}, "dates[0]", "02-30"),
        ({"dates": [{"name": "no date"}]}, "dates[0]", "None"),
        ({"dates": [{"date": "12-24", "name": 5}]}, "dates[0].name", "text"),
        ({"weekdays": ["someday"]}, "weekdays[0]", "someday"),
        ({"weekdays": ["f"]}, "weekdays[0]", "English name"),
        ({"includes": ["closing"]}, "includes[0]", "built-in"),
        ({"dates": ["12-24"], "exceptDates": [5]}, "exceptDates[0]", "5"),
    ],
)
def test_what_is_no_calendar(document: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        read_calendar("closing", document)
    assert refusal.value.field == field
    assert words in str(refusal.value)


@pytest.mark.parametrize("name", ["", "DE", "weekends", "a b", "-a", "a/b", "x" * 101])
def test_names_that_a_calendar_cannot_have(name: str) -> None:
    with pytest.raises(InvalidDefinition, match="name"):
        check_calendar_name(name)


def test_blocked_days_are_skipped() -> None:
    nightly = timetable(schedule="0 3 * * *", excludeCalendars=["weekends", "DE"])
    assert local(nightly, "2026-12-23T12:00", 4) == [
        "Thu 2026-12-24 03:00",
        "Mon 2026-12-28 03:00",
        "Tue 2026-12-29 03:00",
        "Wed 2026-12-30 03:00",
    ]


def test_only_the_days_of_a_calendar() -> None:
    payday = read_calendar("payday", {"dates": ["2026-06-30", "2026-09-30"]})
    schedule = timetable({"payday": payday}, schedule="0 9,17 * * *", onlyCalendars=["payday"])
    assert local(schedule, "2026-01-01T00:00", 9) == [
        "Tue 2026-06-30 09:00",
        "Tue 2026-06-30 17:00",
        "Wed 2026-09-30 09:00",
        "Wed 2026-09-30 17:00",
    ]


def test_the_day_is_that_of_the_zone() -> None:
    """2026-12-25 00:30 in Berlin is still the 24th in UTC."""
    schedule = timetable(schedule="30 0 25 12 *", excludeCalendars=["DE"])
    assert schedule.next_after(datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_blocked_days_move() -> None:
    fields: dict[str, Any] = {"schedule": "0 9 25 * *", "excludeCalendars": ["weekends", "DE"]}
    assert local(timetable(**fields, onBlockedDay="next"), "2026-09-26T00:00", 4) == [
        "Mon 2026-10-26 09:00",
        "Wed 2026-11-25 09:00",
        "Mon 2026-12-28 09:00",
        "Mon 2027-01-25 09:00",
    ]
    assert local(timetable(**fields, onBlockedDay="previous"), "2026-09-26T00:00", 4) == [
        "Fri 2026-10-23 09:00",
        "Wed 2026-11-25 09:00",
        "Thu 2026-12-24 09:00",
        "Mon 2027-01-25 09:00",
    ]


def test_occurrences_that_meet_are_one() -> None:
    daily = timetable(schedule="0 9 * * *", excludeCalendars=["weekends"], onBlockedDay="next")
    assert local(daily, "2026-11-20T00:00", 3) == [
        "Fri 2026-11-20 09:00",
        "Mon 2026-11-23 09:00",
        "Tue 2026-11-24 09:00",
    ]


def test_times_that_move_to_one_day_stay_in_order() -> None:
    schedule = timetable(schedule="0 18 * * 6", excludeCalendars=["weekends"], onBlockedDay="next")
    assert local(schedule, "2026-11-20T00:00", 2) == ["Mon 2026-11-23 18:00", "Mon 2026-11-30 18:00"]


def test_blackouts_and_bounds() -> None:
    schedule = timetable(
        schedule="0 * * * *",
        blackouts=[
            {"start": "2026-03-01T10:00", "end": "2026-03-01T12:00", "reason": "move"},
            {"schedule": "0 22 * * *", "duration": "PT3H"},
        ],
        startTime="2026-03-01T09:00",
        endTime="2026-03-02",
    )
    found = local(schedule, "2026-02-01T00:00", 100)
    assert found[:4] == [f"Sun 2026-03-01 {hour:02}:00" for hour in (9, 12, 13, 14)]
    assert found[-1] == "Mon 2026-03-02 21:00"
    assert not any(time.endswith((" 22:00", " 23:00", " 00:00")) for time in found)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"excludeCalendars": "DE"}, "excludeCalendars"),
        ({"onBlockedDay": "later"}, "onBlockedDay"),
        ({"blackouts": [{}]}, "blackouts[0]"),
        ({"blackouts": [{"start": "2026-01-02", "end": "2026-01-01"}]}, "blackouts[0]"),
        ({"blackouts": [{"start": "soon", "end": "2026-01-01"}]}, "blackouts[0].start"),
        ({"blackouts": [{"schedule": "0 22 * * *"}]}, "blackouts[0].duration"),
        ({"blackouts": [{"schedule": "0 25 * * *", "duration": 60}]}, "blackouts[0].schedule"),
        ({"startTime": "tomorrow"}, "startTime"),
        ({"startTime": "2026-02-01", "endTime": "2026-01-01"}, "endTime"),
        ({"jitter": -5}, "jitter"),
    ],
)
def test_what_cannot_restrict(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        timetable(schedule="0 3 * * *", **fields)
    assert refusal.value.field == field


schedules = st.sampled_from(
    ["0 3 * * *", "15 */6 * * *", "0 0 1 * *", "R/2026-01-31T09:00:00Z/P1M", "R//PT7H", "0 9 * * 6"]
)
restrictions = st.fixed_dictionaries(
    {},
    optional={
        "excludeCalendars": st.lists(st.sampled_from(["weekends", "DE", "US-CA"]), max_size=2),
        "onlyCalendars": st.lists(st.sampled_from(["own"]), max_size=1),
        "onBlockedDay": st.sampled_from(["skip", "next", "previous"]),
        "blackouts": st.sampled_from(
            [[], [{"schedule": "0 2 * * *", "duration": "PT2H"}], [{"start": "2026-03-01", "end": "2026-04-15"}]]
        ),
        "startTime": st.sampled_from(["2026-02-01T00:00", "2026-05-05T03:00"]),
        "endTime": st.sampled_from(["2027-12-31", "2026-06-01T03:00"]),
    },
)
moments = st.datetimes(datetime(2025, 6, 1), datetime(2028, 1, 1), timezones=st.just(UTC))
OWN = read_calendar(
    "own", {"weekdays": ["mon", "wed", "sun"], "dates": ["2026-05-01"], "exceptDates": ["2026-06-03"]}
)


@settings(deadline=None)  # years of one occurrence each take a while
@given(text=schedules, fields=restrictions, moment=moments)
def test_skipping_equals_stepping(text: str, fields: dict[str, Any], moment: datetime) -> None:
    schedule = timetable({"own": OWN}, schedule=text, **fields)
    times = preview(schedule, 12, moment)
    assert all(earlier < later for earlier, later in pairwise([moment, *times]))
    for index, time in enumerate(times):
        assert schedule.latest_at_or_before(time) == time
        assert schedule.latest_at_or_before(time + timedelta(microseconds=1)) == time
        assert schedule.next_after(time - timedelta(microseconds=1)) == time
        count = schedule.count_between(times[0], time)
        # Where blocks cut years of occurrences into very many pieces, nobody counts them.
        assert count == index + 1 or (count is None and time - times[0] > timedelta(days=365))
    if times:
        before = schedule.latest_at_or_before(moment)
        assert before is None or (before <= moment and schedule.next_after(before) == times[0])


@given(text=schedules, fields=restrictions, moment=moments)
def test_what_is_left_is_what_a_look_at_every_occurrence_leaves(
    text: str, fields: dict[str, Any], moment: datetime
) -> None:
    """The oracle: every occurrence of the plain schedule, moved or dropped one by one."""
    schedule = timetable({"own": OWN}, schedule=text, **fields)
    definition = read_definition(
        {"name": "job", "command": "true", "scheduleTimeZone": "Europe/Berlin", "schedule": text, **fields}
    )
    limits = definition.restrictions
    known = find_calendars(limits.calendars, {"own": OWN})

    def is_allowed(day: date) -> bool:
        excluded = any(known[name].label(day) is not None for name in limits.exclude_calendars)
        return not excluded and (
            not limits.only_calendars or any(known[name].label(day) for name in limits.only_calendars)
        )

    plain = parse_schedule(text, "Europe/Berlin", "job").anchored(datetime(2026, 1, 1, tzinfo=UTC))
    end = moment + timedelta(days=40)
    wanted = set()
    cursor = plain.next_after(moment - timedelta(days=30))
    while cursor is not None and cursor <= end + timedelta(days=30):
        moved: datetime | None = cursor
        wall = cursor.astimezone(BERLIN)
        if not is_allowed(wall.date()):
            step = {"skip": 0, "next": 1, "previous": -1}[limits.on_blocked_day]
            while step and not is_allowed(wall.date()):
                wall = wall.replace(tzinfo=None) + timedelta(days=step)
                wall = wall.replace(tzinfo=BERLIN)
            moved = wall.astimezone(UTC) if step else None
        if moved is not None and not any(blackout.covering(moved) for blackout in limits.blackouts):
            wanted.add(moved)
        cursor = plain.next_after(cursor)
    start, last = max(moment, limits.start or moment), min(end, limits.end or end)
    expected = sorted(time for time in wanted if moment < time <= last and time >= start)
    found = []
    cursor = schedule.next_after(moment)
    while cursor is not None and cursor <= end:
        found.append(cursor)
        cursor = schedule.next_after(cursor)
    assert found == expected


@given(name=st.text(max_size=20), occurrence=moments, seconds=st.integers(0, 10_000))
def test_jitter_is_bounded_and_always_the_same(name: str, occurrence: datetime, seconds: int) -> None:
    delay = jitter(name, occurrence, timedelta(seconds=seconds))
    assert timedelta(0) <= delay <= timedelta(seconds=seconds)
    assert delay == jitter(name, occurrence.astimezone(BERLIN), timedelta(seconds=seconds))


def test_jitter_spreads_jobs_and_occurrences() -> None:
    most, first = timedelta(minutes=10), datetime(2026, 1, 1, tzinfo=UTC)
    assert len({jitter(f"job-{number}", first, most) for number in range(500)}) > 490
    assert len({jitter("job", first + timedelta(days=day), most) for day in range(500)}) > 490
