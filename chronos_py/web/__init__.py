"""The pages: rendered on the server, forms that work without JavaScript, small modules where it pays."""

from __future__ import annotations

from flask import Blueprint, Response, render_template

from chronos_py.services import Application
from chronos_py.web import (
    backfills,
    calendars,
    forced,
    form,
    jobs,
    limits,
    overview,
    revisions,
    runs,
    selections,
    words,
)

__all__ = ["blueprint", "error"]


def blueprint(app: Application) -> Blueprint:
    """Every page of a node."""
    routes = Blueprint("web", __name__)
    for name, function in words.FILTERS.items():
        routes.add_app_template_filter(function, name)
    routes.app_context_processor(lambda: {"now": app.clock.now(), "pool_name": app.pool.name})
    for part in (jobs, forced, form, revisions, selections, runs, calendars, backfills, limits, overview):
        part.add_routes(routes, app)
    return routes


def error(status: int, detail: str) -> Response:
    """An error as a page that says what to do."""
    page = render_template("error.html", status=status, detail=detail)
    return Response(page, status, content_type="text/html; charset=utf-8")
