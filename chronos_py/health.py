"""What this node cannot do at the moment, in sentences, for /readyz and the pages."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime

from chronos_py.clock import Clock


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not work. ``since`` is aware UTC."""

    part: str
    message: str
    since: datetime


class Health:
    """The present problems, one per part (``database``, ``pool``, ...). Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._problems: dict[str, Problem] = {}

    def report(self, part: str, message: str) -> bool:
        """Note a problem; True when it is new or says something else than before (worth a line in the log)."""
        with self._lock:
            known = self._problems.get(part)
            if known is not None and known.message == message:
                return False
            since = known.since if known is not None else self._clock.now()
            self._problems[part] = Problem(part, message, since)
            return True

    def clear(self, part: str) -> bool:
        """The part works; True when it did not before."""
        with self._lock:
            return self._problems.pop(part, None) is not None

    def problems(self) -> list[Problem]:
        with self._lock:
            return sorted(self._problems.values(), key=lambda problem: problem.part)
