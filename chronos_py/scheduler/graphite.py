"""Push metrics to a Graphite server."""

from __future__ import annotations

import logging
from collections.abc import Callable

from prometheus_client import CollectorRegistry
from prometheus_client.bridge.graphite import GraphiteBridge

from chronos_py.errors import DatabaseUnavailable
from chronos_py.health import Health

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10


class GraphitePush:
    """Pushes what ``registry`` collects while this node leads: the figures are the cluster's, one node tells them."""

    def __init__(
        self,
        address: tuple[str, int],
        prefix: str,
        registry: CollectorRegistry,
        health: Health,
        is_leading: Callable[[], bool],
    ) -> None:
        self._address = f"{address[0]}:{address[1]}"
        self._bridge = GraphiteBridge(address, registry, timeout_seconds=TIMEOUT_SECONDS)
        self._prefix = prefix
        self._health = health
        self._is_leading = is_leading

    def push(self) -> None:
        """Push once; what goes wrong is a problem of this node and lost, for the next push brings newer figures."""
        if not self._is_leading():
            return
        try:
            self._bridge.push(self._prefix)
        except DatabaseUnavailable:
            return  # whose problem that is says so already
        except OSError as error:
            sentence = f"Metrics cannot be pushed to Graphite at {self._address}: {error.strerror or error}."
            if self._health.report("graphite", sentence, hinders=False):
                logger.error("%s", sentence)
        else:
            self._health.clear("graphite")
