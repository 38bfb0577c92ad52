"""Bad input, on both APIs: 400, one sentence that names the field and the value, nothing stored."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.client import Client

DEEP = b'{"name":"x","command":"true","deep":' + b"[" * 5000 + b"]" * 5000 + b"}"
BODIES = [
    (b"{", "is not JSON"),
    (b"", "is not JSON"),
    (b"name=x", "is not JSON"),
    (b'{"name":"x"}{', "is not JSON"),
    (b'{"command":"\xff"}', "is not JSON"),
    (b"[]", "is a list but must be a JSON object."),
    (b'"x"', "is text but must be"),
    (b"7", "is 7 but must be"),
    (b"null", "is null but must be"),
    (b'{"a":NaN}', "contains NaN"),
    (b'{"a":[-Infinity]}', "contains -Infinity"),
    (b'{"a":1e999}', 'contains "1e999"'),
    (b'{"a":' + b"9" * 5000 + b"}", "is not JSON"),
    (rb'{"a":"x\u0000"}', "a contains a NUL"),
    (rb'{"a":[{"b":"\ud800"}]}', "a contains a NUL or half"),
    (rb'{"a":{"\ud800":1}}', "a contains a NUL or half"),
    (rb'{"\udfff":1}', "The name of a field"),
    (DEEP, "is not"),
    (b'{"deep":' + b"[" * 70 + b"]" * 70 + b"}", "deep is nested more than 64 levels deep."),
]
FIELDS: list[tuple[dict[str, Any], str, tuple[str, ...]]] = [
    ({"name": "a/b"}, "name", ('"a/b"', "not allowed")),
    ({"name": "<b>"}, "name", ('"<b>"',)),
    ({"name": "new"}, "name", ('"new"',)),
    ({"name": "x" * 201}, "name", ("201 characters",)),
    ({"schedule": "every day"}, "schedule", ("every day",)),
    ({"schedule": "R/2026-13-01T00:00:00Z/P1D"}, "schedule", ("2026-13-01",)),
    ({"schedule": "R/2026-01-01T00:00:00Z/1D"}, "schedule", ("1D",)),
    ({"schedule": "61 * * * *"}, "schedule", ("61",)),
    ({"schedule": "R/9999-12-31T23:59:59-12:00/P1D"}, "schedule", ("9999", "out of the years")),
    ({"schedule": "R/2026-01-01T00:00:00Z/P99999999999999999Y"}, "schedule", ("longer than any calendar",)),
    ({"schedule": f"R{2**63}/2026-01-01T00:00:00Z/P1D"}, "schedule", ("cannot be counted",)),
    ({"schedule": f"R{'9' * 5000}/2026-01-01T00:00:00Z/P1D"}, "schedule", ("cannot be counted",)),
    ({"schedule": "@daily", "scheduleTimeZone": "Mars/Base"}, "scheduleTimeZone", ('"Mars/Base"',)),
    ({"schedule": "@daily", "scheduleTimeZone": "../../etc/passwd"}, "scheduleTimeZone", ("etc/passwd",)),
    ({"parents": ["nobody"]}, "parents", ('"nobody"', "not found")),
    ({"parents": ["known", "nobody"]}, "parents", ('"nobody"', "not found")),
    ({"name": "self", "parents": ["self"]}, "parents", ('"self"', "itself")),
    ({"name": "known", "parents": ["child"]}, "parents", ("cycle", "known -> child -> known")),
]


@pytest.mark.parametrize(("period", "words"), [("PT0S", "is zero"), ("P-1D", "goes backwards")])
def test_a_period_that_leads_nowhere(client: Client, period: str, words: str) -> None:
    answer = client.put("/api/jobs/x", json={"command": "true", "schedule": f"R/2026-01-01T00:00:00Z/{period}"})
    assert (answer.status_code, answer.json["field"]) == (400, "schedule")
    assert period in answer.json["detail"]
    assert words in answer.json["detail"]


def address(name: Any) -> str:
    return str(name).replace("/", "%2F").replace(" ", "%20")


@pytest.fixture
def before(client: Client) -> Any:
    """Two jobs, as they must be afterwards, too."""
    client.put("/api/jobs/known", json={"command": "true"})
    client.put("/api/jobs/child", json={"command": "true", "parents": ["known"]})
    return client.get("/api/jobs").json


@pytest.mark.parametrize(("body", "words"), BODIES, ids=range(len(BODIES)))
def test_bodies(client: Client, prefix: str, before: Any, body: bytes, words: str) -> None:
    for method, path in (("PUT", "/api/jobs/x"), ("PATCH", "/api/jobs/known"), ("POST", "/api/jobs")):
        answer = client.open(path, method=method, data=body)
        assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
        assert words in answer.json["detail"]
    for path in ("iso8601", "dependency"):
        answer = client.post(f"{prefix}/{path}", data=body, content_type="application/json")
        assert (answer.status_code, answer.content_type) == (400, "application/json")
        assert words in answer.json["message"]
    assert client.get("/api/jobs").json == before


@pytest.mark.parametrize(("fields", "field", "words"), FIELDS, ids=range(len(FIELDS)))
def test_fields(
    client: Client, prefix: str, before: Any, fields: dict[str, Any], field: str, words: tuple[str, ...]
) -> None:
    document = {"name": "x", "command": "true", **fields}
    answer = client.put(f"/api/jobs/{address(document['name'])}", json=document)
    if "/" not in document["name"]:  # such an address leads nowhere at all
        assert (answer.status_code, answer.json["field"]) == (400, field)
        assert all(word in answer.json["detail"] for word in words), answer.json["detail"]
    assert answer.status_code in (400, 404)
    many = client.post("/api/jobs", json={"jobs": [{"name": "good", "command": "true"}, document]})
    assert (many.status_code, many.json["field"]) == (400, field)
    assert all(word in many.json["detail"] for word in words), many.json["detail"]
    path = "dependency" if "parents" in fields else "iso8601"
    old = client.post(f"{prefix}/{path}", json={"schedule": "@daily", **document})
    assert (old.status_code, old.json["status"]) == (400, "Bad Request")
    assert all(word in old.json["message"] for word in words), old.json["message"]
    assert "\n" not in old.json["message"]
    assert client.get("/api/jobs").json == before


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "name is missing"),
        ({"name": None}, "name is missing"),
        ({"name": []}, "name is missing"),
    ],
)
def test_a_missing_name(client: Client, prefix: str, before: Any, fields: dict[str, Any], words: str) -> None:
    for body in ({"command": "true", "schedule": "@daily"}, {"command": "true", "schedule": "@daily", **fields}):
        answer = client.post(f"{prefix}/iso8601", json=body)
        assert answer.status_code == 400
        assert words in answer.json["message"]
    assert client.put("/api/jobs/", json={"command": "true"}).status_code in (404, 405)
    other = client.put("/api/jobs/x", json={"command": "true", "name": "y"})
    assert (other.status_code, other.json["field"]) == (400, "name")
    assert '"y"' in other.json["detail"]
    assert '"x"' in other.json["detail"]
    assert client.get("/api/jobs").json == before


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"command": 5}, "command"),
        ({"command": ""}, "command"),
        ({"shell": "true"}, "shell"),
        ({"cpus": "0.5"}, "cpus"),
        ({"mem": 0}, "mem"),
        ({"retries": -1}, "retries"),
        ({"retries": 1.5}, "retries"),
        ({"retryDelay": "soon"}, "retryDelay"),
        ({"overlap": "maybe"}, "overlap"),
        ({"catchUp": "some"}, "catchUp"),
        ({"parents": "known"}, "parents"),
        ({"schedule": "@daily", "parents": ["known"]}, "schedule"),
        ({"environmentVariables": [{"name": "A B", "value": ""}]}, "environmentVariables[0].name"),
        ({"container": "busybox"}, "container"),
        ({"container": {"image": "busy box"}}, "container.image"),
        ({"container": {"image": "x", "network": "host"}}, "container.network"),
        ({"container": {"image": "x", "volumes": [{"containerPath": "d"}]}}, "container.volumes[0].containerPath"),
    ],
)
def test_the_native_api_is_strict(client: Client, before: Any, fields: dict[str, Any], field: str) -> None:
    answer = client.put("/api/jobs/x", json={"command": "true", **fields})
    assert (answer.status_code, answer.json["field"]) == (400, field)
    assert field in answer.json["detail"]
    patched = client.patch("/api/jobs/known", json=fields)
    assert (patched.status_code, patched.json["field"]) == (400, field)
    assert client.get("/api/jobs").json == before


def test_the_kind_must_fit_the_address(client: Client, prefix: str, before: Any) -> None:
    refused = client.post(f"{prefix}/iso8601", json={"name": "x", "command": "true", "parents": ["known"]})
    assert (refused.status_code, "dependency" in refused.json["message"]) == (400, True)
    unfit: list[Any] = [[], None, "known", {"known": 1}]
    for parents in unfit:
        refused = client.post(f"{prefix}/dependency", json={"name": "x", "command": "true", "parents": parents})
        assert refused.status_code == 400
        assert "parents" in refused.json["message"]
    assert client.post(f"{prefix}/dependency", json={"name": "x", "command": "true"}).status_code == 400
    assert client.get("/api/jobs").json == before
