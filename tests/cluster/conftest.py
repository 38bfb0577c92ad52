"""Fixtures for tests of the whole path: real servers, real pools, real faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.server import ServerProcess


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server on SQLite with the process pool and a short lease."""
    server = ServerProcess(tmp_path, "--pool", "process", "--lease-seconds", "2").start()
    server.wait_until_it_leads()
    yield server
    server.terminate()
