"""What ran when, across jobs: counted in bins, and run by run for a page of jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Connection,
    Integer,
    Select,
    cast,
    exists,
    func,
    or_,
    select,
    union,
    union_all,
)

from chronos_py.model.labels import Labels
from chronos_py.model.run import FINAL_RUN_STATES, AttemptState, RunState
from chronos_py.store import labels
from chronos_py.store.tables import AttemptRow, CalendarRow, JobRow, RunRow, ScheduleRow

# How long before a stretch of time a run may have begun that ended in it.
LOOK_BACK = timedelta(days=2)
RECENT_RUNS = 20
_UNFINISHED = sorted(set(RunState) - FINAL_RUN_STATES)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time from ``start`` (included) to ``end`` (not included); aware UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Jobs with ``text`` in their name, ``owner`` in their owner (any case), and all these labels."""

    text: str = ""
    owner: str = ""
    labels: Labels = ()

    def conditions(self) -> list[ColumnElement[bool]]:
        owner = JobRow.document["owner"].as_string()
        texts = ((JobRow.name, self.text), (owner, self.owner))
        found = [func.lower(column).contains(text.lower(), autoescape=True) for column, text in texts if text]
        return [*found, *labels.conditions(self.labels)]


@dataclass(frozen=True, slots=True)
class TimedRun:
    """A run as a bar: from ``start`` to ``end``, None while it goes on. What never began stands at its time."""

    id: int
    job_id: int
    state: RunState
    start: datetime
    end: datetime | None
    has_begun: bool
    attempts: int
    occurrences: int | None
    message: str


