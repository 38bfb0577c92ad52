"""Malformed bodies for the original's API, of every kind: 400 as JSON, and nothing is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.client import Answer, Client
from tests.server.test_compat_round_trip import FIELDS as ROUND_TRIP_FIELDS
from tests.server.test_compat_round_trip import ONLY_2

DOCUMENT = {
    "name": "x",
    "command": "bin/ünïcode --all",
    "schedule": "R/2030-01-01T00:00:00.000Z/P1D",
    "container": {"type": "DOCKER", "image": "i", "volumes": [{"containerPath": "/a", "mode": "RO"}]},
    "environmentVariables": [{"name": "A", "value": "1"}],
    "fetch": [{"uri": "http://h/x", "extract": False}],
    "constraints": [["rack", "EQUALS", "1"]],
}
WHOLE = json.dumps(DOCUMENT, ensure_ascii=False).encode()
FIELDS = ["name", "executor", "parents", "uris", "startupTimeout", *ROUND_TRIP_FIELDS, *ONLY_2]
INSIDE: dict[str, tuple[list[str], dict[str, Any]]] = {
    "container": (
        ["type", "image", "network", "networkName", "networkInfos", "volumes", "parameters", "forcePullImage"],
        {"image": "i"},
    ),
    "fetch": (["uri", "executable", "cache", "extract", "output_file"], {"uri": "http://h/x"}),
    "environmentVariables": (["name", "value"], {"name": "A", "value": "1"}),
}
VALUES: tuple[Any, ...] = (None, True, -1, 1e308, 10**30, "", "9" * 1000, "$(x)", [], [None], [["a"]], {"a": [1]})


def stored(client: Client) -> Any:
    return client.get("/api/jobs").json


def is_refused(answer: Answer) -> None:
    assert (answer.status_code, answer.content_type) == (400, "application/json"), answer.data
    assert list(answer.json) == ["message", "status"]
    assert answer.json["message"]
    assert len(answer.data) < 2000
    assert b"\n" not in answer.data


def post(client: Client, prefix: str, body: bytes, method: str = "POST", path: str = "iso8601") -> Answer:
    return client.open(f"{prefix}/{path}", method=method, data=body, content_type="application/json")


def test_a_body_that_is_cut_off_anywhere(client: Client, prefix: str) -> None:
    for length in range(len(WHOLE)):
        is_refused(post(client, prefix, WHOLE[:length]))
    assert stored(client)["jobs"] == []
    assert post(client, prefix, WHOLE).status_code == 204


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_bodies_that_are_no_document(client: Client, prefix: str, method: str) -> None:
    deep = b"[" * 100_000
    bodies = [
        b"",
        b" ",
        b"null",
        b"true",
        b"7",
        b'"x"',
        b"[]",
        b"[{}]",
        b"[" + WHOLE + b"]",
        WHOLE + WHOLE,
        WHOLE + b"}",
        WHOLE.replace(b'"', b"'"),
        WHOLE[:-1] + b",}",
        WHOLE.decode().encode("latin-1"),
        WHOLE.decode().encode("utf-16"),
        WHOLE.decode().encode("utf-32"),
        b"\xff\xfe" + WHOLE,
        b"\x00" + WHOLE,
        b"\x1f\x8b\x08" + WHOLE,
        b"name=x&command=y",
        b"<job><name>x</name></job>",
        deep,
        b'{"name":"x","command":"y","deep":' + deep + b"}",
        b'{"name":"x","command":"y","a":' * 2000,
        *(
            WHOLE[:-1] + b',"retries":' + number + b"}"
            for number in (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"0x10", b"01", b"1_000", b"9" * 5000)
        ),
        *(WHOLE[:-1] + b',"owner":' + text + b"}" for text in (rb'"\u0000"', rb'"\ud800"', rb'"\udfffx"', b'"\x01"')),
        WHOLE[:-1] + rb',"\u0000":1}',
        WHOLE[:-1] + rb',"theirs":[{"a":"\ud83d"}]}',
    ]
    for body in bodies:
        for path in ("iso8601", "dependency"):
            is_refused(post(client, prefix, body, method, path))
        if body.strip():
            is_refused(client.put(f"{prefix}/task/ct:1:0:x:", data=body))
            is_refused(client.post(f"{prefix}/job/x/task/ct:1:0:x:/progress", data=body))
    assert stored(client)["jobs"] == []


def test_of_two_equal_keys_the_last_counts(client: Client, prefix: str) -> None:
    """As for every JSON reader that the clients know."""
    assert post(client, prefix, b'{"name":"y",' + WHOLE[1:]).status_code == 204
    assert [job["name"] for job in stored(client)["jobs"]] == ["x"]
    is_refused(post(client, prefix, WHOLE[:-1] + b',"schedule":"none"}'))


def wrong_types() -> list[tuple[str, dict[str, Any]]]:
    found = [(f"{field}={value!r}"[:60], {field: value}) for field in FIELDS for value in VALUES]
    for field, (members, base) in INSIDE.items():
        for member in members:
            for value in VALUES:
                inner = {**base, member: value}
                found.append((f"{field}.{member}", {field: inner if field == "container" else [inner]}))
    return found


def test_wrong_types_in_every_field(client: Client) -> None:
    """Taken for something, or refused with a sentence; what is refused is not stored, what is stored can be read."""
    base = {"name": "x", "command": "true", "schedule": "R/2030-01-01T00:00:00.000Z/P1D"}
    before = stored(client)
    for number, (what, fields) in enumerate(wrong_types()):
        prefix = ("/scheduler", "/v1/scheduler")[number % 2]
        path = "dependency" if "parents" in fields else "iso8601"
        answer = post(client, prefix, json.dumps({**base, **fields}).encode(), path=path)
        if answer.status_code == 204:
            before = stored(client)
            assert client.get(f"{prefix}/jobs").status_code == 200, what
        else:
            is_refused(answer)
            assert stored(client) == before, what


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES, max_size=6), st.booleans())
@settings(
    max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_json_object(client: Client, fields: dict[str, Any], is_complete: bool) -> None:
    base = {"name": "x", "command": "true", "schedule": "R/2030-01-01T00:00:00.000Z/P1D"} if is_complete else {}
    before = stored(client)
    answer = post(client, "/scheduler", json.dumps({**base, **fields}).encode())
    if answer.status_code == 204:
        assert client.get("/v1/scheduler/jobs").status_code == 200
    else:
        is_refused(answer)
        assert stored(client) == before


@given(st.binary(max_size=40))
@settings(
    max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes(client: Client, prefix: str, body: bytes) -> None:
    for path in ("iso8601", "dependency"):
        is_refused(post(client, prefix, body, path=path))
    assert stored(client)["jobs"] == []
