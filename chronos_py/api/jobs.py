"""/api/jobs"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, request

from chronos_py.api.answers import job_document, run_accepted, tagged_job
from chronos_py.api.requests import (
    choice_argument,
    expected_revision,
    json_object,
    limit_argument,
    optional_json_object,
    overrides_fields,
    person,
    refuse_unknown_fields,
    time_field,
)
from chronos_py.api.schemas import KEPT_BY_SERVER
from chronos_py.errors import InvalidDefinition
from chronos_py.model.document import check_name
from chronos_py.model.job import Kind
from chronos_py.model.labels import read_label
from chronos_py.model.reader import Reader, shown
from chronos_py.services import Application, jobs, runs
from chronos_py.services.jobs import Children

_KINDS: tuple[Kind, ...] = ("schedule", "dependency", "manual")
_CHILDREN: tuple[Children, ...] = ("refuse", "detach", "convert")


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/jobs")
    def list_jobs() -> Response:
        limit = limit_argument()
        disabled = choice_argument("disabled", ("true", "false"))
        choice_argument("sort", ("name",))
        found = jobs.list_jobs(
            app,
            text=request.args.get("q", ""),
            disabled=None if disabled is None else disabled == "true",
            after=request.args.get("cursor", ""),
            limit=limit + 1,
            kind=choice_argument("kind", _KINDS),
            labels=[read_label(text) for text in request.args.getlist("label")],
        )
        following = found[limit - 1].job.name if len(found) > limit else None
        return jsonify(jobs=[job_document(summary) for summary in found[:limit]], next=following)

    @routes.post("/jobs")
    def save_jobs() -> Response:
        body = json_object()
        refuse_unknown_fields(body, ("jobs", "next"))  # a page as GET shows it may come back
        documents = [_without_kept(each.document) for each in Reader(body).objects("jobs")]
        saved = jobs.save_jobs(app, documents, person())
        return jsonify(jobs=[{"name": job.name, "change": change, "revision": job.revision} for job, change in saved])

    @routes.get("/jobs/<name>")
    def get_job(name: str) -> Response:
        return tagged_job(jobs.get_job(app, name))

    @routes.put("/jobs/<name>")
    def put_job(name: str) -> Response:
        job, is_new = jobs.save_job(app, _document(name), person(), expected_revision())
        answer = tagged_job(jobs.view_job(app, job))
        answer.status_code = 201 if is_new else 200
        return answer

    @routes.patch("/jobs/<name>")
    def patch_job(name: str) -> Response:
        job = jobs.patch_job(app, name, _without_kept(json_object()), person(), expected_revision())
        return tagged_job(jobs.view_job(app, job))

    @routes.delete("/jobs/<name>")
    def delete_job(name: str) -> Response:
        children = choice_argument("children", _CHILDREN) or "refuse"
        jobs.delete_job(app, name, person(), children, expected_revision())
        return Response(status=204)

    @routes.post("/jobs/<name>/runs")
    def run_job(name: str) -> Response:
        body = optional_json_object()
        refuse_unknown_fields(body, ("arguments", "environment", "scheduledTime", "withChildren"))
        return run_accepted(
            runs.run_now(
                app,
                name,
                overrides_fields(body),
                person(),
                time_field(body, "scheduledTime"),
                with_children=Reader(body).boolean("withChildren", True),
            )
        )


def _without_kept(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document without what the server keeps, so that what GET shows may come back."""
    return {key: value for key, value in document.items() if key not in KEPT_BY_SERVER}


def _document(name: str) -> dict[str, Any]:
    """The body of a PUT as a job document."""
    document = _without_kept(json_object())
    check_name(name)
    if document.setdefault("name", name) != name:
        raise InvalidDefinition(
            f"name is {shown(document['name'])} but the address says {shown(name)}; make them agree.", "name"
        )
    return document
