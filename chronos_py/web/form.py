"""The form that defines a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response as Answer

from chronos_py.errors import Conflict, InvalidDefinition, Outdated
from chronos_py.model.retry import RETRY_WORDS
from chronos_py.services import Application, calendars, jobs, limits
from chronos_py.services.schedules import FIELDS, Preview, preview_schedule
from chronos_py.web.answers import html, number, person
from chronos_py.web.fields import CHOICES, explain, form_values, read_form, read_schedule_fields
from chronos_py.web.jobs import address

EXAMPLE = {"kind": "schedule", "retries": "2", "retryDelay": "60", "cpus": "0.1", "mem": "128", "disk": "256"}
PREVIEWED = 5


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/jobs/new")
    def new_job() -> Answer:
        values: dict[str, Any] = dict(EXAMPLE)
        source = request.args.get("copy", "")
        if source:
            values = {**form_values(jobs.get_job(app, source).job), "name": f"{source}-copy"}
        return _form(app, values, None)

    @routes.post("/jobs/new")
    def create_job() -> Answer:
        if "preview" in request.form:
            return _preview(app, None)
        return _save(app, {}, 0)

    @routes.get("/jobs/<name>/edit")
    def edit_job(name: str) -> Answer:
        job = jobs.get_job(app, name).job
        return _form(app, {**form_values(job), "revision": str(job.revision)}, name)

    @routes.post("/jobs/<name>/edit")
    def change_job(name: str) -> Answer:
        if "preview" in request.form:
            return _preview(app, name)
        job = jobs.get_job(app, name).job
        return _save(app, job.document, number(request.form.get("revision", "")) or job.revision, name)


def _form(
    app: Application,
    values: Mapping[str, Any],
    editing: str | None,
    status: int = 200,
    error: object = None,
    field: str = "",
    **previewed: Any,
) -> Answer:
    known = [calendar.name for calendar in calendars.list_calendars(app)]
    page = render_template(
        "job_form.html",
        values=values,
        editing=editing,
        error=error,
        field=field,
        choices=CHOICES,
        calendars=known,
        limits=[view.limit.name for view in limits.list_limits(app)],
        retry_words=RETRY_WORDS,
        **previewed,
    )
    return html(page, status)


def _save(app: Application, base: Mapping[str, Any], revision: int, name: str | None = None) -> Answer:
    """Save what the form says; on any error the form again, with everything that was typed."""
    try:
        document = read_form(request.form, base)
        if name is None:
            job, _ = jobs.save_job(app, document, person(), revision)
        else:
            job = jobs.replace_job(app, name, document, person(), revision)
    except InvalidDefinition as error:
        field, sentence = explain(error, request.form)
        return _form(app, request.form, name, 400, sentence, field)
    except Outdated as error:
        return _form(app, request.form, name, 412, error, "" if name else "name")
    except Conflict as error:
        return _form(app, request.form, name, 409, error, "name")
    return redirect(address(job.name), 303)


def _preview(app: Application, name: str | None) -> Answer:
    """The form again, with what its schedule means and when it runs next, or why it cannot; nothing is saved."""
    form = request.form
    try:
        found = _previewed(app, form, name or form.get("name", "").strip())
    except InvalidDefinition as error:
        field, sentence = explain(error, form)
        return _form(app, form, name, 400, sentence, field, is_preview=True)
    return _form(app, form, name, found=found, is_preview=True)


def _previewed(app: Application, form: Mapping[str, str], name: str) -> Preview:
    document = read_schedule_fields(form)
    if "schedule" not in document:
        raise InvalidDefinition("There is nothing to preview: this job does not run on a schedule.")
    fields = {field: document[field] for field in FIELDS if field in document}
    return preview_schedule(app, fields, PREVIEWED, name=name)
