"""The OpenAPI 3.1 description of the native API, written by hand; a test holds it against the routes."""

from __future__ import annotations

from typing import Any

from chronos_py import __version__
from chronos_py.model.document import DEFAULTS
from chronos_py.model.run import Reason, RunState, Trigger

Schema = dict[str, Any]

_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
_DURATION: Schema = {
    "type": ["number", "string", "null"],
    "description": "Seconds as a number, or an ISO 8601 duration such as PT90S.",
}
_DURATIONS = frozenset({"retryDelay", "startDeadline", "timeout", "cpuTimeLimit", "gracePeriod"})
_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}


def _field_schema(name: str, default: object) -> Schema:
    if name in _DURATIONS:
        return {**_DURATION, "default": default}
    if name in ("cpus", "mem", "disk"):
        return {"type": "number", "default": default}
    if name == "container":
        return {"type": ["object", "null"], "description": "image, network, volumes, parameters, forcePullImage"}
    kind = _JSON_TYPES[type(default)]
    schema: Schema = {"type": kind, "default": default}
    if kind == "array":
        schema["items"] = {"type": "object" if name == "environmentVariables" else "string"}
    return schema


def _schemas() -> dict[str, Schema]:
    job = {name: _field_schema(name, default) for name, default in DEFAULTS.items()}
    run = {
        "id": {"type": "integer"},
        "job": {"type": "string"},
        "trigger": {"type": "string", "enum": [trigger.value for trigger in Trigger]},
        "state": {"type": "string", "enum": [state.value for state in RunState]},
        "reason": {"type": "string", "enum": [reason.value for reason in Reason]},
        "message": {"type": "string"},
        "scheduledTime": _TIME,
        "startedAt": _TIME,
        "finishedAt": _TIME,
    }
    return {
        "Job": {"type": "object", "required": ["name"], "properties": job, "additionalProperties": True},
        "Run": {"type": "object", "properties": run, "additionalProperties": True},
        "Problem": {
            "type": "object",
            "properties": {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "field": {"type": "string"},
            },
        },
    }


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(description: str, schema: Schema | None = None, kind: str = "application/json") -> Schema:
    return {"description": description, **({"content": {kind: {"schema": schema}}} if schema else {})}


def _parameter(name: str, where: str, schema: Schema, description: str) -> Schema:
    return {"name": name, "in": where, "required": where == "path", "schema": schema, "description": description}


def _operation(
    summary: str, answers: dict[str, Schema], parameters: tuple[Schema, ...] = (), body: Schema | None = None
) -> Schema:
    operation: Schema = {
        "summary": summary,
        "responses": {**answers, "default": _answer("Refused", _reference("Problem"), "application/problem+json")},
    }
    if parameters:
        operation["parameters"] = list(parameters)
    if body is not None:
        operation["requestBody"] = {"content": {"application/json": {"schema": body}}}
    return operation


_NAME = _parameter("name", "path", {"type": "string"}, "The job's name.")
_RUN_ID = _parameter("run_id", "path", {"type": "integer"}, "The run's number.")
_LIMIT = _parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}, "At most.")
_CURSOR = _parameter("cursor", "query", {"type": "string"}, "The next of the page before.")
_STATE = _parameter("state", "query", {"type": "string"}, "States, separated by commas.")
_IF_MATCH = _parameter("If-Match", "header", {"type": "string"}, "The ETag that was seen; 412 when it changed.")
_IF_NONE_MATCH = _parameter("If-None-Match", "header", {"type": "string"}, "* to create only.")
_OVERRIDES: Schema = {
    "type": "object",
    "properties": {
        "arguments": {"type": "array", "items": {"type": "string"}},
        "environment": {"type": "object", "additionalProperties": {"type": "string"}},
        "scheduledTime": {"type": "string", "format": "date-time"},
    },
}
_PREVIEW: Schema = {
    "type": "object",
    "required": ["schedule"],
    "properties": {
        "schedule": {"type": "string"},
        "scheduleTimeZone": {"type": "string"},
        "count": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 10},
        "from": {"type": "string", "format": "date-time"},
    },
}
_RUN_PAGE: Schema = {
    "type": "object",
    "properties": {"runs": {"type": "array", "items": _reference("Run")}, "next": {"type": ["string", "null"]}},
}


