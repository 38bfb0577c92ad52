"""Lists of a document as the lines of a text field, and back without losing anything."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from chronos_py.errors import InvalidDefinition

Item = dict[str, Any] | str

_PATH = re.compile(r"(?P<field>[^.\[]+)(?:\[(?P<index>\d+)\])?")
_WINDOW = re.compile(r"(?P<start>.*?)\s*\.\.\s*(?P<end>\S+(?: \d\d:\d\d\S*)?)(?:\s+(?P<reason>.+))?")
_RECURRING = re.compile(r"(?P<schedule>.+?)\s+for\s+(?P<duration>\S+)(?:\s+(?P<reason>.+))?")


def read_lines(text: str) -> list[str]:
    """The lines that say something, without the blanks around them."""
    return [line.strip() for line in text.replace("\r\n", "\n").split("\n") if line.strip()]


def read_text(form: Mapping[str, str], field: str) -> str:
    """A field without the blanks around it. Raises InvalidDefinition for what no database could keep."""
    text = form.get(field, "").strip()
    if "\0" in text:
        raise InvalidDefinition(f"{field} contains a NUL character; take it out.", field)
    return text


def read_names(text: str) -> list[str]:
    """Names on lines of their own or between commas."""
    return [name.strip() for line in read_lines(text) for name in line.split(",") if name.strip()]


def line_number(text: str, index: int) -> int:
    """On which line, the first being 1, the item ``index`` of :func:`read_lines` stands."""
    filled = [number for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1) if line.strip()]
    return filled[index] if index < len(filled) else len(filled)


def read_variable(line: str, field: str = "environment") -> dict[str, str]:
    """The variable that ``NAME=value`` says. Raises InvalidDefinition, which is about ``field``."""
    name, sign, value = line.partition("=")
    if not sign:
        raise InvalidDefinition(f'environment has the line "{line}"; write NAME=value.', field)
    return {"name": name.strip(), "value": value}


def explain(error: InvalidDefinition, form: Mapping[str, str]) -> tuple[str, str]:
    """Which field of a filled form an error is about, "" for none, and its sentence, with the number of the line."""
    if error.field and error.field in form:
        return error.field, str(error)
    found = _PATH.match(error.field or "")
    if found is None:
        return "", str(error)
    field = found["field"]
    if found["index"] is None or field not in form:
        return field, str(error)
    return field, f"Line {line_number(form.get(field, ''), int(found['index']))}: {error}"


def read_number(field: str, text: str) -> int | float | None:
    """A number as a form has it, None for nothing. Raises InvalidDefinition."""
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError as error:
        raise InvalidDefinition(f'{field} is "{text}" but must be a number.', field) from error


def read_duration(text: str) -> int | float | str | None:
    """Seconds, or an ISO 8601 duration as it is."""
    try:
        return read_number("", text)
    except InvalidDefinition:
        return text


def read_blackouts(text: str) -> list[Item]:
    """The blackouts of a job, one on each line. Raises InvalidDefinition, naming the line."""
    return _read_items(text, "blackouts", _read_blackout)


def blackout_line(blackout: Mapping[str, Any]) -> str:
    """``2026-12-24 .. 2027-01-02 reason``, or ``0 22 * * * for PT2H reason``."""
    if blackout.get("schedule"):
        line = f"{blackout['schedule']} for {blackout.get('duration')} {blackout.get('reason') or ''}"
    else:
        line = f"{blackout.get('start')} .. {blackout.get('end')} {blackout.get('reason') or ''}"
    return _faithful(line.strip(), blackout, _read_blackout)


def read_dates(text: str) -> list[Item]:
    """The dates of a calendar, one on each line. Raises InvalidDefinition, naming the line."""
    return _read_items(text, "dates", _read_date)


def date_line(date: Mapping[str, Any] | str) -> str:
    """``2026-12-24 Christmas Eve``; the words may be missing."""
    if isinstance(date, str):
        return date
    return _faithful(f"{date.get('date')} {date.get('name') or ''}".strip(), date, _read_date)


def _read_items(text: str, field: str, read: Callable[[str], Item | None]) -> list[Item]:
    items = []
    for index, line in enumerate(read_lines(text)):
        item = _json_object(line) if line.startswith("{") else read(line)
        if item is None:
            raise InvalidDefinition(
                f'{field} is "{line}" but must be {_EXPECTED["json" if line.startswith("{") else field]}.',
                f"{field}[{index}]",
            )
        items.append(item)
    return items


_EXPECTED = {
    "blackouts": (
        "a window such as 2026-12-24 .. 2027-01-02 reason, or a recurring one such as 0 22 * * * for PT2H reason"
    ),
    "json": "an object of JSON when it begins with a brace",
}


def _faithful(line: str, item: Mapping[str, Any], read: Callable[[str], Item | None]) -> str:
    """``line`` where it says all that ``item`` does, else the item as JSON."""
    said = {key: value for key, value in item.items() if value not in (None, "")}
    read_again = None if len(read_lines(line)) != 1 or line.startswith("{") else read(line)
    is_same = read_again == (said["date"] if set(said) == {"date"} else said)
    return line if is_same else json.dumps(dict(item), ensure_ascii=False)


def _json_object(line: str) -> Item | None:
    try:
        item = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return item if isinstance(item, dict) else None


def _read_blackout(line: str) -> Item | None:
    window, recurring = _WINDOW.fullmatch(line), _RECURRING.fullmatch(line)
    if window and recurring:  # the words ".." and "for" may stand in the reason: the first one counts
        window, recurring = (window, None) if len(window["start"]) < len(recurring["schedule"]) else (None, recurring)
    if window:
        return {key: value for key, value in window.groupdict().items() if value}
    if recurring is None:
        return None
    found: dict[str, Any] = {key: value for key, value in recurring.groupdict().items() if value}
    return {**found, "duration": read_duration(recurring["duration"])}


def _read_date(line: str) -> Item:
    date, _, name = line.partition(" ")
    return {"date": date, "name": name.strip()} if name else date
