"""/api/graph, /api/leader, /healthz and /readyz"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from chronos_py.api.answers import instant
from chronos_py.services import Application
from chronos_py.services.cluster import readiness, view_cluster, view_graph


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/graph")
    def graph() -> Response:
        found = view_graph(app)
        return jsonify(
            nodes=[{"name": name, "state": state} for name, state in found.nodes.items()],
            edges=[{"parent": parent, "child": child} for parent, child in found.edges],
        )

    @routes.get("/leader")
    def leader() -> Response:
        view = view_cluster(app)
        return jsonify(
            leader=view.leadership.address or None,
            epoch=view.leadership.epoch,
            since=instant(view.leadership.acquired_at),
            isLeader=view.is_leader,
            address=view.address,
            pool=view.pool,
        )


def add_health_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", content_type="text/plain; charset=utf-8")

    @routes.get("/readyz")
    def readyz() -> Response:
        problems = readiness(app)
        answer = jsonify(ready=not problems, problems=problems)
        answer.status_code = 503 if problems else 200
        return answer
