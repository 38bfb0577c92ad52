"""A node of another election does not join a cluster, even where both start in the same moment."""

from __future__ import annotations

from typing import Any

import pytest

from chronos_py import bootstrap
from chronos_py.clock import SystemClock
from chronos_py.config import Settings
from chronos_py.errors import ConfigurationError
from chronos_py.pools import Pool
from chronos_py.store.database import Database
from chronos_py.store.nodes import NodeFacts, list_nodes, note_node


def test_of_two_that_start_at_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    other = NodeFacts("other:1", "x/1/1", "other", "1", "process", "zookeeper /chronos", SystemClock().now())
    database = Database(settings.full_database_url)
    open_pool = bootstrap.open_pool

    def while_the_other_starts(*arguments: Any) -> Pool:
        with database.write() as connection:
            note_node(connection, other)
        return open_pool(*arguments)

    monkeypatch.setattr(bootstrap, "open_pool", while_the_other_starts)
    with pytest.raises(ConfigurationError, match="node at other:1 elects the leader by zookeeper /chronos"):
        bootstrap.open_node(settings, "this:1")
    with database.read() as connection:
        assert [node.facts.address for node in list_nodes(connection)] == ["other:1"]
    database.close()
