"""The REST API of Chronos, both generations: /scheduler (2.x) and /v1/scheduler (3.x)."""

from __future__ import annotations

from flask import Blueprint

from chronos_py.compat import graph, jobs, metrics, operations, root, statistics, tasks
from chronos_py.compat.answers import error
from chronos_py.services import Application

__all__ = ["blueprints", "error", "serves"]

PREFIXES = {"/scheduler": "2", "/v1/scheduler": "3"}
ROOT_PATHS = frozenset({"/ping", "/leader", "/info", "/metrics", "/logging"})


def blueprints(app: Application) -> list[tuple[Blueprint, str]]:
    """The blueprints with the prefix that each belongs under."""
    found: list[tuple[Blueprint, str]] = []
    for prefix, generation in PREFIXES.items():
        routes = Blueprint(f"chronos{generation}", __name__)
        jobs.add_routes(routes, app, generation)
        graph.add_routes(routes, app, generation)
        statistics.add_routes(routes, app)
        tasks.add_routes(routes, app)
        root.add_leader_route(routes, app)
        operations.add_info_route(routes, app)
        found.append((routes, prefix))
    top = Blueprint("chronos", __name__)
    root.add_routes(top, app)
    metrics.add_routes(top, app)
    operations.add_info_route(top, app)
    operations.add_logging_routes(top)
    found.append((top, "/"))
    return found


def serves(path: str) -> bool:
    """Whether a path belongs to this API."""
    return path in ROOT_PATHS or any(path == prefix or path.startswith(f"{prefix}/") for prefix in PREFIXES)
