"""The page of one job, and what can be done there."""

from __future__ import annotations

import json
from collections.abc import Mapping

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as Redirect

from chronos_py.model.document import complete
from chronos_py.model.job import Definition
from chronos_py.model.run import WAITING_RUN_STATES, RunState
from chronos_py.model.secrets import mask_document, mask_text
from chronos_py.services import Application, backfills, jobs, revisions, run_history, runs, selections, statistics
from chronos_py.services.jobs import Children
from chronos_py.services.run_history import RunQuery
from chronos_py.services.schedules import upcoming
from chronos_py.services.selections import Selection
from chronos_py.web.answers import number, page, person
from chronos_py.web.chains.page import neighbourhood
from chronos_py.web.form.fields import CHOICES
from chronos_py.web.jobs.page import address, state_of
from chronos_py.web.jobs.words import job_link, sentence, success_rate
from chronos_py.web.notices import Notice, tell
from chronos_py.web.runs.drawings import draw_runs, draw_trend
from chronos_py.web.runs.filters import read_run_filter

HISTORY = 25
TREND = 80
BACKFILLS = 3
REVISIONS = 3
DEFAULT = Definition("")


def add_routes(routes: Blueprint, app: Application) -> None:
    routes.add_app_template_filter(job_link)
    routes.add_app_template_filter(success_rate)

    @routes.get("/jobs/<name>")
    def show_job(name: str) -> Response:
        return page("job.html", **page_values(app, name, {"withChildren": "on"}))

    @routes.post("/jobs/<name>/run")
    def force_run(name: str) -> Redirect:
        run = runs.run_now(app, name, requested_by=person())
        return redirect(f"/runs/{run.id}", 303)

    @routes.post("/jobs/<name>/pause")
    def pause(name: str) -> Redirect:
        changed = selections.pause_jobs(app, Selection((name,)), person()).changed
        return tell(address(name), Notice(f"{name} is paused: only a person can start it now.", "resume", changed))

    @routes.post("/jobs/<name>/resume")
    def resume(name: str) -> Redirect:
        changed = selections.resume_jobs(app, Selection((name,)), person(), "catchUp" in request.form).changed
        return tell(address(name), Notice(f"{name} is resumed.", "pause", changed))

    @routes.get("/jobs/<name>/delete")
    def ask_to_delete(name: str) -> str:
        return render_template("job_delete.html", summary=jobs.get_job(app, name))

    @routes.post("/jobs/<name>/delete")
    def delete(name: str) -> Redirect:
        wanted = request.form.get("children", "")
        children: Children = "convert" if wanted == "convert" else "detach" if wanted == "detach" else "refuse"
        jobs.delete_job(app, name, person(), children)
        return tell("/", Notice(f"{name} is deleted; the history of its runs stays readable.", "restore", (name,)))


def page_values(
    app: Application, name: str, values: Mapping[str, str], error: str = "", field: str = ""
) -> dict[str, object]:
    """What the page of a job shows; ``values`` are typed into its form, and ``error`` is about one of them."""
    summary = jobs.get_job(app, name)
    waiting = next((run for run in runs.list_runs(app, name, WAITING_RUN_STATES, limit=1)), None)
    is_in_chain = summary.job.definition.parents or summary.children
    return {
        "summary": summary,
        "job": summary.job,
        "state": state_of(summary),
        "sentence": sentence(summary.job.definition, CHOICES["triggerRule"]),
        "following": upcoming(app, summary.job, 5),
        "waiting": waiting,
        "waits_for": runs.get_run(app, waiting.id).waits_for if waiting else "",
        "drawing": neighbourhood(app, name) if is_in_chain else None,
        "backfills": backfills.list_backfills(app, name, limit=BACKFILLS),
        "command": mask_text(summary.job.definition.command),
        "document": json.dumps(mask_document(complete(summary.job.document)), indent=2, ensure_ascii=False),
        "revisions": revisions.list_revisions(app, name, limit=REVISIONS),
        "pause": revisions.pause_of(app, summary.job),
        "choices": CHOICES,
        "default": DEFAULT,
        "values": values,
        "error": error,
        "field": field,
        **_history(app, name),
    }


def _history(app: Application, name: str) -> dict[str, object]:
    """The runs of a job as the address asks for them, and how long its last ones took."""
    shown, before = read_run_filter(request.args), number(request.args.get("before", ""))
    found = run_history.job_history(app, name, shown.query, before, HISTORY + 1)
    ended = RunQuery((RunState.SUCCEEDED, RunState.FAILED, RunState.KILLED, RunState.LOST))
    last = run_history.job_history(app, name, ended, None, TREND).runs
    times = statistics.job_statistics(app, name, 0).run_times
    return {
        "runs": found.runs[:HISTORY],
        "named": found.named,
        "drawn": draw_runs(found.runs[:HISTORY], found.attempts, app.clock.now()),
        "before": before,
        "following_runs": found.runs[HISTORY - 1].id if len(found.runs) > HISTORY else None,
        "shown": shown,
        "times": times,
        "trend": draw_trend(last, times),
    }
