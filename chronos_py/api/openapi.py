"""The OpenAPI 3.1 description of the native API, written by hand; tests hold it against the routes."""

from __future__ import annotations

from chronos_py import __version__
from chronos_py.api import schemas, schemas_time, shapes
from chronos_py.api.openapi_definitions import definition_paths
from chronos_py.api.openapi_limits import limit_paths
from chronos_py.api.openapi_time import time_paths
from chronos_py.api.operations import (
    CURSOR,
    ETAG,
    IF_MATCH,
    IF_NONE_MATCH,
    LIMIT_PARAMETER,
    NAME,
    RUN_ID,
    STATE,
    accepted,
    answer,
    operation,
    query,
    with_headers,
)
from chronos_py.api.schemas_cluster import CLUSTER
from chronos_py.api.shapes import Schema, reference
from chronos_py.services.logs import LIMIT


def _job_answer(description: str) -> Schema:
    return with_headers(answer(description, reference("Job")), ETag=ETAG)


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
        query("q", {"type": "string"}, "A part of the name or the command, in any case."),
        query("disabled", {"enum": ["true", "false"]}, "The paused ones, or the others."),
        query(
            "label",
            shapes.TEXTS,
            "key=value, or key alone for any value; may be repeated: those that have all of these labels.",
        ),
        query("kind", {"enum": ["schedule", "dependency", "manual"]}, "What makes the job run."),
        query("sort", {"enum": ["name"]}, "The order."),
    )
    children = query(
        "children",
        {"enum": ["refuse", "detach", "convert"], "default": "refuse"},
        "What becomes of jobs that run after it: refuse to delete, take this parent away, or let them inherit.",
    )
    return {
        "/api/jobs": {
            "get": operation(
                "listJobs",
                "List jobs",
                {"200": answer("A page", reference("JobPage"))},
                *filters,
                LIMIT_PARAMETER,
                CURSOR,
            ),
            "post": operation(
                "saveJobs",
                "Create or replace several jobs: all of them or none",
                {"200": answer("What was done with each", _CHANGES)},
                body={
                    "type": "object",
                    "required": ["jobs"],
                    "properties": {"jobs": {"type": "array", "items": reference("Job")}},
                },
            ),
        },
        "/api/jobs/{name}": {
            "get": operation("getJob", "A job", {"200": _job_answer("The job")}, NAME, refusals=("400", "404")),
            "put": operation(
                "putJob",
                "Create a job or replace its definition",
                {"200": _job_answer("Replaced, or unchanged"), "201": _job_answer("Created")},
                *(NAME, IF_MATCH, IF_NONE_MATCH),
                body=reference("Job"),
                refusals=("400", "412"),
            ),
            "patch": operation(
                "patchJob",
                "Change fields of a job (JSON merge patch; null takes a field back to its default), or its name",
                {"200": _job_answer("Changed")},
                *(NAME, IF_MATCH),
                body={"type": "object"},
                refusals=("400", "404", "409", "412"),
            ),
            "delete": operation(
                "deleteJob",
                "Delete a job; its running tasks are killed, its runs stay readable",
                {"204": answer("Deleted")},
                *(NAME, children, IF_MATCH),
                refusals=("400", "404", "409", "412"),
            ),
        },
        "/api/jobs/{name}/runs": {
            "get": operation(
                "listJobRuns",
                "Runs of a job, newest first",
                {"200": answer("A page", reference("RunPage"))},
                *(NAME, STATE, LIMIT_PARAMETER, CURSOR),
                refusals=("400", "404"),
            ),
            "post": operation(
                "runJob",
                "Run a job now",
                accepted(),
                NAME,
                body=schemas.OVERRIDES,
                body_required=False,
                refusals=("400", "404"),
            ),
        },
    }


