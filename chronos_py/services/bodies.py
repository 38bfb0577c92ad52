"""What clients send: a JSON object that every database can keep as it is."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from chronos_py.errors import InvalidDefinition
from chronos_py.model.reader import shown

DEEPEST = 64
# PostgreSQL cannot keep a NUL, UTF-8 cannot write half of a surrogate pair.
_UNUSABLE = re.compile("[\x00\ud800-\udfff]")


def parse_json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a request's body.

    Raises InvalidDefinition for anything else, and for what cannot be passed on faithfully: numbers that are none,
    NUL and half characters in text, nesting without end.
    """
    try:
        value = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise InvalidDefinition("The request body is not JSON; send a JSON object.") from error
    if not isinstance(value, dict):
        words = "a list" if isinstance(value, list) else "text" if isinstance(value, str) else shown(value)
        raise InvalidDefinition(f"The request body is {words} but must be a JSON object.")
    for name, member in value.items():
        if _UNUSABLE.search(name):
            raise InvalidDefinition("The name of a field contains a NUL or half of a character; take it out.")
        _check(name, member)
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise InvalidDefinition(f"The request body contains {text}, which is not JSON; send a number or null.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidDefinition(f"The request body contains {shown(text)}, which is too large for a number.")
    return number


def _check(field: str, value: object) -> None:
    """Level by level, not by recursion: the depth is one of the things that are checked."""
    level = [value]
    for _ in range(DEEPEST):
        if not level:
            return
        if any(isinstance(item, str) and _UNUSABLE.search(item) for item in level):
            raise InvalidDefinition(f"{field} contains a NUL or half of a character; take it out.", field)
        following: list[object] = []
        for item in level:
            if isinstance(item, dict):
                following += [*item, *item.values()]
            elif isinstance(item, list):
                following += item
        level = following
    raise InvalidDefinition(f"{field} is nested more than {DEEPEST} levels deep.", field)
