"""A real, private Docker Engine for the tests, and pools on it."""

from __future__ import annotations

import os
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest

from chronos_py.pools import PoolOptions
from chronos_py.pools.docker import DockerPool

__all__ = ["docker_client", "docker_engine_url", "docker_pool_factory", "private_engine"]

ENGINE = Path(__file__).parents[2] / "script" / "engine"


def start_engine(folder: Path) -> str:
    """Start, or start again, the engine of ``folder``; its URL."""
    done = subprocess.run([ENGINE, "start", folder], capture_output=True, text=True, check=False, timeout=100)
    if done.returncode == 0:
        return done.stdout.strip()
    reason = f"no Docker Engine: {done.stderr.strip()}"
    if os.environ.get("CHRONOS_TEST_ALLOW_SKIP") == "1":
        pytest.skip(reason)
    pytest.fail(reason, pytrace=False)


@contextmanager
def private_engine() -> Iterator[tuple[str, Path]]:
    """An engine of one's own: its URL and its folder, which is short, as unix sockets want it."""
    with tempfile.TemporaryDirectory(prefix="engine", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            yield start_engine(folder), folder
        finally:
            subprocess.run([ENGINE, "stop", folder], check=True, timeout=60)


@pytest.fixture(scope="session")
def docker_engine_url() -> Iterator[str]:
    """The engine that all tests of a run share."""
    with private_engine() as (url, _):
        yield url


@pytest.fixture(scope="session")
def docker_client(docker_engine_url: str) -> Iterator[docker.APIClient]:
    """A second, independent look at the shared engine."""
    client = docker.APIClient(docker_engine_url)
    yield client
    client.close()


@pytest.fixture(scope="session")
def docker_pool_factory(docker_engine_url: str) -> Callable[[Path], DockerPool]:
    """Pools on the shared engine. Those of one folder see the same tasks, those of another folder don't."""

    def make(data_dir: Path) -> DockerPool:
        return DockerPool.from_options(
            PoolOptions(
                cluster=uuid.uuid5(uuid.NAMESPACE_URL, str(data_dir)).hex[:12],
                data_dir=data_dir,
                shared_dir=data_dir / "shared",
                docker_url=docker_engine_url,
            )
        )

    return make
