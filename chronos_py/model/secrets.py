"""What nobody reads over a shoulder: which values are hidden where definitions and environments are shown. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "••••••"

_SECRET_NAME = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|KEY|(?:[_.-]|^)(?:PASS|AUTH)(?:[_.-]|$)|[_.-]PWD(?:[_.-]|$)",
    re.IGNORECASE,
)
# scheme://user:password@host: the password goes up to the last @ before the path.
_CREDENTIALS = re.compile(r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s/?#:@]*:)[^\s/?#]+(?=@)", re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Whether a variable of that name holds what must not be shown."""
    return _SECRET_NAME.search(name) is not None


def mask_value(name: str, value: str) -> str:
    """The value of a variable as it may be shown: hidden, or without the passwords of addresses in it."""
    return MASK if value and is_secret(name) else mask_text(value)


def mask_text(text: str) -> str:
    """A text without the passwords of the addresses in it."""
    return _CREDENTIALS.sub(rf"\g<before>{MASK}", text)


def mask_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """A job's document as it may be shown."""
    return {name: mask(value) for name, value in document.items()}


def mask_change(before: Any, after: Any) -> tuple[Any, Any]:
    """Two values of one field of a document as they may be shown; a secret that differs says so."""
    shown_before, shown_after = mask(before), mask(after)
    if not (isinstance(before, list) and isinstance(after, list)):
        return shown_before, shown_after
    known = {each["name"]: each for each in before if isinstance(each, Mapping) and "name" in each}
    for given, shown in zip(after, shown_after, strict=True):
        if isinstance(shown, dict) and shown.get("value") == MASK:
            old = known.get(given.get("name"))
            if old is not None and old.get("value") != given["value"]:
                shown["value"] = f"{MASK} (another one)"
    return shown_before, shown_after


def mask(value: Any) -> Any:
    """A part of a document as it may be shown."""
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, list):
        return [mask(item) for item in value]
    if isinstance(value, Mapping):
        return _mask_object(value)
    return value


def _mask_object(value: Mapping[str, Any]) -> dict[str, Any]:
    masked = {name: mask(item) for name, item in value.items()}
    content = value.get("value")
    if not isinstance(content, str):
        return masked
    if isinstance(value.get("name"), str):
        masked["value"] = mask_value(value["name"], content)
    elif value.get("key") in ("env", "e", "build-arg"):  # an option of the engine: --env NAME=value
        name, equals, inner = content.partition("=")
        masked["value"] = f"{name}{equals}{mask_value(name, inner)}"
    return masked
