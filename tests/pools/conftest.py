"""Fixtures for the pools: the same suite runs on every one of them.

``docker_fixtures.py`` gives ``docker_pool_factory``: a callable that takes a data folder and returns a pool
connected to a private engine that has the image ``busybox:1``. Every factory uses ``data_dir / "shared"`` as
its shared folder, so that a test can read what its payloads wrote; two pools of the same data folder see the
same tasks, as an old and a new leader do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chronos_py.pools import Pool, PoolOptions, TaskState
from chronos_py.pools.docker import engine
from chronos_py.pools.process.pool import ProcessPool

from .docker_fixtures import *  # noqa: F403  (pytest finds fixtures by name, here)
from .mesos_fixtures import *  # noqa: F403
from .mesos_fixtures import OTHERWISE, end_framework
from .waiting import eventually

PoolFactory = Callable[[Path], Pool]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "docker: needs a real Docker Engine")
    config.addinivalue_line("markers", "postgres: needs a real PostgreSQL server")
    config.addinivalue_line("markers", "browser: needs a real browser")


@pytest.fixture(autouse=True)
def patience_with_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine an engine may take longer for its answer than a leader waits before it looks elsewhere."""
    monkeypatch.setattr(engine, "CONNECT_SECONDS", 60)


@pytest.fixture(scope="session")
def process_pool_factory() -> PoolFactory:
    def make(data_dir: Path) -> Pool:
        return ProcessPool.from_options(
            PoolOptions(cluster="test", data_dir=data_dir, shared_dir=data_dir / "shared")
        )

    return make


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture(
    params=[
        "process",
        "mesos",
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("swarm", marks=pytest.mark.docker),
    ]
)
def pool_factory(request: pytest.FixtureRequest) -> PoolFactory:
    if request.param == "mesos":
        for each in (request.node.originalname, request.node.name.replace("[mesos-", "[")):
            if each in OTHERWISE:
                pytest.skip(OTHERWISE[each])
    factory: PoolFactory = request.getfixturevalue(f"{request.param}_pool_factory")
    return factory


@pytest.fixture
def pool_again(pool_factory: PoolFactory, data_dir: Path) -> Iterator[Callable[[], Pool]]:
    """Make one more, independent pool over the same tasks: a new leader."""
    made: list[Pool] = []

    def make() -> Pool:
        made.append(pool_factory(data_dir))
        return made[-1]

    yield make
    end_everything(make())
    for pool in made:
        pool.close()
    end_framework(made[-1])


def end_everything(pool: Pool) -> None:
    for status in pool.list():
        pool.kill(status.handle, 0)
    eventually(lambda: all(status.is_final or status.state is TaskState.CREATED for status in pool.list()))
    for status in pool.list():
        pool.forget(status.handle)


@pytest.fixture
def pool(pool_again: Callable[[], Pool]) -> Pool:
    return pool_again()
