"""Reading the output of a swarm's tasks: from their node's own engine where that was named, else through a manager.

A manager hands on what the node's engine kept, in the frames that a container's log has; so it is read as one. It
cannot do so for a node that is away: before that is known, it waits for it, and later it calls the log incomplete.
Sometimes it goes on with that when the node is long back (moby issue 35011). A node's own engine knows nothing of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import requests

from chronos_py.pools import PoolUnavailable, Stream
from chronos_py.pools.docker.engine import Engine
from chronos_py.pools.docker.logs import Logs, Sight
from chronos_py.pools.swarm.calls import Found, inspect_node, tasks_of_service
from chronos_py.pools.swarm.managers import Managers
from chronos_py.pools.swarm.nodes import AWAY, host_name, state_of
from chronos_py.pools.swarm.status import container_of, own_task

Answer = TypeVar("Answer")

CALL_SECONDS = 20
AVOIDED_SECONDS = 30.0  # an engine that did not answer
_LOST_SIGHT = "is not available"


class SwarmLogs:
    """The logs of services; handles are the services' ids."""

    def __init__(self, managers: Managers, look: Callable[[str], Sight | None]) -> None:
        """``look`` tells how a service's task stands now; None when it never began or is gone."""
        self._managers = managers
        self._look = look
        self._by_manager = _ManagersLogs(managers, look)
        self._lock = threading.Lock()
        self._by_engine: dict[str, _NodesLogs] = {}
        self._avoided_until: dict[str, float] = {}  # by the engine's URL
        self._places: dict[str, tuple[str, str]] = {}  # a task's node and container, by handle

    def read(self, handle: str, stream: Stream, offset: int, limit: int) -> bytes:
        """At most ``limit`` bytes from ``offset``. Raises PoolUnavailable."""
        return self._ask(handle, lambda logs: logs.read(handle, stream, offset, limit))

    def beginning(self, handle: str, sight: Sight, stream: Stream, limit: int) -> bytes:
        """The first ``limit`` bytes of a stream, in a pass of its own. Raises PoolUnavailable."""
        return self._ask(handle, lambda logs: logs.beginning(handle, sight, stream, limit))

    def tidy(self) -> None:
        """Let go of readers that nobody has used for a while."""
        for logs in self._all():
            logs.tidy()

    def keep_only(self, handles: set[str]) -> None:
        """Forget where the others ran."""
        with self._lock:
            self._places = {handle: place for handle, place in self._places.items() if handle in handles}

    def close(self) -> None:
        for logs in self._all():
            logs.close()

    def _all(self) -> list[Logs]:
        with self._lock:
            return [self._by_manager, *self._by_engine.values()]

    def _ask(self, handle: str, question: Callable[[Logs], Answer]) -> Answer:
        engine = self._engine_of(handle)
        if engine is None:
            return question(self._by_manager)
        with self._lock:
            logs = self._by_engine.setdefault(engine.url, _NodesLogs(engine, self._look, self._container_of))
        try:
            return question(logs)
        except PoolUnavailable:
            with self._lock:
                self._avoided_until[engine.url] = time.monotonic() + AVOIDED_SECONDS
        return question(self._by_manager)

    def _engine_of(self, handle: str) -> Engine | None:
        """Of the node that the task ran on, unless it is unknown, or has just failed to answer."""
        with self._lock:
            place = self._places.get(handle)
        if place is None:
            task = own_task(self._managers.ask(partial(tasks_of_service, service=handle)))
            if task is None or not container_of(task):
                return None
            place = (str(task["NodeID"]), container_of(task))
            with self._lock:
                self._places[handle] = place
        engine = self._managers.engine_of(place[0])
        with self._lock:
            return engine if engine and self._avoided_until.get(engine.url, 0.0) <= time.monotonic() else None

    def _container_of(self, handle: str) -> str:
        with self._lock:
            return self._places.get(handle, ("", handle))[1]


class _NodesLogs(Logs):
    """From the engine of a node."""

    call_seconds = CALL_SECONDS

    def __init__(self, engine: Engine, look: Callable[[str], Sight | None], container: Callable[[str], str]) -> None:
        super().__init__(engine, look)
        self._container = container

    def _place(self, handle: str) -> str:
        return f"containers/{self._container(handle)}"

    def _request(self, handle: str, stream: Stream, follow: bool) -> requests.Response | None:
        response = super()._request(handle, stream, follow)
        if response is None:  # its URL may lead to another node's now
            raise PoolUnavailable(f"The Docker engine at {self._engine.url} has no such log.")
        return response


class _ManagersLogs(Logs):
    """From whichever manager answers."""

    call_seconds = CALL_SECONDS

    def __init__(self, managers: Managers, look: Callable[[str], Sight | None]) -> None:
        super().__init__(managers, look)
        self._managers = managers

    def read(self, handle: str, stream: Stream, offset: int, limit: int) -> bytes:
        try:
            return super().read(handle, stream, offset, limit)
        except PoolUnavailable as error:
            if _LOST_SIGHT not in str(error):
                raise
            node = self._node(handle)
            name = host_name(node) if node else "its node"
            raise PoolUnavailable(
                f"Output cannot be read from {name}: the managers have lost the way to the logs there, until its "
                "engine is started again. Engines that docker-url names are asked themselves."
            ) from error

    def _place(self, handle: str) -> str:
        return f"services/{handle}"

    def _request(self, handle: str, stream: Stream, follow: bool) -> requests.Response | None:
        node = self._node(handle)
        if node is None:
            return None
        if state_of(node) in AWAY:
            raise PoolUnavailable(f"Output cannot be read from {host_name(node)}: the node is {state_of(node)}.")
        return super()._request(handle, stream, follow)

    def _node(self, handle: str) -> Found | None:
        """The node that the task ran on; None when it was removed, or the task had none."""
        task = own_task(self._managers.ask(partial(tasks_of_service, service=handle)))
        node_id = str(task.get("NodeID", "")) if task else ""
        return self._managers.ask(partial(inspect_node, node_id=node_id)) if node_id else None
