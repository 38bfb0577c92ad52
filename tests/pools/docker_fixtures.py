"""A real, private Docker Engine for the tests, and pools on it."""

from __future__ import annotations

import os
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest

from chronos_py.model.task import Task
from chronos_py.pools import PoolOptions, TaskStatus
from chronos_py.pools.docker.pool import DockerPool

from .waiting import final

__all__ = ["docker_client", "docker_engine_url", "docker_pool", "docker_pool_factory", "task_name"]

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


def options_on(urls: Iterable[str], data_dir: Path) -> PoolOptions:
    """Of a pool on engines. Those of one folder see the same tasks, those of another folder don't."""
    return PoolOptions(
        cluster=uuid.uuid5(uuid.NAMESPACE_URL, str(data_dir)).hex[:12],
        data_dir=data_dir,
        shared_dir=data_dir / "shared",
        docker_url=",".join(urls),
    )


@pytest.fixture(scope="session")
def docker_engine_url() -> Iterator[str]:
    """The engine that all tests of a run share: the one that script/test started, or one of their own."""
    given = os.environ.get("CHRONOS_TEST_DOCKER_URL")
    if given:
        yield given
        return
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
    """Pools on the shared engine."""
    return lambda data_dir: DockerPool.from_options(options_on([docker_engine_url], data_dir))


@pytest.fixture
def docker_pool(docker_pool_factory: Callable[[Path], DockerPool], tmp_path: Path) -> Iterator[DockerPool]:
    """A pool that nobody else sees the tasks of; its shared folder is ``tmp_path / "shared"``."""
    pool = docker_pool_factory(tmp_path)
    yield pool
    for status in pool.list():
        if not status.is_final:
            pool.kill(status.handle, 0)
    pool.close()


@pytest.fixture
def task_name() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


def allow() -> None:
    """The permit of a leader whose term goes on."""


def run(pool: DockerPool, task: Task) -> tuple[TaskStatus, str]:
    """Run a task to its end: its status and standard output."""
    handle = pool.submit(task, allow)
    status = final(pool, task.name)
    return status, pool.logs(handle, "stdout", 0, 100_000).decode()
