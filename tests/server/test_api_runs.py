"""/api/runs: force, list, look at, kill, run again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.client import Client


@pytest.fixture(autouse=True)
def jobs(client: Client) -> None:
    for name in ("a", "b"):
        assert client.put(f"/api/jobs/{name}", json={"command": "true"}).status_code == 201


def run(client: Client, job: str = "a", **body: Any) -> dict[str, Any]:
    answer = client.post(f"/api/jobs/{job}/runs", json=body)
    assert answer.status_code == 202, answer.json
    found: dict[str, Any] = answer.json
    assert answer.headers["Location"] == f"/api/runs/{found['id']}"
    return found


def test_force_a_run(client: Client) -> None:
    queued = run(
        client, arguments=["x", "y z"], environment={"A": "<b>", "E": ""}, scheduledTime="2026-01-01T03:00:00+01:00"
    )
    shown = client.get(f"/api/runs/{queued['id']}").json
    assert shown == {**queued, "attempts": [], "waitsFor": "room in the pool, and for the leader to start it"}
    assert shown["overrides"] == {"arguments": ["x", "y z"], "environment": {"A": "<b>", "E": ""}}
    assert (shown["job"], shown["trigger"], shown["state"], shown["reason"]) == ("a", "manual", "queued", "")
    assert shown["scheduledTime"] == "2026-01-01T02:00:00Z"
    assert (shown["occurrences"], shown["scheduledUntil"], shown["revision"]) == (1, None, 1)
    assert (shown["rootRun"], shown["parentRun"], shown["requestedBy"]) == (queued["id"], None, "")
    assert (shown["startedAt"], shown["finishedAt"], shown["attemptCount"]) == (None, None, 0)
    assert shown["notBefore"] == shown["createdAt"]
    assert client.get("/api/jobs/a").json["state"] == "queued"
    assert client.get("/api/jobs/a").json["lastRuns"] == [{"id": queued["id"], "state": "queued"}]


def test_a_forced_run_needs_no_body(client: Client) -> None:
    assert client.post("/api/jobs/a/runs").status_code == 202
    assert client.post("/api/jobs/a/runs", json={"arguments": None, "environment": None}).status_code == 202
    assert client.post("/api/jobs/none/runs").status_code == 404


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"arguments": "x"}, "arguments", 'arguments is "x" but must be a list of texts.'),
        ({"arguments": [1]}, "arguments", "arguments is [1]"),
        ({"environment": ["A=1"]}, "environment", 'environment is ["A=1"]'),
        ({"environment": {"A": 1}}, "environment", 'environment is {"A": 1}'),
        ({"environment": {"A=B": "1"}}, "environment", '"A=B"'),
        ({"environment": {"": "1"}}, "environment", '""'),
        ({"environment": {"A": "\x00"}}, "environment", "NUL"),
        ({"scheduledTime": "tomorrow"}, "scheduledTime", '"tomorrow"'),
        ({"scheduledTime": "2026-01-01T03:00:00"}, "scheduledTime", "with an offset"),
        ({"scheduledTime": "0001-01-01T00:00:00+14:00"}, "scheduledTime", "0001"),
        ({"scheduledTime": 5}, "scheduledTime", "scheduledTime is 5"),
        ({"argument": []}, "argument", 'There is no field "argument" here'),
    ],
)
def test_overrides_that_cannot_be(client: Client, body: Any, field: str, words: str) -> None:
    answer = client.post("/api/jobs/a/runs", json=body)
    assert answer.status_code == 400
    assert answer.json["field"] == field
    assert words in answer.json["detail"]
    assert client.get("/api/runs").json["runs"] == []


def test_list_filters_and_pages(client: Client) -> None:
    ids = [run(client, job)["id"] for job in ("a", "b", "a")]
    client.post(f"/api/runs/{ids[1]}/kill")

    def listed(path: str) -> list[int]:
        return [found["id"] for found in client.get(path).json["runs"]]

    assert listed("/api/runs") == ids[::-1]
    assert listed("/api/jobs/a/runs") == [ids[2], ids[0]]
    assert listed("/api/runs?state=killed") == [ids[1]]
    assert listed("/api/runs?state=killed,queued&limit=2") == [ids[2], ids[1]]
    assert listed("/api/jobs/b/runs?state=queued") == []
    page = client.get("/api/runs?limit=2").json
    assert page["next"] == str(ids[1])
    last = client.get(f"/api/runs?limit=2&cursor={page['next']}").json
    assert ([found["id"] for found in last["runs"]], last["next"]) == ([ids[0]], None)
    assert client.get("/api/jobs/none/runs").status_code == 404


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("state=done", 'state is "done" but must be one of queued, starting,'),
        ("state=queued,done", 'state is "done"'),
        ("cursor=first", 'cursor is "first"'),
        ("cursor=0", 'cursor is "0"'),
        ("limit=501", 'limit is "501"'),
        ("status=failed", 'There is no query parameter "status" here; known: '),
    ],
)
def test_unknown_query_values_are_named(client: Client, query: str, words: str) -> None:
    for path in ("/api/runs", "/api/jobs/a/runs"):
        answer = client.get(f"{path}?{query}")
        assert answer.status_code == 400
        assert words in answer.json["detail"]


def test_kill_a_waiting_run(client: Client) -> None:
    run_id = run(client)["id"]
    killed = client.post(f"/api/runs/{run_id}/kill")
    assert killed.status_code == 202
    assert (killed.json["state"], killed.json["reason"]) == ("killed", "killed")
    assert killed.json["finishedAt"]
    assert killed.json["notBefore"] is None
    again = client.post(f"/api/runs/{run_id}/kill")
    assert again.status_code == 409
    assert "has ended already" in again.json["detail"]


def test_run_the_same_again(client: Client) -> None:
    first = run(client, arguments=["x"], scheduledTime="2026-01-01T00:00:00Z")
    refused = client.post(f"/api/runs/{first['id']}/rerun")
    assert refused.status_code == 409
    assert "not ended yet" in refused.json["detail"]
    client.post(f"/api/runs/{first['id']}/kill")
    again = client.post(f"/api/runs/{first['id']}/rerun")
    assert again.status_code == 202
    assert (again.json["trigger"], again.json["parentRun"]) == ("rerun", first["id"])
    assert again.json["overrides"] == first["overrides"]
    assert again.json["scheduledTime"] == "2026-01-01T00:00:00Z"


def test_runs_that_are_not_there(client: Client) -> None:
    for number in ("7", "0", "9" * 18):
        assert client.get(f"/api/runs/{number}").json["detail"] == f"Run {number} not found."
    for path in ("/api/runs/7/kill", "/api/runs/7/rerun"):
        assert client.post(path).status_code == 404
    assert client.get("/api/runs/7/logs").status_code == 404
    for number in ("x", "-1", "1.5", "9" * 30):
        answer = client.get(f"/api/runs/{number}")
        assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


def test_the_runs_of_a_deleted_job_stay(client: Client) -> None:
    run_id = run(client)["id"]
    assert client.delete("/api/jobs/a").status_code == 204
    shown = client.get(f"/api/runs/{run_id}").json
    assert (shown["job"], shown["state"], shown["reason"]) == ("a", "killed", "deleted")
    assert client.post(f"/api/runs/{run_id}/rerun").status_code == 404


def test_the_log_of_a_run_that_has_not_begun(client: Client) -> None:
    run_id = run(client)["id"]
    answer = client.get(f"/api/runs/{run_id}/logs")
    assert (answer.status_code, answer.data) == (200, b"")
    assert (answer.headers["X-Next-Offset"], answer.headers["X-Log-Complete"]) == ("0", "false")
    assert client.get(f"/api/runs/{run_id}/logs?attempt=1").status_code == 404
    client.post(f"/api/runs/{run_id}/kill")
    assert client.get(f"/api/runs/{run_id}/logs?offset=5").headers["X-Log-Complete"] == "true"


@pytest.mark.parametrize("query", ["stream=both", "offset=x", "limit=0", "attempt=0", "attempt=x", "follow=1"])
def test_unknown_log_queries(client: Client, query: str) -> None:
    answer = client.get(f"/api/runs/{run(client)['id']}/logs?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.json["detail"]
