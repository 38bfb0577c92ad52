"""Calendars that people defined, and which jobs obey which."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from chronos_py.model.schedule.calendar import Calendar, find_calendars, read_calendar
from chronos_py.store.tables import CalendarRow, JobCalendarRow, JobRow


@dataclass(frozen=True, slots=True)
class StoredCalendar:
    """A calendar as its author wrote it."""

    name: str
    revision: int
    document: Mapping[str, Any]
    author: str
    updated_at: datetime


def _stored(row: Any) -> StoredCalendar:
    return StoredCalendar(row.name, row.revision, row.document, row.author, row.updated_at)


def list_calendars(connection: Connection) -> list[StoredCalendar]:
    """All of them, by name."""
    rows = connection.execute(select(CalendarRow.__table__).order_by(CalendarRow.name))
    return [_stored(row) for row in rows]


def find_calendar(connection: Connection, name: str, lock: bool = False) -> StoredCalendar | None:
    """The calendar of that name. ``lock`` keeps others from changing it until the end of the transaction."""
    statement = select(CalendarRow.__table__).where(CalendarRow.name == name)
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    return None if row is None else _stored(row)


def calendars_named(connection: Connection, names: Iterable[str]) -> dict[str, Calendar]:
    """The calendars of those names that exist, built-in ones included."""
    wanted = set(names)
    if not wanted:
        return {}
    rows = connection.execute(select(CalendarRow.name, CalendarRow.document).where(CalendarRow.name.in_(wanted)))
    return find_calendars(wanted, {row.name: read_calendar(row.name, row.document) for row in rows})


def put_calendar(
    connection: Connection, name: str, revision: int, document: Mapping[str, Any], author: str, now: datetime
) -> None:
    """Insert a calendar at revision 1, or write the next revision of one that is locked."""
    values = {"revision": revision, "document": dict(document), "author": author, "updated_at": now}
    if revision == 1:
        connection.execute(insert(CalendarRow).values(name=name, **values))
    else:
        connection.execute(update(CalendarRow).where(CalendarRow.name == name).values(**values))


def delete_calendar(connection: Connection, name: str) -> None:
    connection.execute(delete(CalendarRow).where(CalendarRow.name == name))


def set_job_calendars(connection: Connection, job_id: int, names: Collection[str]) -> None:
    """Note which calendars a job obeys."""
    connection.execute(delete(JobCalendarRow).where(JobCalendarRow.job_id == job_id))
    add_job_calendars(connection, {job_id: names})


def add_job_calendars(connection: Connection, calendars: Mapping[int, Collection[str]]) -> None:
    """The calendars of jobs that obey none yet, by job id."""
    rows = [{"job_id": job_id, "calendar": name} for job_id, names in calendars.items() for name in names]
    if rows:
        connection.execute(insert(JobCalendarRow), rows)


def jobs_obeying(connection: Connection, name: str) -> list[str]:
    """The names of the jobs that obey a calendar."""
    return list(
        connection.execute(
            select(JobRow.name)
            .join(JobCalendarRow, JobCalendarRow.job_id == JobRow.id)
            .where(JobCalendarRow.calendar == name, JobRow.deleted_at.is_(None))
            .order_by(JobRow.name)
        ).scalars()
    )
