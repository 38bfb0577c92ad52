"""What this node cannot do at the moment, in sentences, for /readyz and the pages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chronos_py.clock import Clock


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not work. ``since`` is aware UTC. ``hinders``: the node is not ready because of it."""

    part: str
    message: str
    since: datetime
    hinders: bool = True


class Health:
    """The present problems, one per part (``database``, ``pool``, ...). Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._problems: dict[str, Problem] = {}

    def report(self, part: str, message: str, hinders: bool = True) -> bool:
        """Note a problem; True when it is new or says something else than before (worth a line in the log)."""
        with self._lock:
            known = self._problems.get(part)
            if known is not None and known.message == message:
                return False
            since = known.since if known is not None else self._clock.now()
            self._problems[part] = Problem(part, message, since, hinders)
            return True

    def clear(self, part: str) -> bool:
        """The part works; True when it did not before."""
        with self._lock:
            return self._problems.pop(part, None) is not None

    def keep_only(self, parts: Collection[str]) -> None:
        """Forget the problems of all other parts, for nobody here looks after those any more."""
        with self._lock:
            self._problems = {part: problem for part, problem in self._problems.items() if part in parts}

    def problems(self) -> list[Problem]:
        with self._lock:
            return sorted(self._problems.values(), key=lambda problem: problem.part)


class Reports(Protocol):
    """Where problems are told of, and that they are over; see :class:`Health`."""

    def report(self, part: str, message: str, hinders: bool = True) -> bool: ...

    def clear(self, part: str) -> bool: ...


class TermHealth:
    """What the duties of one term tell of. Nothing once it is over: a late one would report what nobody clears."""

    def __init__(self, health: Health, is_over: Callable[[], bool]) -> None:
        self._health = health
        self._is_over = is_over

    def report(self, part: str, message: str, hinders: bool = True) -> bool:
        return not self._is_over() and self._health.report(part, message, hinders)

    def clear(self, part: str) -> bool:
        return not self._is_over() and self._health.clear(part)
