"""The fields about retries and limits as the form shows them, and back without losing how they were written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chronos_py.errors import InvalidDefinition
from chronos_py.web.lines import read_duration, read_lines, read_names, read_number

BACKOFF = ("factor", "maximum", "jitter")
SIGNS = ("retryOn", "noRetryOn")


def policy_values(document: Mapping[str, Any]) -> dict[str, str]:
    """The fields of the form for the policies of a document."""
    values = _backoff_values(document.get("retryBackoff"))
    for field in SIGNS:
        values[field] = ", ".join(map(str, document.get(field) or []))
    values["concurrencyLimits"] = "\n".join(map(_limit_line, document.get("concurrencyLimits") or []))
    return values


def read_policies(form: Mapping[str, str], base: Mapping[str, Any]) -> dict[str, Any]:
    """The policies of a filled form; what is as in ``base`` is written as it is there. Raises InvalidDefinition."""
    known = {_limit_line(item): item for item in base.get("concurrencyLimits") or []}
    lines = enumerate(read_lines(form.get("concurrencyLimits", "")))
    return {
        "retryBackoff": _read_backoff(form, base.get("retryBackoff")),
        **{field: [_sign(text) for text in read_names(form.get(field, ""))] for field in SIGNS},
        "concurrencyLimits": [known[line] if line in known else _limit(line, index) for index, line in lines],
    }


def _backoff_values(backoff: Any) -> dict[str, str]:
    given = backoff if isinstance(backoff, dict) else {"factor": backoff}
    return {f"retryBackoff.{part}": "" if given.get(part) is None else str(given[part]) for part in BACKOFF}


def _read_backoff(form: Mapping[str, str], base: Any) -> Any:
    """A factor by itself, or an object where more is said; ``base`` where nothing was changed."""
    typed = {field: form.get(field, "").strip() for field in _backoff_values(None)}
    if typed == _backoff_values(base):
        return base
    found = {
        "factor": read_number("retryBackoff.factor", typed["retryBackoff.factor"]),
        "maximum": read_duration(typed["retryBackoff.maximum"]),
        "jitter": read_number("retryBackoff.jitter", typed["retryBackoff.jitter"]),
    }
    said = {part: value for part, value in found.items() if value is not None}
    return said["factor"] if set(said) == {"factor"} else said or None


def _sign(text: str) -> int | str:
    """An exit code, or a word in the way that documents write it."""
    try:
        return int(text)
    except ValueError:
        return text.lower().replace(" ", "_")


def _limit_line(item: Any) -> str:
    """``warehouse-db``, or ``warehouse-db 2`` where units are given."""
    if not isinstance(item, dict):
        return str(item)
    units = item.get("units")
    return str(item.get("name")) if units is None else f"{item.get('name')} {units}"


def _limit(line: str, index: int) -> str | dict[str, Any]:
    name, _, units = line.partition(" ")
    if not units:
        return name
    try:
        return {"name": name, "units": int(units)}
    except ValueError as error:
        raise InvalidDefinition(
            f'concurrencyLimits is "{line}" but must be the name of a limit, and after it the units that a run takes'
            " where it takes several, such as warehouse-db 2.",
            f"concurrencyLimits[{index}]",
        ) from error
