"""Waking the leader: whoever makes work for it says so here, after the commit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field


class Signal(threading.Event):
    """An event of this node that may be passed on to the others."""

    def __init__(self, name: str = "", pass_on: Callable[[str], None] | None = None) -> None:
        super().__init__()
        self._name = name
        self._pass_on = pass_on

    def set(self) -> None:
        super().set()
        if self._pass_on is not None:
            self._pass_on(self._name)

    def set_here(self) -> None:
        """Set it on this node only."""
        super().set()


@dataclass(frozen=True, slots=True)
class Wake:
    """One event per duty of the leader. Setting one on a node that does not lead does nothing there.

    A lost wake-up costs latency only: every duty also looks by itself at short intervals.
    """

    planner: Signal = field(default_factory=Signal)
    dispatcher: Signal = field(default_factory=Signal)
    watcher: Signal = field(default_factory=Signal)

    @classmethod
    def passed_on(cls, pass_on: Callable[[str], None]) -> Wake:
        """Events that call ``pass_on`` with their name, too, whenever they are set."""
        return cls(*(Signal(name, pass_on) for name in cls.__slots__))

    def all(self) -> None:
        for event in (self.planner, self.dispatcher, self.watcher):
            event.set()

    def hear(self, name: str) -> None:
        """Set the event of that name on this node only; a name that another version may know is nothing here."""
        if name in self.__slots__:
            signal: Signal = getattr(self, name)
            signal.set_here()
