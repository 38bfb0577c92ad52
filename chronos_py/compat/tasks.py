"""What tasks report, and what ends them."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import MethodNotAllowed

from chronos_py.compat.answers import done, person
from chronos_py.compat.coercions import as_number_if_one
from chronos_py.services import Application, runs, tasks
from chronos_py.services.bodies import parse_json_object


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.put("/task/<path:task_id>")
    def report_outcome(task_id: str) -> Response:
        body = parse_json_object(request.get_data())
        tasks.report_outcome(app, task_id, as_number_if_one(body.get("statusCode")))
        return done()

    @routes.post("/job/<name>/task/<path:task_id>/progress")
    def report_progress(name: str, task_id: str) -> Response:
        body = parse_json_object(request.get_data() or b"{}")
        more = as_number_if_one(body.get("numAdditionalElementsProcessed"))
        tasks.report_progress(app, name, task_id, more)
        return done()

    @routes.route("/task/kill/<name>", methods=["DELETE", "PUT"])
    def kill_tasks(name: str) -> Response:
        _refuse_put()
        runs.kill_job_runs(app, name, person())
        return done()

    @routes.route("/task/all", methods=["DELETE", "PUT"])
    def clear_queue() -> Response:
        _refuse_put()
        runs.clear_queue(app, person())
        return done()


def _refuse_put() -> None:
    """What comes after task/ would pass for the id of a task, whose outcome is PUT."""
    if request.method == "PUT":
        raise MethodNotAllowed(["DELETE", "OPTIONS"])
