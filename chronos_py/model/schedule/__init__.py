"""Schedules: pure functions of a definition and an instant, used by planner, preview and backfill alike."""

from __future__ import annotations

from datetime import datetime

from chronos_py.errors import ScheduleError
from chronos_py.model.schedule.contract import Schedule
from chronos_py.model.schedule.cron import parse_cron
from chronos_py.model.schedule.iso8601 import parse_repeating_interval
from chronos_py.model.schedule.zone import parse_zone

__all__ = ["Schedule", "parse_schedule", "parse_zone", "preview"]


def parse_schedule(text: str, time_zone: str = "", name: str = "") -> Schedule:
    """Read a schedule in either language. ``name`` is the job's, for ``H`` in cron expressions.

    Raises ScheduleError, or InvalidDefinition for the zone.
    """
    zone = parse_zone(time_zone) if time_zone else None
    text = text.strip()
    if not text:
        raise ScheduleError("schedule is empty; leave the field out for a job that is only run by hand.", 0)
    if text[:1] in ("R", "r") and "/" in text:
        return parse_repeating_interval(text, zone)
    return parse_cron(text, zone, name)


def preview(schedule: Schedule, count: int, start: datetime) -> list[datetime]:
    """The next ``count`` occurrences strictly after ``start``, fewer where the schedule ends."""
    times: list[datetime] = []
    if schedule.repetitions is not None:
        count = min(count, schedule.repetitions)
    cursor: datetime | None = start
    while len(times) < count:
        cursor = schedule.next_after(cursor) if cursor else None
        if cursor is None:
            break
        times.append(cursor)
    return times
