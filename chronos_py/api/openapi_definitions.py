"""The part of the OpenAPI document about what people do with definitions."""

from __future__ import annotations

from chronos_py.api import shapes
from chronos_py.api.operations import (
    CURSOR,
    ETAG,
    IF_MATCH,
    LIMIT_PARAMETER,
    NAME,
    answer,
    operation,
    parameter,
    query,
    with_headers,
)
from chronos_py.api.shapes import Schema, reference

_NUMBER = parameter("number", "path", {"type": "integer", "minimum": 1}, "The revision's number.")
_AGAINST = query("against", {"type": "integer", "minimum": 1}, "Compare with this revision; default: the one before.")
_CHANGE: Schema = {
    "type": "object",
    "required": ["field", "before", "after"],
    "properties": {
        "field": {"type": "string", "description": "The field's path, such as container.image."},
        "before": {"description": "Its value; null where it had none."},
        "after": {"description": "Its value; null where it has none."},
        "added": {"type": "array", "items": {}, "description": "Of a list: what came."},
        "removed": {"type": "array", "items": {}, "description": "Of a list: what went."},
    },
}
_REVISION_FIELDS: Schema = {
    "revision": {"type": "integer"},
    "author": {"type": "string"},
    "createdAt": {"type": "string", "format": "date-time"},
    "note": {"type": "string", "description": "Why it came about, where it was no plain edit."},
    "summary": {"type": "string", "description": "What was changed, in words."},
    "against": {"type": ["integer", "null"], "description": "What it is compared with; null for the first one."},
    "changes": {"type": "array", "items": _CHANGE},
}
_CHOICE: Schema = {
    "names": shapes.TEXTS,
    "labels": {"type": "object", "additionalProperties": shapes.TEXT_OR_NULL},
    "text": {"type": "string", "description": "A part of the name or the command."},
}
_CATCH_UP: Schema = {
    "type": "boolean",
    "default": False,
    "description": "Treat what came meanwhile as missed (catchUp) rather than skip it.",
}


def _revision_paths() -> dict[str, Schema]:
    page: Schema = shapes.always(
        {
            "revisions": {"type": "array", "items": shapes.always(_REVISION_FIELDS)},
            "next": shapes.TEXT_OR_NULL,
        }
    )
    whole = shapes.always({**_REVISION_FIELDS, "document": {"type": "object"}})
    return {
        "/api/jobs/{name}/revisions": {
            "get": operation(
                "listRevisions",
                "The history of a job's definition, newest first",
                {"200": answer("A page", page)},
                *(NAME, LIMIT_PARAMETER, CURSOR),
                refusals=("400", "404"),
            )
        },
        "/api/jobs/{name}/revisions/{number}": {
            "get": operation(
                "getRevision",
                "A revision, and what it changed",
                {"200": answer("The revision", whole)},
                *(NAME, _NUMBER, _AGAINST),
                refusals=("400", "404"),
            )
        },
        "/api/jobs/{name}/revisions/{number}/restore": {
            "post": operation(
                "restoreRevision",
                "Go back to a revision: its document becomes the newest one, under the job's present name",
                {"200": with_headers(answer("The job", reference("Job")), ETag=ETAG)},
                *(NAME, _NUMBER, IF_MATCH),
                refusals=("400", "404", "412"),
            )
        },
    }


def _selection_path(identity: str, summary: str, properties: Schema) -> Schema:
    outcome = shapes.always({"changed": shapes.TEXTS, "unchanged": shapes.TEXTS})
    return {
        "post": operation(
            identity,
            summary,
            {"200": answer("The names of the jobs", outcome)},
            body=shapes.nothing_else(properties),
            refusals=("400", "404"),
        )
    }


def _import_path() -> Schema:
    taken = shapes.always(
        {
            "name": {"type": "string"},
            "change": {"enum": ["created", "unchanged"]},
            "kind": {"enum": ["schedule", "dependency", "manual"]},
            "description": {"type": "string", "description": "When it runs, in words."},
            "disabled": {"type": "boolean"},
            "nextRun": shapes.TIME_OR_NULL,
            "parents": shapes.TEXTS,
            "notes": {**shapes.TEXTS, "description": "What it does otherwise than in Chronos."},
        }
    )
    problem = shapes.always({"name": {"type": "string"}, "reason": {"type": "string"}})
    done = {"jobs": {"type": "array", "items": taken}, "problems": {"type": "array", "items": problem}}
    wanted: Schema = {
        "jobs": {"type": "array", "items": {"type": "object"}, "description": "What GET jobs of a Chronos answers."},
        "timeZone": {"type": "string", "description": "The zone of starts without an offset; default: UTC."},
        "dryRun": {"type": "boolean", "default": False, "description": "Say what would be, and change nothing."},
    }
    return {
        "post": operation(
            "importChronos",
            "Create the jobs of a Chronos, parents first: all of them or, with any problem, none",
            {"200": answer("What was done, or would be", shapes.always(done))},
            body=shapes.nothing_else(wanted, "jobs"),
        )
    }


def definition_paths() -> dict[str, Schema]:
    """History, and pausing and resuming several jobs."""
    resume = "Resume the jobs of a selection (exactly one of names, labels and text): all of them or none"
    return {
        **_revision_paths(),
        "/api/imports/chronos": _import_path(),
        "/api/jobs/pause": _selection_path("pauseJobs", resume.replace("Resume", "Pause"), _CHOICE),
        "/api/jobs/resume": _selection_path("resumeJobs", resume, {**_CHOICE, "catchUp": _CATCH_UP}),
    }
