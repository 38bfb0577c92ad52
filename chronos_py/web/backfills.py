"""Backfills: ask for one, look before it starts, follow it, cancel it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response as Answer

from chronos_py.errors import Conflict, InvalidDefinition, NotFound
from chronos_py.model.backfill import StandingRun
from chronos_py.model.job import Job
from chronos_py.model.reader import shown
from chronos_py.model.schedule import parse_zone
from chronos_py.services import Application, backfills, jobs, runs
from chronos_py.services.backfills import Plan
from chronos_py.services.jobs import JobSummary
from chronos_py.web.answers import LARGEST, html, number, page, person
from chronos_py.web.words import in_zone

PAGE = 50
MOST_PREVIEWED = 200
DAYS_BACK = 7
BACKFILL = f"/backfills/<int(max={LARGEST}):backfill_id>"


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a backfill would do: its first occurrences, each with the run that keeps it from being run, if any."""

    chosen: int
    left_out: int
    shown: Sequence[tuple[datetime, StandingRun | None]]

    @property
    def more(self) -> int:
        return self.chosen + self.left_out - len(self.shown)


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/jobs/<name>/backfill")
    def ask_for_backfill(name: str) -> Answer:
        summary = jobs.get_job(app, name)
        today = in_zone(app.clock.now(), zone_of(summary.job)).date()
        return _form(summary, {"from": str(today - timedelta(days=DAYS_BACK)), "to": str(today), "parallel": "1"})

    @routes.post("/jobs/<name>/backfill")
    def answer_backfill_form(name: str) -> Answer:
        form, summary = request.form, jobs.get_job(app, name)
        try:
            if form.get("do") != "start":
                return _form(summary, form, foreseen=_foresee(app, name, form, zone_of(summary.job)))
            view = backfills.start_backfill(
                app,
                name,
                form.get("from", ""),
                form.get("to", ""),
                _parallel(form),
                form.get("withChildren") == "on",
                form.get("force") == "on",
                person(),
            )
        except InvalidDefinition as error:
            return _form(summary, form, 400, error, error.field or "")
        except Conflict as error:
            return _form(summary, form, 409, error)
        return redirect(f"/backfills/{view.backfill.id}", 303)

    @routes.get("/backfills")
    def list_backfills() -> Answer:
        found = backfills.list_backfills(app, None, number(request.args.get("before", "")), PAGE + 1)
        following = found[PAGE - 1].backfill.id if len(found) > PAGE else None
        return page("backfills.html", backfills=found[:PAGE], following=following)

    @routes.get(BACKFILL)
    def show_backfill(backfill_id: int) -> Answer:
        view = backfills.get_backfill(app, backfill_id)
        before = number(request.args.get("before", ""))
        found = runs.list_runs(app, before=before, limit=PAGE + 1, backfill_id=backfill_id)
        following = found[PAGE - 1].id if len(found) > PAGE else None
        zone = _zone_of(app, view.backfill.job_name)
        return page("backfill.html", view=view, runs=found[:PAGE], following=following, before=before, zone=zone)

    @routes.post(f"{BACKFILL}/cancel")
    def cancel_backfill(backfill_id: int) -> Answer:
        backfills.cancel_backfill(app, backfill_id, person(), kill=False)
        return redirect(f"/backfills/{backfill_id}", 303)

    @routes.post(f"{BACKFILL}/kill")
    def kill_backfill(backfill_id: int) -> Answer:
        backfills.cancel_backfill(app, backfill_id, person(), kill=True)
        return redirect(f"/backfills/{backfill_id}", 303)


def zone_of(job: Job) -> ZoneInfo:
    """The time zone that a job's schedule follows."""
    return parse_zone(job.definition.schedule_time_zone or "UTC")


def _zone_of(app: Application, job_name: str) -> ZoneInfo:
    try:
        return zone_of(jobs.get_job(app, job_name).job)
    except NotFound:  # the job was deleted since
        return parse_zone("UTC")


def _form(
    summary: JobSummary,
    values: Mapping[str, Any],
    status: int = 200,
    error: Exception | None = None,
    field: str = "",
    foreseen: Foreseen | None = None,
) -> Answer:
    rendered = render_template(
        "backfill_form.html", summary=summary, values=values, error=error, field=field, foreseen=foreseen
    )
    return html(rendered, status)


def _parallel(form: Mapping[str, str]) -> int:
    text = form.get("parallel", "").strip()
    parallel = number(text or "1")
    if parallel is None:
        raise InvalidDefinition(f"parallel is {shown(text)} but must be a whole number such as 1.", "parallel")
    return parallel


def _foresee(app: Application, name: str, form: Mapping[str, str], zone: tzinfo) -> Foreseen:
    _parallel(form)
    plan = backfills.plan_backfill(
        app, name, form.get("from", ""), form.get("to", ""), force=form.get("force") == "on"
    )
    return _foreseen(plan, zone)


def _foreseen(plan: Plan, zone: tzinfo) -> Foreseen:
    standing: dict[datetime, StandingRun | None] = dict.fromkeys(plan.occurrences)
    standing.update((each.occurrence, each.run) for each in plan.left_out)
    shown_first = sorted(standing)[:MOST_PREVIEWED]
    rows = [(in_zone(occurrence, zone), standing[occurrence]) for occurrence in shown_first]
    return Foreseen(len(plan.occurrences), len(plan.left_out), rows)