def _run_paths() -> dict[str, Schema]:
    log_parameters = (
        query("attempt", {"type": "integer", "minimum": 1}, "Which try; default: the last one."),
        query("stream", {"enum": ["stdout", "stderr"], "default": "stdout"}, "Which stream."),
        query(
            "offset",
            {"type": "integer", "minimum": -LIMIT, "default": 0},
            "The first byte; a negative one counts from the end of what is there.",
        ),
        query(
            "limit", {"type": "integer", "minimum": 1, "maximum": LIMIT, "default": LIMIT}, "At most so many bytes."
        ),
    )
    output = with_headers(
        answer("Bytes of the stream", {"type": "string"}, "text/plain"),
        X_Log_Attempt="Which try it is, 0: there is none yet.",
        X_Log_Offset="The offset of the first of these bytes.",
        X_Next_Offset="The offset to go on from.",
        X_Log_Complete="true when nothing will follow that offset, else false.",
        X_Log_Size="How many bytes the stream has, where that is known.",
    )
    return {
        "/api/runs": {
            "get": operation(
                "listRuns",
                "Runs of all jobs, newest first",
                {"200": answer("A page", reference("RunPage"))},
                *(
                    STATE,
                    query("backfill", {"type": "integer"}, "Only those of this backfill."),
                    LIMIT_PARAMETER,
                    CURSOR,
                ),
            )
        },
        "/api/runs/{run_id}": {
            "get": operation(
                "getRun",
                "A run with its attempts",
                {"200": answer("The run", reference("RunDetail"))},
                RUN_ID,
                refusals=("400", "404"),
            )
        },
        "/api/runs/{run_id}/kill": {
            "post": operation(
                "killRun",
                "End a run; a running task is killed once its pool has confirmed that",
                accepted(),
                RUN_ID,
                refusals=("400", "404", "409"),
            )
        },
        "/api/runs/{run_id}/rerun": {
            "post": operation(
                "rerun",
                "Run the same again, for the same scheduled time and with the same overrides",
                accepted(),
                RUN_ID,
                body=schemas.RERUN,
                body_required=False,
                refusals=("400", "404", "409"),
            )
        },
        "/api/runs/{run_id}/mark-successful": {
            "post": operation(
                "markSuccessful",
                "Let a run that ended otherwise count as successful: the jobs after it run",
                {"200": answer("The run", reference("Run"))},
                RUN_ID,
                body=schemas.MARK,
                body_required=False,
                refusals=("400", "404", "409"),
            )
        },
        "/api/runs/{run_id}/logs": {
            "get": operation(
                "readLog",
                "What an attempt's task printed",
                {"200": output},
                RUN_ID,
                *log_parameters,
                refusals=("400", "404"),
            )
        },
    }


def _other_paths() -> dict[str, Schema]:
    graph = operation("getGraph", "All jobs and edges", {"200": answer("The graph", schemas.GRAPH)})
    leader = operation("getLeader", "Who leads", {"200": answer("The leader", schemas.LEADER)})
    cluster = operation("getCluster", "How the cluster stands", {"200": answer("The cluster", CLUSTER)})
    document = operation("getOpenapi", "This document", {"200": answer("OpenAPI 3.1", {"type": "object"})})
    page = operation("getDocs", "This document as a page", {"200": answer("A page", shapes.TEXT, "text/html")})
    alive = operation(
        "isAlive", "Whether the process lives", {"200": answer("ok", shapes.TEXT, "text/plain")}, refusals=()
    )
    ready = operation(
        "isReady",
        "Whether this node can do its work",
        {"200": answer("Ready", schemas.READINESS), "503": answer("Not ready, and why", schemas.READINESS)},
        refusals=(),
    )
    return {
        "/api/graph": {"get": graph},
        "/api/leader": {"get": leader},
        "/api/cluster": {"get": cluster},
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
        "paths": {
            **_job_paths(),
            **definition_paths(),
            **_run_paths(),
            **time_paths(),
            **limit_paths(),
            **_other_paths(),
        },
        "components": {"schemas": {**schemas.components(), **schemas_time.components()}},
    }
