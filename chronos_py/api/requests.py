"""Typed access to what the API is asked. Everything here raises InvalidDefinition, naming what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from flask import g, request

from chronos_py.api.openapi import describe
from chronos_py.errors import InvalidDefinition
from chronos_py.model.document import VARIABLE_NAME
from chronos_py.model.reader import shown
from chronos_py.model.run import Overrides, RunState
from chronos_py.services.bodies import parse_json_object
from chronos_py.services.jobs import ANY_REVISION

Choice = TypeVar("Choice", bound=str)

LARGEST = 2**62
_VARIABLE_PART = re.compile(r"<(?:[^<>]*:)?(\w+)>")


def described_path(rule: str) -> str:
    """A route as OpenAPI writes it: ``/api/runs/{run_id}``."""
    return _VARIABLE_PART.sub(r"{\1}", rule)


def _query_parameters() -> Mapping[tuple[str, str], frozenset[str]]:
    """The names of the query parameters that are described, by path and method."""
    return {
        (path, method): frozenset(each["name"] for each in operation.get("parameters", ()) if each["in"] == "query")
        for path, operations in describe()["paths"].items()
        for method, operation in operations.items()
    }


_QUERY_PARAMETERS = _query_parameters()


def refuse_unknown_parameters() -> None:
    """A misspelt filter must not silently give everything: only the parameters that are described are taken."""
    method = "get" if request.method == "HEAD" else request.method.lower()
    rule = request.url_rule
    known = _QUERY_PARAMETERS.get((described_path(rule.rule), method)) if rule else None
    if known is not None:
        _refuse_unknown("query parameter", request.args, known)


def refuse_unknown_fields(body: Mapping[str, Any], known: Iterable[str]) -> None:
    _refuse_unknown("field", body, known)


def _refuse_unknown(kind: str, given: Iterable[str], known: Iterable[str]) -> None:
    for name in given:
        if name not in known:
            there_are = ", ".join(sorted(known)) or "none"
            raise InvalidDefinition(f"There is no {kind} {shown(name)} here; known: {there_are}.", name)


def person() -> str:
    """Who asks, "" when the server knows nobody by name."""
    name: str = g.get("person", "")
    return name


def json_object() -> dict[str, Any]:
    """The request's body, which must be a JSON object."""
    return parse_json_object(request.get_data())


def optional_json_object() -> dict[str, Any]:
    """The request's body, an empty object when there is none."""
    return json_object() if request.get_data().strip() else {}


def integer_argument(name: str, default: int, minimum: int, maximum: int = LARGEST) -> int:
    """A whole number from the query string."""
    text = request.args.get(name)
    if text is None:
        return default
    # The length keeps a number of a million digits from being read at all.
    is_number = text.isascii() and text.removeprefix("-").isdigit() and len(text) < 30
    if not is_number or not minimum <= int(text) <= maximum:
        raise InvalidDefinition(
            f"{name} is {shown(text)} but must be a whole number from {minimum} to {maximum}.", name
        )
    return int(text)


def optional_integer_argument(name: str) -> int | None:
    """A whole number from 1 on from the query string, None when it is not given."""
    return integer_argument(name, 1, 1) if name in request.args else None


def limit_argument() -> int:
    return integer_argument("limit", 50, 1, 500)


def choice_argument(name: str, allowed: tuple[Choice, ...]) -> Choice | None:
    """One of ``allowed`` from the query string, None when it is not given."""
    text = request.args.get(name)
    if text is None:
        return None
    for choice in allowed:
        if choice == text:
            return choice
    raise InvalidDefinition(f"{name} is {shown(text)} but must be one of {', '.join(allowed)}.", name)


def states_argument() -> list[RunState]:
    """``state=a,b`` from the query string."""
    states = []
    for text in filter(None, request.args.get("state", "").split(",")):
        if text not in set(RunState):
            raise InvalidDefinition(f"state is {shown(text)} but must be one of {', '.join(RunState)}.", "state")
        states.append(RunState(text))
    return states


def time_field(body: Mapping[str, Any], name: str) -> datetime | None:
    """An ISO 8601 time with an offset, as aware UTC."""
    value = body.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):  # no time at all, or one outside the years 1 to 9999
        pass
    raise InvalidDefinition(
        f"{name} is {shown(value)} but must be an ISO 8601 time with an offset, such as 2026-01-01T03:00:00Z.", name
    )


def overrides_fields(body: Mapping[str, Any]) -> Overrides:
    """``arguments`` and ``environment`` of a forced run."""
    arguments, environment = body.get("arguments"), body.get("environment") or {}
    if arguments is not None and not (isinstance(arguments, list) and _all_text(arguments)):
        raise InvalidDefinition(f"arguments is {shown(arguments)} but must be a list of texts.", "arguments")
    if not isinstance(environment, dict) or not _all_text(environment.values()):
        raise InvalidDefinition(
            f'environment is {shown(environment)} but must be an object of texts, such as {{"NAME": "value"}}.',
            "environment",
        )
    for name in environment:
        if not VARIABLE_NAME.fullmatch(name):
            raise InvalidDefinition(
                f"environment has the variable {shown(name)}; a name is a letter or _, then letters, digits"
                " and _ . -",
                "environment",
            )
    return Overrides(None if arguments is None else tuple(arguments), environment)


def _all_text(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def expected_revision() -> int | None:
    """The revision of ``If-Match``, 0 for ``If-None-Match: *``, None when the client does not mind.

    A tag that no job has ever had is a revision like any other that is not the present one.
    """
    if request.headers.get("If-None-Match", "").strip() == "*":
        return 0
    tag = request.headers.get("If-Match", "").strip()
    if not tag:
        return None
    if tag == "*":
        return ANY_REVISION
    number = tag.removeprefix("W/").strip('"')  # weak where the answer was compressed; the revision is the same
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else LARGEST
