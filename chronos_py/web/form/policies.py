"""Retries and limits as the form shows them, in their short form where that says all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chronos_py.errors import InvalidDefinition
from chronos_py.web.form.document_path import put
from chronos_py.web.form.fields import Field, Form, Reading
from chronos_py.web.form.lines import read_duration, read_lines, read_number

BACKOFF = ("factor", "maximum", "jitter")


class Backoff(Field):
    """A part of ``retryBackoff``, which is a factor by itself, or an object where more is said."""

    @property
    def part(self) -> str:
        return self.name.rpartition(".")[2]

    def value_in(self, document: Mapping[str, Any]) -> Any:
        return _parts(document.get("retryBackoff")).get(self.part)

    def read(self, form: Form, reading: Reading) -> None:
        text = form.get(self.name, self.shown(self.value_in(reading.document)))
        if self.is_same(text, self.shown(self.value_in(reading.document))):
            return
        parts = dict(_parts(reading.document.get("retryBackoff")))
        try:
            parts[self.part] = self.parsed(text)
        except InvalidDefinition as error:
            parts[self.part] = text.strip()
            reading.problems[self.name] = str(error)
        said = {part: value for part, value in parts.items() if value not in (None, "")}
        put(reading.document, "retryBackoff", said["factor"] if set(said) == {"factor"} else said)

    def parsed(self, text: str) -> Any:
        return read_duration(text.strip()) if self.part == "maximum" else read_number(self.name, text.strip())


def _parts(backoff: Any) -> Mapping[str, Any]:
    return backoff if isinstance(backoff, Mapping) else {"factor": backoff}


def limit_line(item: Any) -> str:
    """``warehouse-db``, or ``warehouse-db 2`` where units are given."""
    if not isinstance(item, Mapping):
        return str(item)
    units = item.get("units")
    return str(item.get("name")) if units is None else f"{item.get('name')} {units}"


def read_limits(text: str) -> list[Any]:
    """The limits of a job, one on each line. Raises InvalidDefinition, naming the line."""
    return [_limit(line, index) for index, line in enumerate(read_lines(text))]


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
