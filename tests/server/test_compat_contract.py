"""The contract of Chronos' REST API: every endpoint with its statuses, every kind of mistake, what holds for all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from flask import Flask

from chronos_py.http import create_wsgi_app
from chronos_py.services import Application
from tests.server.client import Answer, Client, client_of

SCHEDULED = {"name": "a", "command": "true", "schedule": "R/2030-01-01T03:00:00.000Z/P1D"}
DEPENDENT = {"name": "b", "command": "true", "parents": ["a"]}
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
TASK = "ct:1479344049000:0:a:"


class Row(NamedTuple):
    """An endpoint: how it is asked, what it answers; ``missing`` is the status for a job that does not exist."""

    method: str
    path: str
    body: Any = None
    status: int = 200
    kind: str = JSON
    answer: str = ".+"
    missing: int | None = None


ROWS = [
    Row("GET", "jobs", answer=r'\[\{"name":"a",.*\},\{"name":"b",.*\}\]'),
    Row("GET", "jobs/search?name=A&limit=10&offset=0", answer=r'\[\{"name":"a",.*\}\]'),
    Row("GET", "jobs/search?any=nowhere", answer=r"\[\]"),
    Row("GET", "jobs/summary", answer=r'\{"jobs":\[\{"name":"a","status":"fresh","state":"idle",.*\}\]\}'),
    Row("GET", "job/a", answer=r'\{"name":"a","command":"true",.*\}', missing=400),
    Row("PUT", "job/a", status=204, answer="", missing=400),
    Row("PUT", "job/a?arguments=x%20y", status=204, answer="", missing=400),
    Row("DELETE", "job/a", status=204, answer="", missing=400),
    Row("GET", "job/stat/a", answer=r'\{"histogram":\{.*"count":0\},"taskStatHistory":\[\]\}', missing=400),
    Row("PUT", "job/success/a", answer="marked job a as successful: true", missing=200),
    Row("POST", "iso8601", SCHEDULED, 204, answer=""),
    Row("PUT", "iso8601", SCHEDULED, 204, answer=""),
    Row("POST", "dependency", DEPENDENT, 204, answer=""),
    Row("PUT", "dependency", DEPENDENT, 204, answer=""),
    Row("DELETE", "task/kill/a", status=204, answer="", missing=400),
    Row("PUT", f"task/{TASK}", {"statusCode": 0}, 204, answer=""),
    Row("PUT", "task/ct:1:0:nobody:", {"statusCode": 1}, 204, answer=""),
    Row("DELETE", "task/all", status=204, answer=""),
    Row("GET", "graph/dot", kind=TEXT, answer=r'digraph G \{\n  1 \[ label="a" \];\n.*  1 -> 2;\n\}\n'),
    Row("GET", "graph/csv", kind=TEXT, answer=r"node,a,fresh,idle\nnode,b,fresh,idle\nlink,a,b\n"),
    *(
        Row("GET", f"stats/{figure}", answer=r'\[\{"jobNameLabel":"a","time":0(\.0)?\},.*\]')
        for figure in ("99thPercentile", "98thPercentile", "95thPercentile", "75thPercentile", "median", "mean")
    ),
    Row("GET", "stats/count", answer=r'\[\{"jobNameLabel":"a","time":0(\.0)?\},.*\]'),
    Row("GET", "stats/nothing", answer=r"\[\]"),
    Row("GET", "leader", answer=r'\{"leader":".*"\}'),
    Row("GET", "info", answer=r'\{"version":".+","leader":".*","frameworkId":.*,"chronos_configuration":\{.*\}\}'),
]
AT_THE_ROOT = [
    Row("GET", "/ping", kind="text/plain;charset=UTF-8", answer="pong\n"),
    Row("GET", "/leader", answer=r'\{"leader":".*"\}'),
    Row("GET", "/metrics", answer=r'\{"version":"3.0.0","gauges":\{.*\}'),
    Row("GET", "/metrics?pretty=true", answer=r'\{\n  "version": "3.0.0",\n.*\}\n'),
    Row("GET", "/logging", kind="text/html; charset=utf-8", answer=r"<!doctype html>.*"),
]


PREFIXES = ("/scheduler", "/v1/scheduler")


@pytest.fixture(autouse=True)
def jobs(client: Client) -> None:
    for path, document in (("iso8601", SCHEDULED), ("dependency", DEPENDENT)):
        assert client.post(f"/v1/scheduler/{path}", json=document).status_code == 204


def each_prefix(client: Client) -> Iterator[str]:
    """Both prefixes, each with nothing but the two jobs, as new."""
    for prefix in PREFIXES:
        for job in client.get(f"{prefix}/jobs").json[::-1]:
            assert client.delete(f"{prefix}/job/{quote(job['name'])}").status_code == 204
        for path, document in (("iso8601", SCHEDULED), ("dependency", DEPENDENT)):
            assert client.post(f"{prefix}/{path}", json=document).status_code == 204
        yield prefix


def ask(client: Client, row: Row, path: str) -> Answer:
    return client.open(path, method=row.method, json=row.body)


def is_error(answer: Answer, status: int = 400, phrase: str = "Bad Request") -> str:
    """Its message."""
    assert (answer.status_code, answer.content_type) == (status, JSON), answer.data
    assert list(answer.json) == ["message", "status"]
    assert answer.json["status"] == phrase
    assert b"\n" not in answer.data
    message: str = answer.json["message"]
    assert message
    assert "Traceback" not in message
    return message


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.path}")
def test_every_endpoint(client: Client, row: Row) -> None:
    for prefix in each_prefix(client):
        answer = ask(client, row, f"{prefix}/{row.path}")
        assert (answer.status_code, answer.content_type) == (row.status, row.kind), answer.data
        assert re.fullmatch(row.answer, answer.get_data(as_text=True), re.DOTALL), answer.data
        if row.kind == JSON:
            assert b"\n" not in answer.data


@pytest.mark.parametrize("row", AT_THE_ROOT, ids=lambda row: f"{row.method} {row.path}")
def test_every_endpoint_at_the_root(client: Client, row: Row) -> None:
    headers = {"Accept": "text/html"} if "logging" in row.path else {}
    answer = client.get(row.path, headers=headers)
    assert (answer.status_code, answer.content_type) == (row.status, row.kind)
    assert re.fullmatch(row.answer, answer.get_data(as_text=True), re.DOTALL | re.IGNORECASE), answer.data
    if row.path != "/leader":
        for prefix in ("/scheduler", "/v1/scheduler"):
            assert client.get(prefix + row.path).status_code == 404


@pytest.mark.parametrize("row", [row for row in ROWS if row.missing], ids=lambda row: f"{row.method} {row.path}")
def test_a_job_that_does_not_exist(client: Client, row: Row) -> None:
    path = re.sub(r"/a(\?|$)", r"/no%20body\1", row.path)
    for prefix in PREFIXES:
        answer = ask(client, row, f"{prefix}/{path}")
        if row.missing == 200:
            assert (answer.status_code, answer.data) == (200, b"marked job no body as successful: false")
        else:
            message = is_error(answer)
            assert "not found" in message
            assert '"no body"' in message


def test_progress(client: Client, prefix: str) -> None:
    """Of a task that there is not, of a job that is none for data, and with a number that is none."""
    path = f"{prefix}/job/a/task/{TASK}/progress"
    assert "dataProcessingJobType" in is_error(client.post(path, json={"numAdditionalElementsProcessed": 1}))
    client.post(f"{prefix}/iso8601", json={**SCHEDULED, "dataProcessingJobType": True})
    assert "not found" in is_error(client.post(path, json={"numAdditionalElementsProcessed": 1}))
    assert "-1" in is_error(client.post(path, json={"numAdditionalElementsProcessed": -1}))
    assert client.post(path, json={}).status_code == 204
    odd = f"{prefix}/job/a/task/17/progress"
    assert "17" in is_error(client.post(odd, json={"numAdditionalElementsProcessed": 1}))
    nobody = f"{prefix}/job/nobody/task/{TASK}/progress"
    assert "not found" in is_error(client.post(nobody, json={"numAdditionalElementsProcessed": 1}))


@pytest.mark.parametrize("parameter", ["limit", "offset"])
def test_a_page_that_is_no_number_is_not_found(client: Client, prefix: str, parameter: str) -> None:
    is_error(client.get(f"{prefix}/jobs/search?{parameter}=x"), 404, "Not Found")


def test_jobs_takes_no_filter(client: Client, prefix: str) -> None:
    assert client.get(f"{prefix}/jobs?name=b&limit=0").data == client.get(f"{prefix}/jobs").data


# --- which status for which mistake ---------------------------------------------------------------------------

SELF = {"name": "x", "command": "true", "parents": ["x"]}
MISTAKES: list[tuple[str, str, Any, str]] = [
    ("invalid name", "iso8601", {**SCHEDULED, "name": "a/b"}, "name"),
    ("invalid name", "iso8601", {**SCHEDULED, "name": "ünicode"}, "name"),
    ("invalid name of a dependent", "dependency", {**DEPENDENT, "name": "a;b"}, "name"),
    ("invalid schedule", "iso8601", {**SCHEDULED, "schedule": "every day"}, "every day"),
    ("invalid schedule, update", "iso8601", {**SCHEDULED, "schedule": "R/2030-01-01/1D"}, "1D"),
    ("empty schedule", "iso8601", {**SCHEDULED, "schedule": ""}, "schedule"),
    ("schedule of another type", "iso8601", {**SCHEDULED, "schedule": ["R//PT1M"]}, "R//PT1M"),
    ("schedule of another type", "iso8601", {**SCHEDULED, "schedule": {}}, "schedule"),
    ("schedule of another type", "iso8601", {**SCHEDULED, "schedule": False}, "schedule"),
    ("schedule null as text", "iso8601", {**SCHEDULED, "schedule": "null"}, "null"),
    ("before 1970", "iso8601", {**SCHEDULED, "name": "x", "schedule": "R/1960-01-01T00:00:00Z/P1D"}, "1970"),
    (
        "uris and fetch",
        "iso8601",
        {**SCHEDULED, "uris": ["http://h/a"], "fetch": [{"uri": "http://h/b"}]},
        "both uri",
    ),
    ("unknown time zone", "iso8601", {**SCHEDULED, "scheduleTimeZone": "Mars/Base"}, "Mars/Base"),
    ("parent missing, new", "dependency", {**DEPENDENT, "name": "x", "parents": ["nobody"]}, "nobody"),
    ("parent missing, update", "dependency", {**DEPENDENT, "parents": ["a", "nobody"]}, "nobody"),
    ("empty parents, new", "dependency", {**DEPENDENT, "name": "x", "parents": []}, "parent does not exist"),
    ("empty parents, update", "dependency", {**DEPENDENT, "parents": []}, "parent does not exist"),
    ("itself, new", "dependency", SELF, "x"),
    ("itself, update", "dependency", {**DEPENDENT, "parents": ["b"]}, "b"),
    ("cycle, update", "dependency", {"name": "a", "command": "true", "parents": ["b"]}, "cycle"),
    ("kind does not fit", "iso8601", {**DEPENDENT, "name": "x"}, "parents"),
    ("kind does not fit", "dependency", {**SCHEDULED, "name": "x"}, "parents"),
    ("missing name", "iso8601", {"command": "true", "schedule": "@daily"}, "name"),
    ("missing command", "iso8601", {"name": "x", "schedule": "@daily"}, "command"),
    ("enum: type", "iso8601", {**SCHEDULED, "container": {"image": "i", "type": "LXC"}}, "LXC"),
    ("enum: network", "iso8601", {**SCHEDULED, "container": {"image": "i", "network": "bridge"}}, "bridge"),
    (
        "enum: mode",
        "iso8601",
        {**SCHEDULED, "container": {"image": "i", "volumes": [{"containerPath": "/x", "mode": "RX"}]}},
        "mode",
    ),
    ("nested types", "iso8601", {**SCHEDULED, "environmentVariables": [1]}, "environmentVariables"),
    ("nested types", "iso8601", {**SCHEDULED, "fetch": [[]]}, "fetch"),
    ("epsilon", "iso8601", {**SCHEDULED, "epsilon": "soon"}, "epsilon"),
    ("epsilon", "iso8601", {**SCHEDULED, "epsilon": 60}, "epsilon"),
    ("epsilon", "iso8601", {**SCHEDULED, "epsilon": "P200Y"}, "epsilon"),
    ("constraint: bad expression", "iso8601", {**SCHEDULED, "constraints": [["rack", "LIKE", "("]]}, "constraints"),
]


@pytest.mark.parametrize(("path", "body", "words"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_every_mistake(client: Client, path: str, body: Any, words: str) -> None:
    before = client.get("/api/jobs").json
    for prefix, method in product(PREFIXES, ("POST", "PUT")):
        assert words in is_error(client.open(f"{prefix}/{path}", method=method, json=body))
    assert client.get("/api/jobs").json == before


def test_zones_that_are_taken(client: Client, prefix: str) -> None:
    for zone in ("", "null", None, "LMT", "UTC", "Europe/Berlin"):
        assert client.post(f"{prefix}/iso8601", json={**SCHEDULED, "scheduleTimeZone": zone}).status_code == 204
        shown = client.get(f"{prefix}/job/a").json["scheduleTimeZone"]
        assert shown == (zone if zone in ("UTC", "Europe/Berlin") else "")


@pytest.mark.parametrize(("name", "zone"), [("PST", "America/Los_Angeles"), ("GMT-5", "Etc/GMT+5")])
def test_zones_of_java(client: Client, prefix: str, name: str, zone: str) -> None:
    assert client.post(f"{prefix}/iso8601", json={**SCHEDULED, "scheduleTimeZone": name}).status_code == 204
    assert client.get(f"{prefix}/job/a").json["scheduleTimeZone"] == zone


def test_the_winter_of_new_york_is_not_its_whole_year(client: Client, prefix: str) -> None:
    """EST was New York to the original, with its summers; to the tz database it is a fixed offset."""
    job = {"name": "a", "command": "true", "schedule": "R/2100-07-01T12:00:00Z/P1D", "scheduleTimeZone": "EST"}
    assert client.post(f"{prefix}/iso8601", json=job).status_code == 204
    assert client.get("/api/jobs/a").json["nextRun"].startswith("2100-07-01T16:00")
    client.put("/api/jobs/b", json={**job, "name": "b"})
    assert client.post(f"{prefix}/iso8601", json=client.get(f"{prefix}/job/b").json).status_code == 204
    assert client.get("/api/jobs/b").json["nextRun"].startswith("2100-07-01T17:00")


def test_a_job_that_exists_is_replaced(client: Client, prefix: str) -> None:
    assert client.post(f"{prefix}/iso8601", json={**SCHEDULED, "retries": 9, "owner": "x"}).status_code == 204
    assert client.post(f"{prefix}/iso8601", json=SCHEDULED).status_code == 204
    job = client.get(f"{prefix}/job/a").json
    assert (job["retries"], job["owner"]) == (2, "")


def test_an_unknown_constraint_operator_is_refused_or_ignored(client: Client, prefix: str) -> None:
    answer = client.post(f"{prefix}/iso8601", json={**SCHEDULED, "constraints": [["rack", "NEAR", "r1"]]})
    assert answer.status_code in (204, 400)
    if answer.status_code == 400:
        assert "NEAR" in is_error(answer)


# --- what holds for all ---------------------------------------------------------------------------------------

PATHS = {
    "jobs": "GET",
    "jobs/search": "GET",
    "jobs/summary": "GET",
    "job/a": "GET PUT DELETE",
    "job/stat/a": "GET",
    "job/success/a": "PUT",
    f"job/a/task/{TASK}/progress": "POST",
    "iso8601": "POST PUT",
    "dependency": "POST PUT",
    "task/kill/a": "DELETE",
    f"task/{TASK}": "PUT",
    "task/all": "DELETE",
    "graph/dot": "GET",
    "graph/csv": "GET",
    "stats/mean": "GET",
    "leader": "GET",
}


def methods(allow: str) -> set[str]:
    return {each.strip() for each in allow.split(",")}


def test_another_method(client: Client, prefix: str) -> None:
    for path, known in PATHS.items():
        allowed = set(known.split())
        for method in sorted({"GET", "POST", "PUT", "PATCH", "DELETE"} - allowed):
            answer = client.open(f"{prefix}/{path}", method=method, json={})
            is_error(answer, 405, "Method Not Allowed")
            assert allowed <= methods(answer.headers["Allow"])
        options = client.options(f"{prefix}/{path}")
        assert options.status_code in (200, 204)
        assert allowed <= methods(options.headers["Allow"])


def test_paths_that_there_are_not(client: Client, prefix: str) -> None:
    for path in ("", "/", "/nothing", "/job", "/job/", "/job/a/b", "/graph", "/stats", "/iso8601/a", "/task"):
        is_error(client.get(prefix + path), 404, "Not Found")


def test_a_body_that_does_not_say_json(client: Client, prefix: str) -> None:
    before = client.get("/api/jobs").json
    kinds = (None, "text/plain", "application/x-www-form-urlencoded", "application/xml")
    for path, method, kind in product(("iso8601", "dependency"), ("POST", "PUT"), kinds):
        body = b'{"name":"x","command":"y"}'
        answer = client.open(f"{prefix}/{path}", method=method, data=body, content_type=kind)
        is_error(answer, 415, "Unsupported Media Type")
    assert client.get("/api/jobs").json == before


def test_what_is_accepted(client: Client, prefix: str) -> None:
    """Nothing is refused for its Accept header: the graph is asked for as JSON by some, and is text."""
    for accept in ("*/*", "application/json", "application/json, text/plain;q=0.5", "text/plain", ""):
        headers = {"Accept": accept} if accept else {}
        for path in ("jobs", "graph/csv", "graph/dot", "job/stat/a"):
            assert client.get(f"{prefix}/{path}", headers=headers).status_code == 200
        assert client.post(f"{prefix}/iso8601", json=SCHEDULED, headers=headers).status_code == 204


def test_every_answer_may_be_read_by_other_sites(client: Client, prefix: str) -> None:
    for method, path in (
        ("GET", f"{prefix}/jobs"),
        ("GET", f"{prefix}/graph/csv"),
        ("GET", f"{prefix}/job/nobody"),
        ("GET", f"{prefix}/nothing"),
        ("PUT", f"{prefix}/job/a"),
        ("PATCH", f"{prefix}/jobs"),
        ("GET", "/metrics"),
        ("GET", "/leader"),
    ):
        assert client.open(path, method=method).headers["Access-Control-Allow-Origin"] == "*", path


def test_ping_lets_the_asking_site_read_it(client: Client) -> None:
    answer = client.get("/ping", headers={"Origin": "http://other.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "http://other.example"
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"


def test_credentials_are_asked_for_everywhere(application: Application, wsgi: Flask) -> None:
    client = client_of(create_wsgi_app(application, "ann:s:cr@t"))
    for prefix in ("/scheduler", "/v1/scheduler"):
        for path in ("/ping", "/metrics", "/leader", f"{prefix}/jobs", f"{prefix}/nothing"):
            answer = client.get(path)
            is_error(answer, 401, "Unauthorized")
            assert re.fullmatch(r'Basic realm=".+"', answer.headers["WWW-Authenticate"])
            assert client.get(path, auth=("ann", "wrong")).status_code == 401
            assert client.get(path, auth=("ann", "s:cr@t")).status_code != 401
        assert client.post(f"{prefix}/iso8601", json=SCHEDULED).status_code == 401


def test_what_was_posted_is_there_at_once_on_every_node(
    client: Client, application: Application, prefix: str
) -> None:
    """Any node serves reads and writes; none hands them on."""
    other = client_of(create_wsgi_app(application))
    for number in range(3):
        name = f"new {number}"
        assert client.post(f"{prefix}/iso8601", json={**SCHEDULED, "name": name}).status_code == 204
        assert name in [job["name"] for job in other.get(f"{prefix}/jobs").json]
        assert other.get(f"{prefix}/job/new%20{number}").status_code == 200
        assert name in other.get(f"{prefix}/graph/csv").get_data(as_text=True)


def test_numbers_times_and_flags_have_one_type(client: Client, prefix: str) -> None:
    lenient = {"cpus": "0.5", "mem": "512", "disk": 10.5, "retries": "3", "disabled": "false", "shell": 1}
    client.post(f"{prefix}/iso8601", json={**SCHEDULED, **lenient})
    client.put(f"{prefix}/job/success/a")
    job = client.get(f"{prefix}/job/a").json
    assert [job[name] for name in lenient] == [0.5, 512, 10.5, 3, False, True]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", job["lastSuccess"])
    assert job["lastError"] == ""
