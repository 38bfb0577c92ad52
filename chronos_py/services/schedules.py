"""Try a schedule before it is used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chronos_py.errors import InvalidDefinition
from chronos_py.model.job import Definition
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
    app: Application, text: str, time_zone: str = "", count: int = 10, start: datetime | None = None
) -> Preview:
    """The next ``count`` times strictly after ``start`` (default: now). Raises InvalidDefinition."""
    if not 1 <= count <= MOST:
        raise InvalidDefinition(f"count is {count} but must be from 1 to {MOST}.", "count")
    schedule = parse_schedule(text, time_zone)
    now = app.clock.now()
    times = preview(schedule.anchored(now), count, start or now)
    zone = parse_zone(time_zone or "UTC")
    return Preview([time.astimezone(zone) for time in times], describe(schedule))


def describe_definition(definition: Definition) -> str:
    """When a job runs, in words."""
    if definition.kind == "schedule":
        return describe(parse_schedule(definition.schedule, definition.schedule_time_zone, definition.name))
    if definition.kind == "dependency":
        return "After " + ", ".join(definition.parents)
    return "Only by hand"
