"""Jobs and runs the Chronos way."""

from __future__ import annotations

import shlex
from typing import Any

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import UnsupportedMediaType

from chronos_py.compat.answers import done, json_answer
from chronos_py.compat.documents import read_document, restore_schedule, write_document
from chronos_py.errors import InvalidDefinition, NotFound
from chronos_py.model.document import shown
from chronos_py.model.run import Overrides
from chronos_py.services import Application, jobs, runs


def add_routes(routes: Blueprint, app: Application, generation: str) -> None:
    _add_writes(routes, app)
    _add_reads(routes, app, generation)

    @routes.put("/job/<name>")
    def run_job(name: str) -> Response:
        arguments = request.args.get("arguments")
        overrides = None if not arguments else Overrides(tuple(_split(arguments)))
        runs.run_now(app, name, overrides, _person(), even_if_disabled=False)
        return done()

    @routes.delete("/job/<name>")
    def delete_job(name: str) -> Response:
        jobs.delete_job(app, name, _person(), children="convert")
        return done()

    @routes.delete("/task/kill/<name>")
    def kill_tasks(name: str) -> Response:
        runs.kill_job_runs(app, name, _person())
        return done()


def _add_writes(routes: Blueprint, app: Application) -> None:
    @routes.route("/iso8601", methods=["POST", "PUT"])
    def save_scheduled() -> Response:
        body = _body()
        if body.get("parents"):
            raise InvalidDefinition("parents is given; send dependent jobs to dependency.", "parents")
        if not body.get("schedule"):
            body["schedule"] = "R1//PT24H"  # neither schedule nor parents means: once, now
        return _save(app, body)

    @routes.route("/dependency", methods=["POST", "PUT"])
    def save_dependent() -> Response:
        body = _body()
        if not body.get("parents"):
            raise InvalidDefinition("Error, parent does not exist: parents is empty; name at least one.", "parents")
        return _save(app, body)


def _add_reads(routes: Blueprint, app: Application, generation: str) -> None:
    @routes.get("/jobs")
    def list_jobs() -> Response:
        return json_answer([write_document(summary.job, generation) for summary in jobs.list_jobs(app)])

    @routes.get("/job/<name>")
    def get_job(name: str) -> Response:
        return json_answer(write_document(jobs.get_job(app, name).job, generation))


def _save(app: Application, body: dict[str, Any]) -> Response:
    document, counters = read_document(body)
    try:
        present = jobs.get_job(app, document["name"]).job
    except NotFound:
        present = None
    restore_schedule(document, present)
    jobs.save_job(app, document, _person(), counters=counters)
    return done()


def _body() -> dict[str, Any]:
    """The body, which has to be announced as JSON, like the original asks. Raises InvalidDefinition."""
    if not request.is_json:
        raise UnsupportedMediaType(
            f"Content-Type is {shown(request.content_type or '')} but must be application/json."
        )
    body = request.get_json(silent=True)
    if body is None:
        raise InvalidDefinition("The request body is not JSON; send a job as a JSON object.")
    if not isinstance(body, dict):
        raise InvalidDefinition(f"The request body is {shown(body)} but must be a JSON object.")
    return body


def _split(arguments: str) -> list[str]:
    try:
        return shlex.split(arguments)
    except ValueError:
        return [arguments]


def _person() -> str:
    name: str = g.get("person", "")
    return name
