"""Chronos' job resources under both prefixes: the status codes and bodies that old clients rely on."""

from __future__ import annotations

import os
import pwd
from typing import Any

import pytest

from tests.server.client import Answer, Client

SCHEDULED = {"name": "a", "command": "true", "owner": "", "disabled": False, "schedule": "R/2030-01-01T03:00:00Z/P1D"}


def post(client: Client, path: str, body: Any, method: str = "POST") -> Answer:
    return client.open(path, method=method, json=body)


def names(client: Client, prefix: str) -> list[str]:
    return [job["name"] for job in client.get(f"{prefix}/jobs").json]


def is_done(answer: Answer) -> None:
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.content_type
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def is_refused(answer: Answer, *words: str) -> None:
    assert answer.status_code == 400, answer.data
    assert answer.content_type == "application/json"
    assert list(answer.json) == ["message", "status"]
    assert answer.json["status"] == "Bad Request"
    assert b"\n" not in answer.data
    for word in words:
        assert word in answer.json["message"]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_create_and_replace(client: Client, prefix: str, method: str) -> None:
    is_done(post(client, f"{prefix}/iso8601", SCHEDULED, method))
    is_done(post(client, f"{prefix}/dependency", {"name": "b", "command": "true", "parents": ["a"]}, method))
    answer = client.get(f"{prefix}/jobs")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert b"\n" not in answer.data
    a, b = answer.json
    assert (a["schedule"], a["scheduleTimeZone"], "parents" in a) == ("R/2030-01-01T03:00:00.000Z/P1D", "", False)
    assert (b["parents"], "schedule" in b, "scheduleTimeZone" in b) == (["a"], False, False)
    is_done(post(client, f"{prefix}/iso8601", {**SCHEDULED, "name": "b", "retries": 7}, method))
    replaced = client.get(f"{prefix}/job/b").json
    assert (replaced["retries"], "parents" in replaced) == (7, False)
    assert client.get("/api/graph").json["edges"] == []


@pytest.mark.parametrize("name", ["service instance", "tmp-2016 #1", "a.b", "36"])
def test_names_are_escaped_in_the_address(client: Client, prefix: str, name: str) -> None:
    escaped = name.replace(" ", "%20").replace("#", "%23")
    is_done(post(client, f"{prefix}/iso8601", {**SCHEDULED, "name": int(name) if name.isdigit() else name}))
    assert client.get(f"{prefix}/job/{escaped}").json["name"] == name
    is_done(client.put(f"{prefix}/job/{escaped}"))
    is_done(client.delete(f"{prefix}/task/kill/{escaped}"))
    is_done(client.delete(f"{prefix}/job/{escaped}"))
    assert names(client, prefix) == []


def test_what_is_not_found_is_a_bad_request(client: Client, prefix: str) -> None:
    for answer in (
        client.get(f"{prefix}/job/none"),
        client.put(f"{prefix}/job/none"),
        client.put(f"{prefix}/job/none?arguments=x"),
        client.delete(f"{prefix}/job/none"),
        client.delete(f"{prefix}/task/kill/none"),
    ):
        is_refused(answer, "not found", '"none"')


def test_neither_schedule_nor_parents_runs_once_now(client: Client, prefix: str) -> None:
    is_done(post(client, f"{prefix}/iso8601", {"name": "a", "command": "true"}))
    job = client.get("/api/jobs/a").json
    assert (job["schedule"], job["repetitionsLeft"]) == ("R1//PT24H", 1)
    assert job["nextRun"] <= job["createdAt"]
    shown = client.get(f"{prefix}/job/a").json["schedule"]
    assert shown.startswith("R1/2")
    assert shown.endswith("Z/PT24H")


@pytest.mark.parametrize("body", [b"", b'""', b"{}", b"anything"])
@pytest.mark.parametrize("content_type", [None, "application/json", "application/x-www-form-urlencoded"])
def test_run_now_takes_any_body(client: Client, prefix: str, body: bytes, content_type: str | None) -> None:
    post(client, f"{prefix}/iso8601", SCHEDULED)
    is_done(client.put(f"{prefix}/job/a", data=body, content_type=content_type))
    run = client.get("/api/jobs/a/runs").json["runs"][0]
    assert (run["trigger"], run["state"], run["overrides"]["arguments"]) == ("manual", "queued", None)


def test_run_now_with_arguments(client: Client, prefix: str) -> None:
    post(client, f"{prefix}/iso8601", SCHEDULED)
    post(client, f"{prefix}/iso8601", {**SCHEDULED, "name": "argv", "shell": False})
    for name in ("a", "argv"):
        is_done(client.put(f"{prefix}/job/{name}", query_string={"arguments": "--name 'x y' z"}))
    shell, argv = (client.get(f"/api/jobs/{name}/runs").json["runs"][0]["overrides"] for name in ("a", "argv"))
    assert shell["arguments"] == ["--name 'x y' z"]
    assert argv["arguments"] == ["--name", "x y", "z"]
    is_refused(client.put(f"{prefix}/job/argv?arguments='open"), "arguments", "quote")


def test_run_now_of_a_paused_job_does_nothing(client: Client, prefix: str) -> None:
    post(client, f"{prefix}/iso8601", {**SCHEDULED, "disabled": True})
    is_done(client.put(f"{prefix}/job/a"))
    run = client.get("/api/jobs/a/runs").json["runs"][0]
    assert (run["state"], run["reason"]) == ("skipped", "disabled")


