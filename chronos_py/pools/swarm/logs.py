"""Reading the output of a swarm's tasks through a manager, from whichever node they ran on.

A manager hands on what the node's engine kept, in the frames that a container's log has; so it is read as one. A node
that is away is not asked: before it is known to be, a manager waits for it, and later it calls the log incomplete.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import requests

from chronos_py.pools import PoolUnavailable, Stream
from chronos_py.pools.docker.logs import Logs, Sight
from chronos_py.pools.swarm.calls import inspect_node, tasks_of_service
from chronos_py.pools.swarm.managers import Managers
from chronos_py.pools.swarm.nodes import AWAY, host_name, state_of
from chronos_py.pools.swarm.status import own_task

CALL_SECONDS = 20


class SwarmLogs(Logs):
    """The logs of services; handles are the services' ids."""

    def __init__(self, managers: Managers, look: Callable[[str], Sight | None]) -> None:
        super().__init__(managers, look)
        self._managers = managers

    def _request(self, handle: str, stream: Stream, follow: bool) -> requests.Response | None:
        if not self._has_node(handle):
            return None
        with self._managers.answering() as client:
            response = client.get(
                f"{client.base_url}/v{client.api_version}/services/{handle}/logs",
                params={stream: "1", "follow": "1" if follow else "0"},
                stream=True,
                timeout=(CALL_SECONDS, None if follow else CALL_SECONDS),
            )
            if response.ok:
                return response
            words = " ".join(response.text.split())
            response.close()
        if response.status_code == requests.codes.not_found or "does not support reading" in words:
            return None
        raise PoolUnavailable(f"The swarm manager at {self._managers.url} cannot read a log: {words}")

    def _has_node(self, handle: str) -> bool:
        """Whether there is a node that has the log. Raises PoolUnavailable while it is away."""
        task = own_task(self._managers.ask(partial(tasks_of_service, service=handle)))
        node_id = str(task.get("NodeID", "")) if task else ""
        node = self._managers.ask(partial(inspect_node, node_id=node_id)) if node_id else None
        if node and state_of(node) in AWAY:
            raise PoolUnavailable(f"Output cannot be read from {host_name(node)}: the node is {state_of(node)}.")
        return node is not None
