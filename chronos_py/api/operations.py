"""The pieces of an OpenAPI document."""

from __future__ import annotations

from chronos_py.api.shapes import Schema, reference
from chronos_py.model.run import RunState

_PROBLEM = "application/problem+json"
_WORDS = {
    "400": "The request cannot be understood; nothing was stored",
    "404": "There is no such thing",
    "409": "The present state does not allow it",
    "412": "It is at another revision than the one expected",
}


def answer(description: str, schema: Schema | None = None, kind: str = "application/json") -> Schema:
    return {"description": description, **({"content": {kind: {"schema": schema}}} if schema else {})}


def with_headers(described_answer: Schema, **headers: str) -> Schema:
    described = {
        name.replace("_", "-"): {"description": words, "schema": {"type": "string"}}
        for name, words in headers.items()
    }
    return {**described_answer, "headers": described}


def parameter(name: str, where: str, schema: Schema, description: str) -> Schema:
    return {"name": name, "in": where, "required": where == "path", "schema": schema, "description": description}


def query(name: str, schema: Schema, description: str) -> Schema:
    return parameter(name, "query", schema, description)


def operation(
    identity: str,
    summary: str,
    answers: dict[str, Schema],
    *parameters: Schema,
    body: Schema | None = None,
    body_required: bool = True,
    refusals: tuple[str, ...] = ("400",),
) -> Schema:
    refused = {status: answer(_WORDS[status], reference("Problem"), _PROBLEM) for status in refusals}
    other = {"default": answer("Any other refusal, such as 401, 413 or 503", reference("Problem"), _PROBLEM)}
    described: Schema = {"operationId": identity, "summary": summary, "responses": {**answers, **refused, **other}}
    if parameters:
        described["parameters"] = list(parameters)
    if body is not None:
        described["requestBody"] = {"required": body_required, "content": {"application/json": {"schema": body}}}
    return described


NAME = parameter("name", "path", {"type": "string"}, "The job's name.")
RUN_ID = parameter("run_id", "path", {"type": "integer"}, "The run's number.")
LIMIT_PARAMETER = query("limit", {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}, "At most so many.")
CURSOR = query("cursor", {"type": "string"}, "The next of the page before.")
STATE = query(
    "state", {"type": "string"}, f"Only these states, separated by commas: {', '.join(state for state in RunState)}."
)
IF_MATCH = parameter("If-Match", "header", {"type": "string"}, "The ETag that was seen, or * for any.")
IF_NONE_MATCH = parameter("If-None-Match", "header", {"type": "string"}, "* creates only, and never replaces.")
ETAG = "The revision, in quotes, for If-Match."


def accepted(name: str = "Run", what: str = "run") -> dict[str, Schema]:
    """202: decided, and on its way."""
    described = answer(f"The {what}", reference(name))
    return {"202": with_headers(described, Location=f"The address of the {what}.")}
