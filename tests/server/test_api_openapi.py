"""The description of the API and the API are the same."""

from __future__ import annotations

from typing import Any

from flask import Flask

from chronos_py.api import serves
from chronos_py.api.openapi import describe
from chronos_py.api.requests import described_path
from chronos_py.api.schemas import KEPT_BY_SERVER, components
from chronos_py.model.document import DEFAULTS
from tests.server.client import Client

METHODS = {"GET", "PUT", "POST", "PATCH", "DELETE"}


def routes(wsgi: Flask) -> set[tuple[str, str]]:
    return {
        (method.lower(), described_path(rule.rule))
        for rule in wsgi.url_map.iter_rules()
        if serves(rule.rule)
        for method in (rule.methods or set()) & METHODS
    }


def test_every_route_is_described_and_the_reverse(wsgi: Flask) -> None:
    described = {(method, path) for path, operations in describe()["paths"].items() for method in operations}
    assert routes(wsgi) == described


def test_every_variable_of_a_path_is_described() -> None:
    for path, operations in describe()["paths"].items():
        for method, operation in operations.items():
            named = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"}
            assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}, (method, path)
            assert operation["responses"].keys() & {"200", "201", "202", "204"}, (method, path)


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(member) for member in value.values()))
    return set().union(*(references(item) for item in value)) if isinstance(value, list) else set()


def test_references_lead_somewhere_and_names_are_used_once() -> None:
    document = describe()
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references(document) == known
    identities = [op["operationId"] for operations in document["paths"].values() for op in operations.values()]
    assert len(identities) == len(set(identities))


def test_the_shapes_are_those_of_real_answers(client: Client) -> None:
    client.put("/api/jobs/p", json={"command": "true"})
    client.put("/api/jobs/s", json={"command": "true", "schedule": "@daily"})
    client.put("/api/jobs/c", json={"command": "true", "parents": ["p"]})
    run_id = client.post("/api/jobs/p/runs").json["id"]
    shapes = components()
    fields = set().union(*(client.get(f"/api/jobs/{name}").json for name in "psc"))
    assert fields == set(shapes["Job"]["properties"]) == set(DEFAULTS) | KEPT_BY_SERVER
    assert set(client.get(f"/api/runs/{run_id}").json) == set(shapes["RunDetail"]["properties"])
    assert set(client.get("/api/runs").json["runs"][0]) == set(shapes["Run"]["properties"])
    assert set(client.get("/api/nothing").json) == set(shapes["Problem"]["required"])


def test_the_document_and_its_page(client: Client) -> None:
    assert client.get("/api/openapi.json").json == describe()
    page = client.get("/api/docs")
    assert page.content_type == "text/html; charset=utf-8"
    text = page.get_data(as_text=True)
    for path in describe()["paths"]:
        assert path in text
    for outside in ("<script>", "<style", " style=", "http://", "https://", 'src="//'):
        assert outside not in text
