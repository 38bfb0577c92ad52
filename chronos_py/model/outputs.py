"""What a task leaves for the children of its job: ``KEY=VALUE`` lines, and the variables made of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

LIMIT = 65_536  # bytes

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_FAULTS = 3  # that a warning names one by one
_MOST_CHARACTERS = 40  # of a bad key that a warning shows


@dataclass(frozen=True, slots=True)
class Outputs:
    """What could be read. ``warning`` is "", or one sentence saying what was left out and why."""

    values: Mapping[str, str]
    warning: str = ""


def read_outputs(data: bytes) -> Outputs:
    """Read the lines of an output file, of which at least the first ``LIMIT`` + 1 bytes must be given.

    Blank lines and lines beginning with # don't count, the last of equal keys does, and a value is everything
    after the first "=" as it stands. A bad line costs only itself; a file that is too large or not UTF-8 gives
    nothing, because half of what a task meant to say may be worse than nothing.
    """
    if len(data) > LIMIT:
        return Outputs({}, f"Nothing of the task's outputs was taken: they have more than {LIMIT} bytes (64 KiB).")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return Outputs({}, f"Nothing of the task's outputs was taken: byte {error.start + 1} of them is not UTF-8.")
    values: dict[str, str] = {}
    faults: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if not line.strip() or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        fault = _fault(key, equals, value)
        if fault:
            faults.append(f"line {number} {fault}")
        else:
            values.pop(key, None)  # so that the order of the keys is that of the lines that count
            values[key] = value
    return Outputs(values, _warning(faults))


def parent_variables(parent_name: str, values: Mapping[str, str]) -> dict[str, str]:
    """The variables a child finds: CHRONOS_PARENT_<NAME>_<KEY>.

    Of keys that differ in case alone the later one counts.
    """
    prefix = "CHRONOS_PARENT_" + re.sub("[^A-Z0-9]", "_", parent_name.upper())
    return {f"{prefix}_{key.upper()}": value for key, value in values.items()}


def _fault(key: str, equals: str, value: str) -> str:
    """What is wrong with a line, without its value, which may be a secret."""
    if not equals:
        return 'has no "="'
    if not _KEY.fullmatch(key):
        shown = key if len(key) <= _MOST_CHARACTERS else key[:_MOST_CHARACTERS] + "..."
        return f"has the key {shown!r}, which must be letters, digits and _ and must not begin with a digit"
    if "\0" in value:
        return f"has a NUL character in the value of {key[:_MOST_CHARACTERS]!r}"
    return ""


def _warning(faults: list[str]) -> str:
    if not faults:
        return ""
    named = "; ".join(faults[:_MOST_FAULTS])
    more = len(faults) - _MOST_FAULTS
    rest = f"; and {more} more" if more > 0 else ""
    lines = "1 line was" if len(faults) == 1 else f"{len(faults)} lines were"
    return f"{lines} left out of the task's outputs: {named}{rest}."
