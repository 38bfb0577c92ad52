"""/api/runs"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from chronos_py.api.answers import (
    attempt_document,
    choice_argument,
    integer_argument,
    limit_argument,
    person,
    run_document,
    states_argument,
)
from chronos_py.model.run import Run
from chronos_py.services import Application, logs, runs

_LARGEST = 2**62


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/runs")
    def list_runs() -> Response:
        return _page(app, None)

    @routes.get("/jobs/<name>/runs")
    def list_job_runs(name: str) -> Response:
        return _page(app, name)

    @routes.get("/runs/<int:run_id>")
    def get_run(run_id: int) -> Response:
        detail = runs.get_run(app, run_id)
        attempts = [attempt_document(attempt) for attempt in detail.attempts]
        return jsonify({**run_document(detail.run), "attempts": attempts})

    @routes.post("/runs/<int:run_id>/kill")
    def kill_run(run_id: int) -> Response:
        return _accepted(runs.kill_run(app, run_id, person()))

    @routes.post("/runs/<int:run_id>/rerun")
    def rerun(run_id: int) -> Response:
        return _accepted(runs.rerun(app, run_id, person()))

    @routes.get("/runs/<int:run_id>/logs")
    def get_logs(run_id: int) -> Response:
        stream = choice_argument("stream", ("stdout", "stderr")) or "stdout"
        chunk = logs.read_log(
            app,
            run_id,
            integer_argument("attempt", None, 1, _LARGEST),
            "stderr" if stream == "stderr" else "stdout",
            integer_argument("offset", 0, 0, _LARGEST) or 0,
            limit_argument(logs.LIMIT, logs.LIMIT),
        )
        answer = Response(chunk.data, content_type="text/plain; charset=utf-8")
        answer.headers["X-Next-Offset"] = str(chunk.next_offset)
        answer.headers["X-Log-Complete"] = "true" if chunk.complete else "false"
        answer.headers["Cache-Control"] = "no-store"
        return answer


def _page(app: Application, job_name: str | None) -> Response:
    limit = limit_argument()
    before = integer_argument("cursor", None, 1, _LARGEST)
    found = runs.list_runs(app, job_name, states_argument(), before, limit + 1)
    following = str(found[limit - 1].id) if len(found) > limit else None
    return jsonify(runs=[run_document(run) for run in found[:limit]], next=following)


def _accepted(run: Run) -> Response:
    answer = jsonify(run_document(run))
    answer.status_code = 202
    answer.headers["Location"] = f"/api/runs/{run.id}"
    return answer
