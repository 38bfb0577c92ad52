"""Calendars: define, look at, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from chronos_py.errors import Conflict, InvalidDefinition, NotFound, Outdated
from chronos_py.model.reader import Reader, shown
from chronos_py.model.schedule.calendar import (
    Calendar,
    built_in_calendar,
    built_in_names,
    check_calendar_name,
    days_of,
    read_calendar,
)
from chronos_py.services.application import Application
from chronos_py.services.scheduling import reschedule
from chronos_py.store import calendars, chains
from chronos_py.store.calendars import StoredCalendar

FIELDS = ("name", "description", "dates", "weekdays", "includes", "exceptDates")


@dataclass(frozen=True, slots=True)
class CalendarView:
    """A calendar, its days of a year with their labels, and the jobs that obey it. ``stored`` None: built in."""

    name: str
    stored: StoredCalendar | None
    year: int
    days: Sequence[tuple[date, str]]
    jobs: Sequence[str]


def list_calendars(app: Application) -> list[StoredCalendar]:
    """The calendars that people defined, by name."""
    with app.database.read() as connection:
        return calendars.list_calendars(connection)


def built_in() -> list[str]:
    """The names of built-in calendars; parts of countries, such as DE-BY, come beside them."""
    return built_in_names()


def get_calendar(app: Application, name: str, year: int | None = None) -> CalendarView:
    """A calendar of either kind with its days in ``year`` (default: this one). Raises NotFound."""
    year = app.clock.now().year if year is None else year
    if not 1 <= year <= 9999:
        raise InvalidDefinition(f"year is {year} but must be from 1 to 9999.", "year")
    with app.database.read() as connection:
        stored = calendars.find_calendar(connection, name)
        calendar: Calendar | None = (
            built_in_calendar(name) if stored is None else read_calendar(name, stored.document)
        )
        if calendar is None:
            raise NotFound(f"Calendar {shown(name)} not found.")
        return CalendarView(name, stored, year, days_of(calendar, year), calendars.jobs_obeying(connection, name))


def save_calendar(
    app: Application, name: str, document: Mapping[str, Any], author: str = "", if_revision: int | None = None
) -> tuple[StoredCalendar, bool]:
    """Create a calendar or replace its days; the calendar, and whether it is new.

    Jobs that obey it find their next occurrence anew. Raises InvalidDefinition, and Outdated when ``if_revision`` is
    not the present revision (0: it must be new).
    """
    now = app.clock.now()
    document = _checked(name, document)
    with app.database.write() as connection:
        chains.lock_definitions(connection)  # no job begins to obey it, and no other edit comes, in between
        present = calendars.find_calendar(connection, name, lock=True)
        revision = 0 if present is None else present.revision
        if if_revision is not None and if_revision != revision:
            raise Outdated(
                f"Calendar {shown(name)} was changed by someone else meanwhile; load it again and repeat your change."
            )
        if present is None or present.document != document:
            calendars.put_calendar(connection, name, revision + 1, document, author, now)
            for job_name in calendars.jobs_obeying(connection, name):
                reschedule(connection, job_name, now)
        saved = calendars.find_calendar(connection, name)
        assert saved is not None
    app.wake.planner.set()
    return saved, present is None


def _checked(name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """The document as it is stored. Raises InvalidDefinition."""
    check_calendar_name(name)
    for field in document:
        if field not in FIELDS:
            raise InvalidDefinition(
                f"There is no field {shown(field)} in a calendar; known: {', '.join(FIELDS)}.", field
            )
    if document.get("name", name) != name:
        raise InvalidDefinition(f"name is {shown(document['name'])} but the address says {shown(name)}.", "name")
    Reader(document).text("description")
    read_calendar(name, document)
    given = {field: document[field] for field in FIELDS if document.get(field)}
    return {**given, "name": name}


def delete_calendar(app: Application, name: str) -> None:
    """Delete a calendar that no job obeys. Raises NotFound, and Conflict naming the jobs that do."""
    with app.database.write() as connection:
        chains.lock_definitions(connection)
        if calendars.find_calendar(connection, name, lock=True) is None:
            what = "is built in and cannot be deleted" if built_in_calendar(name) else "not found"
            raise (Conflict if built_in_calendar(name) else NotFound)(f"Calendar {shown(name)} {what}.")
        names = calendars.jobs_obeying(connection, name)
        if names:
            raise Conflict(
                f"Calendar {shown(name)} is obeyed by {', '.join(names[:10])}{' and others' if names[10:] else ''};"
                " change these jobs first."
            )
        calendars.delete_calendar(connection, name)
