"""A few threads that work off what they are given, and never keep the process from ending."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue


class Crew:
    """At most ``size`` threads, each made when there is something for it to do."""

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._over = False

    def submit(self, work: Callable[[], None]) -> None:
        """Have ``work`` called, in the order of submission. Once it was stopped: nothing."""
        with self._lock:
            if self._over:
                return
            self._work.put(work)
            if len(self._threads) < self._size:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                thread.start()
                self._threads.append(thread)

    def stop(self, seconds: float) -> None:
        """Begin nothing more, and wait at most so long for what is being done."""
        with self._lock:
            self._over = True
        for _ in self._threads:
            self._work.put(None)
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while (work := self._work.get()) is not None and not self._over:
            work()
