"""/api/openapi.json and /api/docs"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, render_template

from chronos_py.api.openapi import describe
from chronos_py.services import Application


def add_routes(routes: Blueprint, app: Application) -> None:
    document = describe()

    @routes.get("/openapi.json")
    def openapi() -> Response:
        return jsonify(document)

    @routes.get("/docs")
    def docs() -> Response:
        return Response(render_template("api_docs.html", document=document), content_type="text/html; charset=utf-8")
