"""A node of real parts and clients of it, without a socket where none is needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from chronos_py.bootstrap import Node, open_node
from chronos_py.config import Settings
from chronos_py.http import create_wsgi_app
from chronos_py.services import Application
from tests.server.client import Client, client_of

ADDRESS = "127.0.0.1:4400"


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=database_url, data_dir=str(tmp_path / "node"), pool="process")


@pytest.fixture
def node(settings: Settings) -> Iterator[Node]:
    """A node that does not stand for leadership: what is queued stays so."""
    node = open_node(settings, ADDRESS)
    yield node
    node.application.pool.close()
    node.application.database.close()


@pytest.fixture
def leading_client(settings: Settings) -> Iterator[Client]:
    """A client of a node at work."""
    node = open_node(settings, ADDRESS)
    node.start()
    yield client_of(create_wsgi_app(node.application))
    node.stop()


@pytest.fixture
def application(node: Node) -> Application:
    return node.application


@pytest.fixture
def wsgi(application: Application) -> Flask:
    return create_wsgi_app(application)


@pytest.fixture
def client(wsgi: Flask) -> Client:
    return client_of(wsgi)


@pytest.fixture(params=["/scheduler", "/v1/scheduler"])
def prefix(request: pytest.FixtureRequest) -> str:
    """Where the two generations of Chronos had their API."""
    return str(request.param)
