"""/api/calendars"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from chronos_py.api.answers import instant
from chronos_py.api.requests import expected_revision, integer_argument, json_object, person
from chronos_py.services import Application, calendars
from chronos_py.services.calendars import CalendarView


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/calendars")
    def list_calendars() -> Response:
        found = calendars.list_calendars(app)
        return jsonify(
            calendars=[{**each.document, "revision": each.revision} for each in found], builtIn=calendars.built_in()
        )

    @routes.get("/calendars/<name>")
    def get_calendar(name: str) -> Response:
        this_year = app.clock.now().year
        view = calendars.get_calendar(app, name, integer_argument("year", this_year, 1, 9999))
        return _tagged(view)

    @routes.put("/calendars/<name>")
    def put_calendar(name: str) -> Response:
        _, is_new = calendars.save_calendar(app, name, json_object(), person(), expected_revision())
        answer = _tagged(calendars.get_calendar(app, name))
        answer.status_code = 201 if is_new else 200
        return answer

    @routes.delete("/calendars/<name>")
    def delete_calendar(name: str) -> Response:
        calendars.delete_calendar(app, name)
        return Response(status=204)


def _tagged(view: CalendarView) -> Response:
    answer = jsonify(_document(view))
    if view.stored is not None:
        answer.headers["ETag"] = f'"{view.stored.revision}"'
    return answer


def _document(view: CalendarView) -> dict[str, Any]:
    stored = view.stored
    return {
        "name": view.name,
        "builtIn": stored is None,
        "revision": 0 if stored is None else stored.revision,
        "definition": None if stored is None else stored.document,
        "updatedAt": None if stored is None else instant(stored.updated_at),
        "author": "" if stored is None else stored.author,
        "year": view.year,
        "days": [{"date": day.isoformat(), "name": label} for day, label in view.days],
        "jobs": list(view.jobs),
    }
