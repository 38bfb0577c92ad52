"""Dependency edges: who runs after whom, and which parents have succeeded since the child last ran."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import aliased

from chronos_py.model.chain import Mark
from chronos_py.model.run import FINAL_RUN_STATES, Outcome
from chronos_py.store.tables import EdgeRow, JobRow, RunRow

# Any number will do, as long as all nodes use the same.
_DEFINITIONS_LOCK = 4400_2016


def lock_definitions(connection: Connection) -> None:
    """One change of definitions at a time, on all nodes: two edits at once could close a cycle that neither sees."""
    if connection.dialect.name == "postgresql":  # on SQLite there is one writer anyway
        connection.execute(select(func.pg_advisory_xact_lock(_DEFINITIONS_LOCK)))


def set_parents(connection: Connection, child_id: int, parent_ids: Sequence[int]) -> None:
    """Make ``parent_ids`` the parents of a job. Edges that stay keep their mark."""
    known = set(connection.execute(select(EdgeRow.parent_id).where(EdgeRow.child_id == child_id)).scalars())
    connection.execute(delete(EdgeRow).where(EdgeRow.child_id == child_id, EdgeRow.parent_id.not_in(parent_ids)))
    add_edges(
        connection, [(parent_id, child_id) for parent_id in dict.fromkeys(parent_ids) if parent_id not in known]
    )


def add_edges(connection: Connection, edges: Sequence[tuple[int, int]]) -> None:
    """Edges (parent, child) that are not there yet."""
    if edges:
        connection.execute(
            insert(EdgeRow), [{"parent_id": parent_id, "child_id": child_id} for parent_id, child_id in edges]
        )


def edges_by_name(connection: Connection) -> list[tuple[str, str]]:
    """Every edge as (parent, child), by name."""
    parent, child = aliased(JobRow), aliased(JobRow)
    rows = connection.execute(
        select(parent.name, child.name)
        .select_from(EdgeRow)
        .join(parent, parent.id == EdgeRow.parent_id)
        .join(child, child.id == EdgeRow.child_id)
        .order_by(parent.name, child.name)
    )
    return [(parent_name, child_name) for parent_name, child_name in rows]


def parents_of_all(connection: Connection) -> dict[str, list[str]]:
    """The parents of every job that has some."""
    parents: dict[str, list[str]] = defaultdict(list)
    for parent, child in edges_by_name(connection):
        parents[child].append(parent)
    return dict(parents)


def children_of(connection: Connection, job_id: int) -> list[str]:
    """The names of the jobs that run after ``job_id``."""
    return list(
        connection.execute(
            select(JobRow.name)
            .join(EdgeRow, EdgeRow.child_id == JobRow.id)
            .where(EdgeRow.parent_id == job_id)
            .order_by(JobRow.name)
        ).scalars()
    )


def lock_children(connection: Connection, parent_id: int) -> list[int]:
    """The children of a job. Two parents of one child may settle at once: each must see the other's mark."""
    return list(
        connection.execute(
            select(JobRow.id)
            .where(JobRow.id.in_(select(EdgeRow.child_id).where(EdgeRow.parent_id == parent_id)))
            .order_by(JobRow.id)
            .with_for_update()
        ).scalars()
    )


def mark(connection: Connection, parent_id: int, run_id: int, succeeded: bool) -> None:
    """Mark the edges below a parent whose run has ended. Surplus endings collapse into one mark.

    A failure does not take back an earlier success that a child has not run on.
    """
    values = {"satisfied_by": run_id, "failed_by": None} if succeeded else {"failed_by": run_id}
    connection.execute(update(EdgeRow).where(EdgeRow.parent_id == parent_id).values(**values))


