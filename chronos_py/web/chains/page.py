"""The page of chains, and drawings of chains for other pages."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request
from werkzeug.datastructures import MultiDict

from chronos_py.model.run import Run
from chronos_py.services import Application, chains
from chronos_py.services.chains import MOST_DRAWN, ChainGraph, ChainSummary
from chronos_py.web.answers import number, page
from chronos_py.web.chains.drawing import RULES, Drawing, draw, states_of
from chronos_py.web.words import SIGNS

LISTED = 50
# The pages of jobs show what is so many steps away.
STEPS = 2


@dataclass(frozen=True, slots=True)
class Shown:
    """What of the chains an address shows: a job's chain, what is ``steps`` around it, or the wave of a run."""

    job: str
    run: int | None
    steps: int | None
    text: str
    folded: Sequence[str]
    folds_finished: bool

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """As the address has it, without what is folded."""
        found = (("job", self.job), ("run", self.run), ("steps", self.steps), ("q", self.text))
        return [(name, str(value)) for name, value in found if value not in ("", None)]


def read_shown(query: MultiDict[str, str]) -> Shown:
    """What an address asks for."""
    steps = number(query.get("steps", ""))
    return Shown(
        job=query.get("job", "").strip(),
        run=number(query.get("run", "")),
        steps=min(steps, MOST_DRAWN) if steps else None,
        text=query.get("q", "").strip(),
        folded=list(dict.fromkeys(query.getlist("fold"))),
        folds_finished=query.get("finished") == "fold",
    )


def add_routes(routes: Blueprint, app: Application) -> None:
    for name, function in FILTERS.items():
        routes.add_app_template_filter(function, name)

    @routes.get("/chains")
    def show_chains() -> Response:
        shown = read_shown(request.args)
        summaries, graph = _find(app, shown)
        after = number(request.args.get("from", "")) or 0
        return page(
            "chains.html",
            shown=shown,
            graph=graph,
            drawing=_drawing(graph, shown),
            wave=graph.wave,
            total=sum(len(each.job_names) for each in summaries),
            summaries=summaries[after : after + LISTED],
            count=len(summaries),
            following=after + LISTED if len(summaries) > after + LISTED else None,
        )

    @routes.get("/chains/states")
    def show_states() -> Response:
        _, graph = _find(app, read_shown(request.args))
        answer = jsonify(states_of(graph))
        answer.headers["Cache-Control"] = "no-cache"
        answer.set_etag(hashlib.sha256(answer.get_data()).hexdigest()[:20])
        answer.make_conditional(request)
        return answer


def neighbourhood(app: Application, job_name: str, steps: int = STEPS) -> Drawing:
    """What runs up to so many steps before and after a job, for ``chain_graph`` in a template. Raises NotFound."""
    graph = chains.view_neighbourhood(app, job_name, steps)
    return draw(graph, [("job", job_name), ("steps", str(steps))], here=job_name)


def wave_of(app: Application, run: Run) -> Drawing:
    """The wave that a run belongs to, for ``chain_graph`` in a template. Raises NotFound."""
    return draw(chains.view_wave(app, run.id), [("run", str(run.id))], here=run.job_name)


def _find(app: Application, shown: Shown) -> tuple[Sequence[ChainSummary], ChainGraph]:
    """The chains to choose from, where there is a choice, and what is drawn."""
    if shown.run is not None:
        return (), chains.view_wave(app, shown.run)
    if shown.job and shown.steps:
        return (), chains.view_neighbourhood(app, shown.job, shown.steps)
    if shown.job:
        return (), chains.view_chain(app, shown.job)
    summaries = chains.list_chains(app, shown.text)
    return summaries, chains.view_chains(app, _as_many_as_fit(summaries))


def _as_many_as_fit(summaries: Iterable[ChainSummary]) -> list[str]:
    """The jobs of the first chains, not more than are drawn at once; of one that is larger, all."""
    names: list[str] = []
    for summary in summaries:
        if names and len(names) + len(summary.job_names) > MOST_DRAWN:
            break
        names += summary.job_names
    return names


def _drawing(graph: ChainGraph, shown: Shown) -> Drawing:
    folded = {*shown.folded, *(_finished(graph) if shown.folds_finished else ())}
    pairs = [*shown.pairs, *([("finished", "fold")] if shown.folds_finished else [])]
    return draw(graph, pairs, here=shown.job, folded=folded, opened=shown.folded)


def _finished(graph: ChainGraph) -> set[str]:
    """The jobs after which everything has succeeded."""
    children: dict[str, list[str]] = defaultdict(list)
    parents: dict[str, list[str]] = defaultdict(list)
    for edge in graph.edges:
        children[edge.parent].append(edge.child)
        parents[edge.child].append(edge.parent)
    # What has something unfinished below it: everything above what has not succeeded.
    unfinished = [name for name, node in graph.nodes.items() if node.state not in ("succeeded", "skipped")]
    above: set[str] = set()
    while unfinished:
        fresh = set(parents[unfinished.pop()]) - above
        above |= fresh
        unfinished += fresh
    return {name for name in graph.nodes if children[name] and name not in above}


def address(pairs: Iterable[tuple[str, str]]) -> str:
    """The page of chains with this query."""
    query = urlencode(list(pairs))
    return f"/chains?{query}" if query else "/chains"


def tallied(states: Mapping[str, int]) -> list[tuple[str, int]]:
    """Counts by state, the ones that matter first."""
    order = ("failed", "lost", "killed", "running", "starting", "waiting_retry", "queued", "skipped", "succeeded")
    return [(state, states[state]) for state in (*order, "fresh") if states.get(state)]


def sign(state: str) -> str:
    """The shape that stands for a state beside its colour."""
    return SIGNS.get(state, "")


FILTERS: Mapping[str, Callable[..., Any]] = {
    "sign": sign,
    "chains_address": address,
    "tallied": tallied,
    "trigger_rule": RULES.__getitem__,
}
