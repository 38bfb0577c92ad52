"""Labels: what people sort their jobs by, and how they ask for some of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from chronos_py.errors import InvalidDefinition
from chronos_py.model.reader import Reader, shown

LENGTH_OF_VALUE = 200
_KEY = re.compile(r"[A-Za-z0-9_./-]{1,100}")
_NO_LINE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")

# What is asked for: keys with the value that they must have, None for any.
Labels = Sequence[tuple[str, str | None]]


def read_labels(read: Reader) -> dict[str, str]:
    """The field ``labels`` of a job document. Raises InvalidDefinition."""
    labels = read.get("labels", {})
    if not isinstance(labels, dict):
        read.refuse("labels", 'an object of texts, such as {"team": "etl"}')
    for key, value in labels.items():
        check_key(key)
        check_value(key, value)
    return dict(labels)


def check_key(key: str) -> str:
    """``key`` if it may name a label. Raises InvalidDefinition."""
    if not _KEY.fullmatch(key):
        raise InvalidDefinition(
            f"labels has the key {shown(key)}, which is not allowed: use 1 to 100 letters, digits and _ . / - only.",
            "labels",
        )
    return key


def check_value(key: str, value: Any) -> str:
    """``value`` if it may be that of a label. Raises InvalidDefinition."""
    is_line = isinstance(value, str) and value == value.strip() and not _NO_LINE.search(value)
    if not is_line or len(value) > LENGTH_OF_VALUE:
        raise InvalidDefinition(
            f"labels.{key} is {shown(value)} but must be a line of text without blanks around it,"
            f" of at most {LENGTH_OF_VALUE} characters.",
            "labels",
        )
    return str(value)


def read_label(text: str) -> tuple[str, str | None]:
    """``key=value``, or ``key`` alone for any value. Raises InvalidDefinition."""
    key, sign, value = text.partition("=")
    check_key(key)
    return key, check_value(key, value) if sign else None


def in_words(labels: Iterable[tuple[str, str | None]]) -> str:
    """``team=etl, urgent``, as :func:`read_label` reads each."""
    return ", ".join(key if value is None else f"{key}={value}" for key, value in labels)
