"""/api/backfills"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from chronos_py.api.answers import instant
from chronos_py.api.requests import (
    LARGEST,
    json_object,
    limit_argument,
    optional_integer_argument,
    optional_json_object,
    person,
    refuse_unknown_fields,
)
from chronos_py.model.reader import Reader
from chronos_py.services import Application, backfills
from chronos_py.services.backfills import BackfillView, Plan

_BACKFILL = f"/backfills/<int(max={LARGEST}):backfill_id>"


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/backfills")
    def list_backfills() -> Response:
        return _page(app, None)

    @routes.get("/jobs/<name>/backfills")
    def list_job_backfills(name: str) -> Response:
        return _page(app, name)

    @routes.post("/jobs/<name>/backfills")
    def backfill_job(name: str) -> Response:
        body = json_object()
        refuse_unknown_fields(body, ("from", "to", "parallel", "withChildren", "force", "dryRun"))
        read = Reader(body)
        first, last, force = read.text("from"), read.text("to"), read.boolean("force", False)
        parallel = read.integer("parallel", 1, 1, backfills.MOST_PARALLEL)
        with_children = read.boolean("withChildren", False)
        if read.boolean("dryRun", False):
            return jsonify(_plan_document(backfills.plan_backfill(app, name, first, last, force)))
        return _accepted(backfills.start_backfill(app, name, first, last, parallel, with_children, force, person()))

    @routes.get(_BACKFILL)
    def get_backfill(backfill_id: int) -> Response:
        return jsonify(_document(backfills.get_backfill(app, backfill_id)))

    @routes.post(f"{_BACKFILL}/cancel")
    def cancel_backfill(backfill_id: int) -> Response:
        body = optional_json_object()
        refuse_unknown_fields(body, ("kill",))
        return _accepted(backfills.cancel_backfill(app, backfill_id, person(), Reader(body).boolean("kill", False)))


def _page(app: Application, job_name: str | None) -> Response:
    limit = limit_argument()
    found = backfills.list_backfills(app, job_name, optional_integer_argument("cursor"), limit + 1)
    following = str(found[limit - 1].backfill.id) if len(found) > limit else None
    return jsonify(backfills=[_document(view) for view in found[:limit]], next=following)


def _accepted(view: BackfillView) -> Response:
    answer = jsonify(_document(view))
    answer.status_code = 202
    answer.headers["Location"] = f"/api/backfills/{view.backfill.id}"
    return answer


def _document(view: BackfillView) -> dict[str, Any]:
    backfill = view.backfill
    return {
        "id": backfill.id,
        "job": backfill.job_name,
        "state": view.state,
        "from": instant(backfill.first),
        "to": instant(backfill.last),
        "parallel": backfill.parallel,
        "withChildren": backfill.with_children,
        "force": backfill.force,
        "requestedBy": backfill.requested_by,
        "createdAt": instant(backfill.created_at),
        "cancelledAt": instant(backfill.cancelled_at),
        "cancelledBy": backfill.cancelled_by,
        "finishedAt": instant(backfill.finished_at),
        "total": view.total,
        "ended": view.ended,
        "runs": {state.value: count for state, count in view.runs.items()},
        "childRuns": {state.value: count for state, count in view.child_runs.items()},
    }


def _plan_document(plan: Plan) -> dict[str, Any]:
    return {
        "from": instant(plan.first),
        "to": instant(plan.last),
        "occurrences": [instant(occurrence) for occurrence in plan.occurrences],
        "leftOut": [
            {"time": instant(each.occurrence), "run": each.run.id, "state": each.run.state.value}
            for each in plan.left_out
        ],
    }
