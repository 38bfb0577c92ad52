"""/api/limits, and what runs can be asked after they ended."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.client import Client


def test_a_limit_is_created_changed_and_deleted(client: Client) -> None:
    created = client.put("/api/limits/warehouse-db", json={"units": 3, "description": "the warehouse"})
    assert created.status_code == 201
    assert (created.json["units"], created.json["taken"], created.json["jobs"]) == (3, 0, [])
    changed = client.put("/api/limits/warehouse-db", json={"units": 5})
    assert (changed.status_code, changed.json["units"]) == (200, 5)
    assert client.get("/api/limits").json["limits"] == [client.get("/api/limits/warehouse-db").json]
    assert client.delete("/api/limits/warehouse-db").status_code == 204
    assert client.get("/api/limits/warehouse-db").status_code == 404
    assert client.delete("/api/limits/warehouse-db").status_code == 404


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("db", {}, "units"),
        ("db", {"units": 0}, "units"),
        ("db", {"units": "3"}, "units"),
        ("db", {"units": 3, "size": 3}, "size"),
        ("a b", {"units": 3}, "name"),
        ("x" * 101, {"units": 3}, "name"),
    ],
)
def test_what_is_no_limit(client: Client, name: str, body: Any, field: str) -> None:
    answer = client.put(f"/api/limits/{name}", json=body)
    assert (answer.status_code, answer.json["field"]) == (400, field)
    assert client.get("/api/limits").json["limits"] == []


def test_a_limit_that_a_job_shares_is_kept_and_an_unknown_one_refused(client: Client) -> None:
    job = {"command": "true", "concurrencyLimits": ["db"]}
    refused = client.put("/api/jobs/load", json=job)
    assert (refused.status_code, refused.json["field"]) == (400, "concurrencyLimits")
    client.put("/api/limits/db", json={"units": 1})
    assert client.put("/api/jobs/load", json=job).status_code == 201
    kept = client.delete("/api/limits/db")
    assert (kept.status_code, "load" in kept.json["detail"]) == (409, True)
    assert client.get("/api/limits/db").json["jobs"] == ["load"]
    client.delete("/api/jobs/load")
    assert client.delete("/api/limits/db").status_code == 204


def killed_run(client: Client) -> int:
    client.put("/api/jobs/load", json={"command": "true"})
    client.put("/api/jobs/report", json={"command": "true", "parents": ["load"]})
    run_id: int = client.post("/api/jobs/load/runs").json["id"]
    client.post(f"/api/runs/{run_id}/kill")
    return run_id


def test_a_run_is_run_again_alone_or_from_there(client: Client) -> None:
    run_id = killed_run(client)
    alone = client.post(f"/api/runs/{run_id}/rerun").json
    assert (alone["trigger"], alone["startsChildren"], alone["parentRun"]) == ("rerun", False, run_id)
    onward = client.post(f"/api/runs/{run_id}/rerun", json={"fromFailure": True}).json
    assert onward["startsChildren"] is True
    assert client.post(f"/api/runs/{run_id}/rerun", json={"from_failure": True}).status_code == 400
    assert client.post(f"/api/runs/{run_id}/rerun", json={"fromFailure": "yes"}).json["field"] == "fromFailure"


def test_a_failure_is_overruled(client: Client) -> None:
    run_id = killed_run(client)
    marked = client.post(f"/api/runs/{run_id}/mark-successful", json={"note": "done by hand"})
    assert marked.status_code == 200
    assert (marked.json["state"], marked.json["outcome"]) == ("killed", "success")
    assert marked.json["note"] == "marked successful: done by hand"
    (report,) = client.get("/api/jobs/report/runs").json["runs"]
    assert (report["state"], report["parentRun"]) == ("queued", run_id)
    assert client.post(f"/api/runs/{run_id}/mark-successful").status_code == 409
    assert client.post("/api/runs/99/mark-successful").status_code == 404
    assert client.post(f"/api/runs/{run_id}/mark-successful", json={"note": 5}).json["field"] == "note"


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"])
def test_a_forced_run_for_a_time_that_no_job_has(client: Client, moment: str) -> None:
    client.put("/api/jobs/load", json={"command": "true", "schedule": "@daily", "highPriority": True})
    answer = client.post("/api/jobs/load/runs", json={"scheduledTime": moment})
    assert (answer.status_code, answer.json["field"]) == (400, "scheduledTime")
    assert client.get("/api/jobs/load/runs").json["runs"] == []


def test_a_forced_run_without_children_and_what_it_waits_for(client: Client) -> None:
    client.put("/api/jobs/load", json={"command": "true"})
    run = client.post("/api/jobs/load/runs", json={"withChildren": False}).json
    assert run["startsChildren"] is False
    assert client.get(f"/api/runs/{run['id']}").json["waitsFor"].startswith("room in the pool")
    assert client.post("/api/jobs/load/runs", json={"withChildren": "no"}).json["field"] == "withChildren"
