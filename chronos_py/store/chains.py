"""Dependency edges: who runs after whom, and which parents have succeeded since the child last ran."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import BigInteger, Connection, delete, func, insert, literal, select, update
from sqlalchemy.orm import aliased

from chronos_py.model.chain import is_ready
from chronos_py.model.run import RunState
from chronos_py.store.tables import EdgeRow, JobRow, RunRow, WaveMarkRow

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
    added = [
        {"parent_id": parent_id, "child_id": child_id}
        for parent_id in dict.fromkeys(parent_ids)
        if parent_id not in known
    ]
    if added:
        connection.execute(insert(EdgeRow), added)


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


def mark_success(connection: Connection, parent_id: int, run_id: int) -> list[int]:
    """Mark the edges below a parent that succeeded; the children that are ready now.

    Marks of ready children are consumed: they count from here again. Surplus successes collapse into one mark.
    """
    child_ids = _lock_children(connection, parent_id)
    if not child_ids:
        return []
    connection.execute(update(EdgeRow).where(EdgeRow.parent_id == parent_id).values(satisfied_by=run_id))
    marks: dict[int, list[bool]] = defaultdict(list)
    rows = connection.execute(select(EdgeRow.child_id, EdgeRow.satisfied_by).where(EdgeRow.child_id.in_(child_ids)))
    for child_id, satisfied_by in rows:
        marks[child_id].append(satisfied_by is not None)
    ready = [child_id for child_id in child_ids if is_ready(marks[child_id])]
    consume(connection, ready)
    return ready


def mark_success_in_wave(connection: Connection, root_job_id: int, root_run_id: int, parent_id: int) -> list[int]:
    """Note that a parent succeeded in a wave that goes its own way; the children that are ready in that wave now.

    A child waits for those of its parents that the wave comes by. One that has a run in the wave already, which has
    not failed, is not ready again.
    """
    child_ids = _lock_children(connection, parent_id)
    known = select(WaveMarkRow.parent_id).where(
        WaveMarkRow.root_run_id == root_run_id, WaveMarkRow.parent_id == parent_id
    )
    if connection.execute(known).first() is None:
        connection.execute(insert(WaveMarkRow).values(root_run_id=root_run_id, parent_id=parent_id))
    if not child_ids:
        return []
    wave = select(literal(root_job_id, BigInteger).label("id")).cte("wave", recursive=True)
    wave = wave.union(select(EdgeRow.child_id).join(wave, wave.c.id == EdgeRow.parent_id))
    marked = select(WaveMarkRow.parent_id).where(WaveMarkRow.root_run_id == root_run_id)
    still_waited_for = select(EdgeRow.child_id).where(
        EdgeRow.child_id.in_(child_ids), EdgeRow.parent_id.in_(select(wave.c.id)), EdgeRow.parent_id.not_in(marked)
    )
    have_run = select(RunRow.job_id).where(
        RunRow.root_run_id == root_run_id,
        RunRow.job_id.in_(child_ids),
        RunRow.state.not_in([RunState.FAILED, RunState.KILLED, RunState.LOST, RunState.SKIPPED]),
    )
    waiting = set(connection.execute(still_waited_for).scalars()) | set(connection.execute(have_run).scalars())
    return [child_id for child_id in child_ids if child_id not in waiting]


def _lock_children(connection: Connection, parent_id: int) -> list[int]:
    """The children of a job. Two parents of one child may settle at once: each must see the other's mark."""
    return list(
        connection.execute(
            select(JobRow.id)
            .where(JobRow.id.in_(select(EdgeRow.child_id).where(EdgeRow.parent_id == parent_id)))
            .order_by(JobRow.id)
            .with_for_update()
        ).scalars()
    )


def consume(connection: Connection, child_ids: Sequence[int]) -> None:
    """Forget the successes that children have run on."""
    if child_ids:
        connection.execute(update(EdgeRow).where(EdgeRow.child_id.in_(child_ids)).values(satisfied_by=None))
