"""Where a task may run: constraints on the attributes of a pool's nodes.

Patterns are RE2's, which match in linear time whatever they are: no job can stop the leader with one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import re2

from chronos_py.errors import InvalidDefinition
from chronos_py.model.double import double_text
from chronos_py.model.reader import Reader, shown

MOST_CONSTRAINTS = 50
MOST_CHARACTERS = 1000
_PATTERN_MEMORY = 1 << 20

_NAME = re.compile(r"[^\s:;\[\]{}]+")
_SCALAR = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


class Operator(StrEnum):
    EQUALS = "EQUALS"  # the attribute is this text
    LIKE = "LIKE"  # the whole attribute, or an element of it, matches the pattern
    UNLIKE = "UNLIKE"  # it is there, and none of it matches


@dataclass(frozen=True, slots=True, order=True)
class Constraint:
    attribute: str
    operator: Operator
    value: str

    def __str__(self) -> str:
        return f"{self.attribute} {self.operator} {self.value}"


@dataclass(frozen=True, slots=True)
class Ranges:
    """An attribute that is ranges of numbers, which no constraint ever matches."""

    text: str


# A text, a number, a set of texts, or ranges.
Attribute = str | float | frozenset[str] | Ranges
Attributes = Mapping[str, Attribute]


def read_constraints(read: Reader) -> tuple[Constraint, ...]:
    """The document's ``constraints``. Raises InvalidDefinition."""
    given = read.get("constraints", [])
    if not isinstance(given, list) or len(given) > MOST_CONSTRAINTS:
        read.refuse("constraints", f"a list of at most {MOST_CONSTRAINTS} constraints")
    return tuple(_read_constraint(entry, f"{read.path}constraints[{index}]") for index, entry in enumerate(given))


def _read_constraint(entry: Any, field: str) -> Constraint:
    def refuse(expected: str) -> InvalidDefinition:
        return InvalidDefinition(f"{field} is {shown(entry)} but must be {expected}.", field)

    if not isinstance(entry, list) or len(entry) != 3 or not all(isinstance(part, str) for part in entry):
        raise refuse('three texts: an attribute, an operator and a value, such as ["rack", "EQUALS", "a"]')
    attribute, operator, value = entry
    if not attribute or any("\x00" in part or len(part) > MOST_CHARACTERS for part in entry):
        raise refuse(f"three texts of at most {MOST_CHARACTERS} characters, the first of them not empty")
    if operator not in tuple(Operator):
        raise refuse(f"an attribute, one of {', '.join(Operator)}, and a value")
    if operator != Operator.EQUALS:
        try:
            _pattern(value)
        except (re2.error, UnicodeEncodeError) as error:
            raise refuse(f"an attribute, {operator} and a pattern that RE2 can read ({_words(error)})") from error
    return Constraint(attribute, Operator(operator), value)


def _words(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(error)


@lru_cache(maxsize=1000)
def _pattern(text: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _PATTERN_MEMORY
    return re2.compile(text, options)


# ---------------------------------------------------------------------------------------------- in the database


def placement_of(constraints: Iterable[Constraint]) -> str:
    """Constraints as one text: the same for the same ones in any order, "" for none."""
    entries = [[each.attribute, each.operator.value, each.value] for each in sorted(set(constraints))]
    return json.dumps(entries, ensure_ascii=False, separators=(",", ":")) if entries else ""


def read_placement(text: str) -> tuple[Constraint, ...]:
    """What :func:`placement_of` wrote."""
    entries = json.loads(text) if text else []
    return tuple(Constraint(attribute, Operator(operator), value) for attribute, operator, value in entries)


# -------------------------------------------------------------------------------------------------- evaluation


def are_met(constraints: Iterable[Constraint], attributes: Attributes) -> bool:
    """Whether a node with these attributes meets all of them."""
    return all(_is_met(constraint, attributes) for constraint in constraints)


def count_meeting(constraints: Sequence[Constraint], nodes: Iterable[Attributes]) -> int:
    return sum(are_met(constraints, attributes) for attributes in nodes)


def _is_met(constraint: Constraint, attributes: Attributes) -> bool:
    attribute = attributes.get(constraint.attribute)
    if attribute is None or isinstance(attribute, Ranges):
        return False
    if constraint.operator is Operator.EQUALS:
        return isinstance(attribute, str) and attribute == constraint.value
    matches = any(_matches(constraint.value, text) for text in _texts(attribute))
    return matches is (constraint.operator is Operator.LIKE)


def _texts(attribute: str | float | frozenset[str]) -> Iterable[str]:
    if isinstance(attribute, str):
        return (attribute,)
    return attribute if isinstance(attribute, frozenset) else (double_text(attribute),)


def _matches(pattern: str, text: str) -> bool:
    try:
        return len(text) <= MOST_CHARACTERS and _pattern(pattern).fullmatch(text) is not None
    except (re2.error, UnicodeEncodeError):  # stored before patterns were looked at
        return False


# -------------------------------------------------------------------------------------------------- attributes


def read_attributes(text: str) -> dict[str, Attribute]:
    """Attributes as a setting gives them: ``rack:a;ssd:true;cpus_class:3.0;zones:{a,b};ports:[1-9]``.

    Of several of one name the last counts. Raises ValueError, in a sentence.
    """
    attributes: dict[str, Attribute] = {}
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        name, colon, value = (part.strip() for part in entry.partition(":"))
        if not colon or not value or not _NAME.fullmatch(name):
            raise ValueError(f'{entry!r} is no attribute; write name:value, and ";" between several.')
        attributes[name] = _read_attribute(entry, value)
    return attributes


def _read_attribute(entry: str, value: str) -> Attribute:
    if len(value) > MOST_CHARACTERS:
        raise ValueError(f"the attribute {entry[:40]!r}... is longer than {MOST_CHARACTERS} characters.")
    if value.startswith("{") and value.endswith("}"):
        return frozenset(filter(None, (element.strip() for element in value[1:-1].split(","))))
    if value.startswith("[") and value.endswith("]"):
        return Ranges(value)
    return float(value) if _SCALAR.fullmatch(value) else value
