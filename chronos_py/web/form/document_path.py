"""Members of a document by their path, such as ``container.image``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EMPTY: tuple[Any, ...] = ("", [], {})


def member(document: Mapping[str, Any], path: str) -> Any:
    """The value at a path, None where there is none."""
    value: Any = document
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def put(document: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a path; an empty value takes the member away, and what held it when that was all."""
    name, _, rest = path.partition(".")
    if rest:
        inner = document.get(name)
        changed = dict(inner) if isinstance(inner, Mapping) else {}
        put(changed, rest, value)
        value = changed
    if value is None or value in EMPTY:
        document.pop(name, None)
    else:
        document[name] = value