@dataclass(frozen=True, slots=True)
class TimedAttempt:
    """A try as a part of a bar."""

    run_id: int
    number: int
    state: AttemptState
    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job that will be due. ``anchored_at`` is what an open start of its schedule stands for."""

    job_id: int
    revision: int
    anchored_at: datetime
    next_run: datetime
    repetitions_left: int | None


def _seconds(connection: Connection, column: Any) -> ColumnElement[int]:
    """A time in whole seconds since 1970."""
    if connection.dialect.name == "sqlite":
        return cast(func.strftime("%s", column), Integer)
    return cast(func.floor(func.extract("epoch", column)), BigInteger)


def _bin(connection: Connection, column: Any, stretch: Stretch, seconds: int) -> ColumnElement[int]:
    """In which of the bins of a stretch a time lies."""
    return (_seconds(connection, column) - int(stretch.start.timestamp())) // seconds


def count_launches(connection: Connection, stretch: Stretch, seconds: int, jobs: JobFilter) -> dict[int, int]:
    """How many tries began in each bin of so many seconds."""
    number = _bin(connection, AttemptRow.created_at, stretch, seconds).label("number")
    query = select(number, func.count()).where(
        AttemptRow.created_at >= stretch.start, AttemptRow.created_at < stretch.end
    )
    if conditions := jobs.conditions():
        query = query.join(RunRow, RunRow.id == AttemptRow.run_id).join(JobRow, JobRow.id == RunRow.job_id)
        query = query.where(*conditions)
    return {row[0]: row[1] for row in connection.execute(query.group_by(number))}


def count_ended(
    connection: Connection, stretch: Stretch, seconds: int, jobs: JobFilter
) -> list[tuple[int, RunState, int]]:
    """How many runs ended in each bin of so many seconds, by state; (bin, state, count)."""
    number = _bin(connection, RunRow.finished_at, stretch, seconds).label("number")
    query = select(number, RunRow.state, func.count()).where(
        RunRow.finished_at >= stretch.start, RunRow.finished_at < stretch.end
    )
    if conditions := jobs.conditions():
        query = query.join(JobRow, JobRow.id == RunRow.job_id).where(*conditions)
    rows = connection.execute(query.group_by(number, RunRow.state))
    return [(row[0], RunState(row[1]), row[2]) for row in rows]


def busy_jobs(
    connection: Connection, stretch: Stretch, now: datetime, jobs: JobFilter, after: str, limit: int
) -> dict[int, str]:
    """Jobs that ran, run, or are planned to run in a stretch, by name, those after ``after``: id -> name."""
    begun = exists().where(
        RunRow.job_id == JobRow.id, RunRow.started_at >= stretch.start, RunRow.started_at < stretch.end
    )
    stood_for = exists().where(
        RunRow.job_id == JobRow.id, RunRow.scheduled_at >= stretch.start, RunRow.scheduled_at < stretch.end
    )
    going_on = exists().where(
        RunRow.job_id == JobRow.id, RunRow.state.in_(_UNFINISHED), RunRow.created_at < stretch.end
    )
    wanted: list[ColumnElement[bool]] = [begun, stood_for]
    if stretch.start <= now:
        wanted.append(going_on)
    if stretch.end > now:
        wanted.append(exists().where(ScheduleRow.job_id == JobRow.id, ScheduleRow.next_run < stretch.end))
    query = select(JobRow.id, JobRow.name).where(JobRow.deleted_at.is_(None), or_(*wanted), *jobs.conditions())
    if after:
        query = query.where(JobRow.name > after)
    return {row[0]: row[1] for row in connection.execute(query.order_by(JobRow.name).limit(limit))}


def _in_stretch(job_ids: Sequence[int], stretch: Stretch) -> CompoundSelect[int]:
    """The ids of the runs of these jobs that have to do with a stretch; each part by an index of its own."""
    of_jobs = RunRow.job_id.in_(job_ids)
    begun = select(RunRow.id).where(
        of_jobs,
        RunRow.started_at >= stretch.start - LOOK_BACK,
        RunRow.started_at < stretch.end,
        or_(RunRow.finished_at.is_(None), RunRow.finished_at >= stretch.start),
    )
    never_begun = select(RunRow.id).where(
        of_jobs,
        RunRow.scheduled_at >= stretch.start,
        RunRow.scheduled_at < stretch.end,
        RunRow.started_at.is_(None),
    )
    going_on = select(RunRow.id).where(of_jobs, RunRow.state.in_(_UNFINISHED), RunRow.started_at < stretch.end)
    return union(begun, never_begun, going_on)


def count_runs(connection: Connection, job_ids: Sequence[int], stretch: Stretch) -> dict[int, int]:
    """How many runs of each of these jobs have to do with a stretch."""
    found = _in_stretch(job_ids, stretch).subquery()
    rows = connection.execute(
        select(RunRow.job_id, func.count()).join(found, found.c.id == RunRow.id).group_by(RunRow.job_id)
    )
    return {row[0]: row[1] for row in rows}


def runs_in(connection: Connection, job_ids: Sequence[int], stretch: Stretch) -> list[TimedRun]:
    """The runs of these jobs that have to do with a stretch, first to last."""
    found = _in_stretch(job_ids, stretch).subquery()
    start = func.coalesce(RunRow.started_at, RunRow.scheduled_at)
    end = func.coalesce(RunRow.scheduled_until, RunRow.finished_at)
    rows = connection.execute(
        select(
            RunRow.id,
            RunRow.job_id,
            RunRow.state,
            start,
            end,
            RunRow.started_at.is_not(None),
            RunRow.attempts,
            RunRow.occurrences,
            RunRow.message,
        )
        .join(found, found.c.id == RunRow.id)
        .order_by(start, RunRow.id)
    )
    return [TimedRun(row[0], row[1], RunState(row[2]), *row[3:]) for row in rows]


def bins_of_runs(
    connection: Connection, job_ids: Sequence[int], stretch: Stretch, seconds: int
) -> list[tuple[int, int, RunState, int]]:
    """How many runs of each job stand in each bin of so many seconds, by state; (job, bin, state, count)."""
    found = _in_stretch(job_ids, stretch).subquery()
    start = func.coalesce(RunRow.started_at, RunRow.scheduled_at)
    number = _bin(connection, start, stretch, seconds).label("number")
    rows = connection.execute(
        select(RunRow.job_id, number, RunRow.state, func.count())
        .join(found, found.c.id == RunRow.id)
        .where(start >= stretch.start)
        .group_by(RunRow.job_id, number, RunRow.state)
        .order_by(RunRow.job_id, number)
    )
    return [(row[0], row[1], RunState(row[2]), row[3]) for row in rows]


def attempts_of(connection: Connection, run_ids: Sequence[int]) -> list[TimedAttempt]:
    """The tries of these runs, first to last."""
    rows = connection.execute(
        select(
            AttemptRow.run_id,
            AttemptRow.number,
            AttemptRow.state,
            func.coalesce(AttemptRow.started_at, AttemptRow.created_at),
            AttemptRow.finished_at,
        )
        .where(AttemptRow.run_id.in_(run_ids))
        .order_by(AttemptRow.run_id, AttemptRow.number)
    )
    return [TimedAttempt(row[0], row[1], AttemptState(row[2]), *row[3:]) for row in rows]


def recent_lengths(connection: Connection, job_ids: Iterable[int]) -> dict[int, list[timedelta]]:
    """How long the last runs of each job took that succeeded."""
    queries: list[Select[Any]] = []
    for job_id in job_ids:
        last = (
            select(RunRow.job_id, RunRow.started_at, RunRow.finished_at, RunRow.state)
            .where(RunRow.job_id == job_id)
            .order_by(RunRow.id.desc())
            .limit(RECENT_RUNS)
            .subquery()
        )
        queries.append(select(last).where(last.c.state == RunState.SUCCEEDED.value, last.c.started_at.is_not(None)))
    found: dict[int, list[timedelta]] = {}
    if queries:
        for job_id, started_at, finished_at, _ in connection.execute(union_all(*queries)):
            found.setdefault(job_id, []).append(finished_at - started_at)
    return found


def planned_jobs(connection: Connection, before: datetime, jobs: JobFilter) -> list[PlannedJob]:
    """Jobs whose next run comes before a time, the soonest first."""
    query: Select[*tuple[Any, ...]] = (
        select(JobRow.id, JobRow.revision, ScheduleRow.defined_at, ScheduleRow.next_run, ScheduleRow.repetitions_left)
        .join(ScheduleRow, ScheduleRow.job_id == JobRow.id)
        .where(JobRow.deleted_at.is_(None), ScheduleRow.next_run < before, *jobs.conditions())
        .order_by(ScheduleRow.next_run, JobRow.id)
    )
    return [PlannedJob(*row) for row in connection.execute(query)]


def documents(connection: Connection, job_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The documents of these jobs."""
    rows = connection.execute(select(JobRow.id, JobRow.document).where(JobRow.id.in_(job_ids)))
    return {row[0]: row[1] for row in rows}


def calendars_changed_at(connection: Connection) -> datetime | None:
    """When a calendar was changed last."""
    return connection.execute(select(func.max(CalendarRow.updated_at))).scalar_one()
