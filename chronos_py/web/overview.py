"""The chains, the day, and how the cluster stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import Blueprint, Response

from chronos_py.model.chain import parents_first
from chronos_py.services import Application, jobs, runs
from chronos_py.services.cluster import Graph, readiness, view_cluster, view_graph
from chronos_py.web.answers import page

COLUMN, ROW, WIDTH, HEIGHT = 230, 56, 190, 36
RECENT = 200


@dataclass(frozen=True, slots=True)
class Box:
    """A job in the drawing of the chains."""

    name: str
    state: str
    x: int
    y: int


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/chains")
    def chains() -> Response:
        graph = view_graph(app)
        boxes = lay_out(graph)
        lines = [
            (boxes[parent].x + WIDTH, boxes[parent].y + HEIGHT // 2, boxes[child].x, boxes[child].y + HEIGHT // 2)
            for parent, child in graph.edges
        ]
        width = max((box.x for box in boxes.values()), default=0) + COLUMN
        height = max((box.y for box in boxes.values()), default=0) + ROW
        return page("chains.html", boxes=list(boxes.values()), lines=lines, width=width, height=height, graph=graph)

    @routes.get("/timeline")
    def timeline() -> Response:
        now = app.clock.now()
        recent = [run for run in runs.list_runs(app, limit=RECENT) if now - run.created_at < timedelta(days=1)]
        coming = [
            summary.job
            for summary in jobs.list_jobs(app, disabled=False)
            if summary.job.next_run is not None and summary.job.next_run - now < timedelta(days=1)
        ]
        coming.sort(key=lambda job: job.next_run or now)
        return page("timeline.html", recent=recent, coming=coming)

    @routes.get("/cluster")
    def cluster() -> Response:
        return page("cluster.html", view=view_cluster(app), problems=readiness(app), started_at=app.started_at)


def lay_out(graph: Graph) -> Mapping[str, Box]:
    """Jobs that belong to a chain from left to right: each one column to the right of its last parent."""
    parents: dict[str, list[str]] = {name: [] for edge in graph.edges for name in edge}
    for parent, child in graph.edges:
        parents[child].append(parent)
    column: dict[str, int] = {}
    for name in parents_first(parents):
        column[name] = max((column.get(parent, 0) + 1 for parent in parents[name]), default=0)
    boxes: dict[str, Box] = {}
    filled: dict[int, int] = {}
    for name in _by_column(column):
        row = filled.get(column[name], 0)
        filled[column[name]] = row + 1
        boxes[name] = Box(name, graph.nodes.get(name, "fresh"), 10 + column[name] * COLUMN, 10 + row * ROW)
    return boxes


def _by_column(column: Mapping[str, int]) -> Sequence[str]:
    return sorted(column, key=lambda name: (column[name], name))
