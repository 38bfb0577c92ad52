"""The pieces that JSON Schemas are made of."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
YES_OR_NO: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
TIME: Schema = {"type": "string", "format": "date-time"}
TIME_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
TEXTS: Schema = {"type": "array", "items": TEXT}
WHOLE_OR_NULL: Schema = {"type": ["integer", "null"]}
SIGNS: Schema = {"type": "array", "items": {"oneOf": [WHOLE, TEXT]}}
DURATION: Schema = {
    "type": ["number", "string", "null"],
    "description": "Seconds as a number, or an ISO 8601 duration such as PT90S.",
}


def reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def nothing_else(properties: Schema, *required: str) -> Schema:
    """An object with these properties only."""
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": list(required)} if required else schema


def always(properties: Schema) -> Schema:
    """An object that has all of these properties."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def described(meaning: str, schema: Schema) -> Schema:
    return {**schema, "description": meaning}
