"""The native JSON API under /api, described by /api/openapi.json."""

from __future__ import annotations

from flask import Blueprint, Response

from chronos_py.api import backfills, calendars, cluster, docs, jobs, limits, revisions, runs, schedules
from chronos_py.api.answers import problem
from chronos_py.api.requests import refuse_unknown_parameters
from chronos_py.services import Application

__all__ = ["blueprint", "error", "health_blueprint", "serves"]

ROOT_PATHS = frozenset({"/api", "/healthz", "/readyz"})


def blueprint(app: Application) -> Blueprint:
    """Everything under /api."""
    routes = Blueprint("api", __name__)
    routes.before_request(refuse_unknown_parameters)
    for part in (jobs, revisions, runs, schedules, calendars, backfills, limits, cluster, docs):
        part.add_routes(routes, app)
    return routes


def health_blueprint(app: Application) -> Blueprint:
    """/healthz and /readyz."""
    routes = Blueprint("health", __name__)
    cluster.add_health_routes(routes, app)
    return routes


def serves(path: str) -> bool:
    """Whether a path belongs to this API."""
    return path in ROOT_PATHS or path.startswith("/api/")


def error(status: int, detail: str, field: str | None) -> Response:
    """An error as a problem document (RFC 9457)."""
    return problem(status, detail, field)
