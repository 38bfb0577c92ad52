"""How the cluster stands: who leads, what is ready, what the chains look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chronos_py.errors import DatabaseUnavailable
from chronos_py.health import Problem
from chronos_py.model.run import RunState
from chronos_py.services.application import Application
from chronos_py.store import chains, jobs, runs
from chronos_py.store.leadership import Leadership, read_leadership


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The leader as the database knows it, this node's part in it, and what there is to do.

    ``is_leader`` is this node's own view; ``unfinished`` counts runs by state.
    """

    leadership: Leadership
    is_leader: bool
    address: str
    pool: str
    unfinished: Mapping[RunState, int]
    job_count: int
    problems: Sequence[Problem]


@dataclass(frozen=True, slots=True)
class Graph:
    """Every job with its last outcome or present state, and every edge as (parent, child)."""

    nodes: Mapping[str, str]
    edges: Sequence[tuple[str, str]]


def view_cluster(app: Application) -> ClusterView:
    with app.database.read() as connection:
        return ClusterView(
            leadership=read_leadership(connection),
            is_leader=app.term.epoch is not None,
            address=app.address,
            pool=app.pool.name,
            unfinished=runs.count_by_state(connection),
            job_count=jobs.count_jobs(connection),
            problems=app.health.problems(),
        )


def readiness(app: Application) -> list[str]:
    """Why this node is not ready, in sentences; empty when it is. Asks the database itself."""
    sentences = [problem.message for problem in app.health.problems()]
    try:
        with app.database.read() as connection:
            read_leadership(connection)
    except DatabaseUnavailable as error:
        if str(error) not in sentences:
            sentences.insert(0, str(error))
    return sentences


def view_graph(app: Application) -> Graph:
    with app.database.read() as connection:
        known = {job.id: job.name for job in jobs.list_jobs(connection)}
        last = jobs.last_states(connection, list(known), 1)
        return Graph(
            nodes={name: (last[job_id][0][1] if last[job_id] else "fresh") for job_id, name in known.items()},
            edges=chains.edges_by_name(connection),
        )
