"""Schedules before they are used: try them, say what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from chronos_py.errors import InvalidDefinition
from chronos_py.model.document import read_definition
from chronos_py.model.job import Definition, Job
from chronos_py.model.restrictions import WHEN
from chronos_py.model.schedule import parse_schedule, parse_zone, preview
from chronos_py.model.schedule.describe import describe
from chronos_py.model.schedule.notes import notes
from chronos_py.services.application import Application
from chronos_py.services.scheduling import require_calendars
from chronos_py.store import calendars

MOST = 1000
FIELDS = ("schedule", "scheduleTimeZone", *WHEN)


@dataclass(frozen=True, slots=True)
class Preview:
    """The next times of a schedule, in its own zone, what it means in words, and what is odd about them."""

    next: list[datetime]
    description: str
    notes: list[str]


def preview_schedule(
    app: Application, fields: Mapping[str, Any], count: int = 10, start: datetime | None = None, name: str = ""
) -> Preview:
    """The next ``count`` times strictly after ``start`` (default: now) for the job ``name``.

    ``fields`` are those of a job document that are in FIELDS. Raises InvalidDefinition.
    """
    if not 1 <= count <= MOST:
        raise InvalidDefinition(f"count is {count} but must be from 1 to {MOST}.", "count")
    schedule = fields.get("schedule")
    if isinstance(schedule, str) or schedule is None:
        parse_schedule(schedule or "", name=name)
    definition = replace(read_definition({**fields, "name": "preview", "command": "true"}), name=name)
    start = start or app.clock.now()
    with app.database.read() as connection:
        known = calendars.calendars_named(connection, definition.restrictions.calendars)
    require_calendars(definition, known)
    timetable = definition.timetable(known, app.clock.now())
    times = preview(timetable, count, start)
    zone = parse_zone(definition.schedule_time_zone or "UTC")
    return Preview(
        [_in_zone(time, zone) for time in times],
        describe_definition(definition),
        notes(timetable, name, times, start, definition.jitter),
    )


def upcoming(app: Application, job: Job, count: int) -> list[datetime]:
    """The next ``count`` occurrences of a job, in its zone; none while it is paused or when it has no schedule."""
    if job.next_run is None:
        return []
    definition = job.definition
    with app.database.read() as connection:
        known = calendars.calendars_named(connection, definition.restrictions.calendars)
    timetable = definition.timetable(known, job.anchored_at or job.next_run)
    if job.repetitions_left is not None:
        count = min(count, job.repetitions_left)
    zone = parse_zone(definition.schedule_time_zone or "UTC")
    return [_in_zone(time, zone) for time in (job.next_run, *preview(timetable, count - 1, job.next_run))]


def _in_zone(time: datetime, zone: ZoneInfo) -> datetime:
    try:
        return time.astimezone(zone)
    except OverflowError:  # past the year 9999 on that zone's wall clock
        return time


def describe_definition(definition: Definition) -> str:
    """When a job runs, in words."""
    if definition.kind == "schedule":
        words = _in_words(definition.schedule, definition.schedule_time_zone, definition.name)
        return ", ".join((words, *definition.restrictions.in_words))
    if definition.kind == "dependency":
        return "After " + ", ".join(definition.parents)
    return "Only by hand"


@lru_cache(maxsize=20_000)
def _in_words(schedule: str, time_zone: str, name: str) -> str:
    """A schedule in words; lists of jobs ask for the same again and again."""
    return describe(parse_schedule(schedule, time_zone, name))
