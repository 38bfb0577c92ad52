"""How the cluster stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, render_template

from chronos_py.errors import DatabaseUnavailable
from chronos_py.services import Application
from chronos_py.services.standing import ASKED_ABOUT, pool_standing, view_standing, zookeeper_standing
from chronos_py.web.answers import html, page
from chronos_py.web.words import span

RUNS_SHOWN = 5
RETRY_SECONDS = 5


def add_routes(routes: Blueprint, app: Application) -> None:
    for name, function in FILTERS.items():
        routes.add_app_template_filter(function, name)

    @routes.get("/cluster")
    def cluster() -> Response:
        try:
            standing = view_standing(app)
        except DatabaseUnavailable as error:
            return cut_off(app, str(error))
        return page(
            "cluster.html",
            standing=standing,
            asked_about=ASKED_ABOUT,
            runs_shown=RUNS_SHOWN,
            started_at=app.started_at,
        )


def cut_off(app: Application, sentence: str) -> Response:
    """What a node knows without the database."""
    problems = [problem.message for problem in app.health.problems()]
    answer = html(
        render_template(
            "cluster_cut_off.html",
            sentence=sentence,
            problems=[problem for problem in problems if problem != sentence],
            address=app.address,
            database_url=app.database.shown_url,
            pool=pool_standing(app),
            zookeeper=zookeeper_standing(app),
        ),
        503,
    )
    answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer


def size(count: int) -> str:
    """Bytes in the unit that suits them."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def seconds(value: float) -> str:
    """Seconds in words; what is less than a thousandth is none."""
    return span(timedelta(seconds=value)) if value >= 0.001 else "0 s"


def clock_words(ahead: timedelta) -> str:
    """How a clock compares with the database's."""
    if abs(ahead) < timedelta(seconds=0.5):
        return "as the database's"
    return f"{span(abs(ahead))} {'ahead of' if ahead > timedelta(0) else 'behind'} the database's"


FILTERS: Mapping[str, Callable[..., Any]] = {"size": size, "seconds": seconds, "clock_words": clock_words}
