"""The list of jobs: filtered, sorted, grouped, counted; and views of it that people keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode

from flask import Blueprint, Response, render_template, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as Redirect

from chronos_py.errors import InvalidDefinition
from chronos_py.model.standing import Standing, Tally, Wanted, standing_of
from chronos_py.services import Application, listing, views
from chronos_py.services.jobs import JobSummary
from chronos_py.services.listing import JobPage
from chronos_py.web.answers import html, number, page, person
from chronos_py.web.jobs.filters import OUTCOMES, Filter, read_filter, wrong_label
from chronos_py.web.notices import Notice, tell

PAGE = 50
GROUPS = 300
OPEN_GROUPS = 10
# What the counters say, in this order; the words are those of the address.
COUNTERS = (
    (Standing.RUNNING, "running"),
    (Standing.QUEUED, "queued"),
    (Standing.RETRYING, "waiting retry"),
    (Standing.FAILED, "failed"),
    (Standing.PAUSED, "paused"),
    (Standing.SUCCEEDED, "ok"),
    (Standing.FRESH, "no result yet"),
)


@dataclass(frozen=True, slots=True)
class Group:
    """Jobs that share a label's value or a prefix; ``found`` are the first of them while the group is open."""

    name: str
    value: str | None
    tally: Tally
    alone: Filter
    found: JobPage | None


def state_of(summary: JobSummary) -> str:
    """What the job does now; when it does nothing, how it ended last."""
    job = summary.job
    return standing_of(summary.unfinished, job.definition.disabled, job.counters)


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/")
    def list_jobs() -> Response:
        shown = read_filter(request.args)
        wrong, error = wrong_label(shown) or ("", None)
        if error:
            return html(_refused(app, shown.without_label(wrong), wrong, error), 400)
        return page("jobs.html", **_values(app, shown, shown.wanted(), number(request.args.get("page", "")) or 1))

    @routes.post("/views")
    def save_view() -> Response | Redirect:
        shown = read_filter(MultiDict(parse_qsl(request.form.get("query", ""))))
        try:
            view = views.save_view(app, request.form.get("name", ""), urlencode(shown.pairs), person())
        except InvalidDefinition as error:
            return html(_refused(app, shown, "", error, request.form.get("name", "")), 400)
        return tell(f"/?{urlencode(shown.pairs)}", Notice(f"This list is kept as “{view.name}”."))

    @routes.post("/views/delete")
    def delete_view() -> Redirect:
        name = request.form.get("name", "")
        views.delete_view(app, name)
        return tell("/", Notice(f"The view “{name}” is deleted; the jobs on it stay as they are."))


def _refused(app: Application, shown: Filter, wrong: str, error: InvalidDefinition, typed: str = "") -> str:
    """The page with what is wrong in what was typed: a label, or the name of a view."""
    wanted = Wanted() if wrong_label(shown) else shown.wanted()
    values = _values(app, shown, wanted, 1)
    return render_template("jobs.html", **values, wrong=wrong, error=error, typed_view=typed)


def _values(app: Application, shown: Filter, wanted: Wanted, number: int) -> dict[str, object]:
    """What the page shows."""
    sort, descending = shown.order
    size = 1 if shown.group else PAGE
    found = listing.view_page(app, wanted, sort, descending, number, size)
    last_page = max(1, -(-found.total // PAGE))
    if number > last_page:
        number = last_page
        found = listing.view_page(app, wanted, sort, descending, number, size)
    kept = views.list_views(app)
    query = urlencode(shown.pairs)
    return {
        "shown": shown,
        "found": found,
        "groups": _groups(app, shown, wanted) if shown.group else None,
        "counters": [(state, words, found.tally.by_standing.get(state, 0)) for state, words in COUNTERS],
        "number": number,
        "first": (number - 1) * PAGE + 1,
        "last_page": last_page,
        "known": listing.known_words(app),
        "pools": sorted({app.pool.name, *([shown.pool] if shown.pool else [])}),
        "outcomes": OUTCOMES,
        "views": kept,
        "view": next((view for view in kept if view.query == query), None),
        "query": query,
    }


def _groups(app: Application, shown: Filter, wanted: Wanted) -> Sequence[Group]:
    """The groups by value; what has no value comes last."""
    tallies = listing.group_jobs(app, wanted, shown.group_key)
    found = []
    may_open = OPEN_GROUPS
    for value in sorted(tallies, key=lambda value: (value is None, value or ""))[:GROUPS]:
        name = value if value is not None else f"without {shown.group_key}"
        alone = shown.of_group(value)
        jobs = None
        if name in shown.opened and may_open:
            may_open -= 1
            jobs = listing.view_page(app, alone.wanted(), *shown.order, 1, PAGE)
        found.append(Group(name, value, tallies[value], alone, jobs))
    return found


def address(name: str) -> str:
    return f"/jobs/{quote(name, safe='')}"
