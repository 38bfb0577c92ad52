"""What the drawings of chains show: edges with what their parents did, and how jobs stand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select
from sqlalchemy.orm import aliased

from chronos_py.model.chain import TriggerRule
from chronos_py.model.run import Outcome, RunState
from chronos_py.store.tables import EdgeRow, JobRow, RunRow

_PARENT, _CHILD = aliased(JobRow), aliased(JobRow)


@dataclass(frozen=True, slots=True)
class StoredEdge:
    """An edge, and the parent's last run that succeeded, or failed, since the child last ran."""

    parent: str
    child: str
    satisfied_by: int | None
    failed_by: int | None


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What a drawing says of a job itself."""

    id: int
    name: str
    disabled: bool
    rule: TriggerRule


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a drawing says of a run. Times are aware UTC."""

    id: int
    job_name: str
    state: RunState
    outcome: Outcome
    started_at: datetime | None
    finished_at: datetime | None


def edges(
    connection: Connection, parents: Collection[str] | None = None, children: Collection[str] | None = None
) -> list[StoredEdge]:
    """Every edge, by name; only those from these parents, or to these children."""
    query = (
        select(_PARENT.name, _CHILD.name, EdgeRow.satisfied_by, EdgeRow.failed_by)
        .select_from(EdgeRow)
        .join(_PARENT, _PARENT.id == EdgeRow.parent_id)
        .join(_CHILD, _CHILD.id == EdgeRow.child_id)
        .order_by(_PARENT.name, _CHILD.name)
    )
    if parents is not None:
        query = query.where(EdgeRow.parent_id.in_(_ids(parents)))
    if children is not None:
        query = query.where(EdgeRow.child_id.in_(_ids(children)))
    return [StoredEdge(*row) for row in connection.execute(query)]


def _ids(names: Collection[str]) -> Select[int]:
    return select(JobRow.id).where(JobRow.name.in_(sorted(names)), JobRow.deleted_at.is_(None))


def job_facts(connection: Connection, names: Collection[str]) -> dict[str, JobFacts]:
    """By name, live jobs."""
    rule = JobRow.document["triggerRule"].as_string()
    rows = connection.execute(
        select(JobRow.id, JobRow.name, JobRow.disabled, rule).where(
            JobRow.name.in_(sorted(names)), JobRow.deleted_at.is_(None)
        )
    )
    known = set(TriggerRule)
    return {
        name: JobFacts(job_id, name, disabled, TriggerRule(rule) if rule in known else TriggerRule.ALL_SUCCESS)
        for job_id, name, disabled, rule in rows
    }


def last_runs(
    connection: Connection, names: Collection[str] | None = None, in_chains: bool = True
) -> dict[str, RunFacts]:
    """By name, the newest run of live jobs; None: of all, or only of those that belong to a chain."""
    of_job = select(func.max(RunRow.id)).where(RunRow.job_id == JobRow.id).correlate(JobRow).scalar_subquery()
    newest = select(of_job).where(JobRow.deleted_at.is_(None))
    if names is not None:
        newest = newest.where(JobRow.name.in_(sorted(names)))
    elif in_chains:
        newest = newest.where(or_(JobRow.id.in_(select(EdgeRow.parent_id)), JobRow.id.in_(select(EdgeRow.child_id))))
    return _by_job(connection, RunRow.id.in_(newest))


def runs_of_wave(connection: Connection, root_run_id: int) -> dict[str, RunFacts]:
    """By job, the newest run of a wave."""
    return _by_job(connection, or_(RunRow.root_run_id == root_run_id, RunRow.id == root_run_id))


def _by_job(connection: Connection, wanted: ColumnElement[bool]) -> dict[str, RunFacts]:
    rows = connection.execute(
        select(RunRow.id, JobRow.name, RunRow.state, RunRow.outcome, RunRow.started_at, RunRow.finished_at)
        .join(JobRow, JobRow.id == RunRow.job_id)
        .where(wanted)
        .order_by(RunRow.id)
    )
    return {
        name: RunFacts(run_id, name, RunState(state), Outcome(outcome), started_at, finished_at)
        for run_id, name, state, outcome, started_at, finished_at in rows
    }


def names_of(found: Sequence[StoredEdge]) -> set[str]:
    """The jobs at the ends of edges."""
    return {name for edge in found for name in (edge.parent, edge.child)}
