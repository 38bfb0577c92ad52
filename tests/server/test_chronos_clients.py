"""What the clients of Chronos in the wild rely on, requirement by requirement; and how some of them use it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client as WsgiClient

from chronos_py.bootstrap import open_node
from chronos_py.config import Settings
from chronos_py.http import create_wsgi_app
from tests.server.client import Answer, Client, client_of

PREFIXES = ("/scheduler", "/v1/scheduler")
SCHEDULED = {"name": "a", "command": "true", "owner": "", "disabled": False, "schedule": "R/2030-01-01T03:00:00Z/P1D"}
COUNTERS = ("successCount", "errorCount", "errorsSinceLastSuccess", "lastSuccess", "lastError")


def post(client: Client, prefix: str, method: str = "POST", /, **fields: Any) -> Answer:
    """A job with some fields of its own."""
    document = {**SCHEDULED, **fields}
    if "parents" in fields:
        del document["schedule"]
    answer = client.open(
        f"{prefix}/{'dependency' if 'parents' in document else 'iso8601'}", method=method, json=document
    )
    assert (answer.status_code, answer.data) == (204, b""), answer.data
    return answer


def listed(client: Client, prefix: str) -> dict[str, dict[str, Any]]:
    found = {job["name"]: job for job in client.get(f"{prefix}/jobs").json}
    assert len(found) == len(client.get(f"{prefix}/jobs").json)
    return found


def runs(client: Client, name: str = "a") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/api/jobs/{quote(name)}/runs").json["runs"]
    return found


def test_1_both_prefixes_at_the_same_time(client: Client) -> None:
    for number, (here, there) in enumerate((PREFIXES, PREFIXES[::-1])):
        post(client, here, name=f"j{number}")
        assert f"j{number}" in listed(client, there)
        assert client.delete(f"{there}/job/j{number}").status_code == 204
        assert f"j{number}" not in listed(client, here)


def test_2_post_and_put_both_create_and_replace(client: Client, prefix: str) -> None:
    for first, second in (("POST", "PUT"), ("PUT", "POST")):
        for name, kind in (("a", {}), ("b", {"parents": ["a"]})):
            post(client, prefix, first, name=name, retries=1, **kind)
            post(client, prefix, second, name=name, retries=3, **kind)
            assert listed(client, prefix)[name]["retries"] == 3
        for name in "ba":
            client.delete(f"{prefix}/job/{name}")


def test_3_writes_answer_204_and_nothing(client: Client, prefix: str) -> None:
    post(client, prefix)
    post(client, prefix, name="b", parents=["a"])
    for method, path in (("PUT", "job/a"), ("DELETE", "task/kill/a"), ("DELETE", "job/b"), ("DELETE", "job/a")):
        answer = client.open(f"{prefix}/{path}", method=method)
        assert (answer.status_code, answer.data) == (204, b"")
        assert answer.headers.get("Transfer-Encoding") is None


def test_4_every_answer_has_a_content_type(client: Client, prefix: str) -> None:
    post(client, prefix)
    for method, path in (
        *(("GET", path) for path in ("jobs", "graph/csv", "graph/dot", "job/a", "job/none", "nothing", "stats/mean")),
        *(("PUT", path) for path in ("job/a", "job/none", "job/success/a")),
        ("PATCH", "jobs"),
        ("POST", "iso8601"),
        ("DELETE", "job/a"),
    ):
        assert client.open(f"{prefix}/{path}", method=method).headers.get("Content-Type"), (method, path)


def test_5_errors_are_objects_with_a_message(client: Client, prefix: str) -> None:
    post(client, prefix)
    for answer in (
        client.delete(f"{prefix}/job/none"),
        client.post(f"{prefix}/iso8601", json={**SCHEDULED, "schedule": "no"}),
        client.post(f"{prefix}/iso8601", data=b"{", content_type="application/json"),
        client.post(f"{prefix}/iso8601", data=b"{}"),
        client.get(f"{prefix}/nothing"),
        client.delete(f"{prefix}/jobs"),
    ):
        assert answer.status_code >= 400
        assert answer.content_type == "application/json"
        assert isinstance(answer.json, dict)
        assert isinstance(answer.json["message"], str)
        assert isinstance(answer.json["status"], str)
    # A monitor takes a message at the top for a failure.
    assert "message" not in client.get("/metrics").json


def test_6_not_found_is_400_and_says_so(client: Client, prefix: str) -> None:
    for method, path in (("DELETE", "job/x"), ("PUT", "job/x"), ("DELETE", "task/kill/x"), ("GET", "job/stat/x")):
        answer = client.open(f"{prefix}/{path}", method=method)
        assert answer.status_code == 400
        assert "not found" in answer.json["message"]


def test_7_the_list_is_one_line(client: Client, prefix: str) -> None:
    assert client.get(f"{prefix}/jobs").data == b"[]"
    post(client, prefix, command="first\nsecond", description="a\r\nb\u2028c")
    body = client.get(f"{prefix}/jobs").get_data(as_text=True)
    assert len(body.splitlines()) <= 2  # of which Ruby and Go see one
    assert "\n" not in body
    assert "\r" not in body
    assert json.loads(body.split("\n")[0])[0]["command"] == "first\nsecond"


def test_8_a_job_has_the_key_of_its_kind_only(client: Client, prefix: str) -> None:
    post(client, prefix)
    post(client, prefix, name="b", parents=["a"])
    client.put("/api/jobs/by-hand", json={"command": "true"})
    jobs = listed(client, prefix)
    for name in ("a", "by-hand"):
        assert jobs[name]["schedule"]
        assert "parents" not in jobs[name]
    assert jobs["b"]["parents"] == ["a"]
    assert not {"schedule", "scheduleTimeZone"} & jobs["b"].keys()


def test_9_what_is_listed_may_be_posted_back(client: Client) -> None:
    """Also to the other generation: a backup of the one is restored to the other."""
    post(client, "/scheduler", successCount=3, lastSuccess="2016-11-17T00:54:09.777Z", theirs={"a": [1]}, gpus=1)
    post(client, "/scheduler", name="b", parents=["a"], errorCount=2, errorsSinceLastSuccess=2)
    before = {prefix: listed(client, prefix) for prefix in PREFIXES}
    native = client.get("/api/jobs").json
    for source in PREFIXES:
        for target in PREFIXES:
            for name, job in before[source].items():
                path = "dependency" if "parents" in job else "iso8601"
                for method in ("POST", "PUT"):
                    answer = client.open(f"{target}/{path}", method=method, json=job)
                    assert (answer.status_code, name) == (204, name), answer.data
            after = listed(client, target)
            # A field of the other generation is kept where it was brought; nothing else changes.
            for name, job in before[target].items():
                assert after[name].keys() - job.keys() <= {"async"}
                assert {field: after[name][field] for field in job} == job
    counted = {name: native["jobs"][0][name] for name in COUNTERS}
    assert {name: client.get("/api/jobs/a").json[name] for name in COUNTERS} == counted


def test_10_keys_that_are_not_known_are_no_error(client: Client, prefix: str) -> None:
    post(client, prefix, execute_now=True, dataJob=True, type="x", epsilon="PT5M", softError=False, uris=[], gpus=1)
    post(client, prefix, **{"async": False}, fetch=[{"uri": "http://h/x", "output_file": "y", "theirs": 1}])


def test_11_each_field_has_its_type(client: Client, prefix: str) -> None:
    post(client, prefix, cpus=1, mem=512.5, disk=10, retries=0)
    client.put(f"{prefix}/job/success/a")
    post(client, prefix, name="fresh")
    jobs = listed(client, prefix)
    for job in jobs.values():
        assert all(isinstance(job[name], int | float) for name in ("cpus", "mem", "disk"))
        assert all(type(job[name]) is int for name in ("retries", *COUNTERS[:3]))
        assert all(isinstance(job[name], str) for name in (*COUNTERS[3:], "description", "ownerName", "owner"))
        assert type(job["disabled"]) is bool
    assert (jobs["fresh"]["lastSuccess"], jobs["fresh"]["lastError"]) == ("", "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", jobs["a"]["lastSuccess"])


NAMES = ("service instance", "tmp-20160101 service instance", "a-b_c.d", "with #1", "a#b", 36, "-x-")


def test_12_names(client: Client, prefix: str) -> None:
    for name in NAMES:
        _use(client, prefix, name)


def _use(client: Client, prefix: str, name: Any) -> None:
    post(client, prefix, name=name)
    path = quote(str(name))
    assert listed(client, prefix).keys() == {str(name)}
    assert client.get(f"{prefix}/jobs/search", query_string={"name": name}).json[0]["name"] == str(name)
    for method, address in (
        ("GET", f"job/{path}"),
        ("GET", f"job/stat/{path}"),
        ("PUT", f"job/{path}"),
        ("PUT", f"job/success/{path}"),
        ("DELETE", f"task/kill/{path}"),
        ("DELETE", f"job/{path}"),
    ):
        assert client.open(f"{prefix}/{address}", method=method).status_code in (200, 204), address
    assert listed(client, prefix) == {}


def test_13_null_is_taken_for_nothing(client: Client, prefix: str) -> None:
    nothing = dict.fromkeys(("owner", "arguments", "scheduleTimeZone", "description", "container", "uris"))
    post(client, prefix, **nothing, environmentVariables=None, constraints=None, fetch=None)
    post(client, prefix, name="image", command=None, container={"type": "DOCKER", "image": "busybox"})
    jobs = listed(client, prefix)
    expected = {"owner": "", "arguments": [], "scheduleTimeZone": "", "description": "", "uris": [], "fetch": []}
    assert {name: jobs["a"][name] for name in expected} == expected
    assert "container" not in jobs["a"]
    assert jobs["image"]["command"] == ""


def test_14_containers(client: Client, prefix: str) -> None:
    for kind in ("Docker", "docker", "DOCKER"):
        post(client, prefix, container={"type": kind, "image": "busybox", "network": "BRIDGE"})
        shown = listed(client, prefix)["a"]["container"]
        assert shown["type"] == ("docker" if prefix == "/scheduler" else "DOCKER")
    post(client, prefix, container={"type": "", "image": "", "network": "", "volumes": None, "forcePullImage": False})
    assert "container" not in listed(client, prefix)["a"]


def test_15_the_csv_is_the_status(client: Client, prefix: str) -> None:
    assert client.get(f"{prefix}/graph/csv").data == b""
    post(client, prefix, name="service instance")
    post(client, prefix, name="b", parents=["service instance"])
    client.put(f"{prefix}/job/b")
    for accept in ("text/plain", "application/json", "*/*"):
        answer = client.get(f"{prefix}/graph/csv", headers={"Accept": accept})
        assert (answer.status_code, answer.mimetype) == (200, "text/plain")
        lines = [line.split(",") for line in answer.get_data(as_text=True).split("\n")[:-1]]
        assert sorted(lines) == [
            ["link", "service instance", "b"],
            ["node", "b", "fresh", "queued"],
            ["node", "service instance", "fresh", "idle"],
        ]


def test_17_what_lies_at_the_root(client: Client, prefix: str) -> None:
    assert client.get("/ping").get_data(as_text=True).strip() == "pong"
    assert {"version", "gauges", "counters", "histograms"} <= client.get("/metrics").json.keys()
    for path in (f"{prefix}/metrics", f"{prefix}/ping", "/v1/metrics", "/v1/ping"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/chronos", "/service/chronos"])
def test_18_behind_a_path(wsgi: Flask, prefix: str, path: str) -> None:
    """A proxy that takes the path away, and tells it."""

    def nothing(environ: Any, start: Any) -> list[bytes]:
        raise AssertionError(environ["PATH_INFO"])

    client = WsgiClient(DispatcherMiddleware(nothing, {path: wsgi}))
    assert client.post(f"{path}{prefix}/iso8601", json=SCHEDULED).status_code == 204
    assert [job["name"] for job in json.loads(client.get(f"{path}{prefix}/jobs").data)] == ["a"]
    assert json.loads(client.get(f"{path}{prefix}/jobs/summary").data)["jobs"][0]["name"] == "a"
    assert client.delete(f"{path}{prefix}/job/none").status_code == 400
    assert client.get(f"{path}/ping").data == b"pong\n"


@pytest.fixture
def other_node(settings: Settings, tmp_path: Path) -> Iterator[Client]:
    """Another node on the same database."""
    node = open_node(replace(settings, data_dir=str(tmp_path / "other")), "127.0.0.1:4401")
    yield client_of(create_wsgi_app(node.application))
    node.application.pool.close()
    node.application.database.close()


def test_20_what_was_posted_is_listed_at_once_on_every_node(client: Client, other_node: Client, prefix: str) -> None:
    for number in range(5):
        writer, reader = (client, other_node) if number % 2 else (other_node, client)
        post(writer, prefix, name=f"j{number}")
        assert len(listed(reader, prefix)) == number + 1
        assert f"node,j{number},fresh,idle" in reader.get(f"{prefix}/graph/csv").get_data(as_text=True)
    assert other_node.delete(f"{prefix}/job/j0").status_code == 204
    assert "j0" not in listed(client, prefix)


def test_21_an_unknown_method_is_405(client: Client, prefix: str) -> None:
    post(client, prefix)
    for method, path in (("DELETE", "jobs"), ("POST", "job/a"), ("GET", "task/kill/a"), ("PATCH", "iso8601")):
        assert client.open(f"{prefix}/{path}", method=method).status_code == 405
    assert "a" in listed(client, prefix)


def test_22_run_now_takes_any_body(client: Client, prefix: str) -> None:
    post(client, prefix)
    bodies = product((b"", b'""', b"{}", b"a=b"), (None, "application/json", "application/x-www-form-urlencoded"))
    for number, (body, kind) in enumerate(bodies, 1):
        assert client.put(f"{prefix}/job/a", data=body, content_type=kind).status_code == 204
        assert len(runs(client)) == number


def test_23_run_now_takes_arguments(client: Client, prefix: str) -> None:
    post(client, prefix)
    assert client.put(f"{prefix}/job/a?arguments=--day%202016-01-01%20x").status_code == 204
    assert runs(client)[0]["overrides"]["arguments"] == ["--day 2016-01-01 x"]


def test_24_an_empty_start_is_now(client: Client, prefix: str) -> None:
    for schedule in ("R1//PT2M", "R1//P1Y", "R1//PT1S", "R1//PT24H", "R//PT10M"):
        post(client, prefix, schedule=schedule)
        job = client.get("/api/jobs/a").json
        assert job["nextRun"] <= job["updatedAt"]
        # A strict client reads a complete start of every listed job.
        assert re.fullmatch(
            r"R\d*/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/P\w+", listed(client, prefix)["a"]["schedule"]
        )


def test_24_a_period_of_nothing_does_no_harm(client: Client, prefix: str) -> None:
    for schedule in ("R0//PT0M", "R0//PT0S", "R0/2030-01-01T00:00:00Z/PT0M"):
        post(client, prefix, schedule=schedule)
        assert client.get("/api/jobs/a").json["nextRun"] is None
        for path in ("jobs", "jobs/summary", "graph/csv", "job/stat/a"):
            assert client.get(f"{prefix}/{path}").status_code == 200


def test_25_zones_that_old_clients_send_for_none(client: Client, prefix: str) -> None:
    for zone in ("LMT", "null", "", None):
        post(client, prefix, scheduleTimeZone=zone)
        assert client.get("/api/jobs/a").json["nextRun"] == "2030-01-01T03:00:00Z"
        assert listed(client, prefix)["a"]["scheduleTimeZone"] == ""
