"""The Mesos pool and a real ZooKeeper in which masters are entered as real ones enter themselves.

Both are ways to one master: a double, or the real one that CHRONOS_TEST_MESOS_MASTER names.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from kazoo.client import KazooClient

from chronos_py.model.task import Task
from chronos_py.pools import PoolUnavailable

from ..pools.mesos_fixtures import end_framework, mesos_pool
from ..pools.mesos_recordings import RECORDINGS
from ..pools.mesos_wiretap import Wiretap
from ..pools.waiting import eventually, final
from .zookeeper import Ensemble


@pytest.fixture
def ensemble(tmp_path: Path) -> Iterator[Ensemble]:
    ensemble = Ensemble(tmp_path, 1)
    try:
        ensemble.start()
        yield ensemble
    finally:
        ensemble.stop()


@pytest.fixture
def client(ensemble: Ensemble) -> Iterator[KazooClient]:
    client = KazooClient(ensemble.hosts)
    try:
        client.start(60)
        yield client
    finally:
        client.stop()
        client.close()


def enter(client: KazooClient, master: Wiretap) -> str:
    """The recorded entry of a real master, with another port."""
    dump = json.loads((RECORDINGS / "40_ha_zookeeper.znodes.json").read_text())["dumps"][1]
    (recorded, *_) = [json.loads(node["data"]) for node in dump["nodes"] if "json.info" in node["path"]]
    recorded["address"]["port"] = recorded["port"] = master.port
    path: str = client.create("/mesos/json.info_", json.dumps(recorded).encode(), sequence=True, makepath=True)
    return path


def test_finds_the_leading_master_and_follows_it(client: KazooClient, tmp_path: Path, mesos_address: str) -> None:
    host, port = client.hosts[0]
    pool = mesos_pool(f"zk://{host}:{port}/mesos", tmp_path)
    first, second = Wiretap(mesos_address), Wiretap(mesos_address)
    try:
        with pytest.raises(PoolUnavailable, match="ZooKeeper"):
            pool.nodes()
        client.create("/mesos/log_replicas/0000000000", makepath=True)
        with pytest.raises(PoolUnavailable, match="none is entered at /mesos"):
            pool.nodes()
        leading = enter(client, first)
        enter(client, second)
        pool.submit(Task(name="a", command="true"), lambda: None)
        assert final(pool, "a").exit_code == 0
        assert second.calls == []
        client.delete(leading)
        eventually(lambda: second.framework_ids)
        assert second.framework_ids == first.framework_ids  # the framework is the same at every master
    finally:
        end_framework(pool)
        first.stop()
        second.stop()


def test_whoever_asks_while_zookeeper_is_away_is_told_so(
    ensemble: Ensemble, client: KazooClient, tmp_path: Path, mesos_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client keeps what it is asked until a server is back, however long that takes."""
    monkeypatch.setattr("chronos_py.pools.mesos.master.ZOOKEEPER_SECONDS", 1.0)
    master = Wiretap(mesos_address)
    pool = mesos_pool(f"zk://{ensemble.hosts}/mesos", tmp_path)
    said: list[str] = []

    def ask() -> None:
        for _ in range(3):
            try:
                pool.nodes()
            except PoolUnavailable as error:
                said.append(str(error))

    asking = threading.Thread(target=ask, daemon=True)
    try:
        enter(client, master)
        assert pool.nodes()
        ensemble.stop()
        asking.start()
        asking.join(60)
        assert len(said) == 3
        assert all(f"ZooKeeper at {ensemble.hosts}" in words for words in said)
    finally:
        pool.close()
        master.stop()


def test_many_may_ask_a_zookeeper_that_never_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One does not wait for the other's time to be over."""
    monkeypatch.setattr("chronos_py.pools.mesos.master.ZOOKEEPER_SECONDS", 1.0)
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pool = mesos_pool(f"zk://127.0.0.1:{silent.getsockname()[1]}/mesos", tmp_path)

        def ask() -> None:
            try:
                pool.nodes()
            except PoolUnavailable as error:
                said.append(str(error))

        for _ in range(40):
            threading.Thread(target=ask, daemon=True).start()
        eventually(lambda: len(said) == 40, 60)
        assert all("does not answer" in words for words in said)
        pool.close()
