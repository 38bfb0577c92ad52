"""The list of jobs, the page of one, and what can be done there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as Redirect

from chronos_py.model.document import complete
from chronos_py.model.job import Definition, last_outcome
from chronos_py.model.run import WAITING_RUN_STATES
from chronos_py.services import Application, backfills, jobs, revisions, runs, selections
from chronos_py.services.jobs import Children, JobSummary
from chronos_py.services.schedules import upcoming
from chronos_py.services.selections import Selection
from chronos_py.web.answers import html, page, person
from chronos_py.web.fields import CHOICES
from chronos_py.web.filters import find_jobs, read_filter, wrong_label

PAGE = 50
HISTORY = 25
BACKFILLS = 3
DEFAULT = Definition("")

OUTCOMES = {"success": "succeeded", "failure": "failed", "fresh": "fresh"}


def state_of(summary: JobSummary) -> str:
    """What the job does now; when it does nothing, how it ended last."""
    if summary.active:
        return "running"
    if summary.waiting:
        return "queued"
    if summary.job.definition.disabled:
        return "paused"
    return OUTCOMES[last_outcome(summary.job.counters)]


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/")
    def list_jobs() -> Response:
        shown, after = read_filter(request.args), request.args.get("after", "")
        wrong, error = wrong_label(shown) or ("", None)
        found = [] if error else find_jobs(app, shown, after, PAGE + 1)
        values = {
            "rows": [(summary, state_of(summary)) for summary in found[:PAGE]],
            "shown": shown,
            "labels": [label for label in shown.labels if label != wrong],
            "wrong": wrong,
            "error": error,
            "after": after,
            "following": found[PAGE - 1].job.name if len(found) > PAGE else None,
        }
        return html(render_template("jobs.html", **values), 400) if error else page("jobs.html", **values)

    @routes.get("/jobs/<name>")
    def show_job(name: str) -> Response:
        return page("job.html", **page_values(app, name, {"withChildren": "on"}))

    @routes.post("/jobs/<name>/run")
    def force_run(name: str) -> Redirect:
        run = runs.run_now(app, name, requested_by=person())
        return redirect(f"/runs/{run.id}", 303)

    @routes.post("/jobs/<name>/pause")
    def pause(name: str) -> Redirect:
        selections.pause_jobs(app, Selection((name,)), person())
        return redirect(address(name), 303)

    @routes.post("/jobs/<name>/resume")
    def resume(name: str) -> Redirect:
        selections.resume_jobs(app, Selection((name,)), person(), "catchUp" in request.form)
        return redirect(address(name), 303)

    @routes.get("/jobs/<name>/delete")
    def ask_to_delete(name: str) -> str:
        return render_template("job_delete.html", summary=jobs.get_job(app, name))

    @routes.post("/jobs/<name>/delete")
    def delete(name: str) -> Redirect:
        wanted = request.form.get("children", "")
        children: Children = "convert" if wanted == "convert" else "detach" if wanted == "detach" else "refuse"
        jobs.delete_job(app, name, person(), children)
        return redirect("/", 303)


def page_values(
    app: Application, name: str, values: Mapping[str, str], error: str = "", field: str = ""
) -> dict[str, object]:
    """What the page of a job shows; ``values`` are typed into its form, and ``error`` is about one of them."""
    summary = jobs.get_job(app, name)
    history = runs.list_runs(app, name, limit=HISTORY)
    waiting = next((run for run in history if run.state in WAITING_RUN_STATES), None)
    return {
        "summary": summary,
        "job": summary.job,
        "state": state_of(summary),
        "following": upcoming(app, summary.job, 5),
        "runs": history,
        "waiting": waiting,
        "waits_for": runs.get_run(app, waiting.id).waits_for if waiting else "",
        "backfills": backfills.list_backfills(app, name, limit=BACKFILLS),
        "document": json.dumps(complete(summary.job.document), indent=2, ensure_ascii=False),
        "pause": revisions.pause_of(app, summary.job),
        "choices": CHOICES,
        "default": DEFAULT,
        "values": values,
        "error": error,
        "field": field,
    }


def address(name: str) -> str:
    return f"/jobs/{quote(name, safe='')}"
