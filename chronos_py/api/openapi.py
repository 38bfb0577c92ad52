"""The OpenAPI 3.1 description of the native API, written by hand; tests hold it against the routes."""

from __future__ import annotations

from chronos_py import __version__
from chronos_py.api import schemas
from chronos_py.api.schemas import Schema, reference
from chronos_py.model.run import RunState
from chronos_py.services.logs import LIMIT

_PROBLEM = "application/problem+json"
_WORDS = {
    "400": "The request cannot be understood; nothing was stored",
    "404": "There is no such job or run",
    "409": "The present state does not allow it",
    "412": "The job is at another revision than the one expected",
}


def _answer(description: str, schema: Schema | None = None, kind: str = "application/json") -> Schema:
    return {"description": description, **({"content": {kind: {"schema": schema}}} if schema else {})}


def _with_headers(answer: Schema, **headers: str) -> Schema:
    described = {
        name.replace("_", "-"): {"description": words, "schema": {"type": "string"}}
        for name, words in headers.items()
    }
    return {**answer, "headers": described}


def _parameter(name: str, where: str, schema: Schema, description: str) -> Schema:
    return {"name": name, "in": where, "required": where == "path", "schema": schema, "description": description}


def _query(name: str, schema: Schema, description: str) -> Schema:
    return _parameter(name, "query", schema, description)


def _operation(
    identity: str,
    summary: str,
    answers: dict[str, Schema],
    *parameters: Schema,
    body: Schema | None = None,
    body_required: bool = True,
    refusals: tuple[str, ...] = ("400",),
) -> Schema:
    refused = {status: _answer(_WORDS[status], reference("Problem"), _PROBLEM) for status in refusals}
    other = {"default": _answer("Any other refusal, such as 401, 413 or 503", reference("Problem"), _PROBLEM)}
    operation: Schema = {"operationId": identity, "summary": summary, "responses": {**answers, **refused, **other}}
    if parameters:
        operation["parameters"] = list(parameters)
    if body is not None:
        operation["requestBody"] = {"required": body_required, "content": {"application/json": {"schema": body}}}
    return operation


_NAME = _parameter("name", "path", {"type": "string"}, "The job's name.")
_RUN_ID = _parameter("run_id", "path", {"type": "integer"}, "The run's number.")
_LIMIT = _query("limit", {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}, "At most so many.")
_CURSOR = _query("cursor", {"type": "string"}, "The next of the page before.")
_STATE = _query(
    "state", {"type": "string"}, f"Only these states, separated by commas: {', '.join(state for state in RunState)}."
)
_IF_MATCH = _parameter("If-Match", "header", {"type": "string"}, "The ETag that was seen, or * for any.")
_IF_NONE_MATCH = _parameter("If-None-Match", "header", {"type": "string"}, "* creates only, and never replaces.")
_ETAG = "The revision, in quotes, for If-Match."


def _job_answer(description: str) -> Schema:
    return _with_headers(_answer(description, reference("Job")), ETag=_ETAG)


def _accepted() -> dict[str, Schema]:
    return {"202": _with_headers(_answer("The run", reference("Run")), Location="The address of the run.")}


_CHANGES: Schema = {
    "type": "object",
    "properties": {
        "jobs": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "change": {"enum": ["created", "changed", "unchanged"]},
                    "revision": {"type": "integer"},
                },
            },
        }
    },
}


def _job_paths() -> dict[str, Schema]:
    filters = (
        _query("q", {"type": "string"}, "A part of the name or the command, in any case."),
        _query("disabled", {"enum": ["true", "false"]}, "The paused ones, or the others."),
        _query("kind", {"enum": ["schedule", "dependency", "manual"]}, "What makes the job run."),
        _query("sort", {"enum": ["name"]}, "The order."),
    )
    children = _query(
        "children",
        {"enum": ["refuse", "detach", "convert"], "default": "refuse"},
        "What becomes of jobs that run after it: refuse to delete, take this parent away, or let them inherit.",
    )
    return {
        "/api/jobs": {
            "get": _operation(
                "listJobs", "List jobs", {"200": _answer("A page", reference("JobPage"))}, *filters, _LIMIT, _CURSOR
            ),
            "post": _operation(
                "saveJobs",
                "Create or replace several jobs: all of them or none",
                {"200": _answer("What was done with each", _CHANGES)},
                body={
                    "type": "object",
                    "required": ["jobs"],
                    "properties": {"jobs": {"type": "array", "items": reference("Job")}},
                },
            ),
        },
        "/api/jobs/{name}": {
            "get": _operation("getJob", "A job", {"200": _job_answer("The job")}, _NAME, refusals=("400", "404")),
            "put": _operation(
                "putJob",
                "Create a job or replace its definition",
                {"200": _job_answer("Replaced, or unchanged"), "201": _job_answer("Created")},
                *(_NAME, _IF_MATCH, _IF_NONE_MATCH),
                body=reference("Job"),
                refusals=("400", "412"),
            ),
            "patch": _operation(
                "patchJob",
                "Change fields of a job (JSON merge patch; null takes a field back to its default)",
                {"200": _job_answer("Changed")},
                *(_NAME, _IF_MATCH),
                body={"type": "object"},
                refusals=("400", "404", "412"),
            ),
            "delete": _operation(
                "deleteJob",
                "Delete a job; its running tasks are killed, its runs stay readable",
                {"204": _answer("Deleted")},
                *(_NAME, children, _IF_MATCH),
                refusals=("400", "404", "409", "412"),
            ),
        },
        "/api/jobs/{name}/runs": {
            "get": _operation(
                "listJobRuns",
                "Runs of a job, newest first",
                {"200": _answer("A page", reference("RunPage"))},
                *(_NAME, _STATE, _LIMIT, _CURSOR),
                refusals=("400", "404"),
            ),
            "post": _operation(
                "runJob",
                "Run a job now",
                _accepted(),
                _NAME,
                body=schemas.OVERRIDES,
                body_required=False,
                refusals=("400", "404"),
            ),
        },
    }


