"""Fixtures for tests of the whole path: real servers, real pools, real faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.cluster.server import ServerProcess
from tests.cluster.zookeeper import Ensemble
from tests.databases import postgres_database
from tests.pools.docker_fixtures import docker_engine_url  # noqa: F401  (pytest finds fixtures by name, here)
from tests.pools.mesos_fixtures import (  # noqa: F401
    mesos,
    mesos_address,
    mesos_double,
    patience_with_masters,
    real_master,
)

Options = tuple[str, ...]

ON_SQLITE = "process pool, SQLite"
ON_POSTGRES = "process pool, PostgreSQL"
IN_CONTAINERS = "docker pool, SQLite"
SETTINGS = [
    ON_SQLITE,
    pytest.param(ON_POSTGRES, marks=pytest.mark.postgres),
    pytest.param(IN_CONTAINERS, marks=pytest.mark.docker),
]


@pytest.fixture
def postgres_database_url(postgres_engine: Engine) -> Iterator[str]:
    """An empty database of the shared PostgreSQL."""
    with postgres_database(postgres_engine) as url:
        yield url


@pytest.fixture(scope="package")
def shared_ensemble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ensemble]:
    """A ZooKeeper ensemble of three; tests keep apart by their paths."""
    ensemble = Ensemble(tmp_path_factory.mktemp("ensemble"), 3)
    try:
        ensemble.start()
        yield ensemble
    finally:
        ensemble.stop()


@pytest.fixture
def ensemble(shared_ensemble: Ensemble) -> Iterator[Ensemble]:
    """The shared one, all of whose servers serve again after the test."""
    yield shared_ensemble
    shared_ensemble.heal()


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Start servers over one folder, with a short lease; they are ended after the test."""
    started: list[ServerProcess] = []

    def start(*options: str, **more: Any) -> ServerProcess:
        server = ServerProcess(tmp_path, "--lease-seconds", "2", *options, **more)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.terminate()


@pytest.fixture
def server(start_server: Callable[..., ServerProcess]) -> ServerProcess:
    """A server on SQLite with the process pool that leads."""
    server = start_server("--pool", "process")
    server.wait_until_it_leads()
    return server


@pytest.fixture(params=SETTINGS)
def any_server(request: pytest.FixtureRequest, start_server: Callable[..., ServerProcess]) -> ServerProcess:
    """A server that leads, in each combination of pool and database."""
    options: Options = ("--pool", "process")
    if request.param == ON_POSTGRES:
        options += ("--database-url", request.getfixturevalue("postgres_database_url"))
    if request.param == IN_CONTAINERS:
        options = ("--pool", "docker", "--docker-url", request.getfixturevalue("docker_engine_url"))
    server = start_server(*options)
    server.wait_until_it_leads()
    return server
