"""What holds for every address: who may ask, from where, how much, and what every answer carries."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from chronos_py.http import create_wsgi_app, own_names
from chronos_py.http.guards import BODY_LIMIT
from chronos_py.services import Application
from tests.server.client import Client, client_of

ADDRESSES = [
    "/",
    "/api/jobs",
    "/api/nothing",
    "/healthz",
    "/readyz",
    "/scheduler/jobs",
    "/v1/scheduler/jobs",
    "/ping",
]
JOB = {"command": "true"}


def basic(credentials: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(credentials.encode()).decode()}


@pytest.fixture
def locked(application: Application) -> Client:
    return client_of(create_wsgi_app(application, "Ünal:pass:word"))


@pytest.mark.parametrize("address", ADDRESSES)
def test_everything_is_locked(locked: Client, address: str) -> None:
    for headers in (
        {},
        basic("Ünal:wrong"),
        basic("Ünal"),
        basic(""),
        {"Authorization": "Basic ???"},
        {"Authorization": "Basic /w=="},
        {"Authorization": "Bearer x"},
    ):
        answer = locked.get(address, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="chronos"'
        assert answer.data
    assert locked.get(address, headers=basic("Ünal:pass:word")).status_code != 401


def test_a_stranger_changes_nothing(locked: Client) -> None:
    assert locked.put("/api/jobs/a", json=JOB).status_code == 401
    assert locked.get("/api/jobs", headers=basic("Ünal:pass:word")).json["jobs"] == []


def test_who_asked_is_noted(locked: Client, client: Client) -> None:
    known = basic("Ünal:pass:word")
    assert locked.put("/api/jobs/a", json=JOB, headers=known).status_code == 201
    assert locked.post("/api/jobs/a/runs", headers=known).json["requestedBy"] == "Ünal"
    assert client.post("/api/jobs/a/runs").json["requestedBy"] == ""


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "https://evil.example:4400"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    ],
)
def test_pages_of_other_sites_are_refused(client: Client, headers: dict[str, str]) -> None:
    client.put("/api/jobs/a", json=JOB)
    for method, address in (
        ("PUT", "/api/jobs/a"),
        ("POST", "/api/jobs/a/runs"),
        ("DELETE", "/api/jobs/a"),
        ("POST", "/scheduler/iso8601"),
        ("PUT", "/v1/scheduler/job/a"),
        ("POST", "/"),
    ):
        answer = client.open(address, method=method, headers=headers)
        assert answer.status_code == 403, address
        assert b"another site" in answer.data
    assert client.get("/api/jobs/a", headers=headers).json["revision"] == 1
    assert client.get("/api/runs").json["runs"] == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost"},
        {"Origin": "http://LOCALHOST", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Host": "node.example:4400", "Origin": "https://node.example:4400"},
    ],
)
def test_own_pages_and_old_clients_pass(client: Client, headers: dict[str, str]) -> None:
    assert client.put("/api/jobs/a", json=JOB, headers=headers).status_code == 201


@pytest.mark.parametrize("address", ADDRESSES)
def test_headers_of_every_answer(client: Client, address: str) -> None:
    headers = client.get(address).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Content-Type"]
    assert headers["Cache-Control"]
    assert ("Access-Control-Allow-Origin" in headers) == address.startswith(("/scheduler", "/v1", "/ping"))


def test_a_body_has_a_limit(client: Client) -> None:
    body = b'{"command":"' + b"x" * BODY_LIMIT + b'"}'
    for answer in (
        client.put("/api/jobs/a", data=body),
        client.post("/scheduler/iso8601", data=body, content_type="application/json"),
        client.put("/scheduler/job/a", data=body),
    ):
        assert answer.status_code == 413
        assert b"The request body is larger than 1048576 bytes." in answer.data
    fits = b'{"command":"' + b"x" * (BODY_LIMIT - 20) + b'"}'
    assert client.put("/api/jobs/a", data=fits).status_code == 201


def test_addresses_with_a_nul(client: Client) -> None:
    for address in ("/api/jobs/%00", "/scheduler/job/a%00", "/api/jobs?q=%00", "/v1/scheduler/jobs/search?name=%00"):
        answer = client.get(address)
        assert answer.status_code == 400
        assert b"NUL" in answer.data


def test_addresses_that_are_not_utf_8(client: Client) -> None:
    for address in ("/api/jobs/%ff", "/scheduler/job/%ed%a0%80"):
        assert client.get(address).status_code in (400, 404)
    assert client.get("/api/jobs?q=%ff").status_code == 200


@pytest.mark.parametrize(
    ("address", "kind", "sentence_of"),
    [
        ("/api/jobs", "application/problem+json", lambda body: body["detail"]),
        ("/scheduler/jobs", "application/json", lambda body: body["message"]),
    ],
)
def test_a_mistake_of_ours_shows_a_number_and_no_trace(
    wsgi: Flask,
    application: Application,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    address: str,
    kind: str,
    sentence_of: Callable[[Any], str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the secret cause")

    monkeypatch.setattr("chronos_py.services.jobs.list_jobs", fail)
    with caplog.at_level(logging.ERROR):
        answer = client_of(wsgi).get(address)
    assert (answer.status_code, answer.content_type) == (500, kind)
    sentence = sentence_of(answer.json)
    assert "secret" not in answer.get_data(as_text=True)
    assert "Traceback" not in answer.get_data(as_text=True)
    reference = sentence.partition("reference ")[2].partition(")")[0]
    assert reference
    assert reference in caplog.text
    assert "the secret cause" in caplog.text


def test_wrong_methods_say_which_are_right(client: Client) -> None:
    answer = client.post("/api/jobs/a")
    assert (answer.status_code, answer.content_type) == (405, "application/problem+json")
    assert answer.json["detail"] == "POST is not possible at /api/jobs/a."
    assert {"GET", "PUT", "PATCH", "DELETE"} <= set(answer.headers["Allow"].split(", "))


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:4400", "[::1]:4400", "chronos.example:80", "CHRONOS.example"]
)
def test_an_open_server_answers_to_its_own_names(application: Application, host: str) -> None:
    client = create_wsgi_app(application, None, frozenset({"chronos.example"})).test_client()
    assert client.get("/ping", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:4400", "10.0.0.1"]
)
def test_a_name_that_was_made_to_point_here_gets_nothing(application: Application, host: str) -> None:
    client = create_wsgi_app(application, None, frozenset({"chronos.example"})).test_client()
    for method, path in (("GET", "/api/jobs"), ("POST", "/jobs/x/run"), ("PUT", "/v1/scheduler/job/x")):
        headers = {"Host": host, "Origin": f"http://{host}"}
        answer = client.open(path, method=method, headers=headers)
        assert answer.status_code == 421
        assert "--advertise" in answer.text


def test_only_an_open_server_on_loopback_minds_its_names() -> None:
    assert own_names("127.0.0.1:4400", "node-1:4400", None, insecure=False) == {"node-1"}
    assert own_names("127.0.0.1:4400", "", None, insecure=False) == frozenset()
    assert own_names("127.0.0.1:4400", "", "user:password", insecure=False) is None
    assert own_names("127.0.0.1:4400", "", None, insecure=True) is None
    assert own_names("0.0.0.0:4400", "", "user:password", insecure=False) is None
