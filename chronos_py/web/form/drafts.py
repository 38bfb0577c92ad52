"""A whole document as its form, and a filled form as a document."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from chronos_py.errors import InvalidDefinition
from chronos_py.model.job import Job, Kind
from chronos_py.model.restrictions import WHEN
from chronos_py.services import Application
from chronos_py.services.bodies import parse_json_object
from chronos_py.services.drafts import find_problems
from chronos_py.web.form.fields import Form, Reading
from chronos_py.web.form.groups import FIELDS
from chronos_py.web.form.rows import Rows

_PATH = re.compile(r"(?P<name>[^\[]*)(?:\[(?P<index>\d+)\]\.?(?P<rest>.*))?")
_INSTEAD = {"container": "container.image", "retryBackoff": "retryBackoff.factor"}
# Members that mean something for one kind of job only.
_OF_KIND: Mapping[Kind, Sequence[str]] = {
    "schedule": ("schedule", "scheduleTimeZone", *WHEN),
    "dependency": ("parents",),
}
_EMPTY: Mapping[Kind, tuple[str, str]] = {
    "schedule": ("schedule", "schedule is empty; give one, or choose that the job only runs by hand."),
    "dependency": ("parents", "parents is empty; name at least one job."),
}


def kind_of(document: Mapping[str, Any]) -> Kind:
    if document.get("schedule"):
        return "schedule"
    return "dependency" if document.get("parents") else "manual"


def form_values(document: Mapping[str, Any]) -> dict[str, str]:
    """What the form shows for a document."""
    values = {"kind": str(kind_of(document)), "document": json.dumps(document, ensure_ascii=False)}
    for field in FIELDS:
        values |= field.values(document)
    return values


def read_form(form: Form, base: Mapping[str, Any]) -> Reading:
    """The document that a filled form makes of ``base``, the one that it was shown for."""
    reading = Reading(deepcopy(dict(base)))
    for field in FIELDS:
        field.read(form, reading)
    kind = _chosen_kind(form, reading.document)
    for other, names in _OF_KIND.items():
        if other != kind:
            _put_back(reading, base if kind_of(base) == kind else {}, names)
    empty, sentence = _EMPTY.get(kind, ("", ""))
    if empty and not reading.document.get(empty):
        reading.problems[empty] = sentence
    return reading


def _chosen_kind(form: Form, document: Mapping[str, Any]) -> Kind:
    chosen = form.get("kind", "")
    known: tuple[Kind, ...] = ("schedule", "dependency", "manual")
    return next((kind for kind in known if kind == chosen), kind_of(document))


def _put_back(reading: Reading, base: Mapping[str, Any], names: Sequence[str]) -> None:
    """What belongs to another kind of job is not changed by this form; what it says of it does not count."""
    for name in names:
        reading.problems.pop(name, None)
        if name in base:
            reading.document[name] = deepcopy(base[name])
        else:
            reading.document.pop(name, None)


def read_json(text: str, field: str = "json") -> dict[str, Any]:
    """A document as a person writes it. Raises InvalidDefinition, with the line where it cannot be read."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidDefinition(
            f"Line {error.lineno}, column {error.colno}: this is not JSON ({error.msg}).", field
        ) from error
    except (ValueError, RecursionError) as error:
        raise InvalidDefinition("This JSON holds a number that is too long, or is nested too deep.", field) from error
    try:
        return parse_json_object(text.encode("utf-8", "surrogatepass"))
    except InvalidDefinition as error:
        raise InvalidDefinition(str(error).replace("The request body", "The JSON"), field) from error


def written(document: Mapping[str, Any]) -> str:
    """A document as a person reads it."""
    return json.dumps(document, indent=2, ensure_ascii=False)


def problems_of(app: Application, reading: Reading, form: Form, present: Job | None = None) -> dict[str, str]:
    """Everything that is wrong with a filled form, by its fields in order; "" for what is about none of them."""
    found = dict(reading.problems)
    for error in find_problems(app, reading.document, present):
        field, sentence = located(error, reading, form)
        found.setdefault(field, sentence)
    return dict(sorted(found.items(), key=lambda each: _place(each[0])))


def _place(name: str) -> int:
    """Where in the form a field is, so that the first thing to mend comes first."""
    places = [index for index, field in enumerate(FIELDS) if f"{name}.".startswith(f"{field.name}.")]
    return places[0] if places else -1


def located(error: InvalidDefinition, reading: Reading, form: Form) -> tuple[str, str]:
    """The field of the form that an error about the document belongs to, and its sentence."""
    path, sentence = error.field or "", str(error)
    parts = _PATH.match(path)
    name = parts["name"] if parts else path
    name = _INSTEAD.get(name, name)
    for field in FIELDS:
        if field.name != name and not (isinstance(field, Rows) and name.startswith(f"{field.name}.")):
            continue
        if not isinstance(field, Rows):
            return name, field.located(sentence, form.get(name, ""), path)
        index = int(parts["index"]) if parts and parts["index"] else -1
        rows = reading.rows.get(field.name, [])
        number = rows[index] if 0 <= index < len(rows) else -1
        if number < 0:
            return field.name, sentence
        rest = (parts["rest"] if parts else "") or ""
        cells = sorted((cell.name for cell in field.cells if rest.startswith(cell.name)), key=len)
        return f"{field.name}.{number}.{cells[-1] if cells else field.cells[0].name}", sentence
    return "", sentence
