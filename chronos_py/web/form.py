"""The form that defines a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as Answer

from chronos_py.errors import InvalidDefinition, Outdated
from chronos_py.model.job import Job
from chronos_py.model.overlap import Overlap
from chronos_py.model.schedule.catch_up import CatchUp
from chronos_py.services import Application, jobs
from chronos_py.web.answers import person
from chronos_py.web.jobs import address

# Fields of the document that are plain text in the form.
TEXTS = ("command", "description", "owner", "scheduleTimeZone", "runAsUser")
NUMBERS = ("retries", "cpus", "mem", "disk")
DURATIONS = ("retryDelay", "timeout", "gracePeriod", "startDeadline")
CHOICES: Mapping[str, tuple[str, ...]] = {"overlap": tuple(Overlap), "catchUp": tuple(CatchUp)}
FLAGS = ("highPriority", "softError", "disabled")
EXAMPLE = {"kind": "schedule", "retries": "2", "retryDelay": "60", "cpus": "0.1", "mem": "128", "disk": "256"}


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/jobs/new")
    def new_job() -> str:
        values: dict[str, Any] = dict(EXAMPLE)
        source = request.args.get("copy", "")
        if source:
            values = {**form_values(jobs.get_job(app, source).job), "name": f"{source}-copy"}
        return _form(values, None)

    @routes.post("/jobs/new")
    def create_job() -> Answer:
        return _save(app, {}, 0)

    @routes.get("/jobs/<name>/edit")
    def edit_job(name: str) -> str:
        job = jobs.get_job(app, name).job
        return _form({**form_values(job), "revision": str(job.revision)}, name)

    @routes.post("/jobs/<name>/edit")
    def change_job(name: str) -> Answer:
        job = jobs.get_job(app, name).job
        revision = request.form.get("revision", "")
        return _save(app, job.document, int(revision) if revision.isdigit() else job.revision, name)


def _form(
    values: Mapping[str, Any], name: str | None, error: Exception | None = None, field: str | None = None
) -> str:
    return render_template("job_form.html", values=values, editing=name, error=error, field=field, choices=CHOICES)


def _save(app: Application, base: Mapping[str, Any], revision: int, name: str | None = None) -> Answer:
    """Save what the form says; on any error the form again, with everything that was typed."""
    try:
        document = read_form(request.form, base)
        if name is not None:
            document["name"] = name
        job, _ = jobs.save_job(app, document, person(), revision)
    except InvalidDefinition as error:
        page = _form(request.form, name, error, (error.field or "").split(".")[0].split("[")[0])
        return Response(page, 400, content_type="text/html; charset=utf-8")
    except Outdated as error:
        return Response(_form(request.form, name, error), 412, content_type="text/html; charset=utf-8")
    return redirect(address(job.name), 303)


def form_values(job: Job) -> dict[str, Any]:
    """A job's document as the form shows it."""
    document, definition = job.document, job.definition
    values: dict[str, Any] = {"name": job.name, "kind": definition.kind, "schedule": definition.schedule}
    for field in (*TEXTS, *NUMBERS, *DURATIONS, *CHOICES):
        value = document.get(field)
        values[field] = "" if value is None else str(value)
    for field in FLAGS:
        values[field] = "on" if document.get(field) else ""
    values["shell"] = "on" if definition.shell else ""
    values["arguments"] = "\n".join(definition.arguments)
    values["parents"] = "\n".join(definition.parents)
    values["environment"] = "\n".join(f"{name}={value}" for name, value in definition.environment.items())
    container = document.get("container") or {}
    values["image"] = container.get("image", "")
    values["network"] = container.get("network", "")
    values["volumes"] = "\n".join(_volume_line(volume) for volume in container.get("volumes") or [])
    return values


def _volume_line(volume: Mapping[str, Any]) -> str:
    parts = [volume.get("hostPath") or "", volume["containerPath"]]
    if str(volume.get("mode", "RW")).upper() == "RO":
        parts.append("ro")
    return ":".join(parts)


def read_form(form: Mapping[str, str], base: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a filled form, over what it does not know of ``base``. Raises InvalidDefinition."""
    document = dict(base)
    document["name"] = form.get("name", "").strip()
    for field in (*TEXTS, *CHOICES):
        _put(document, field, form.get(field, "").strip() if field != "command" else form.get(field, ""))
    for field in NUMBERS:
        _put(document, field, _number(field, form.get(field, "").strip()))
    for field in DURATIONS:
        _put(document, field, _duration(form.get(field, "").strip()))
    for field in FLAGS:
        _put(document, field, form.get(field) == "on")
    _put(document, "shell", None if form.get("shell", "on") == "on" else False)
    _put(document, "arguments", _lines(form, "arguments"))
    _put(document, "environmentVariables", [_variable(line) for line in _lines(form, "environment")])
    kind = form.get("kind", "schedule")
    _put(document, "schedule", form.get("schedule", "").strip() if kind == "schedule" else "")
    if kind == "schedule" and not document.get("schedule"):
        raise InvalidDefinition("schedule is empty; give one, or choose that the job only runs by hand.", "schedule")
    _put(document, "parents", _lines(form, "parents") if kind == "dependency" else [])
    if kind == "dependency" and not document.get("parents"):
        raise InvalidDefinition("parents is empty; name at least one job, each on a line of its own.", "parents")
    if kind != "schedule":
        document.pop("scheduleTimeZone", None)
    _put_container(document, form)
    return document


def _put(document: dict[str, Any], field: str, value: Any) -> None:
    """Set a field; nothing, and what is the default anyway, is left out."""
    if value in ("", None, [], False) and not (field == "shell" and value is False):
        document.pop(field, None)
    else:
        document[field] = value


def _lines(form: Mapping[str, str], field: str) -> list[str]:
    return [line.strip() for line in form.get(field, "").splitlines() if line.strip()]


def _number(field: str, text: str) -> int | float | None:
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError as error:
        raise InvalidDefinition(f'{field} is "{text}" but must be a number.', field) from error


def _duration(text: str) -> int | float | str | None:
    """Seconds, or an ISO 8601 duration as it is."""
    try:
        return _number("", text)
    except InvalidDefinition:
        return text


def _variable(line: str) -> dict[str, str]:
    name, sign, value = line.partition("=")
    if not sign:
        raise InvalidDefinition(f'environment has the line "{line}"; write NAME=value.', "environment")
    return {"name": name.strip(), "value": value}


def _put_container(document: dict[str, Any], form: Mapping[str, str]) -> None:
    image, volumes = form.get("image", "").strip(), [_volume(line) for line in _lines(form, "volumes")]
    if not image and not volumes:
        document.pop("container", None)
        return
    container = {**(document.get("container") or {}), "image": image}
    container["volumes"] = volumes
    if form.get("network"):
        container["network"] = form["network"]
    document["container"] = container


def _volume(line: str) -> dict[str, str]:
    host, _, rest = line.partition(":")
    path, _, mode = rest.partition(":")
    if not path.startswith("/"):
        raise InvalidDefinition(
            f'volumes has the line "{line}"; write /folder/here:/folder/in/the/container, and :ro for read only.',
            "volumes",
        )
    volume = {"containerPath": path, "mode": "RO" if mode.lower() == "ro" else "RW"}
    return {**volume, "hostPath": host} if host else volume