def _run_paths() -> dict[str, Schema]:
    log_parameters = (
        _query("attempt", {"type": "integer", "minimum": 1}, "Which try; default: the last one."),
        _query("stream", {"enum": ["stdout", "stderr"], "default": "stdout"}, "Which stream."),
        _query("offset", {"type": "integer", "minimum": 0, "default": 0}, "The first byte."),
        _query(
            "limit", {"type": "integer", "minimum": 1, "maximum": LIMIT, "default": LIMIT}, "At most so many bytes."
        ),
    )
    output = _with_headers(
        _answer("Bytes of the stream", {"type": "string"}, "text/plain"),
        X_Next_Offset="The offset to go on from.",
        X_Log_Complete="true when nothing will follow that offset, else false.",
    )
    return {
        "/api/runs": {
            "get": _operation(
                "listRuns",
                "Runs of all jobs, newest first",
                {"200": _answer("A page", reference("RunPage"))},
                *(_STATE, _LIMIT, _CURSOR),
            )
        },
        "/api/runs/{run_id}": {
            "get": _operation(
                "getRun",
                "A run with its attempts",
                {"200": _answer("The run", reference("RunDetail"))},
                _RUN_ID,
                refusals=("400", "404"),
            )
        },
        "/api/runs/{run_id}/kill": {
            "post": _operation(
                "killRun",
                "End a run; a running task is killed once its pool has confirmed that",
                _accepted(),
                _RUN_ID,
                refusals=("400", "404", "409"),
            )
        },
        "/api/runs/{run_id}/rerun": {
            "post": _operation(
                "rerun",
                "Run the same again, for the same scheduled time and with the same overrides",
                _accepted(),
                _RUN_ID,
                refusals=("400", "404", "409"),
            )
        },
        "/api/runs/{run_id}/logs": {
            "get": _operation(
                "readLog",
                "What an attempt's task printed",
                {"200": output},
                _RUN_ID,
                *log_parameters,
                refusals=("400", "404"),
            )
        },
    }


def _other_paths() -> dict[str, Schema]:
    preview = _operation(
        "previewSchedule",
        "The next times of a schedule, and what it means in words",
        {"200": _answer("The times", schemas.PREVIEWED)},
        body=schemas.PREVIEW,
    )
    graph = _operation("getGraph", "All jobs and edges", {"200": _answer("The graph", schemas.GRAPH)})
    leader = _operation("getLeader", "Who leads", {"200": _answer("The leader", schemas.LEADER)})
    document = _operation("getOpenapi", "This document", {"200": _answer("OpenAPI 3.1", {"type": "object"})})
    page = _operation("getDocs", "This document as a page", {"200": _answer("A page", schemas.TEXT, "text/html")})
    alive = _operation(
        "isAlive", "Whether the process lives", {"200": _answer("ok", schemas.TEXT, "text/plain")}, refusals=()
    )
    ready = _operation(
        "isReady",
        "Whether this node can do its work",
        {"200": _answer("Ready", schemas.READINESS), "503": _answer("Not ready, and why", schemas.READINESS)},
        refusals=(),
    )
    return {
        "/api/schedules/preview": {"post": preview},
        "/api/graph": {"get": graph},
        "/api/leader": {"get": leader},
        "/api/openapi.json": {"get": document},
        "/api/docs": {"get": page},
        "/healthz": {"get": alive},
        "/readyz": {"get": ready},
    }


def describe() -> Schema:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Chronos-py",
            "version": __version__,
            "description": "Jobs, runs and logs of a distributed scheduler. Errors are problem documents (RFC 9457).",
        },
        "paths": {**_job_paths(), **_run_paths(), **_other_paths()},
        "components": {"schemas": schemas.components()},
    }
