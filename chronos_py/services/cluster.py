"""How the cluster stands: who leads, what is ready, what the chains look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chronos_py.errors import DatabaseUnavailable
from chronos_py.health import Problem
from chronos_py.model.job import last_outcome
from chronos_py.model.run import RunState
from chronos_py.services.application import Application
from chronos_py.store import chains, graph, jobs, runs
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


@dataclass(frozen=True, slots=True)
class JobStanding:
    """How a job stands, without its definition: how many runs have a task, how many wait."""

    name: str
    outcome: str
    active: int
    waiting: int


def view_standings(app: Application) -> tuple[Sequence[JobStanding], Sequence[tuple[str, str]]]:
    """Every job, by name, and every edge as (parent, child)."""
    with app.database.read() as connection:
        counted = jobs.counted_jobs(connection)
        unfinished = runs.count_unfinished(connection, [job.id for job in counted], with_backfills=True)
        edges = chains.edges_by_name(connection)
    standings = [
        JobStanding(job.name, last_outcome(job.counters), unfinished[job.id].active, unfinished[job.id].waiting)
        for job in counted
    ]
    return standings, edges


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
    sentences = [problem.message for problem in app.health.problems() if problem.hinders]
    try:
        with app.database.read() as connection:
            read_leadership(connection)
    except DatabaseUnavailable as error:
        if str(error) not in sentences:
            sentences.insert(0, str(error))
    return sentences


def view_graph(app: Application) -> Graph:
    with app.database.read() as connection:
        last = graph.last_runs(connection, in_chains=False)
        return Graph(
            nodes={name: last[name].state.value if name in last else "fresh" for name in jobs.job_names(connection)},
            edges=chains.edges_by_name(connection),
        )
