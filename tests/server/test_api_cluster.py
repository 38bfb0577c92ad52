"""The graph, the leader, and whether a node lives and can work."""

from __future__ import annotations

from contextlib import AbstractContextManager

import pytest
from sqlalchemy import Connection

from chronos_py.errors import DatabaseUnavailable
from chronos_py.services import Application
from chronos_py.store.database import Database
from tests.server.client import Client


def test_graph(client: Client) -> None:
    for name, parents in {"a": [], "b": ["a"], "c": ["a", "b"]}.items():
        client.put(f"/api/jobs/{name}", json={"command": "true", "parents": parents})
    client.post("/api/jobs/a/runs")
    assert client.get("/api/graph").json == {
        "nodes": [
            {"name": "a", "state": "queued"},
            {"name": "b", "state": "fresh"},
            {"name": "c", "state": "fresh"},
        ],
        "edges": [
            {"parent": "a", "child": "b"},
            {"parent": "a", "child": "c"},
            {"parent": "b", "child": "c"},
        ],
    }


def test_leader_of_a_cluster_that_has_none(client: Client) -> None:
    assert client.get("/api/leader").json == {
        "leader": None,
        "epoch": 0,
        "since": None,
        "isLeader": False,
        "address": "127.0.0.1:4400",
        "pool": "process",
    }


def test_alive_and_ready(client: Client) -> None:
    assert client.get("/healthz").data == b"ok\n"
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json) == (200, {"ready": True, "problems": []})


def test_a_problem_is_a_reason_not_to_be_ready(client: Client, application: Application) -> None:
    application.health.report("pool", "The pool cannot be reached.")
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json) == (503, {"ready": False, "problems": ["The pool cannot be reached."]})
    assert client.get("/healthz").status_code == 200
    application.health.clear("pool")
    assert client.get("/readyz").status_code == 200


def test_without_a_database(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The connections break, not the database: what a lost one does is tested on a real PostgreSQL elsewhere."""

    def cut(self: Database, *_: object) -> AbstractContextManager[Connection]:
        raise DatabaseUnavailable("The database cannot be used: the wire is cut.")

    monkeypatch.setattr(Database, "read", cut)
    monkeypatch.setattr(Database, "write", cut)
    assert client.get("/healthz").status_code == 200
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json["problems"]) == (503, ["The database cannot be used: the wire is cut."])
    for answer in (client.get("/api/jobs"), client.put("/api/jobs/a", json={"command": "true"})):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert answer.json["detail"] == "The database cannot be used: the wire is cut."
    old = client.get("/scheduler/jobs")
    assert (old.status_code, old.json["status"]) == (503, "Service Unavailable")
    said = "Request PUT /api/jobs/a could not be served: The database cannot be used: the wire is cut."
    assert said in caplog.messages
