"""What an option of an engine's command line does to the document that the engine is asked with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Document = dict[str, Any]
# Puts an option's value into the document. Raises ValueError for what cannot be read.
Edit = Callable[[Document, str], None]


def one(path: str, read: Callable[[str], Any] = str) -> Edit:
    """Set the field at a dotted path; the last value counts."""

    def edit(document: Document, value: str) -> None:
        place, name = place_of(document, path)
        place[name] = read(value)

    return edit


def many(path: str, read: Callable[[str], Any] = str) -> Edit:
    """Append to the field's list."""

    def edit(document: Document, value: str) -> None:
        place, name = place_of(document, path)
        place.setdefault(name, []).append(read(value))

    return edit


def pairs(path: str) -> Edit:
    """Add ``name=value`` to the field's dictionary."""

    def edit(document: Document, value: str) -> None:
        place, name = place_of(document, path)
        key, entry = pair(value)
        place.setdefault(name, {})[key] = entry

    return edit


def place_of(document: Document, path: str) -> tuple[Document, str]:
    """The dictionary that holds the field at a dotted path, and the field's name in it."""
    *outer, name = path.split(".")
    for step in outer:
        document = document.setdefault(step, {})
    return document, name


def pair(value: str) -> tuple[str, str]:
    """``name=value``, taken apart. Raises ValueError."""
    name, separator, rest = value.partition("=")
    if not separator or not name:
        raise ValueError("name=value is expected")
    return name, rest


def switch(value: str) -> bool:
    """True for an option without a value, too. Raises ValueError."""
    if value.lower() not in ("", "true", "false", "1", "0"):
        raise ValueError("true or false is expected")
    return value.lower() not in ("false", "0")
