"""Secret values of variables in a document that is shown as JSON: hidden there, and put back when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from chronos_py.errors import InvalidDefinition
from chronos_py.model.reader import shown
from chronos_py.model.secrets import MASK, is_secret

_VARIABLES = "environmentVariables"


def masked(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with a mask in the place of every secret."""
    hidden = deepcopy(dict(document))
    for variable in _variables(hidden):
        if is_secret(variable["name"]) and variable["value"]:
            variable["value"] = MASK
    return hidden


def unmasked(document: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the secrets that ``base`` has under the same names. Raises InvalidDefinition."""
    known: dict[str, list[str]] = {}
    for variable in _variables(base):
        known.setdefault(variable["name"], []).append(variable["value"])
    whole = deepcopy(dict(document))
    for variable in _variables(whole):
        values = known.get(variable["name"], [])
        if variable["value"] != MASK:
            continue
        if not values:
            raise InvalidDefinition(
                f"The value of {shown(variable['name'])} is hidden and belongs to another name; show the secrets"
                " before you rename a variable, or type its value.",
                _VARIABLES,
            )
        variable["value"] = values.pop(0) if len(values) > 1 else values[0]
    return whole


def _variables(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The variables that have a name and a value, as they must."""
    found = document.get(_VARIABLES)
    return [
        each
        for each in (found if isinstance(found, list) else [])
        if isinstance(each, dict) and isinstance(each.get("name"), str) and isinstance(each.get("value"), str)
    ]
