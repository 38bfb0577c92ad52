"""What old clients send for a text, a number or a boolean, made into one; the original's own leniency.

A JSON null counts as given there: no text, no, zero, an empty list. Numbers may come as text and the reverse.
"""

from __future__ import annotations

import re
from typing import Any

from chronos_py.errors import InvalidDefinition
from chronos_py.model.reader import shown

_LARGEST = 1e15
_DIGITS = re.compile("-?[0-9]{1,15}")


def as_text(value: object) -> str:
    """Lists and objects are no text: ""."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""


def as_word(value: object) -> str:
    """A text for which "null" means none: the original printed it for a null, and clients send it back."""
    text = as_text(value)
    return "" if text == "null" else text


def as_boolean(value: object) -> bool:
    if isinstance(value, str):
        return value.lower() == "true"
    return isinstance(value, int | float) and value != 0


def as_number(value: object) -> float:
    """0 for what is no number; whole numbers stay whole."""
    if isinstance(value, int):
        return value if abs(value) < _LARGEST else 0
    try:
        number = float(value) if isinstance(value, str | float) else 0.0
    except ValueError:
        return 0
    if not abs(number) < _LARGEST:  # also for "NaN"
        return 0
    return int(number) if number.is_integer() else number


def as_whole_number(value: object) -> int:
    return int(as_number(value))


def as_number_if_one(value: object) -> object:
    """A whole number that comes as text or with a fraction of 0; anything else is left for the strict reading."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def as_texts(value: object) -> list[str]:
    return [as_text(item) for item in value] if isinstance(value, list) else []


def as_constraints(value: object) -> object:
    """Lists of texts; null is none. What is no list is left for the strict reading to refuse."""
    if value is None:
        return []
    if not isinstance(value, list):
        return value
    return [as_texts(entry) if isinstance(entry, list) else entry for entry in value]


def as_objects(value: object, field: str) -> list[dict[str, Any]]:
    """Raises InvalidDefinition for anything but a list of objects; null is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise InvalidDefinition(f"{field} is {shown(value)} but must be a list of objects.", field)
    return [dict(item) for item in value]


def as_pairs(value: object, field: str, key: str) -> list[dict[str, Any]]:
    """Objects with a key and a value, both texts."""
    return [
        {**pair, key: as_text(pair.get(key)), "value": as_text(pair.get("value"))}
        for pair in as_objects(value, field)
    ]
