"""/api/graph, /api/leader, /api/cluster, /healthz and /readyz"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify

from chronos_py.api.answers import instant
from chronos_py.services import Application
from chronos_py.services.cluster import readiness, view_cluster, view_graph
from chronos_py.services.standing import ClusterNode, Room, Standing, view_standing


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

    @routes.get("/cluster")
    def cluster() -> Response:
        return jsonify(_standing(view_standing(app)))


def _standing(found: Standing) -> dict[str, Any]:
    pool, database = found.pool, found.database
    return {
        "leader": found.leader or None,
        "epoch": found.leadership.epoch,
        "since": instant(found.leadership.acquired_at),
        "election": found.election,
        "nodes": [_node(node) for node in found.nodes],
        "lag": asdict(found.lag),
        "oldestDue": instant(found.oldest_due),
        "jobs": found.job_count,
        "unfinished": {state.value: count for state, count in found.counts.items()},
        "waiting": [{"reason": group.reason, "runs": [run.id for run in group.runs]} for group in found.waiting],
        "pool": {
            "name": pool.name,
            "problem": pool.problem,
            "slotsFree": pool.capacity.slots_free,
            **_room(pool.capacity),
            "hosts": [
                {
                    "name": host.name,
                    "state": host.state,
                    "attributes": dict(host.attributes),
                    "engine": host.engine,
                    **_room(host),
                }
                for host in pool.nodes
            ],
        },
        "database": {
            "version": database.facts.version,
            "url": database.url,
            "sizeBytes": database.facts.size_bytes,
            "revision": database.revision,
            "pingSeconds": database.ping.total_seconds(),
        },
        "zookeeper": None if found.zookeeper is None else asdict(found.zookeeper),
        "problems": list(found.problems),
    }


def _node(node: ClusterNode) -> dict[str, Any]:
    return {
        "address": node.facts.address,
        "host": node.facts.host,
        "version": node.facts.version,
        "pool": node.facts.pool,
        "startedAt": instant(node.facts.started_at),
        "secondsSinceSeen": round(node.seconds_ago, 3),
        "isAway": node.is_away,
        "isLeader": node.is_leader,
        "isThis": node.is_this,
    }


def _room(room: Room) -> dict[str, float | None]:
    return {
        "cpusTotal": room.cpus_total,
        "cpusFree": room.cpus_free,
        "memoryTotalMb": room.memory_total_mb,
        "memoryFreeMb": room.memory_free_mb,
    }


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
