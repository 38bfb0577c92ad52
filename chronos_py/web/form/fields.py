"""A document's values as the fields of a form, and back.

Three rules hold for every field, so that nothing is lost: one that is not in the form, or says what the document
says already, leaves the document as it is; one that was emptied is taken out, so that its default holds; and what
cannot be read goes into the document as it was typed, beside the sentence that says what is wrong with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from chronos_py.errors import InvalidDefinition
from chronos_py.web.form.choices import CHOICES as CHOICES
from chronos_py.web.form.document_path import member, put
from chronos_py.web.form.lines import line_number, read_duration, read_lines, read_names, read_number

Form = Mapping[str, str]
_ENDS = re.compile(r"\r\n|\r|\n")


@dataclass
class Reading:
    """What a form says: the document, what is wrong by field of the form, and the row of each item of a list."""

    document: dict[str, Any]
    problems: dict[str, str] = field(default_factory=dict)
    rows: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Field:
    """A value as one field of the form, whose ``name`` is its path in the document.

    ``older`` is another member that the original used for the same; it shows where the field is not set, and goes
    when the field is changed.
    """

    name: str
    label: str
    hint: str = ""
    placeholder: str = ""
    width: str = ""
    older: str = ""

    widget: ClassVar[str] = "line"
    is_multiline: ClassVar[bool] = False
    counts_lines: ClassVar[bool] = False

    def shown(self, value: Any) -> str:
        """A value of the document as text; JSON for one that does not belong there."""
        if value is None or isinstance(value, str):
            return value or ""
        return json.dumps(value, ensure_ascii=False)

    def parsed(self, text: str) -> Any:
        """The value that a text means. Raises InvalidDefinition."""
        return text.strip()

    def value_in(self, document: Mapping[str, Any]) -> Any:
        value = member(document, self.name)
        return member(document, self.older) if value is None and self.older else value

    def values(self, document: Mapping[str, Any]) -> dict[str, str]:
        """What the form shows for a document, by the names of its fields."""
        return {self.name: self.shown(self.value_in(document))}

    def read(self, form: Form, reading: Reading) -> None:
        """Bring the document to what the form says."""
        if self.name not in form:
            return
        text, value = form[self.name], self.value_in(reading.document)
        if self.is_same(text, self.shown(value)):
            return
        if "\0" in text:
            text = text.replace("\0", "")
            reading.problems[self.name] = (
                f"{self.name} contains a NUL character, which no database keeps; send it without."
            )
        try:
            value = self.parsed_over(text, value)
        except InvalidDefinition as error:
            value = text.strip()
            reading.problems[self.name] = self.located(str(error), text, error.field or "")
        if self.older:
            reading.document.pop(self.older, None)
        put(reading.document, self.name, value)

    def parsed_over(self, text: str, before: Any) -> Any:
        """The same where what was there before matters."""
        return self.parsed(text)

    def is_same(self, typed: str, shown: str) -> bool:
        """Whether a browser that was given one text may have sent the other for it."""
        end = "\n" if self.is_multiline else ""
        return _ENDS.sub(end, typed) == _ENDS.sub(end, shown)

    def located(self, sentence: str, text: str, path: str) -> str:
        """A sentence with the number of the line that it is about."""
        index = re.search(r"\[(\d+)\]", path)
        if not self.counts_lines or index is None:
            return sentence
        return f"Line {line_number(text, int(index[1]))}: {sentence}"


class Text(Field):
    """A line of text."""


class Program(Field):
    """Text that is kept as it is, with its lines."""

    widget = "area"
    is_multiline = True

    def parsed(self, text: str) -> str:
        return text.replace("\r\n", "\n") if text.strip() else ""


class Secret(Program):
    """The value of a variable; one whose name says that it is secret is not shown."""

    widget = "value"


class Number(Field):
    def parsed(self, text: str) -> Any:
        return read_number(self.name.rpartition(".")[2], text.strip())


class Duration(Field):
    def parsed(self, text: str) -> Any:
        return read_duration(text.strip())


class Flag(Field):
    """Something that holds or does not; without ``on`` its default, which is not."""

    widget = "flag"

    def shown(self, value: Any) -> str:
        return "on" if value is True else "off" if value in (None, False) else super().shown(value)

    def parsed(self, text: str) -> Any:
        return True if text == "on" else None


class Unless(Flag):
    """A flag of the form for something that holds unless the document says that it does not."""

    def shown(self, value: Any) -> str:
        return "on" if value is False else "off" if value in (None, True) else super().shown(value)

    def parsed(self, text: str) -> Any:
        return False if text == "on" else None


@dataclass(frozen=True)
class Choice(Field):
    """One of some words, the first of which is the default."""

    words: Mapping[str, str] = field(default_factory=dict)

    widget = "choice"

    def shown(self, value: Any) -> str:
        if self.older == "concurrent" and isinstance(value, bool):
            return "allow" if value else ""
        return super().shown(value)


class Lines(Field):
    """A list of texts, one on each line."""

    widget = "area"
    is_multiline = True
    counts_lines = True

    def shown(self, value: Any) -> str:
        return "\n".join(map(_line_of, value)) if isinstance(value, list) else super().shown(value)

    def parsed(self, text: str) -> Any:
        return [_item_of(line) for line in read_lines(text)]


class Parents(Lines):
    """Names of jobs; a module makes a search of it."""

    widget = "parents"


class Names(Lines):
    """Names, on lines of their own or between commas."""

    def parsed(self, text: str) -> Any:
        return read_names(text)


@dataclass(frozen=True)
class Items(Lines):
    """A list of which each item has a line; a line that was not changed stays what it was."""

    line_of: Callable[[Any], str] = str
    read_items: Callable[[str], list[Any]] = list

    def shown(self, value: Any) -> str:
        if not isinstance(value, list):
            return super().shown(value)
        return "\n".join(map(self.line_of, value))

    def parsed_over(self, text: str, before: Any) -> Any:
        items = self.read_items(text)
        known = {self.line_of(item): item for item in before} if isinstance(before, list) else {}
        lines = read_lines(text)
        return [known.get(line, item) for line, item in zip(lines, items, strict=True)]


@dataclass(frozen=True)
class Signs(Field):
    """Exit codes and words, between commas."""

    def shown(self, value: Any) -> str:
        return ", ".join(map(str, value)) if isinstance(value, list) else super().shown(value)

    def parsed(self, text: str) -> Any:
        return [_sign(each) for each in read_names(text)]


@dataclass(frozen=True)
class Pairs(Field):
    """A list of objects with a key and a value in one line: ``key=value, key=value``."""

    def shown(self, value: Any) -> str:
        if not isinstance(value, list):
            return super().shown(value)
        return ", ".join(_pair_text(each) for each in value)

    def parsed(self, text: str) -> Any:
        pairs = [each.partition("=") for each in read_names(text)]
        return [{"key": key.strip(), "value": value.strip()} for key, _, value in pairs]


@dataclass(frozen=True)
class Ports(Field):
    """Ports of a container in one line: ``8080:80``, ``53:53/udp``, or ``80`` for any free port of the host."""

    def shown(self, value: Any) -> str:
        if not isinstance(value, list):
            return super().shown(value)
        return ", ".join(_port_text(each) for each in value)

    def parsed(self, text: str) -> Any:
        return [_port(each) for each in read_names(text)]


def _line_of(item: Any) -> str:
    """A text as a line; JSON for one that no line could hold."""
    if not isinstance(item, str):
        return json.dumps(item, ensure_ascii=False)
    is_plain = item and item == item.strip() and not _ENDS.search(item) and _item_of(item) == item
    return item if is_plain else json.dumps(item, ensure_ascii=False)


def _item_of(line: str) -> str:
    """What :func:`_line_of` wrote; quotes that a person typed stay."""
    if not line.startswith('"'):
        return line
    try:
        item = json.loads(line)
    except ValueError:
        return line
    needs_quotes = not item or item != item.strip() or _ENDS.search(item) or item.startswith('"')
    return item if needs_quotes else line


def _sign(text: str) -> int | str:
    """An exit code, or a word in the way that documents write it."""
    try:
        return int(text)
    except ValueError:
        return text.lower().replace(" ", "_")


def _pair_text(pair: Any) -> str:
    return f"{pair.get('key')}={pair.get('value')}" if isinstance(pair, Mapping) else json.dumps(pair)


def _port_text(mapping: Any) -> str:
    if not isinstance(mapping, Mapping):
        return json.dumps(mapping)
    host, inner, protocol = (mapping.get(name) for name in ("hostPort", "containerPort", "protocol"))
    text = str(inner) if host is None else f"{host}:{inner}"
    return f"{text}/{protocol}" if protocol else text


def _port(text: str) -> dict[str, Any]:
    ports, _, protocol = text.partition("/")
    host, colon, inner = ports.rpartition(":")
    mapping: dict[str, Any] = {"hostPort": _whole(host)} if colon else {}
    mapping["containerPort"] = _whole(inner)
    return {**mapping, "protocol": protocol} if protocol else mapping


def _whole(text: str) -> int | str:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
