"""What the clients of Chronos rely on while jobs run, and over a real socket; numbered as their requirements."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import httplib2
import pytest
from flask import Flask

from chronos_py.http import bind, create_wsgi_app
from chronos_py.services import Application
from tests.cluster.server import wait_for
from tests.server.client import Client

SCHEDULED = {"name": "a", "command": "true", "owner": "", "disabled": False, "schedule": "R/2030-01-01T03:00:00Z/P1D"}


def listed(client: Client, prefix: str, name: str) -> dict[str, Any]:
    (found,) = [job for job in client.get(f"{prefix}/jobs").json if job["name"] == name]
    return dict(found)


def summary(client: Client, prefix: str, name: str) -> tuple[str, str]:
    (found,) = [job for job in client.get(f"{prefix}/jobs/summary").json["jobs"] if job["name"] == name]
    return found["status"], found["state"]


def post(client: Client, prefix: str, **fields: Any) -> None:
    answer = client.post(f"{prefix}/iso8601", json={**SCHEDULED, **fields})
    assert answer.status_code == 204, answer.data


def test_16_the_summary_follows_a_run(leading_client: Client) -> None:
    """How Toil and the exporters watch: fresh and idle, running, then its outcome."""
    client = leading_client
    running = {"/scheduler": "running", "/v1/scheduler": "1 running"}
    post(client, "/scheduler", command="sleep 60")
    post(client, "/scheduler", name="good")
    post(client, "/scheduler", name="bad", command="false", retries=0)
    for prefix, words in running.items():
        assert summary(client, prefix, "a") == ("fresh", "idle")
        client.put(f"{prefix}/job/a")
        wait_for("the run to start", lambda: summary(client, prefix, "a") == ("fresh", words))  # noqa: B023
        csv = client.get(f"{prefix}/graph/csv").get_data(as_text=True)
        assert f"node,a,fresh,{words}\n" in csv
        assert client.delete(f"{prefix}/task/kill/a").status_code == 204
        wait_for("its end", lambda: summary(client, prefix, "a") == ("fresh", "idle"))  # noqa: B023
    for name, outcome in (("good", "success"), ("bad", "failure")):
        client.put(f"/v1/scheduler/job/{name}")
        wait_for("its outcome", lambda: summary(client, "/v1/scheduler", name) == (outcome, "idle"))  # noqa: B023
        assert f"node,{name},{outcome},idle\n" in client.get("/scheduler/graph/csv").get_data(as_text=True)


def test_26_counters_rise_once_for_a_run(leading_client: Client, prefix: str) -> None:
    """A failure that is tried again counts nothing; a one-shot job stays listed when it is over."""
    client = leading_client
    once = {"schedule": "R1//PT1H", "retries": 1, "retryDelay": 0.1}
    post(client, prefix, name="good", **once)
    post(client, prefix, name="bad", command="false", **once)
    post(client, prefix, name="second", command='[ "$CHRONOS_JOB_RUN_ATTEMPT" = 1 ]', **once)
    counted: dict[str, set[tuple[int, int]]] = {name: set() for name in ("good", "bad", "second")}

    def are_over() -> bool:
        for name, seen in counted.items():
            job = listed(client, prefix, name)
            seen.add((job["successCount"], job["errorCount"]))
        return all(seen - {(0, 0)} for seen in counted.values())

    wait_for("three jobs to end", are_over)
    wait_for("the good ones to be disabled", lambda: listed(client, prefix, "second")["disabled"])
    assert {name: seen - {(0, 0)} for name, seen in counted.items()} == {
        "good": {(1, 0)},
        "bad": {(0, 1)},
        "second": {(1, 0)},
    }
    for name, run_count in (("good", 1), ("bad", 2), ("second", 2)):
        (run,) = client.get(f"/api/jobs/{name}/runs").json["runs"]
        assert run["attemptCount"] == run_count
        assert listed(client, prefix, name)["schedule"].startswith("R0/")
    assert listed(client, prefix, "good")["disabled"]
    assert client.get(f"{prefix}/jobs/search?name=good").json[0]["disabled"] is True


class Wire:
    """Requests as they are written, and answers as they come."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=60)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> http.client.HTTPResponse:
        self.connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            self.connection.putheader(name.replace("_", "-"), value)
        if body is not None:
            self.connection.putheader("Content-Length", str(len(body)))
        self.connection.endheaders(body)
        return self.connection.getresponse()


@pytest.fixture
def address(wsgi: Flask) -> Iterator[str]:
    server = bind("127.0.0.1:0")
    server.start(wsgi)
    yield server.address
    server.close()


def test_3_4_writes_over_the_wire(address: str, prefix: str) -> None:
    """204 with no body, not chunked, with a content type; and the connection goes on."""
    wire = Wire(address)
    job = json.dumps(SCHEDULED).encode()
    for method, path, body in (
        ("POST", "iso8601", job),
        ("PUT", "iso8601", job),
        ("PUT", "job/a", None),
        ("DELETE", "task/kill/a", None),
        ("DELETE", "job/a", None),
    ):
        headers = {"Content_Type": "application/json"} if body else {}
        answer = wire.ask(method, f"{prefix}/{path}", body, **headers)
        assert (answer.status, answer.read()) == (204, b"")
        assert answer.getheader("Content-Type")
        assert answer.getheader("Transfer-Encoding") is None
        assert answer.getheader("Content-Length") in (None, "0")
    missing = wire.ask("DELETE", f"{prefix}/job/a")
    body = missing.read()
    assert (missing.status, missing.getheader("Content-Length")) == (400, str(len(body)))
    assert "not found" in json.loads(body)["message"]


def test_22_run_now_over_the_wire(address: str, client: Client, prefix: str) -> None:
    post(client, prefix)
    form, text = {"Content_Type": "application/x-www-form-urlencoded"}, {"Content_Type": "application/json"}
    requests: list[tuple[bytes | None, dict[str, str]]] = [
        (None, {}),
        (b"", {}),
        (b'""', text),
        (b"", form),
        (b"x=1", form),
        (b"\xff", {}),
    ]
    for number, (body, headers) in enumerate(requests, 1):
        answer = Wire(address).ask("PUT", f"{prefix}/job/a", body, **headers)
        assert (answer.status, answer.read()) == (204, b"")
        assert len(client.get("/api/jobs/a/runs").json["runs"]) == number


def test_12_a_name_in_an_address(address: str, prefix: str, client: Client) -> None:
    post(client, prefix, name="tmp service #1")
    for written in ("tmp%20service%20%231", "tmp%20service%20%231?x=y"):
        assert Wire(address).ask("PUT", f"{prefix}/job/{written}").status == 204


def test_19_credentials_come_after_the_challenge(application: Application, prefix: str) -> None:
    """httplib2 sends them only when a realm asks for them."""
    server = bind("127.0.0.1:0")
    server.start(create_wsgi_app(application, "ann:s:cr@t"))
    try:
        url = f"http://{server.address}{prefix}/jobs"
        stranger = httplib2.Http()
        refused, body = stranger.request(url)
        assert refused.status == 401
        assert refused["www-authenticate"].startswith('Basic realm="')
        assert json.loads(body)["status"] == "Unauthorized"
        stranger.close()
        known = httplib2.Http()
        known.add_credentials("ann", "s:cr@t")
        answer, body = known.request(url)
        assert (answer.status, body) == (200, b"[]")
        known.close()
    finally:
        server.close()
