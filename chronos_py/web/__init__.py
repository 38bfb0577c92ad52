"""The pages: rendered on the server, forms that work without JavaScript, small modules where it pays."""

from __future__ import annotations

from flask import Blueprint, Response, render_template

from chronos_py.services import Application
from chronos_py.web import backfills, calendars, cluster, csrf, limits, notices, themes, viewer, words
from chronos_py.web.chains import page as chains_page
from chronos_py.web.form import page as form_page
from chronos_py.web.jobs import forced, job, revisions, selections
from chronos_py.web.jobs import page as jobs_page
from chronos_py.web.runs import page as runs_page
from chronos_py.web.timeline import page as timeline_page

__all__ = ["blueprint", "error"]


def blueprint(app: Application) -> Blueprint:
    """Every page of a node."""
    routes = Blueprint("web", __name__)
    for name, function in words.FILTERS.items():
        routes.add_app_template_filter(function, name)
    for common in (csrf.protect, notices.attach, themes.attach):
        common(routes)
    viewer.attach(routes, app)
    routes.app_context_processor(lambda: {"now": app.clock.now(), "pool_name": app.pool.name})
    for part in (
        jobs_page,
        job,
        forced,
        form_page,
        revisions,
        selections,
        runs_page,
        calendars,
        backfills,
        limits,
        chains_page,
        timeline_page,
        cluster,
    ):
        part.add_routes(routes, app)
    return routes


def error(status: int, detail: str) -> Response:
    """An error as a page that says what to do."""
    page = render_template("error.html", status=status, detail=detail)
    return Response(page, status, content_type="text/html; charset=utf-8")
