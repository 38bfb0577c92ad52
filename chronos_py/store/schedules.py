"""Schedules: when which job is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from chronos_py.model.document import read_stored_definition
from chronos_py.model.job import Definition
from chronos_py.store.tables import JobRow, ScheduleRow


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """A schedule row. ``defined_at`` anchors an open start.

    ``next_due`` is when the planner has to look, ``next_run`` the next occurrence that may run, not before that.
    """

    job_id: int
    expression: str
    time_zone: str
    defined_at: datetime
    next_due: datetime | None
    next_run: datetime | None
    repetitions_left: int | None


@dataclass(frozen=True, slots=True)
class DueJob:
    """A job whose next occurrence has come."""

    schedule: StoredSchedule
    definition: Definition
    revision: int


_SCHEDULE_COLUMNS = (
    ScheduleRow.job_id,
    ScheduleRow.expression,
    ScheduleRow.time_zone,
    ScheduleRow.defined_at,
    ScheduleRow.next_due,
    ScheduleRow.next_run,
    ScheduleRow.repetitions_left,
)


def find_schedule(connection: Connection, job_id: int) -> StoredSchedule | None:
    row = connection.execute(select(*_SCHEDULE_COLUMNS).where(ScheduleRow.job_id == job_id)).one_or_none()
    return None if row is None else StoredSchedule(*row)


def put_schedule(connection: Connection, schedule: StoredSchedule | None, job_id: int) -> None:
    """Replace the schedule of a job; None takes it away."""
    connection.execute(delete(ScheduleRow).where(ScheduleRow.job_id == job_id))
    if schedule is not None:
        add_schedules(connection, {job_id: schedule})


def add_schedules(connection: Connection, schedules: Mapping[int, StoredSchedule]) -> None:
    """The schedules of jobs that have none yet, by job id."""
    rows = [
        {
            "job_id": job_id,
            "expression": schedule.expression,
            "time_zone": schedule.time_zone,
            "defined_at": schedule.defined_at,
            "next_due": schedule.next_due,
            "next_run": schedule.next_run,
            "repetitions_left": schedule.repetitions_left,
        }
        for job_id, schedule in schedules.items()
    ]
    if rows:
        connection.execute(insert(ScheduleRow), rows)


def due_jobs(connection: Connection, now: datetime, limit: int) -> list[DueJob]:
    """Jobs that are due, the longest overdue first, locked. One that an edit holds right now comes next time."""
    rows = connection.execute(
        select(*_SCHEDULE_COLUMNS, JobRow.document, JobRow.revision)
        .join_from(ScheduleRow, JobRow, JobRow.id == ScheduleRow.job_id)
        .where(ScheduleRow.next_due <= now)
        .order_by(ScheduleRow.next_due)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    return [
        DueJob(StoredSchedule(*row[: len(_SCHEDULE_COLUMNS)]), read_stored_definition(row.document), row.revision)
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Advance:
    """What the planner decided of a due job's schedule."""

    job_id: int
    next_due: datetime | None
    next_run: datetime | None
    repetitions_left: int | None


def advance_schedules(connection: Connection, advances: Sequence[Advance]) -> None:
    if advances:
        connection.execute(
            update(ScheduleRow)
            .where(ScheduleRow.job_id == bindparam("of_job"))
            .values(next_due=bindparam("due"), next_run=bindparam("run"), repetitions_left=bindparam("left")),
            [
                {"of_job": each.job_id, "due": each.next_due, "run": each.next_run, "left": each.repetitions_left}
                for each in advances
            ],
        )


def earliest_due(connection: Connection) -> datetime | None:
    """When the next job is due."""
    return connection.execute(select(func.min(ScheduleRow.next_due))).scalar_one()
