"""Waking across nodes: two bells, each with connections of its own, over one real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from chronos_py.store.bell import Bell
from chronos_py.store.database import Database
from tests.cluster.server import wait_for

pytestmark = pytest.mark.postgres


class Node:
    """What one node hears."""

    def __init__(self, url: str) -> None:
        self.heard: list[str] = []
        self.has_heard = threading.Event()
        self.database = Database(url)
        self.bell = Bell(self.database, self._on_ring)
        self.bell.start()
        self._stopped = False

    def _on_ring(self, name: str) -> None:
        self.heard.append(name)
        self.has_heard.set()

    def stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            self.bell.stop()
            self.database.close()


@pytest.fixture
def nodes(postgres_database_url: str) -> Iterator[tuple[Node, Node]]:
    with ExitStack() as stack:
        pair = Node(postgres_database_url), Node(postgres_database_url)
        for node in pair:
            stack.callback(node.stop)
        for node in pair:
            wait_for("the node to listen", partial(ring, pair[0], "probe", node))
        yield pair


def ring(ringing: Node, name: str, hearing: Node) -> bool:
    ringing.bell.ring(name)
    return hearing.has_heard.wait(0.2) and name in hearing.heard


def test_a_ring_is_heard_on_every_node(nodes: tuple[Node, Node]) -> None:
    first, second = nodes
    second.bell.ring("planner")
    wait_for("both to hear it", lambda: all("planner" in node.heard for node in (first, second)))


def test_a_ring_just_before_the_end_is_heard(nodes: tuple[Node, Node]) -> None:
    first, second = nodes
    first.bell.ring("election")
    first.stop()
    wait_for("the other to hear it", lambda: "election" in second.heard)
