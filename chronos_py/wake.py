"""Waking the leader: whoever makes work for it says so here, after the commit."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Wake:
    """One event per duty of the leader. Setting one on a node that does not lead does nothing.

    A lost wake-up costs latency only: every duty also looks by itself at short intervals.
    """

    planner: threading.Event = field(default_factory=threading.Event)
    dispatcher: threading.Event = field(default_factory=threading.Event)
    watcher: threading.Event = field(default_factory=threading.Event)

    def all(self) -> None:
        for event in (self.planner, self.dispatcher, self.watcher):
            event.set()
