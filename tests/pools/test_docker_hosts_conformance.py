"""What every pool must do, on several engines as one pool."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chronos_py.pools import Pool
from chronos_py.pools.docker.hosts import DockerHosts

from .docker_fixtures import options_on
from .swarm_hosts import Host
from .test_conformance import *  # noqa: F403  (pytest finds the suite's tests by name, here)

pytestmark = pytest.mark.docker


@pytest.fixture
def pool_factory(swarm_hosts: list[Host]) -> Callable[[Path], Pool]:
    return lambda data_dir: DockerHosts.from_options(options_on([host.url for host in swarm_hosts], data_dir))
