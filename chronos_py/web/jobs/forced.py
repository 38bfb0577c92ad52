"""Forcing a run that differs from what the job says: other arguments, variables, or time."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response as Answer

from chronos_py.errors import InvalidDefinition
from chronos_py.model.document import VARIABLE_NAME
from chronos_py.model.instant import read_instant
from chronos_py.model.job import Job
from chronos_py.model.reader import shown
from chronos_py.model.run import Overrides
from chronos_py.services import Application, jobs, runs
from chronos_py.web.answers import html, person
from chronos_py.web.backfills import zone_of
from chronos_py.web.form.lines import explain, read_lines, read_text, read_variable
from chronos_py.web.jobs.job import page_values


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.post("/jobs/<name>/run-with")
    def force_run_with(name: str) -> Answer:
        form, job = request.form, jobs.get_job(app, name).job
        try:
            run = runs.run_now(
                app,
                name,
                Overrides(tuple(read_lines(read_text(form, "arguments"))) or None, _environment()),
                person(),
                _scheduled_at(job),
                with_children=form.get("withChildren") == "on",
            )
        except InvalidDefinition as error:
            field, sentence = explain(error, form)
            shown_again = page_values(app, name, form, sentence, field)
            return html(render_template("job.html", **shown_again), 400)
        return redirect(f"/runs/{run.id}", 303)


def _environment() -> dict[str, str]:
    """The variables of the form, the last of equal names. Raises InvalidDefinition, naming the line."""
    environment: dict[str, str] = {}
    for index, line in enumerate(read_lines(read_text(request.form, "environment"))):
        variable = read_variable(line, f"environment[{index}]")
        if not VARIABLE_NAME.fullmatch(variable["name"]):
            raise InvalidDefinition(
                f"environment has the variable {shown(variable['name'])}; a name is a letter or _, then letters,"
                " digits and _ . -",
                f"environment[{index}]",
            )
        environment[variable["name"]] = variable["value"]
    return environment


def _scheduled_at(job: Job) -> datetime | None:
    """The time that the run shall stand for; None: now."""
    text, zone = read_text(request.form, "scheduledTime"), zone_of(job)
    if not text:
        return None
    moment = read_instant(text, zone)
    if moment is None:
        raise InvalidDefinition(
            f"scheduledTime is {shown(text)} but must be a time such as 2026-01-31T06:00, in {zone.key} where it has"
            " no offset.",
            "scheduledTime",
        )
    return moment
