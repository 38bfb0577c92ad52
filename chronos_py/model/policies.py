"""The document's fields about retries and concurrency."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from chronos_py.errors import InvalidDefinition
from chronos_py.model.concurrency import Concurrency
from chronos_py.model.reader import Reader, shown
from chronos_py.model.retry import LONGEST_DELAY, RETRY_WORDS, RetryPolicy

LIMIT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
MOST_UNITS = 1_000_000


def read_retry_policy(read: Reader) -> RetryPolicy:
    """``retries``, ``retryDelay``, ``retryBackoff``, ``retryOn`` and ``noRetryOn``. Raises InvalidDefinition."""
    factor, longest, jitter = _read_backoff(read)
    return RetryPolicy(
        retries=read.integer("retries", 2, 0, 10_000),
        delay=timedelta(seconds=read.seconds("retryDelay", 60) or 0),
        factor=factor,
        longest=longest,
        jitter=jitter,
        on=_signs(read, "retryOn"),
        never_on=_signs(read, "noRetryOn"),
    )


def _read_backoff(read: Reader) -> tuple[float, timedelta, float]:
    value = read.document.get("retryBackoff")
    if value is None:
        return 1.0, LONGEST_DELAY, 0.0
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = {"factor": value}
    if not isinstance(value, dict):
        read.refuse(
            "retryBackoff", 'a factor such as 2, or an object such as {"factor": 2, "maximum": "PT1H", "jitter": 0.2}'
        )
    inner = Reader(value, "retryBackoff.")
    for name in value:
        if name not in ("factor", "maximum", "jitter"):
            inner.refuse(name, "left out; known are factor, maximum and jitter")
    factor = inner.number("factor", 1.0)
    if not 1 <= factor <= 1000:
        inner.refuse("factor", "a number from 1 to 1000")
    longest = inner.seconds("maximum", None)
    jitter = value.get("jitter")
    jitter = 0.0 if jitter is None else jitter
    if isinstance(jitter, bool) or not isinstance(jitter, int | float) or not 0 <= jitter <= 1:
        inner.refuse("jitter", "a share of the delay from 0 to 1")
    return factor, LONGEST_DELAY if longest is None else timedelta(seconds=longest), float(jitter)


def _signs(read: Reader, name: str) -> frozenset[int | str]:
    value: Any = read.get(name, [])
    expected = f"a list of exit codes from 1 to 255 and of these words: {', '.join(RETRY_WORDS)}"
    if not isinstance(value, list):
        read.refuse(name, expected)
    for item in value:
        is_code = isinstance(item, int) and not isinstance(item, bool) and 1 <= item <= 255
        if not is_code and item not in RETRY_WORDS:
            raise InvalidDefinition(f"{name} contains {shown(item)} but must be {expected}.", name)
    return frozenset(value)


def read_concurrency(read: Reader) -> Concurrency:
    """``maxConcurrent``, ``concurrencyLimits``, ``priority`` and ``weight``. Raises InvalidDefinition."""
    weight = read.number("weight", 1)
    if not 0.001 <= weight <= 1000:
        read.refuse("weight", "a number from 0.001 to 1000")
    return Concurrency(
        most=read.optional_integer("maxConcurrent", 1, MOST_UNITS),
        limits=_read_limits(read),
        priority=read.integer("priority", 0, -1000, 1000),
        weight=weight,
    )


def _read_limits(read: Reader) -> dict[str, int]:
    """Names, or objects with a name and the units that a run takes."""
    value: Any = read.get("concurrencyLimits", [])
    if not isinstance(value, list):
        read.refuse("concurrencyLimits", "a list of names of limits")
    limits: dict[str, int] = {}
    for index, item in enumerate(value):
        inner = Reader(item if isinstance(item, dict) else {"name": item}, f"concurrencyLimits[{index}].")
        name = inner.text("name")
        if not LIMIT_NAME.fullmatch(name):
            inner.refuse("name", "the name of a limit: up to 100 letters, digits and _ . -")
        limits[name] = inner.integer("units", 1, 1, MOST_UNITS)
    return limits
