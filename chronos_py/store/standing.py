"""How far behind the cluster is, what waits, and the database itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, cast, func, literal_column, select
from sqlalchemy.types import Float

from chronos_py.model.run import WAITING_RUN_STATES, Run, RunState, Trigger
from chronos_py.store.runs import runs_by_id
from chronos_py.store.tables import AttemptRow, RunRow, ScheduleRow


@dataclass(frozen=True, slots=True)
class Lag:
    """Launch time minus scheduled time of scheduled runs, in seconds, and of how many runs."""

    count: int = 0
    median: float = 0.0
    p95: float = 0.0
    longest: float = 0.0


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """The server's own words for its version, and how large the database is."""

    version: str
    size_bytes: int


def _seconds_between(connection: Connection, first: Any, second: Any) -> ColumnElement[float]:
    if connection.dialect.name == "sqlite":
        return (func.julianday(second) - func.julianday(first)) * 86400.0
    return cast(func.extract("epoch", second - first), Float)


def measure_lag(connection: Connection, since: datetime) -> Lag:
    """The lag of first tries since a time."""
    seconds = _seconds_between(connection, RunRow.scheduled_at, AttemptRow.launched_at).label("seconds")
    launched = (
        select(seconds)
        .join_from(AttemptRow, RunRow, RunRow.id == AttemptRow.run_id)
        .where(
            AttemptRow.created_at >= since,
            AttemptRow.number == 1,
            AttemptRow.launched_at.is_not(None),
            RunRow.trigger == Trigger.SCHEDULE.value,
        )
        .subquery()
    )
    ranked = select(
        launched.c.seconds,
        func.row_number().over(order_by=launched.c.seconds).label("place"),
        func.count().over().label("number"),
    ).subquery()
    # The place of a share p of n values is n * p, rounded up.
    places = [(ranked.c.number * share + 99) // 100 for share in (50, 95, 100)]
    rows = connection.execute(
        select(ranked.c.number, ranked.c.place, ranked.c.seconds)
        .where(ranked.c.place.in_(places))
        .order_by(ranked.c.place)
    ).all()
    if not rows:
        return Lag()
    count = rows[0].number
    at = {row.place: max(row.seconds, 0.0) for row in rows}
    return Lag(count, *(at[-(-count * share // 100)] for share in (50, 95, 100)))


def oldest_unlaunched(connection: Connection, now: datetime) -> datetime | None:
    """The earliest time at which something should have begun that is not planned yet, or waits for its first try."""
    due = select(func.min(ScheduleRow.next_due)).where(ScheduleRow.next_due <= now)
    waiting = select(func.min(RunRow.not_before)).where(
        RunRow.state == RunState.QUEUED.value, RunRow.attempts == 0, RunRow.not_before <= now
    )
    times = [connection.execute(query).scalar_one() for query in (due, waiting)]
    return min((time for time in times if time is not None), default=None)


def waiting_runs(connection: Connection, limit: int) -> list[Run]:
    """The runs that have waited for the longest."""
    ids = connection.execute(
        select(RunRow.id)
        .where(RunRow.state.in_(sorted(WAITING_RUN_STATES)))
        .order_by(func.coalesce(RunRow.rank_at, RunRow.scheduled_at), RunRow.id)
        .limit(limit)
    ).scalars()
    order = list(ids)
    found = runs_by_id(connection, order)
    return [found[run_id] for run_id in order if run_id in found]


def database_facts(connection: Connection) -> DatabaseFacts:
    if connection.dialect.name == "sqlite":
        version = connection.execute(select(func.sqlite_version())).scalar_one()
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        size = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
        return DatabaseFacts(f"SQLite {version}", pages * size)
    version = connection.exec_driver_sql("SHOW server_version").scalar_one()
    size = connection.execute(select(func.pg_database_size(literal_column("current_database()")))).scalar_one()
    return DatabaseFacts(f"PostgreSQL {version.split()[0]}", size)
