"""The form that defines a job: its fields, the same as JSON, and what comes of it while it is filled."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, jsonify, redirect, render_template, request
from markupsafe import Markup
from werkzeug.wrappers import Response as Answer

from chronos_py.errors import Conflict, InvalidDefinition, NotFound, Outdated
from chronos_py.model.job import Job
from chronos_py.model.secrets import is_secret
from chronos_py.services import Application, calendars, jobs, limits, revisions
from chronos_py.services.schedules import FIELDS, Preview, preview_schedule
from chronos_py.web import csrf
from chronos_py.web.answers import html, number, person
from chronos_py.web.form.drafts import form_values, kind_of, located, problems_of, read_form, read_json, written
from chronos_py.web.form.fields import Form, Reading
from chronos_py.web.form.groups import GROUPS, default_text, is_set, summary, unknown_fields
from chronos_py.web.form.masking import masked, unmasked
from chronos_py.web.form.merging import differences, merge
from chronos_py.web.form.rows import Rows
from chronos_py.web.jobs.page import address

PREVIEWED = 10
MORE_ROWS = 5
EMPTY = "Once there is a schedule, its meaning and its next runs stand here."
MEND = "Mend what is marked to see when it runs."
_VARIABLE = re.compile(r"(environmentVariables\.\d+)\.name")
_MOST_NAMED = 8
_NAMED_CALENDARS = Markup('One on each line, such as {}. <a href="/calendars" target="_blank">See the calendars</a>')
_NAMED_LIMITS = Markup(
    "One on each line, <code>warehouse-db</code>, or <code>warehouse-db 2</code> where a run takes two units."
    ' There are: {}. <a href="/limits" target="_blank">See the limits</a>'
)
OUTDATED = (
    "Nothing was saved yet: the page was opened before this browser was restarted, or its cookies were removed."
    " Everything you typed is still here; send it once more."
)


@dataclass
class Page:
    """A form as it is shown. ``editing`` is the job that it changes, None for a new one."""

    values: Form
    editing: str | None
    status: int = 200
    problems: Mapping[str, str] = field(default_factory=dict)
    banner: str = ""
    preview: Preview | None = None
    preview_error: str = ""
    is_preview: bool = False
    more: str = ""


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/jobs/new")
    def new_job() -> Answer:
        source = request.args.get("copy", "")
        if not source:
            return _show(app, Page({**form_values({}), "kind": "schedule"}, None))
        document = jobs.get_job(app, source).job.document
        return _show(app, Page(form_values({**document, "name": _free_name(app, source)}), None))

    @routes.post("/jobs/new")
    @csrf.shows_again
    def create_job() -> Answer:
        return _answer(app, None, None)

    @routes.get("/jobs/<name>/edit")
    def edit_job(name: str) -> Answer:
        job = jobs.get_job(app, name).job
        return _show(app, Page({**form_values(job.document), "revision": str(job.revision)}, name))

    @routes.post("/jobs/<name>/edit")
    @csrf.shows_again
    def change_job(name: str) -> Answer:
        try:
            job = jobs.get_job(app, name).job
        except NotFound:
            gone = "was deleted or renamed meanwhile. Nothing was saved; Create makes a new job of what you typed."
            return _again(app, _typed(), None, 404, f"Job {name} {gone}")
        return _answer(app, name, job)


def _answer(app: Application, name: str | None, job: Job | None) -> Answer:
    """What the button that was pressed asks for."""
    typed, shown = _typed(), request.form.get("show", "")
    if csrf.is_outdated():
        return _again(app, typed, name, 403, OUTDATED)
    try:
        base = read_json(typed["document"], "document") if "document" in typed else _document(job)
    except InvalidDefinition as error:
        return _show(app, Page({**typed, "document": "{}"}, name, 400, banner=str(error)))
    if shown == "fields":
        return _from_json(app, typed, base, name)
    if shown == "merge" and job is not None:
        return _merge(app, typed, base, job)
    if shown == "secrets":
        return _show_secrets(typed, base, name)
    if "json" in typed:
        return _save_json(app, typed, base, job)
    reading = read_form(typed, base)
    if shown == "check":
        return _check(app, typed, reading, job)
    if shown == "json":
        text = written(masked(reading.document))
        return _json_page({**typed, "document": json.dumps(reading.document), "json": text}, name)
    if shown.startswith("more:"):
        return _show(app, Page(typed, name, more=shown.removeprefix("more:")))
    if "preview" in typed:
        return _preview(app, typed, reading, name)
    return _save(app, typed, reading, job)


def _again(app: Application, typed: Form, name: str | None, status: int, words: str) -> Answer:
    """The page that was sent once more, with everything on it."""
    if request.form.get("show", "") == "merge":
        try:
            yours = read_json(typed.get("document", "{}"))
        except InvalidDefinition:
            yours = {}
        values = {**form_values(yours), "revision": typed.get("revision", "")}
        return _show(app, Page(values, name, status, banner=words))
    if "json" in typed:
        return _json_page(typed, name, status, words)
    return _show(app, Page(typed, name, status, banner=words))


def _typed() -> dict[str, str]:
    """The fields of the form, the last of equal names: a box that is checked comes after what it says otherwise."""
    return {name: values[-1] for name, values in request.form.lists() if name != csrf.FIELD}


def _document(job: Job | None) -> Mapping[str, Any]:
    return {} if job is None else job.document


def _free_name(app: Application, source: str) -> str:
    """A name for a copy that no job has."""
    for suffix in ("", *(f"-{count}" for count in range(2, 100))):
        try:
            jobs.get_job(app, f"{source}-copy{suffix}")
        except NotFound:
            return f"{source}-copy{suffix}"
    return f"{source}-copy"


# ------------------------------------------------------------------------------------------------------- saving


def _save(app: Application, typed: Form, reading: Reading, job: Job | None) -> Answer:
    """Save what the form says; on any error the form again, with everything that was typed."""
    name = job.name if job else None
    if job is not None and reading.document == job.document and not reading.problems:
        return redirect(address(job.name), 303)
    problems = problems_of(app, reading, typed, job)
    if problems:
        status = 409 if set(problems) == {"name"} and "exists already" in problems["name"] else 400
        return _show(app, Page(typed, name, status, problems))
    try:
        return _store(app, reading.document, typed, job)
    except InvalidDefinition as error:
        where, sentence = located(error, reading, typed)
        return _show(app, Page(typed, name, 400, {where: sentence}))
    except Outdated:
        return _compare(app, typed, reading.document, name)
    except Conflict as error:
        return _show(app, Page(typed, name, 409, {"name": str(error)}))


def _store(app: Application, document: Mapping[str, Any], typed: Form, job: Job | None) -> Answer:
    if job is None:
        saved, _ = jobs.save_job(app, document, person(), 0)
    else:
        seen = number(typed.get("revision", "")) or job.revision
        saved = jobs.replace_job(app, job.name, document, person(), seen)
    return redirect(address(saved.name), 303)


def _save_json(app: Application, typed: Form, base: Mapping[str, Any], job: Job | None) -> Answer:
    """Save what the page of JSON says."""
    name = job.name if job else None
    try:
        document = unmasked(read_json(typed["json"]), base)
        return _store(app, document, typed, job)
    except Outdated:
        return _compare(app, typed, unmasked(read_json(typed["json"]), base), name)
    except (InvalidDefinition, Conflict) as error:
        return _json_page(typed, name, 400 if isinstance(error, InvalidDefinition) else 409, str(error))


def _show_secrets(typed: Form, base: Mapping[str, Any], name: str | None) -> Answer:
    """The page of JSON with nothing hidden."""
    try:
        return _json_page({**typed, "json": written(unmasked(read_json(typed.get("json", "")), base))}, name)
    except InvalidDefinition as error:
        return _json_page(typed, name, 400, str(error))


def _json_page(values: Form, editing: str | None, status: int = 200, error: str = "") -> Answer:
    return html(render_template("job_json.html", values=values, editing=editing, error=error), status)


# --------------------------------------------------------------------------------------------- while it is filled


def _check(app: Application, typed: Form, reading: Reading, job: Job | None) -> Answer:
    """For the module: the document, what is wrong with it, what it means."""
    problems = problems_of(app, reading, typed, job)
    page = _previewed(app, Page(typed, job.name if job else None), reading)
    return jsonify(
        document=written(reading.document if typed.get("secrets") == "shown" else masked(reading.document)),
        problems=problems,
        secrets=_secrets(typed),
        summaries={group.key: summary(group, reading.document) for group in GROUPS},
        preview=render_template("job_preview.html", page=page),
    )


def _secrets(typed: Form) -> list[str]:
    """The fields with values of variables that are secret by their names."""
    found = (_VARIABLE.fullmatch(name) for name in typed)
    return [f"{each[1]}.value" for each in found if each and is_secret(typed[each[0]])]


def _preview(app: Application, typed: Form, reading: Reading, name: str | None) -> Answer:
    """The form again, with what its schedule means and when it runs next, or why it cannot; nothing is saved."""
    page = _previewed(app, Page(typed, name, is_preview=True), reading)
    page.status = 400 if page.preview_error else 200
    return _show(app, page)


def _previewed(app: Application, page: Page, reading: Reading) -> Page:
    document = reading.document
    if kind_of(document) != "schedule" and "schedule" not in reading.problems:
        page.preview_error = "" if document.get("parents") else "There is nothing to preview: it runs only by hand."
        return page
    members = {member: document[member] for member in FIELDS if member in document}
    name = page.editing or str(document.get("name", ""))
    wrong = {member: sentence for member, sentence in reading.problems.items() if member in FIELDS}
    if not document.get("schedule"):
        page.problems, page.preview_error = wrong, EMPTY
        return page
    if not wrong:
        try:
            page.preview = preview_schedule(app, members, PREVIEWED, name=name)
            return page
        except InvalidDefinition as error:
            wrong = dict([located(error, reading, page.values)])
    page.problems, page.preview_error = wrong, MEND
    return page


def _from_json(app: Application, typed: Form, base: Mapping[str, Any], name: str | None) -> Answer:
    """The form for a document that was changed as JSON."""
    try:
        document = unmasked(read_json(typed.get("json", "")), base)
    except InvalidDefinition as error:
        return _json_page(typed, name, 400, str(error))
    values = {**form_values(document), "revision": typed.get("revision", "")}
    if values["kind"] == "manual" and typed.get("kind") in ("schedule", "dependency") and not _had_kind(typed):
        values["kind"] = typed["kind"]
    return _show(app, Page(values, name))


def _had_kind(typed: Form) -> bool:
    """Whether the form said when the job runs, so that a document that does not took it away."""
    return bool(typed.get("schedule") if typed.get("kind") == "schedule" else typed.get("parents"))


# ---------------------------------------------------------------------------------------- someone else was faster


def _compare(app: Application, typed: Form, yours: Mapping[str, Any], name: str | None, error: str = "") -> Answer:
    """What you saw, what you made of it and what someone else did, with a choice for each difference."""
    if name is None:
        found = f"Job {yours.get('name')} exists already; give this one another name."
        return _show(app, Page(typed, None, 412, {"name": found}))
    theirs = jobs.get_job(app, name).job
    saw = number(typed.get("revision", ""))
    found_differences = differences(_seen(app, name, saw), yours, theirs.document, typed)
    newest = revisions.list_revisions(app, name, limit=1)[0]
    page = render_template(
        "job_conflict.html",
        job=theirs,
        newest=newest,
        saw=saw,
        differences=found_differences,
        yours=written(yours),
        hidden=lambda field, value: masked({field: value})[field],
        error=error,
    )
    return html(page, 412)


def _seen(app: Application, name: str, revision: int | None) -> Mapping[str, Any] | None:
    """The document that a form was opened with, None where the history does not go back to it."""
    try:
        return revisions.get_revision(app, name, revision or 0).document
    except NotFound:
        return None


def _merge(app: Application, typed: Form, yours: Mapping[str, Any], job: Job) -> Answer:
    """Go on with what was chosen of both: save it, or show it in the form."""
    if job.revision != number(typed.get("theirs", "")):
        return _compare(app, typed, yours, job.name)
    saw = _seen(app, job.name, number(typed.get("revision", "")))
    found = differences(saw, yours, job.document, typed)
    undecided = [each.field for each in found if not each.chosen]
    if undecided:
        return _compare(app, typed, yours, job.name, f"Choose whose value goes on of {', '.join(undecided)}.")
    document = merge(found, yours, job.document)
    values = {**form_values(document), "revision": str(job.revision)}
    if "back" in typed:
        return _show(app, Page(values, job.name))
    return _save(app, values, Reading(document), job)


# ------------------------------------------------------------------------------------------------------ the page


def _show(app: Application, page: Page) -> Answer:
    document = _shown_document(page)
    known = app.defaults.document()
    template = render_template(
        "job_form.html",
        page=page,
        values=page.values,
        editing=page.editing,
        problems=page.problems,
        groups=GROUPS,
        document=document,
        text=written(masked(document)),
        unknown=unknown_fields(document),
        summary=summary,
        is_set=is_set,
        default_text=lambda field: default_text(field, known),
        rows_of=lambda field: _rows_of(page, field),
        is_secret=is_secret,
        hints=_hints(app),
    )
    return html(template, page.status)


def _hints(app: Application) -> dict[str, Markup]:
    """Hints that name what this server knows."""
    own = [calendar.name for calendar in calendars.list_calendars(app)]
    shared = [view.limit.name for view in limits.list_limits(app)]
    return {
        "excludeCalendars": _NAMED_CALENDARS.format(_codes([*own[:_MOST_NAMED], "weekends", "DE-BY", "NYSE"])),
        "concurrencyLimits": _NAMED_LIMITS.format(_codes(shared[:_MOST_NAMED]) or "none yet"),
    }


def _codes(names: list[str]) -> Markup:
    return Markup(", ").join(Markup("<code>{}</code>").format(name) for name in names)


def _shown_document(page: Page) -> Mapping[str, Any]:
    """What the form says now; also where it is not the document that it began with."""
    try:
        base = read_json(page.values.get("document", "{}"))
    except InvalidDefinition:
        base = {}
    return read_form(page.values, base).document


def _rows_of(page: Page, field: Rows) -> list[Any]:
    return field.rows(page.values, MORE_ROWS if page.more == field.name else 1)
