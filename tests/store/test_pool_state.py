"""What a pool keeps for all nodes."""

from __future__ import annotations

from chronos_py.store.database import Database
from chronos_py.store.pool_state import PoolStateStore


def test_texts_are_kept_replaced_and_forgotten(database: Database) -> None:
    state = PoolStateStore(database)
    assert state.get("mesos.framework_id") == ""
    for text in ("first", "second"):
        state.set("mesos.framework_id", text)
        assert PoolStateStore(database).get("mesos.framework_id") == text
    assert state.get("other") == ""
    state.set("mesos.framework_id", "")
    assert state.get("mesos.framework_id") == ""
