"""/ping and who leads."""

from __future__ import annotations

from flask import Blueprint, Response, request

from chronos_py.compat.answers import json_answer
from chronos_py.services import Application
from chronos_py.services.cluster import view_cluster


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/ping")
    def ping() -> Response:
        answer = Response("pong\n", content_type="text/plain;charset=UTF-8")
        answer.headers["Cache-Control"] = "must-revalidate,no-cache,no-store"
        if origin := request.headers.get("Origin"):  # as in the original; the one word tells nobody anything
            answer.headers["Access-Control-Allow-Origin"] = origin
            answer.headers["Access-Control-Allow-Credentials"] = "true"
            answer.headers["Vary"] = "Origin"
        return answer

    add_leader_route(routes, app)


def add_leader_route(routes: Blueprint, app: Application) -> None:
    @routes.get("/leader")
    def leader() -> Response:
        return json_answer({"leader": view_cluster(app).leadership.address})
