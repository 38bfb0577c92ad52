"""A real swarm of two hosts for the tests, pools on it, and a host beside it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from chronos_py.pools.swarm.pool import SwarmPool

from .docker_fixtures import options_on
from .swarm_hosts import Host, Network, form_swarm, hosts

__all__ = ["host_network", "own_swarm", "spare_host", "swarm_hosts", "swarm_pool", "swarm_pool_factory"]

TOOLS = ("dockerd", "ip", "iptables", "nsenter", "unshare", "openssl")


def fail_without_tools() -> None:
    """Fail, or skip where that is allowed, on a machine that cannot have hosts."""
    missing = [tool for tool in TOOLS if shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None]
    if os.geteuid() != 0 or missing:
        reason = f"no swarm: {', '.join(missing)} missing" if missing else "no swarm: it takes root"
        if os.environ.get("CHRONOS_TEST_ALLOW_SKIP") == "1":
            pytest.skip(reason)
        pytest.fail(reason, pytrace=False)


@contextmanager
def new_network() -> Iterator[Network]:
    fail_without_tools()
    with (
        tempfile.TemporaryDirectory(prefix="swarm", ignore_cleanup_errors=True) as name,
        (network := Network(Path(name))).up(),
    ):
        yield network


@pytest.fixture(scope="session")
def host_network() -> Iterator[Network]:
    """The network of all hosts."""
    with new_network() as network:
        yield network


@pytest.fixture(scope="session")
def swarm_hosts(host_network: Network) -> Iterator[list[Host]]:
    """A manager and a worker, named node1 and node2."""
    with hosts((1, 2), host_network) as made:
        form_swarm(made)
        yield made


@contextmanager
def new_swarm(numbers: Sequence[int]) -> Iterator[list[Host]]:
    """Hosts on a network of their own; the first manages a swarm of them."""
    with new_network() as network, hosts(numbers, network) as made:
        form_swarm(made)
        yield made


@pytest.fixture
def own_swarm() -> Iterator[list[Host]]:
    """As ``swarm_hosts``, for one test: a swarm whose managers have changed once is slow to change them again."""
    with new_swarm((1, 2)) as made:
        yield made


@pytest.fixture(scope="session")
def spare_host(host_network: Network) -> Iterator[Host]:
    """A host named node3 whose engine is in no swarm; whoever lets it join one lets it leave again."""
    with hosts((3,), host_network) as (host,):
        yield host


def pool_on(made: Sequence[Host], data_dir: Path) -> SwarmPool:
    """A pool on a swarm."""
    return SwarmPool.from_options(options_on([host.url for host in made], data_dir))


@pytest.fixture(scope="session")
def swarm_pool_factory(swarm_hosts: list[Host]) -> Callable[[Path], SwarmPool]:
    """Pools on the shared swarm."""
    return lambda data_dir: pool_on(swarm_hosts, data_dir)


@pytest.fixture
def swarm_pool(swarm_pool_factory: Callable[[Path], SwarmPool], tmp_path: Path) -> Iterator[SwarmPool]:
    """A pool that nobody else sees the tasks of; its shared folder is ``tmp_path / "shared"``."""
    pool = swarm_pool_factory(tmp_path)
    yield pool
    for status in pool.list():
        if not status.is_final:
            pool.kill(status.handle, 0)
    pool.close()
