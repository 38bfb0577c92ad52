"""Managers of a swarm that answer when nobody waits for them any more, without a swarm."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

from chronos_py.pools.docker.engine import Engine
from chronos_py.pools.swarm.managers import Managers

WAIT = 60.0  # seconds; nothing that should come may take longer
FACTS = {"Swarm": {"LocalNodeState": "active", "ControlAvailable": True}}


class Answers:
    """What stands for an engine: a manager, whose facts come when they may."""

    has_init = True

    def __init__(self, url: str, may_answer: threading.Event) -> None:
        self.url = url
        self.client = SimpleNamespace(timeout=0)
        self._may_answer = may_answer
        self.is_closed = False

    def ping(self) -> None:
        return

    def facts(self) -> dict[str, Any]:
        assert self._may_answer.wait(WAIT)
        return {"Swarm": {**FACTS["Swarm"], "NodeID": self.url}}

    def close(self) -> None:
        self.is_closed = True


def test_one_that_is_connected_while_the_others_are_closed() -> None:
    """The first is a manager, so that the second, which is still being connected, is not waited for."""
    at_once, connects, is_connected = threading.Event(), threading.Event(), threading.Event()
    at_once.set()

    class Closes(Answers):
        def close(self) -> None:
            super().close()
            connects.set()
            assert is_connected.wait(WAIT)

    class Late(Answers):
        def ping(self) -> None:
            is_connected.set()

    def connect(url: str) -> Engine:
        if url == "first":
            return cast("Engine", Closes(url, at_once))
        assert connects.wait(WAIT)
        return cast("Engine", Late(url, at_once))

    managers = Managers(["first", "second"], connect)
    assert managers.url == "first"
    managers.close()
    assert is_connected.is_set()
