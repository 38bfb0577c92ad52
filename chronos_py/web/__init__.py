"""Pages."""
from __future__ import annotations
from flask import Blueprint, Response
from chronos_py.services import Application
def blueprint(app: Application) -> Blueprint:
    routes = Blueprint("web", __name__)
    return routes
def error(status: int, detail: str) -> Response:
    return Response(detail, status, content_type="text/plain")
