"""Waiting for conditions, with deadlines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from chronos_py.pools import Pool, TaskStatus

Something = TypeVar("Something")


def eventually(look: Callable[[], Something | None], seconds: float = 60) -> Something:
    """Look again and again until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (answer := look()):
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        pause.wait(0.01)
    return answer


def lines(file: Path) -> list[str]:
    """Those of a file; none while it is not there."""
    return file.read_text().splitlines() if file.exists() else []


def as_soon_as(look: Callable[[], bool], seconds: float = 60) -> None:
    """Look without a pause: what comes next must come within a millisecond."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline


def status_of(pool: Pool, name: str) -> TaskStatus | None:
    """What the pool's truth says of a task; None when it does not name it."""
    found = [status for status in pool.list() if status.name == name]
    assert len(found) <= 1, found
    return found[0] if found else None


def present(pool: Pool, name: str) -> TaskStatus:
    status = status_of(pool, name)
    assert status is not None, f"{name} is not listed"
    return status


def final(pool: Pool, name: str, seconds: float = 60) -> TaskStatus:
    """The status of a task once it has ended."""
    return eventually(lambda: status if (status := present(pool, name)).is_final else None, seconds)


def has_written(pool: Pool, handle: str, text: bytes) -> None:
    """Wait until a task's standard output holds ``text``."""
    eventually(lambda: text in pool.logs(handle, "stdout", 0, 10_000))