def test_a_job_that_never_had_repetitions_may_be_run_by_hand_again(client: Client, prefix: str) -> None:
    """How clients of Chronos keep a job that runs only by hand: its runs exhaust nothing."""
    post(client, f"{prefix}/iso8601", {**SCHEDULED, "schedule": "R0//PT0M"})
    for number in (1, 2):
        is_done(client.put(f"{prefix}/job/a"))
        assert len(client.get("/api/jobs/a/runs").json["runs"]) == number
        is_done(client.delete(f"{prefix}/task/kill/a"))
    assert client.get(f"{prefix}/job/a").json["disabled"] is False


def test_kill_ends_what_waits(client: Client, prefix: str) -> None:
    post(client, f"{prefix}/iso8601", SCHEDULED)
    is_done(client.delete(f"{prefix}/task/kill/a"))
    client.put(f"{prefix}/job/a")
    is_done(client.delete(f"{prefix}/task/kill/a"))
    assert client.get("/api/jobs/a/runs").json["runs"][0]["state"] == "killed"


def test_deleting_a_parent_keeps_its_children_whole(client: Client, prefix: str) -> None:
    post(client, f"{prefix}/iso8601", {**SCHEDULED, "scheduleTimeZone": "Europe/Berlin"})
    child = {"name": "b", "command": "true", "parents": ["a"], "environmentVariables": [{"name": "A", "value": "1"}]}
    post(client, f"{prefix}/dependency", child)
    is_done(client.delete(f"{prefix}/job/a"))
    converted = client.get(f"{prefix}/job/b").json
    assert (converted["schedule"], converted["scheduleTimeZone"]) == (
        "R/2030-01-01T03:00:00.000+01:00/P1D",
        "Europe/Berlin",
    )
    assert converted["environmentVariables"] == [{"name": "A", "value": "1"}]
    assert "parents" not in converted


def test_content_type_must_say_json(client: Client, prefix: str) -> None:
    for path in ("iso8601", "dependency"):
        for kind in (None, "application/x-www-form-urlencoded", "text/plain"):
            answer = client.post(f"{prefix}/{path}", data=b'{"name":"a","command":"true"}', content_type=kind)
            assert answer.status_code == 415
            assert answer.json["status"] == "Unsupported Media Type"
    is_done(
        client.post(
            f"{prefix}/iso8601",
            data=b'{"name":"a"   ,"command":"true"}',
            content_type="application/json; charset=utf-8",
        )
    )


def test_wrong_methods_and_paths(client: Client, prefix: str) -> None:
    for method, path in (("DELETE", "jobs"), ("POST", "job/a"), ("GET", "iso8601"), ("PATCH", "dependency")):
        answer = client.open(f"{prefix}/{path}", method=method)
        assert answer.status_code == 405
        assert answer.content_type == "application/json"
        assert answer.json["status"] == "Method Not Allowed"
        assert answer.headers["Allow"]
    for path in ("", "/nothing", "/job", "/job/a/b"):
        answer = client.get(f"{prefix}{path}")
        assert (answer.status_code, answer.content_type) == (404, "application/json")
        assert answer.json["message"]


def test_leader_and_ping(client: Client, prefix: str) -> None:
    for path in (f"{prefix}/leader", "/leader"):
        assert client.get(path).data == b'{"leader":""}'
    ping = client.get("/ping")
    assert (ping.status_code, ping.data) == (200, b"pong\n")
    assert ping.headers["Cache-Control"] == "must-revalidate,no-cache,no-store"
    assert client.get(f"{prefix}/ping").status_code == 404


def test_both_prefixes_show_the_same_jobs_in_their_own_words(client: Client) -> None:
    post(client, "/scheduler/iso8601", {**SCHEDULED, "container": {"type": "Docker", "image": "busybox"}})
    older, newer = (client.get(f"{prefix}/job/a").json for prefix in ("/scheduler", "/v1/scheduler"))
    assert (older["container"]["type"], newer["container"]["type"]) == ("docker", "DOCKER")
    assert (older["epsilon"], older["async"]) == ("PT60S", False)
    assert "epsilon" not in newer
    assert "async" not in newer


def test_a_user_that_the_server_cannot_become_is_told_when_the_job_is_saved(
    client: Client, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = {"name": "job", "command": "true", "schedule": "R/2030-01-01T00:00:00Z/P1D", "runAsUser": "root"}
    monkeypatch.setattr(os, "geteuid", lambda: pwd.getpwnam("nobody").pw_uid)
    refused = client.post(f"{prefix}/iso8601", json=job)
    assert refused.status_code == 400
    assert refused.json["message"].startswith('runAsUser is "root", but the server runs as "nobody" ')
    assert client.get(f"{prefix}/jobs").json == []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert client.post(f"{prefix}/iso8601", json=job).status_code == 204
    # What is here already may still be changed and paused, by a server that is not root any more.
    monkeypatch.setattr(os, "geteuid", lambda: pwd.getpwnam("nobody").pw_uid)
    assert client.post(f"{prefix}/iso8601", json={**job, "disabled": True}).status_code == 204
    assert client.patch("/api/jobs/job", json={"description": "paused"}).status_code == 200
    assert client.post(f"{prefix}/iso8601", json={**job, "runAsUser": ""}).status_code == 204
