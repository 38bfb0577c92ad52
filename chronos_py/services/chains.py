"""Jobs that run after one another: all of them, one chain, what is near a job, and one wave of runs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from chronos_py.errors import NotFound
from chronos_py.model.chain import TriggerRule, connected
from chronos_py.model.reader import shown
from chronos_py.model.run import Outcome, Run, RunState
from chronos_py.services.application import Application
from chronos_py.store import graph, runs
from chronos_py.store.graph import JobFacts, RunFacts, StoredEdge
from chronos_py.store.jobs import find_job

# More than this is not drawn at once.
MOST_DRAWN = 600


@dataclass(frozen=True, slots=True)
class ChainNode:
    """A job in a chain, and the run that it is shown with: its last one, or that of the wave; None: it has none."""

    name: str
    rule: TriggerRule
    is_paused: bool
    run: RunFacts | None

    @property
    def state(self) -> str:
        return "fresh" if self.run is None else self.run.state.value


@dataclass(frozen=True, slots=True)
class ChainEdge:
    """What runs after what, and what the parent has done for the child: NONE, as long as it has done nothing."""

    parent: str
    child: str
    rule: TriggerRule
    done: Outcome


@dataclass(frozen=True, slots=True)
class ChainGraph:
    """A part of all chains. ``wave`` is the run that began the wave, where it is one."""

    nodes: Mapping[str, ChainNode]
    edges: Sequence[ChainEdge]
    wave: Run | None = None


@dataclass(frozen=True, slots=True)
class ChainSummary:
    """One chain in the list of all: its jobs without parents, how many there are, and how many are in which state."""

    roots: Sequence[str]
    job_names: Sequence[str]
    states: Mapping[str, int]


def list_chains(app: Application, text: str = "") -> list[ChainSummary]:
    """Every chain with ``text`` in the name of a job, those with failures first, then the largest."""
    with app.database.read() as connection:
        found = graph.edges(connection)
        last = graph.last_runs(connection)
    has_parents = {edge.child for edge in found}
    wanted = text.casefold()
    summaries = []
    for names in _connected(found):
        if wanted and not any(wanted in name.casefold() for name in names):
            continue
        states = Counter(last[name].state.value if name in last else "fresh" for name in names)
        roots = [name for name in names if name not in has_parents]
        summaries.append(ChainSummary(roots, names, states))
    return sorted(summaries, key=lambda each: (-_failures(each), -len(each.job_names), each.job_names[0]))


def _failures(summary: ChainSummary) -> int:
    return summary.states.get("failed", 0) + summary.states.get("lost", 0)


def _connected(found: Iterable[StoredEdge]) -> list[list[str]]:
    """Jobs by the chain that they belong to."""
    pairs = [(edge.parent, edge.child) for edge in found]
    return connected({name for pair in pairs for name in pair}, pairs)


def view_chains(app: Application, names: Collection[str]) -> ChainGraph:
    """These jobs and the edges between them."""
    with app.database.read() as connection:
        found = graph.edges(connection, parents=names, children=names)
        return _graph(connection, names, found)


def view_chain(app: Application, job_name: str) -> ChainGraph:
    """The whole chain that a job belongs to. Raises NotFound."""
    with app.database.read() as connection:
        _require(connection, job_name)
        found = graph.edges(connection)
        names = next((chain for chain in _connected(found) if job_name in chain), [job_name])
        within = set(names)
        return _graph(connection, names, [edge for edge in found if edge.parent in within])


def view_neighbourhood(app: Application, job_name: str, steps: int) -> ChainGraph:
    """What runs up to so many steps before and after a job. Raises NotFound."""
    with app.database.read() as connection:
        _require(connection, job_name)
        found: dict[tuple[str, str], StoredEdge] = {}
        above, below = {job_name}, {job_name}
        for _ in range(steps):
            upwards = graph.edges(connection, children=above) if above else []
            downwards = graph.edges(connection, parents=below) if below else []
            found |= {(edge.parent, edge.child): edge for edge in (*upwards, *downwards)}
            above = {edge.parent for edge in upwards}
            below = {edge.child for edge in downwards}
            if len(found) > MOST_DRAWN:
                break
        edges = list(found.values())
        return _graph(connection, {job_name, *graph.names_of(edges)}, edges)


def view_wave(app: Application, run_id: int) -> ChainGraph:
    """The wave that a run belongs to: its runs, and the jobs that are still to come in it. Raises NotFound."""
    with app.database.read() as connection:
        run = runs.find_run(connection, run_id)
        root = run and runs.find_run(connection, run.root_run_id or run.id)
        if root is None:
            raise NotFound(f"There is no run {run_id}.")
        found = graph.edges(connection)
        of_wave = graph.runs_of_wave(connection, root.id)
        names = _below({root.job_name, *of_wave}, found)
        within = [edge for edge in found if edge.parent in names]
        return _graph(connection, names, within, of_wave, root)


def _below(names: Iterable[str], found: Sequence[StoredEdge]) -> set[str]:
    """These jobs and everything after them."""
    children: dict[str, list[str]] = defaultdict(list)
    for edge in found:
        children[edge.parent].append(edge.child)
    below = set(names)
    pending = list(below)
    while pending:
        fresh = set(children[pending.pop()]) - below
        below |= fresh
        pending += fresh
    return below


def _require(connection: Connection, job_name: str) -> None:
    if find_job(connection, job_name) is None:
        raise NotFound(f"There is no job {shown(job_name)}.")


def _graph(
    connection: Connection,
    names: Collection[str],
    found: Sequence[StoredEdge],
    of_wave: Mapping[str, RunFacts] | None = None,
    wave: Run | None = None,
) -> ChainGraph:
    facts = graph.job_facts(connection, names)
    shown_runs = graph.last_runs(connection, names) if of_wave is None else of_wave
    rules = {name: each.rule for name, each in facts.items()}
    nodes = {name: _node(name, facts.get(name), shown_runs.get(name)) for name in sorted(names)}
    edges = [
        ChainEdge(
            edge.parent,
            edge.child,
            rules.get(edge.child, TriggerRule.ALL_SUCCESS),
            _marked(edge) if of_wave is None else _in_wave(of_wave.get(edge.parent)),
        )
        for edge in found
        if edge.parent in nodes and edge.child in nodes
    ]
    return ChainGraph(nodes, edges, wave)


def _node(name: str, facts: JobFacts | None, run: RunFacts | None) -> ChainNode:
    if facts is None:  # deleted since it ran
        return ChainNode(name, TriggerRule.ALL_SUCCESS, False, run)
    return ChainNode(name, facts.rule, facts.disabled, run)


def _marked(edge: StoredEdge) -> Outcome:
    """What the parent has done since the child last ran."""
    if edge.failed_by is not None and edge.failed_by > (edge.satisfied_by or 0):
        return Outcome.FAILURE
    return Outcome.NONE if edge.satisfied_by is None else Outcome.SUCCESS


def _in_wave(run: RunFacts | None) -> Outcome:
    return Outcome.NONE if run is None or run.state is RunState.SKIPPED else run.outcome
