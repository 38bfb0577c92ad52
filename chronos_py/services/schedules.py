"""Schedules before they are used: try them, say what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from chronos_py.errors import InvalidDefinition
from chronos_py.model.job import Definition, Job
from chronos_py.model.schedule import parse_schedule, parse_zone, preview
from chronos_py.model.schedule.describe import describe
from chronos_py.services.application import Application

MOST = 1000


@dataclass(frozen=True, slots=True)
class Preview:
    """The next times of a schedule, in its own zone, and what it means in words."""

    next: list[datetime]
    description: str


def preview_schedule(
    app: Application, text: str, time_zone: str = "", count: int = 10, start: datetime | None = None, name: str = ""
) -> Preview:
    """The next ``count`` times strictly after ``start`` (default: now) for the job ``name``.

    Raises InvalidDefinition.
    """
    if not 1 <= count <= MOST:
        raise InvalidDefinition(f"count is {count} but must be from 1 to {MOST}.", "count")
    zone = parse_zone(time_zone or "UTC")
    now = app.clock.now()
    schedule = parse_schedule(text, time_zone, name)
    times = preview(schedule.anchored(now), count, start or now)
    return Preview([_in_zone(time, zone) for time in times], describe(schedule))


def upcoming(job: Job, count: int) -> list[datetime]:
    """The next ``count`` occurrences of a job, in its zone; none while it is paused or when it has no schedule."""
    if job.next_due is None:
        return []
    definition = job.definition
    # Anchored at the next occurrence, an open start goes on from there as well.
    schedule = parse_schedule(definition.schedule, definition.schedule_time_zone, job.name).anchored(job.next_due)
    if job.repetitions_left is not None:
        count = min(count, job.repetitions_left)
    zone = parse_zone(definition.schedule_time_zone or "UTC")
    return [_in_zone(time, zone) for time in (job.next_due, *preview(schedule, count - 1, job.next_due))]


def _in_zone(time: datetime, zone: ZoneInfo) -> datetime:
    try:
        return time.astimezone(zone)
    except OverflowError:  # past the year 9999 on that zone's wall clock
        return time


def describe_definition(definition: Definition) -> str:
    """When a job runs, in words."""
    if definition.kind == "schedule":
        return describe(parse_schedule(definition.schedule, definition.schedule_time_zone, definition.name))
    if definition.kind == "dependency":
        return "After " + ", ".join(definition.parents)
    return "Only by hand"
