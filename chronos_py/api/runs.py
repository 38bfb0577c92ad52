"""/api/runs"""

from __future__ import annotations

from typing import Literal

from flask import Blueprint, Response, jsonify

from chronos_py.api.answers import run_accepted, run_detail_document, run_document
from chronos_py.api.requests import (
    LARGEST,
    choice_argument,
    integer_argument,
    limit_argument,
    optional_integer_argument,
    optional_json_object,
    person,
    refuse_unknown_fields,
    states_argument,
)
from chronos_py.model.reader import Reader
from chronos_py.services import Application, logs, runs

_RUN = f"/runs/<int(max={LARGEST}):run_id>"
_STREAMS: tuple[Literal["stdout", "stderr"], ...] = ("stdout", "stderr")


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/runs")
    def list_runs() -> Response:
        return _page(app, None, optional_integer_argument("backfill"))

    @routes.get("/jobs/<name>/runs")
    def list_job_runs(name: str) -> Response:
        return _page(app, name)

    @routes.get(_RUN)
    def get_run(run_id: int) -> Response:
        return jsonify(run_detail_document(runs.get_run(app, run_id)))

    @routes.post(f"{_RUN}/kill")
    def kill_run(run_id: int) -> Response:
        return run_accepted(runs.kill_run(app, run_id, person()))

    @routes.post(f"{_RUN}/rerun")
    def rerun(run_id: int) -> Response:
        body = optional_json_object()
        refuse_unknown_fields(body, ("fromFailure",))
        return run_accepted(runs.rerun(app, run_id, person(), Reader(body).boolean("fromFailure", False)))

    @routes.post(f"{_RUN}/mark-successful")
    def mark_successful(run_id: int) -> Response:
        body = optional_json_object()
        refuse_unknown_fields(body, ("note",))
        return jsonify(run_document(runs.mark_successful(app, run_id, Reader(body).text("note"), person())))

    @routes.get(f"{_RUN}/logs")
    def get_logs(run_id: int) -> Response:
        number = optional_integer_argument("attempt")
        stream = choice_argument("stream", _STREAMS) or "stdout"
        offset = integer_argument("offset", 0, -logs.LIMIT)
        limit = integer_argument("limit", logs.LIMIT, 1, logs.LIMIT)
        chunk = logs.read_log(app, run_id, number, stream, offset, limit)
        # Whatever a task prints is shown as text, never run as a page.
        answer = Response(chunk.data, content_type="text/plain; charset=utf-8")
        answer.headers["Content-Disposition"] = f'inline; filename="run-{run_id}-{stream}.txt"'
        answer.headers["X-Log-Attempt"] = str(chunk.attempt)
        answer.headers["X-Log-Offset"] = str(chunk.offset)
        answer.headers["X-Next-Offset"] = str(chunk.next_offset)
        answer.headers["X-Log-Complete"] = "true" if chunk.complete else "false"
        if chunk.size is not None:
            answer.headers["X-Log-Size"] = str(chunk.size)
        answer.headers["Cache-Control"] = "no-store"
        return answer


def _page(app: Application, job_name: str | None, backfill_id: int | None = None) -> Response:
    limit = limit_argument()
    before = optional_integer_argument("cursor")
    found = runs.list_runs(app, job_name, states_argument(), before, limit + 1, backfill_id)
    following = str(found[limit - 1].id) if len(found) > limit else None
    return jsonify(runs=[run_document(run) for run in found[:limit]], next=following)
