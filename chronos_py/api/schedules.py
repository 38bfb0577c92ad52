"""/api/schedules"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from chronos_py.api.answers import instant
from chronos_py.api.requests import json_object, refuse_unknown_fields, time_field
from chronos_py.model.reader import Reader
from chronos_py.services import Application
from chronos_py.services.schedules import FIELDS, MOST, preview_schedule


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.post("/schedules/preview")
    def preview() -> Response:
        body = json_object()
        refuse_unknown_fields(body, (*FIELDS, "count", "from", "name"))
        read = Reader(body)
        found = preview_schedule(
            app,
            {field: body[field] for field in FIELDS if field in body},
            read.integer("count", 10, 1, MOST),
            time_field(body, "from"),
            read.text("name"),
        )
        return jsonify(next=[instant(time) for time in found.next], description=found.description, notes=found.notes)
