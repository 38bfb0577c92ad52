"""The field rules of Chronos' job documents: what is made of what, and in which order it is printed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings

from chronos_py.compat.documents import read_document, write_document
from chronos_py.errors import InvalidDefinition
from chronos_py.model.document import read_definition
from chronos_py.model.job import Counters, Job
from chronos_py.model.schedule import parse_schedule
from tests.server.compat_strategies import DOCUMENTS, some

NOW = datetime(2026, 6, 1, 9, 0, 0, 123000, tzinfo=UTC)
PRINTED = [
    "name",
    "command",
    "shell",
    "executor",
    "executorFlags",
    "taskInfoData",
    "retries",
    "owner",
    "ownerName",
    "description",
    "successCount",
    "errorCount",
    "lastSuccess",
    "lastError",
    "cpus",
    "disk",
    "mem",
    "disabled",
    "softError",
    "dataProcessingJobType",
    "errorsSinceLastSuccess",
    "fetch",
    "uris",
    "environmentVariables",
    "arguments",
    "highPriority",
    "runAsUser",
    "concurrent",
    "maxCompletionTime",
]


def read(**fields: Any) -> dict[str, Any]:
    document, _ = read_document({"name": "a", "command": "true", "schedule": "@daily", **fields}, None)
    return document


def stored(body: dict[str, Any], present: Job | None = None) -> Job:
    """What the server keeps after a POST, as the services would store it."""
    document, counters = read_document(body, present)
    definition = read_definition(document)
    next_due, left = None, None
    if definition.schedule:
        schedule = parse_schedule(definition.schedule, definition.schedule_time_zone, definition.name)
        next_due, left = schedule.anchored(NOW).first(NOW), schedule.repetitions
    kept = counters or (present.counters if present else Counters())
    next_due = None if definition.disabled else next_due
    return Job(1, 1, document, definition, kept, NOW, NOW, next_due, left)


@pytest.mark.parametrize(
    ("field", "given", "expected"),
    [
        ("name", 36, "36"),
        ("command", None, ""),
        ("command", "null", ""),
        ("command", 5, "5"),
        ("owner", None, ""),
        ("description", ["x"], ""),
        ("shell", None, False),
        ("shell", "TRUE", True),
        ("disabled", "yes", False),
        ("disabled", 1, True),
        ("retries", "3", 3),
        ("retries", "three", 0),
        ("retries", None, 0),
        ("cpus", "0.5", 0.5),
        ("mem", "512", 512),
        ("arguments", None, []),
        ("arguments", ["null", 1, True], ["null", "1", "true"]),
        ("environmentVariables", None, []),
        ("environmentVariables", [{"name": "A", "value": None}], [{"name": "A", "value": ""}]),
        ("environmentVariables", [{"name": "A", "value": "null"}], [{"name": "A", "value": "null"}]),
        ("environmentVariables", [{"name": "A", "value": 5, "of": "x"}], [{"name": "A", "value": "5", "of": "x"}]),
        ("fetch", None, []),
        ("uris", None, []),
        ("maxCompletionTime", "60", 60),
        ("startupTimeout", "600", 600),
        ("startupTimeout", "PT10M", "PT10M"),
    ],
)
def test_coercions(field: str, given: Any, expected: Any) -> None:
    found = read(**{field: given})[field]
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("field", "given"), [("cpus", 0), ("cpus", "much"), ("cpus", "NaN"), ("mem", None), ("disk", 0.0)]
)
def test_no_resource_is_the_default_one(field: str, given: Any) -> None:
    assert field not in read(**{field: given})


@pytest.mark.parametrize("zone", [None, "", "null", "LMT"])
def test_zones_that_mean_none(zone: Any) -> None:
    assert "scheduleTimeZone" not in read(scheduleTimeZone=zone)


@pytest.mark.parametrize(
    "container", [None, {}, "docker", {"type": "", "image": ""}, {"type": "DOCKER", "image": None}]
)
def test_containers_that_mean_none(container: Any) -> None:
    assert "container" not in read(container=container)


def test_a_container() -> None:
    volumes = [{"containerPath": "/d", "hostPath": None, "mode": "rw", "external": {"name": "v"}}]
    container = {
        "type": "Docker",
        "image": "busybox",
        "volumes": volumes,
        "parameters": None,
        "forcePullImage": "true",
    }
    assert read(container=container)["container"] == {
        "type": "DOCKER",
        "image": "busybox",
        "network": "HOST",
        "networkName": "",
        "volumes": [{"containerPath": "/d", "mode": "rw", "external": {"name": "v"}}],
        "parameters": [],
        "forcePullImage": True,
    }


def test_numbers_are_texts_in_the_depth_of_a_container_too() -> None:
    external = {"name": "v", "provider": "dvdi", "options": [{"key": "size", "value": 10}]}
    found = read(
        container={
            "image": "i",
            "volumes": [{"containerPath": "/d", "external": external}],
            "networkInfos": [{"name": "n", "labels": [{"key": "a", "value": 5}]}],
        }
    )["container"]
    assert found["volumes"][0]["external"]["options"] == [{"key": "size", "value": "10"}]
    assert found["networkInfos"][0]["labels"] == [{"key": "a", "value": "5"}]


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"name": None}, "name", "name is missing"),
        ({"name": {}}, "name", "name is missing"),
        ({"container": {"image": "x", "type": "LXC"}}, "container.type", '"LXC"'),
        ({"container": {"image": "x", "volumes": "no"}}, "container.volumes", '"no"'),
        ({"environmentVariables": [1]}, "environmentVariables", "[1]"),
        ({"environmentVariables": {"A": "1"}}, "environmentVariables", '{"A": "1"}'),
        ({"fetch": ["http://h/x"]}, "fetch", "http://h/x"),
        ({"uris": ["a"], "fetch": [{"uri": "b"}]}, "fetch", "both uri (deprecated) and fetch parameters on a"),
        ({"epsilon": "soon"}, "epsilon", '"soon"'),
        ({"schedule": "R/1969-12-31T00:00:00Z/P1D"}, "schedule", "before 1970"),
    ],
)
def test_what_cannot_be_read(fields: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        read(**fields)
    assert caught.value.field == field
    assert words in str(caught.value)


def test_the_order_of_3() -> None:
    shown = write_document(
        stored({"name": "a", "command": "x", "schedule": "@daily", "container": {"image": "i"}}), "3"
    )
    assert list(shown) == [*PRINTED, "container", "constraints", "schedule", "scheduleTimeZone"]
    assert list(shown["container"])[:3] == ["type", "image", "network"]
    assert None not in shown["container"].values()
    child = write_document(stored({"name": "a", "command": "x", "parents": ["p", "q"]}), "3")
    assert list(child)[-2:] == ["constraints", "parents"]


def test_the_order_of_2() -> None:
    shown = list(write_document(stored({"name": "a", "command": "x", "schedule": "@daily"}), "2"))
    assert shown[shown.index("shell") + 1] == "epsilon"
    assert shown[shown.index("description") + 1] == "async"
    assert [name for name in shown if name not in ("epsilon", "async")] == [
        *PRINTED,
        "constraints",
        "schedule",
        "scheduleTimeZone",
    ]


@pytest.mark.parametrize(
    ("schedule", "zone", "expected"),
    [
        ("R/2020-06-01T09:00:00Z/PT30M", "", "R/2026-06-01T09:00:00.000Z/PT30M"),
        ("R3/2030-06-01T09:00:00.5Z/PT60M", "", "R3/2030-06-01T09:00:00.500Z/PT60M"),
        ("R/2021-03-27T08:00:00+01:00/P1D", "", "R/2026-06-01T08:00:00.000+01:00/P1D"),
        ("R/2021-03-27T08:00:00+01:00/P1D", "Europe/Berlin", "R/2026-06-01T08:00:00.000+02:00/P1D"),
        ("R/2030-01-01T08:00:00Z/P1D", "Europe/London", "R/2030-01-01T08:00:00.000Z/P1D"),
        ("R//PT10M", "", "R/2026-06-01T09:00:00.123Z/PT10M"),
        ("R0/2020-01-01T00:00:00Z/P1D", "", "R0/2020-01-01T00:00:00.000Z/P1D"),
        ("R0//PT0M", "", "R0/2026-06-01T09:00:00.123Z/PT0S"),
        ("0 3 * * *", "Europe/Berlin", "0 3 * * *"),
        ("@daily", "", "@daily"),
    ],
)
def test_the_advanced_form(schedule: str, zone: str, expected: str) -> None:
    job = stored({"name": "a", "command": "x", "schedule": schedule, "scheduleTimeZone": zone})
    shown = write_document(job, "3")
    assert (shown["schedule"], shown["scheduleTimeZone"]) == (expected, zone)


@given(DOCUMENTS, some("2", "3"))
@settings(max_examples=400, deadline=None)
def test_any_document_survives_being_shown_and_posted_back(body: dict[str, Any], generation: str) -> None:
    first = stored(body)
    shown = write_document(first, generation)
    again = stored(shown, first)
    assert write_document(again, generation) == shown
    assert again.definition == first.definition
    assert again.counters == first.counters


@given(DOCUMENTS, some("2", "3"))
@settings(max_examples=200, deadline=None)
def test_any_shown_document_can_be_restored_elsewhere(body: dict[str, Any], generation: str) -> None:
    """A backup: what one server showed makes the same job on another, except for the anchor of its schedule."""
    shown = write_document(stored(body), generation)
    again = write_document(stored(shown), generation)
    assert again == shown


@given(DOCUMENTS, some("2", "3"))
@settings(max_examples=200, deadline=None)
def test_what_strict_clients_read(body: dict[str, Any], generation: str) -> None:
    shown = write_document(stored(body), generation)
    assert ("schedule" in shown) != ("parents" in shown)
    assert next(iter(shown)) == "name"
    for name in ("command", "owner", "description", "lastSuccess", "lastError"):
        assert isinstance(shown[name], str), name
    for name in ("retries", "successCount", "errorCount", "errorsSinceLastSuccess"):
        assert type(shown[name]) is int
        assert shown[name] >= 0
    for name in ("cpus", "mem", "disk"):
        assert shown[name] > 0
    for name in ("shell", "disabled", "concurrent", "softError", "highPriority"):
        assert type(shown[name]) is bool
    for pair in shown["environmentVariables"]:
        assert isinstance(pair["value"], str)
