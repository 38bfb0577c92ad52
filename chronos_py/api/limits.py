"""/api/limits"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from chronos_py.api.answers import instant
from chronos_py.api.requests import json_object, person, refuse_unknown_fields
from chronos_py.model.policies import MOST_UNITS
from chronos_py.model.reader import Reader
from chronos_py.services import Application, limits
from chronos_py.services.limits import LimitView


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/limits")
    def list_limits() -> Response:
        return jsonify(limits=[_document(view) for view in limits.list_limits(app)])

    @routes.get("/limits/<name>")
    def get_limit(name: str) -> Response:
        return jsonify(_document(limits.get_limit(app, name)))

    @routes.put("/limits/<name>")
    def put_limit(name: str) -> Response:
        body = json_object()
        refuse_unknown_fields(body, ("units", "description"))
        read = Reader(body)
        view, is_new = limits.set_limit(
            app, name, read.integer("units", 0, 1, MOST_UNITS), read.text("description"), person()
        )
        answer = jsonify(_document(view))
        answer.status_code = 201 if is_new else 200
        return answer

    @routes.delete("/limits/<name>")
    def delete_limit(name: str) -> Response:
        limits.delete_limit(app, name)
        return Response(status=204)


def _document(view: LimitView) -> dict[str, Any]:
    limit = view.limit
    return {
        "name": limit.name,
        "units": limit.units,
        "taken": limit.taken,
        "description": limit.description,
        "author": limit.author,
        "updatedAt": instant(limit.updated_at),
        "jobs": list(view.jobs),
    }