def latest_marks(connection: Connection, child_ids: Sequence[int]) -> dict[int, list[Mark]]:
    """What the parents of each child have done since it last ran."""
    rows = connection.execute(
        select(EdgeRow.child_id, EdgeRow.satisfied_by, EdgeRow.failed_by)
        .where(EdgeRow.child_id.in_(child_ids))
        .order_by(EdgeRow.parent_id)
    )
    marks: dict[int, list[Mark]] = {child_id: [] for child_id in child_ids}
    for child_id, satisfied_by, failed_by in rows:
        marks[child_id].append(Mark(satisfied_by, failed_by))
    return marks


def marks_at(connection: Connection, child_ids: Sequence[int], scheduled_at: datetime) -> dict[int, list[Mark]]:
    """What the parents of each child have done for a scheduled time since the child last ran for it."""
    child_run = aliased(RunRow)
    last_run = (
        select(func.max(child_run.id))
        .where(child_run.job_id == EdgeRow.child_id, child_run.scheduled_at == scheduled_at)
        .correlate(EdgeRow)
        .scalar_subquery()
    )
    counts = and_(
        RunRow.job_id == EdgeRow.parent_id,
        RunRow.scheduled_at == scheduled_at,
        RunRow.id > func.coalesce(last_run, 0),
    )
    return _marks_of(connection, child_ids, counts)


def marks_in_wave(
    connection: Connection, child_ids: Sequence[int], root_job_id: int, root_run_id: int
) -> dict[int, list[Mark]]:
    """What the parents of each child have done in a wave; only those parents count that the wave comes by."""
    wave = select(literal(root_job_id, BigInteger).label("id")).cte("wave", recursive=True)
    wave = wave.union(select(EdgeRow.child_id).join(wave, wave.c.id == EdgeRow.parent_id))
    counts = and_(
        RunRow.job_id == EdgeRow.parent_id,
        or_(RunRow.root_run_id == root_run_id, RunRow.id == root_run_id),
    )
    return _marks_of(connection, child_ids, counts, EdgeRow.parent_id.in_(select(wave.c.id)))


def _marks_of(
    connection: Connection, child_ids: Sequence[int], counts: ColumnElement[bool], *parents: ColumnElement[bool]
) -> dict[int, list[Mark]]:
    """A mark for each edge to these children, by the newest success and the newest failure among runs that count."""
    rows = connection.execute(
        select(
            EdgeRow.child_id,
            EdgeRow.parent_id,
            func.max(RunRow.id).filter(RunRow.outcome == Outcome.SUCCESS),
            func.max(RunRow.id).filter(RunRow.outcome == Outcome.FAILURE),
        )
        .join_from(EdgeRow, RunRow, counts, isouter=True)
        .where(EdgeRow.child_id.in_(child_ids), *parents)
        .group_by(EdgeRow.child_id, EdgeRow.parent_id)
        .order_by(EdgeRow.child_id, EdgeRow.parent_id)
    )
    marks: dict[int, list[Mark]] = {child_id: [] for child_id in child_ids}
    for child_id, _, success, failure in rows:
        marks[child_id].append(Mark(success, failure))
    return marks


def outcomes_in_wave(connection: Connection, child_ids: Sequence[int], root_run_id: int) -> dict[int, set[Outcome]]:
    """How the runs of each of these jobs in a wave stand; NONE stands for one that has not ended."""
    rows = connection.execute(
        select(RunRow.job_id, RunRow.outcome).where(
            RunRow.root_run_id == root_run_id,
            RunRow.job_id.in_(child_ids),
            or_(RunRow.outcome != Outcome.NONE, RunRow.state.not_in(sorted(FINAL_RUN_STATES))),
        )
    )
    outcomes: dict[int, set[Outcome]] = {child_id: set() for child_id in child_ids}
    for job_id, outcome in rows:
        outcomes[job_id].add(Outcome(outcome))
    return outcomes


def consume(connection: Connection, child_ids: Sequence[int]) -> None:
    """Forget what children have run on."""
    if child_ids:
        connection.execute(
            update(EdgeRow).where(EdgeRow.child_id.in_(child_ids)).values(satisfied_by=None, failed_by=None)
        )
