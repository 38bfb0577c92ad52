"""Two people changed the same job: what each of them changed, and both together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Literal

from chronos_py.model.document import DEFAULTS

Path = tuple[str, ...]
Side = Literal["yours", "theirs", ""]
_OBJECTS = ("container", "labels")


@dataclass(frozen=True, slots=True)
class Difference:
    """A member that is not what it was when the form was opened. ``saw`` is None where nobody knows that any more.

    ``is_conflict`` says that both changed it, each in another way; ``chosen``, whose value goes on, "" for a conflict
    that nobody has decided yet.
    """

    path: Path
    saw: Any
    yours: Any
    theirs: Any
    chosen: Side
    is_conflict: bool

    @property
    def key(self) -> str:
        """The name of its choice in the form."""
        return "pick:" + json.dumps(self.path, ensure_ascii=False)

    @property
    def field(self) -> str:
        return ".".join(self.path)

    @property
    def is_agreed(self) -> bool:
        return bool(self.yours == self.theirs)


def differences(
    saw: Mapping[str, Any] | None,
    yours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    choices: Mapping[str, str],
) -> list[Difference]:
    """What you or they changed, in the order of the fields. ``choices`` are sides by :attr:`Difference.key`."""
    before, mine, other = (_members(document or {}) for document in (saw, yours, theirs))
    found = []
    for path in sorted({*before, *mine, *other}, key=_place):
        was, my_value, their_value = (_value(members, path) for members in (before, mine, other))
        is_mine = saw is None or my_value != was
        is_theirs = saw is None or their_value != was
        if my_value == their_value if saw is None else not (is_mine or is_theirs):
            continue
        is_conflict = is_mine and is_theirs and my_value != their_value
        own: Side = "" if is_conflict else "yours" if is_mine else "theirs"
        difference = Difference(path, was, my_value, their_value, own, is_conflict)
        if choices.get(difference.key) == "yours":
            difference = replace(difference, chosen="yours")
        elif choices.get(difference.key) == "theirs":
            difference = replace(difference, chosen="theirs")
        found.append(difference)
    return found


def merge(found: Sequence[Difference], yours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Their document with what was chosen of yours."""
    document = deepcopy(dict(theirs))
    mine = _members(yours)
    for difference in found:
        if difference.chosen == "yours" and not difference.is_agreed:
            _set(document, difference.path, mine.get(difference.path))
    return document


def _members(document: Mapping[str, Any]) -> dict[Path, Any]:
    return dict(_walk(document))


def _walk(document: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Every member by its path; the objects whose members people change by themselves count as those."""
    for name, value in document.items():
        if name in _OBJECTS and isinstance(value, Mapping):
            yield from (((name, inner), item) for inner, item in value.items())
        else:
            yield (name,), value


def _value(members: Mapping[Path, Any], path: Path) -> Any:
    """The value at a path; its default, where there is one, when it is not given."""
    value = members.get(path)
    if value is None and len(path) == 1:
        value = DEFAULTS.get(path[0])
    return None if value in ("", [], {}) else value


def _place(path: Path) -> tuple[int, Path]:
    names = list(DEFAULTS)
    return (names.index(path[0]) if path[0] in DEFAULTS else len(names), path)


def _set(document: dict[str, Any], path: Path, value: Any) -> None:
    name = path[0]
    if len(path) == 1:
        if value is None:
            document.pop(name, None)
        else:
            document[name] = value
        return
    inner = dict(document[name]) if isinstance(document.get(name), Mapping) else {}
    if value is None:
        inner.pop(path[1], None)
    else:
        inner[path[1]] = value
    if inner:
        document[name] = inner
    else:
        document.pop(name, None)
