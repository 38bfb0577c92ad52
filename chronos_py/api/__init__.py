"""The native JSON API under /api, described by /api/openapi.json."""

from __future__ import annotations

from flask import Blueprint, Response

from chronos_py.api import cluster, docs, jobs, runs, schedules
from chronos_py.api.answers import problem
from chronos_py.services import Application

__all__ = ["blueprint", "error", "health_blueprint"]


def blueprint(app: Application) -> Blueprint:
    """Everything under /api."""
    routes = Blueprint("api", __name__)
    for part in (jobs, runs, schedules, cluster, docs):
        part.add_routes(routes, app)
    return routes


def health_blueprint(app: Application) -> Blueprint:
    """/healthz and /readyz."""
    routes = Blueprint("health", __name__)
    cluster.add_health_routes(routes, app)
    return routes


def error(status: int, detail: str, field: str | None) -> Response:
    """An error as a problem document (RFC 9457)."""
    return problem(status, detail, field)