def _job_paths() -> dict[str, Schema]:
    job, page = _reference("Job"), {"type": "object", "properties": {"jobs": {"type": "array"}, "next": {}}}
    children = _parameter("children", "query", {"enum": ["refuse", "detach", "convert"]}, "What becomes of children.")
    text = _parameter("q", "query", {"type": "string"}, "Part of the name or the command.")
    disabled = _parameter("disabled", "query", {"enum": ["true", "false"]}, "Paused ones, or the others.")
    run = _reference("Run")
    return {
        "/api/jobs": {
            "get": _operation("List jobs", {"200": _answer("A page", page)}, (text, disabled, _LIMIT, _CURSOR))
        },
        "/api/jobs/{name}": {
            "get": _operation("A job", {"200": _answer("The job, with its ETag", job)}, (_NAME,)),
            "put": _operation(
                "Create or replace a job",
                {"200": _answer("Replaced", job), "201": _answer("Created", job)},
                (_NAME, _IF_MATCH, _IF_NONE_MATCH),
                job,
            ),
            "patch": _operation(
                "Change fields of a job", {"200": _answer("Changed", job)}, (_NAME, _IF_MATCH), {"type": "object"}
            ),
            "delete": _operation("Delete a job", {"204": _answer("Deleted")}, (_NAME, children)),
        },
        "/api/jobs/{name}/runs": {
            "get": _operation(
                "Runs of a job", {"200": _answer("A page", _RUN_PAGE)}, (_NAME, _STATE, _LIMIT, _CURSOR)
            ),
            "post": _operation("Run a job now", {"202": _answer("Queued", run)}, (_NAME,), _OVERRIDES),
        },
    }


def _run_paths() -> dict[str, Schema]:
    run = _reference("Run")
    log_parameters = (
        _RUN_ID,
        _parameter("attempt", "query", {"type": "integer"}, "The last one by default."),
        _parameter("stream", "query", {"enum": ["stdout", "stderr"]}, "stdout by default."),
        _parameter("offset", "query", {"type": "integer", "minimum": 0}, "First byte."),
        _parameter("limit", "query", {"type": "integer", "minimum": 1}, "At most so many bytes."),
    )
    text: Schema = {"type": "string"}
    return {
        "/api/runs": {"get": _operation("Runs", {"200": _answer("A page", _RUN_PAGE)}, (_STATE, _LIMIT, _CURSOR))},
        "/api/runs/{run_id}": {
            "get": _operation("A run with its attempts", {"200": _answer("The run", run)}, (_RUN_ID,))
        },
        "/api/runs/{run_id}/kill": {"post": _operation("Kill a run", {"202": _answer("Asked", run)}, (_RUN_ID,))},
        "/api/runs/{run_id}/rerun": {
            "post": _operation("Run the same again", {"202": _answer("Queued", run)}, (_RUN_ID,))
        },
        "/api/runs/{run_id}/logs": {
            "get": _operation(
                "Output; X-Next-Offset and X-Log-Complete say how to go on",
                {"200": _answer("Bytes of the stream", text, "text/plain")},
                log_parameters,
            )
        },
    }


def _other_paths() -> dict[str, Schema]:
    anything: Schema = {"type": "object"}
    ok = {"200": _answer("OK", anything)}
    return {
        "/api/schedules/preview": {"post": _operation("Try a schedule", ok, (), _PREVIEW)},
        "/api/graph": {"get": _operation("All jobs and edges", ok)},
        "/api/leader": {"get": _operation("Who leads", ok)},
        "/api/openapi.json": {"get": _operation("This document", ok)},
        "/api/docs": {"get": _operation("This document as a page", {"200": _answer("A page", {}, "text/html")})},
    }


def describe() -> Schema:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Chronos-py", "version": __version__, "description": "Jobs, runs and logs."},
        "paths": {**_job_paths(), **_run_paths(), **_other_paths()},
        "components": {"schemas": _schemas()},
    }
