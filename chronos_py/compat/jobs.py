"""Jobs and runs the Chronos way."""

from __future__ import annotations

import shlex
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import UnsupportedMediaType

from chronos_py.compat.answers import done, json_answer, person
from chronos_py.compat.coercions import as_text, as_word
from chronos_py.compat.documents import read_document, write_document
from chronos_py.errors import InvalidDefinition, NotFound
from chronos_py.model.job import Definition, Job
from chronos_py.model.reader import shown
from chronos_py.model.run import Overrides
from chronos_py.services import Application, jobs, runs
from chronos_py.services.bodies import parse_json_object


def add_routes(routes: Blueprint, app: Application, generation: str) -> None:
    _add_writes(routes, app)
    _add_reads(routes, app, generation)

    @routes.put("/job/<name>")
    def run_job(name: str) -> Response:
        overrides = None
        if arguments := request.args.get("arguments"):
            overrides = Overrides(_arguments(arguments, jobs.get_job(app, name).job.definition))
        runs.run_now(app, name, overrides, person(), even_if_disabled=False)
        return done()

    @routes.delete("/job/<name>")
    def delete_job(name: str) -> Response:
        jobs.delete_job(app, name, person(), children="convert")
        return done()

    @routes.put("/job/success/<name>")
    def mark_successful(name: str) -> Response:
        """Text that calls itself JSON, and 200 whatever comes: clients read its last word."""
        try:
            runs.mark_job_successful(app, name, person())
        except NotFound:
            return _marked(name, False)
        return _marked(name, True)


def _marked(name: str, is_marked: bool) -> Response:
    text = f"marked job {name} as successful: {str(is_marked).lower()}"
    return Response(text, content_type="application/json")


def _add_writes(routes: Blueprint, app: Application) -> None:
    @routes.route("/iso8601", methods=["POST", "PUT"])
    def save_scheduled() -> Response:
        body = _body()
        if body.get("parents"):
            raise InvalidDefinition(
                f"parents is {shown(body['parents'])}, but iso8601 takes jobs with a schedule;"
                " send dependent jobs to dependency.",
                "parents",
            )
        if body.get("schedule") is None:
            body["schedule"] = "R1//PT24H"  # neither schedule nor parents means: once, now
        elif not as_word(body["schedule"]).strip():
            raise InvalidDefinition(
                f"schedule is {shown(body['schedule'])} but must be an ISO 8601 repeating interval"
                " such as R/2026-01-01T03:00:00Z/P1D, or a cron expression.",
                "schedule",
            )
        return _save(app, body)

    @routes.route("/dependency", methods=["POST", "PUT"])
    def save_dependent() -> Response:
        body = _body()
        if not body.get("parents"):
            raise InvalidDefinition("Error, parent does not exist: parents is empty; name at least one.", "parents")
        if not isinstance(body["parents"], list):
            raise InvalidDefinition(f"parents is {shown(body['parents'])} but must be a list of names.", "parents")
        return _save(app, body)


def _add_reads(routes: Blueprint, app: Application, generation: str) -> None:
    @routes.get("/jobs")
    def list_jobs() -> Response:
        found = jobs.list_jobs(app, last_runs=0)
        epsilon = app.defaults.epsilon
        return json_answer([write_document(summary.job, generation, epsilon) for summary in found])

    @routes.get("/job/<name>")
    def get_job(name: str) -> Response:
        return json_answer(write_document(jobs.get_job(app, name).job, generation, app.defaults.epsilon))


def _save(app: Application, body: dict[str, Any]) -> Response:
    document, counters = read_document(body, _present(app, as_text(body.get("name"))), app.defaults.epsilon)
    jobs.save_job(app, document, person(), counters=counters)
    return done()


def _present(app: Application, name: str) -> Job | None:
    try:
        return jobs.get_job(app, name).job
    except NotFound:
        return None


def _body() -> dict[str, Any]:
    """The body, which has to be announced as JSON, as the original asks."""
    if not request.is_json:
        raise UnsupportedMediaType(
            f"Content-Type is {shown(request.content_type or '')} but must be application/json."
        )
    return parse_json_object(request.get_data())


def _arguments(text: str, definition: Definition) -> tuple[str, ...]:
    """A shell line gets them as they are, behind it; a program gets them one by one."""
    if definition.shell and definition.command:
        return (text,)
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise InvalidDefinition(f"arguments is {shown(text)}, which has an open quote.", "arguments") from error
