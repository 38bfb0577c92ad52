"""requirements.lock names exactly what setup.cfg asks for and what that needs, each in one exact version."""

from __future__ import annotations

import re
import sysconfig
from importlib.metadata import Distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCK = Path(__file__).parents[2] / "requirements.lock"


def locked() -> dict[str, str]:
    lines = [line for line in LOCK.read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in lines), "names and versions only"
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def installed(name: str) -> Distribution:
    """Not by the search path: a build may have left older metadata in the checkout."""
    found = Distribution.discover(name=name, path=[sysconfig.get_path("purelib")])
    return next(iter(found), None) or pytest.fail(f"{name} is not installed; run script/setup")


def needed() -> dict[str, str]:
    """Every distribution that chronos-py with its extras needs here, and its installed version."""
    found: dict[str, str] = {}
    pending = [("chronos-py", frozenset({"test", "lint"}))]
    seen = set(pending)
    while pending:
        name, extras = pending.pop()
        for text in installed(name).requires or []:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker and not any(marker.evaluate({"extra": extra}) for extra in {*extras, ""}):
                continue
            following = (canonicalize_name(requirement.name), frozenset(requirement.extras))
            found[following[0]] = installed(requirement.name).version
            if following not in seen:
                seen.add(following)
                pending.append(following)
    return found


def test_the_lock_is_what_is_needed() -> None:
    lock, present = locked(), needed()
    assert sorted(lock) == sorted(present), "run script/setup --lock after a change of setup.cfg"
    assert lock == present, "run script/setup"
