"""/api/jobs"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from chronos_py.api.answers import (
    KEPT_BY_SERVER,
    choice_argument,
    job_document,
    json_object,
    limit_argument,
    optional_json_object,
    overrides_fields,
    person,
    run_document,
    summary_document,
    time_field,
)
from chronos_py.errors import InvalidDefinition
from chronos_py.model.document import check_name, shown
from chronos_py.model.job import Job
from chronos_py.services import Application, jobs, runs


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/jobs")
    def list_jobs() -> Response:
        limit = limit_argument()
        disabled = choice_argument("disabled", ("true", "false"))
        found = jobs.list_jobs(
            app,
            text=request.args.get("q", ""),
            disabled=None if disabled is None else disabled == "true",
            after=request.args.get("cursor", ""),
            limit=limit + 1,
        )
        following = found[limit - 1].job.name if len(found) > limit else None
        return jsonify(jobs=[summary_document(summary) for summary in found[:limit]], next=following)

    @routes.get("/jobs/<name>")
    def get_job(name: str) -> Response:
        summary = jobs.get_job(app, name)
        return _tagged(summary.job, {**summary_document(summary), "children": list(summary.children)})

    @routes.put("/jobs/<name>")
    def put_job(name: str) -> Response:
        document = _document(name)
        job, is_new = jobs.save_job(app, document, person(), _expected_revision())
        answer = _tagged(job, job_document(job))
        answer.status_code = 201 if is_new else 200
        return answer

    @routes.patch("/jobs/<name>")
    def patch_job(name: str) -> Response:
        changes = {key: value for key, value in json_object().items() if key not in KEPT_BY_SERVER}
        job = jobs.patch_job(app, name, changes, person(), _expected_revision())
        return _tagged(job, job_document(job))

    @routes.delete("/jobs/<name>")
    def delete_job(name: str) -> Response:
        children = choice_argument("children", ("refuse", "detach", "convert")) or "refuse"
        jobs.delete_job(app, name, person(), children)  # type: ignore[arg-type]
        return Response(status=204)

    @routes.post("/jobs/<name>/runs")
    def run_job(name: str) -> Response:
        body = optional_json_object()
        run = runs.run_now(app, name, overrides_fields(body), person(), time_field(body, "scheduledTime"))
        answer = jsonify(run_document(run))
        answer.status_code = 202
        answer.headers["Location"] = f"/api/runs/{run.id}"
        return answer


def _document(name: str) -> dict[str, Any]:
    """The body of a PUT as a job document; what the server keeps, as shown by GET, is left out."""
    document = {key: value for key, value in json_object().items() if key not in KEPT_BY_SERVER}
    check_name(name)
    if document.setdefault("name", name) != name:
        raise InvalidDefinition(
            f"name is {shown(document['name'])} but the address says {shown(name)}; make them agree.", "name"
        )
    return document


def _expected_revision() -> int | None:
    """The revision of ``If-Match``, 0 for ``If-None-Match: *``, None when the client does not mind."""
    if request.headers.get("If-None-Match", "").strip() == "*":
        return 0
    tag = request.headers.get("If-Match", "").strip()
    if tag in ("", "*"):
        return None
    number = tag.removeprefix("W/").strip('"')
    if not number.isdigit():
        raise InvalidDefinition(f"If-Match is {shown(tag)} but must be an ETag that this server gave.", "If-Match")
    return int(number)


def _tagged(job: Job, document: dict[str, Any]) -> Response:
    answer = jsonify(document)
    answer.headers["ETag"] = f'"{job.revision}"'
    return answer
