"""/api/backfills"""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.client import Client

JOB = {"command": "true", "schedule": "R/2026-01-01T03:00:00Z/P1D"}
THREE_DAYS = {"from": "2026-02-01", "to": "2026-02-03"}


@pytest.fixture(autouse=True)
def jobs(client: Client) -> None:
    client.put("/api/jobs/load", json=JOB)
    client.put("/api/jobs/child", json={"command": "true", "parents": ["load"]})


def test_a_dry_run_only_tells(client: Client) -> None:
    answer = client.post("/api/jobs/load/backfills", json={**THREE_DAYS, "dryRun": True})
    assert answer.status_code == 200
    assert answer.json == {
        "from": "2026-02-01T00:00:00Z",
        "to": "2026-02-03T23:59:59.999999Z",
        "occurrences": [f"2026-02-0{day}T03:00:00Z" for day in (1, 2, 3)],
        "leftOut": [],
    }
    assert client.get("/api/backfills").json["backfills"] == []


def test_a_backfill_from_start_to_cancel(client: Client) -> None:
    started = client.post("/api/jobs/load/backfills", json={**THREE_DAYS, "parallel": 2, "withChildren": True})
    assert started.status_code == 202
    found = client.get(started.headers["Location"]).json
    assert found == started.json
    assert (found["job"], found["state"], found["total"], found["ended"]) == ("load", "running", 3, 0)
    assert (found["parallel"], found["withChildren"], found["runs"]) == (2, True, {"queued": 3})
    runs = client.get(f"/api/runs?backfill={found['id']}").json["runs"]
    assert {run["trigger"] for run in runs} == {"backfill"}
    assert {run["backfill"] for run in runs} == {found["id"]}
    cancelled = client.post(f"/api/backfills/{found['id']}/cancel")
    assert (cancelled.status_code, cancelled.json["state"]) == (202, "cancelled")
    assert client.post(f"/api/backfills/{found['id']}/cancel").status_code == 409
    assert client.get("/api/jobs/load/backfills").json["backfills"] == [cancelled.json]
    assert client.get("/api/backfills").json == {"backfills": [cancelled.json], "next": None}


def test_what_stands_is_left_out(client: Client) -> None:
    client.post("/api/jobs/load/backfills", json={"from": "2026-02-02", "to": "2026-02-02"})
    plan = client.post("/api/jobs/load/backfills", json={**THREE_DAYS, "force": True, "dryRun": True}).json
    assert [each["time"] for each in plan["leftOut"]] == ["2026-02-02T03:00:00Z"]
    assert plan["leftOut"][0]["state"] == "queued"
    assert client.post("/api/jobs/load/backfills", json={"from": "2026-02-02", "to": "2026-02-02"}).status_code == 409


def test_pages(client: Client) -> None:
    for day in (1, 2, 3):
        client.post("/api/jobs/load/backfills", json={"from": f"2026-02-0{day}", "to": f"2026-02-0{day}"})
    page = client.get("/api/backfills?limit=2").json
    assert [each["id"] for each in page["backfills"]] == [3, 2]
    assert [each["id"] for each in client.get(f"/api/backfills?cursor={page['next']}").json["backfills"]] == [1]


@pytest.mark.parametrize(
    ("job", "body", "status", "field"),
    [
        ("load", {}, 400, "from"),
        ("load", {"from": "2026-02-01"}, 400, "to"),
        ("load", {"from": 5, "to": "2026-02-01"}, 400, "from"),
        ("load", {**THREE_DAYS, "parallel": 0}, 400, "parallel"),
        ("load", {**THREE_DAYS, "parallel": 10**9}, 400, "parallel"),
        ("load", {**THREE_DAYS, "force": "yes"}, 400, "force"),
        ("load", {**THREE_DAYS, "dry_run": True}, 400, "dry_run"),
        ("load", {"from": "9999-12-31", "to": "9999-12-31"}, 400, "from"),
        ("load", {"from": "0001-01-01", "to": "0001-01-01"}, 400, "to"),
        ("load", {"from": "0001-01-01", "to": "2025-12-31"}, 400, "from"),
        ("child", THREE_DAYS, 400, "schedule"),
        ("nobody", THREE_DAYS, 404, None),
    ],
)
def test_what_cannot_be_backfilled(client: Client, job: str, body: Any, status: int, field: str | None) -> None:
    answer = client.post(f"/api/jobs/{job}/backfills", json=body)
    assert (answer.status_code, answer.json.get("field")) == (status, field), answer.json
    assert client.get("/api/backfills").json["backfills"] == []


@pytest.mark.parametrize("path", ["/api/backfills/99", "/api/backfills/0", "/api/jobs/nobody/backfills"])
def test_what_is_not_there(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404
