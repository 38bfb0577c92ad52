"""The part of the OpenAPI document about limits that jobs share."""

from __future__ import annotations

from chronos_py.api import schemas_time, shapes
from chronos_py.api.operations import answer, operation, parameter
from chronos_py.api.shapes import Schema, reference

_LIMIT_NAME = parameter("name", "path", {"type": "string"}, "The limit's name.")


def limit_paths() -> dict[str, Schema]:
    every = shapes.always({"limits": {"type": "array", "items": reference("Limit")}})
    return {
        "/api/limits": {
            "get": operation("listLimits", "Limits that jobs share", {"200": answer("All of them", every)})
        },
        "/api/limits/{name}": {
            "get": operation(
                "getLimit",
                "A limit, and what is taken of it",
                {"200": answer("The limit", reference("Limit"))},
                _LIMIT_NAME,
                refusals=("400", "404"),
            ),
            "put": operation(
                "putLimit",
                "Create a limit or change its units",
                {"200": answer("Changed", reference("Limit")), "201": answer("Created", reference("Limit"))},
                _LIMIT_NAME,
                body=schemas_time.LIMIT_REQUEST,
            ),
            "delete": operation(
                "deleteLimit",
                "Delete a limit that no job shares",
                {"204": answer("Deleted")},
                _LIMIT_NAME,
                refusals=("400", "404", "409"),
            ),
        },
    }
