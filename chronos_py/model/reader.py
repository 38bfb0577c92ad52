"""Reading JSON objects, with complaints that name the field and the value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn, cast

from chronos_py.errors import InvalidDefinition
from chronos_py.model.schedule.period import parse_seconds

LONGEST_SECONDS = 3.2e9  # a hundred years: sums with dates stay in range


def shown(value: object) -> str:
    """A value of a document as it is quoted in an error: JSON, shortened."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


class Reader:
    """Typed access to one JSON object; every complaint names the field and the value."""

    def __init__(self, document: Mapping[str, Any], path: str = "") -> None:
        self.document = document
        self.path = path

    def refuse(self, name: str, expected: str) -> NoReturn:
        field = f"{self.path}{name}"
        value = self.document.get(name)
        raise InvalidDefinition(f"{field} is {shown(value)} but must be {expected}.", field)

    def get(self, name: str, default: Any) -> Any:
        value = self.document.get(name)
        return default if value is None else value

    def text(self, name: str, default: str = "") -> str:
        value = self.get(name, default)
        if not isinstance(value, str):
            self.refuse(name, "text")
        if "\x00" in value:
            self.refuse(name, "text without a NUL character")
        return value

    def boolean(self, name: str, default: bool) -> bool:
        value = self.get(name, default)
        if not isinstance(value, bool):
            self.refuse(name, "true or false")
        return value

    def integer(self, name: str, default: int, minimum: int, maximum: int = 2**31 - 1) -> int:
        value = self.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            self.refuse(name, f"a whole number from {minimum} to {maximum}")
        return value

    def optional_integer(self, name: str, minimum: int, maximum: int) -> int | None:
        return None if self.document.get(name) is None else self.integer(name, minimum, minimum, maximum)

    def number(self, name: str, default: float) -> float:
        value = self.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
            self.refuse(name, "a number greater than 0")
        return float(value)

    def seconds(self, name: str, default: float | None) -> float | None:
        """A duration; 0 is allowed."""
        value = self.get(name, default)
        if value is None:
            return None
        seconds = parse_seconds(value)
        if seconds is None or not 0 <= seconds <= LONGEST_SECONDS:
            self.refuse(name, 'a duration: seconds as a number, or ISO 8601 text such as "PT90S"')
        return seconds

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.get(name, default)
        if value not in allowed:
            self.refuse(name, "one of " + ", ".join(allowed))
        return cast(str, value)

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and "\x00" not in item for item in value):
            self.refuse(name, "a list of texts")
        return tuple(value)

    def objects(self, name: str) -> list[Reader]:
        value = self.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.refuse(name, "a list of objects")
        return [Reader(item, f"{self.path}{name}[{index}].") for index, item in enumerate(value)]
