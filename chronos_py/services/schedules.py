"""Schedules before they are used: refuse those that lead nowhere, try them, say what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chronos_py.errors import InvalidDefinition, ScheduleError
from chronos_py.model.document import read_definition, shown
from chronos_py.model.job import Definition
from chronos_py.model.schedule import parse_schedule, parse_zone, preview
from chronos_py.model.schedule.describe import describe
from chronos_py.services.application import Application

MOST = 1000
# What the database can count.
MOST_REPETITIONS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Preview:
    """The next times of a schedule, in its own zone, and what it means in words."""

    next: list[datetime]
    description: str


@contextmanager
def _within_the_calendar(text: object) -> Iterator[None]:
    """Dates end with the year 9999 and counts with 64 bits: a schedule that leads beyond is refused."""
    try:
        yield
    except (OverflowError, ValueError) as error:  # ValueError: a number of thousands of digits
        raise ScheduleError(
            f"schedule {shown(text)} leads out of the years 1 to 9999, or has a number that is too large;"
            " use a nearer start, a shorter period or fewer repetitions."
        ) from error


def read_usable_definition(document: Mapping[str, Any], now: datetime) -> Definition:
    """The definition of a job document whose schedule can be followed from ``now`` on. Raises InvalidDefinition."""
    with _within_the_calendar(document.get("schedule")):
        definition = read_definition(document)
        if definition.schedule:
            schedule = parse_schedule(definition.schedule, definition.schedule_time_zone, definition.name)
            schedule.anchored(now).first(now)
            if (schedule.repetitions or 0) > MOST_REPETITIONS:
                raise OverflowError("too many repetitions")
        return definition


def preview_schedule(
    app: Application, text: str, time_zone: str = "", count: int = 10, start: datetime | None = None
) -> Preview:
    """The next ``count`` times strictly after ``start`` (default: now). Raises InvalidDefinition."""
    if not 1 <= count <= MOST:
        raise InvalidDefinition(f"count is {count} but must be from 1 to {MOST}.", "count")
    zone = parse_zone(time_zone or "UTC")
    now = app.clock.now()
    with _within_the_calendar(text):
        schedule = parse_schedule(text, time_zone)
        times = preview(schedule.anchored(now), count, start or now)
        return Preview([time.astimezone(zone) for time in times], describe(schedule))


def describe_definition(definition: Definition) -> str:
    """When a job runs, in words."""
    if definition.kind == "schedule":
        return describe(parse_schedule(definition.schedule, definition.schedule_time_zone, definition.name))
    if definition.kind == "dependency":
        return "After " + ", ".join(definition.parents)
    return "Only by hand"
