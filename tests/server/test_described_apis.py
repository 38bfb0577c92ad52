"""What the descriptions of both APIs allow, and what they do not, drawn and sent: no answer is a server's mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from chronos_py.api.openapi import describe
from tests.server.client import client_of

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 3
# No clock decides, and no example is remembered: every run sends the same.
FIXED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
# Without a socket nobody unpacks an answer.
PLAIN = {"Accept-Encoding": "identity"}
KNOWN = {"name": "a", "run_id": 1, "number": 1, "taskId": "ct:1479344049000:0:a:"}


def fill(wsgi: Flask) -> None:
    """Some of everything, on a node that runs nothing."""
    client = client_of(wsgi)
    for name, fields in {
        "a": {"schedule": "R/2030-01-01T00:00:00Z/P1D"},
        "b": {"parents": ["a"]},
        "data": {"dataProcessingJobType": True},
    }.items():
        assert client.put(f"/api/jobs/{name}", json={"command": "true", **fields}).status_code in (200, 201)
    assert client.post("/api/jobs/a/runs").status_code == 202


def ask(case: Any) -> None:
    """As it was drawn, and then about what there is."""
    case.call_and_validate(checks=CHECKS, headers=PLAIN)
    known = {name: KNOWN[name] for name in case.path_parameters or () if name in KNOWN}
    if known:
        case.path_parameters.update(known)
        case.call_and_validate(checks=CHECKS, headers=PLAIN)


def send_everything(schema: Any, wsgi: Flask) -> int:
    """What is described and, where anything is not allowed, what is not; how many operations there are."""
    count = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        fill(wsgi)
        has_body = "requestBody" in operation.definition.raw
        for mode in GenerationMode if has_body else (GenerationMode.POSITIVE,):
            FIXED(given(operation.as_strategy(generation_mode=mode))(ask))()
        count += 1
    return count


def test_the_native_api(wsgi: Flask) -> None:
    schema = schemathesis.openapi.from_dict(describe())
    schema.app = wsgi
    assert send_everything(schema, wsgi) == sum(len(operations) for operations in describe()["paths"].values())


def test_the_api_of_the_original(wsgi: Flask) -> None:
    schema = schemathesis.openapi.from_path(Path(__file__).with_name("chronos_openapi.yaml"))
    schema.app = wsgi
    assert send_everything(schema, wsgi) == 45
