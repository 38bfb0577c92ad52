"""Named limits that jobs share, and what is taken of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from chronos_py.model.run import RunState
from chronos_py.store.tables import JobLimitRow, JobRow, LimitRow, RunRow


@dataclass(frozen=True, slots=True)
class StoredLimit:
    """A limit of so many ``units``, of which ``taken`` are taken by runs that have a task."""

    name: str
    units: int
    description: str
    author: str
    updated_at: datetime
    taken: int


def _taken(connection: Connection) -> dict[str, int]:
    """The units of each limit that runs with a task take."""
    has_task = and_(
        RunRow.job_id == JobLimitRow.job_id, RunRow.state.in_([RunState.STARTING.value, RunState.RUNNING.value])
    )
    rows = connection.execute(
        select(JobLimitRow.limit_name, func.sum(JobLimitRow.units).label("units"))
        .join(RunRow, has_task)
        .group_by(JobLimitRow.limit_name)
    )
    return {row.limit_name: int(row.units) for row in rows}


def free_units(connection: Connection) -> dict[str, int]:
    """What is left of each limit; less than nothing where one was lowered meanwhile."""
    taken = _taken(connection)
    rows = connection.execute(select(LimitRow.name, LimitRow.units))
    return {row.name: row.units - taken.get(row.name, 0) for row in rows}


def list_limits(connection: Connection) -> list[StoredLimit]:
    """All limits, by name."""
    taken = _taken(connection)
    rows = connection.execute(select(LimitRow.__table__).order_by(LimitRow.name))
    return [
        StoredLimit(row.name, row.units, row.description, row.author, row.updated_at, taken.get(row.name, 0))
        for row in rows
    ]


def put_limit(connection: Connection, name: str, units: int, description: str, author: str, now: datetime) -> bool:
    """Create a limit or change it; whether it is new."""
    values = {"units": units, "description": description, "author": author, "updated_at": now}
    if connection.execute(update(LimitRow).where(LimitRow.name == name).values(**values)).rowcount:
        return False
    connection.execute(insert(LimitRow).values(name=name, **values))
    return True


def delete_limit(connection: Connection, name: str) -> bool:
    return connection.execute(delete(LimitRow).where(LimitRow.name == name)).rowcount > 0


def unknown_limits(connection: Connection, names: list[str]) -> list[str]:
    """Those of ``names`` that nobody has defined."""
    known = set(connection.execute(select(LimitRow.name).where(LimitRow.name.in_(names))).scalars())
    return [name for name in names if name not in known]


def set_job_limits(connection: Connection, job_id: int, limits: Mapping[str, int]) -> None:
    """Note what a run of a job takes of which limits."""
    connection.execute(delete(JobLimitRow).where(JobLimitRow.job_id == job_id))
    add_job_limits(connection, {job_id: limits})


def add_job_limits(connection: Connection, limits: Mapping[int, Mapping[str, int]]) -> None:
    """What runs of jobs take that took nothing yet, by job id."""
    rows = [
        {"job_id": job_id, "limit_name": name, "units": units}
        for job_id, of_job in limits.items()
        for name, units in of_job.items()
    ]
    if rows:
        connection.execute(insert(JobLimitRow), rows)


def jobs_sharing(connection: Connection, name: str) -> list[str]:
    """The names of the jobs that share a limit."""
    return list(
        connection.execute(
            select(JobRow.name)
            .join(JobLimitRow, JobLimitRow.job_id == JobRow.id)
            .where(JobLimitRow.limit_name == name, JobRow.deleted_at.is_(None))
            .order_by(JobRow.name)
        ).scalars()
    )
