"""Engines that a server cannot use: it says so in one line, soon, and ends."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cluster.engine_options import on_engines
from tests.cluster.server import CHRONOS
from tests.pools.swarm_hosts import TLS_PORT, Host

pytestmark = pytest.mark.docker

IN_TIME = 90  # seconds for a machine that is busy; alone it takes five, one engine after the other 120


@pytest.mark.parametrize("pool", ["docker", "swarm"])
def test_engines_whose_machines_are_away(pool: str, swarm_hosts: list[Host], tmp_path: Path) -> None:
    network = swarm_hosts[0].network
    urls = [f"tcp://{network.address(number)}:{TLS_PORT}" for number in range(201, 237)]
    line = refusal(tmp_path, *on_engines(pool, *swarm_hosts), "--docker-url", ",".join(urls))
    assert line.startswith(f"chronos: --pool {pool}: The Docker engine at {urls[0]} does not answer: ")
    assert f"{urls[-1]} does not answer: it took too long." in line or "No route to host." in line


def test_an_engine_that_is_no_manager(swarm_hosts: list[Host], tmp_path: Path) -> None:
    worker = swarm_hosts[1]
    line = refusal(tmp_path, *on_engines("swarm", worker))
    where = f"chronos: --pool swarm: The Docker engine at {worker.secure_url}"
    assert line == f"{where} is a worker of its swarm; name a manager's (docker_url)."


def test_a_certificate_that_the_engine_does_not_want(swarm_hosts: list[Host], tmp_path: Path) -> None:
    folder, manager = swarm_hosts[0].network.folder, swarm_hosts[0]
    own = ("--docker-tls-cert", str(folder / "server.pem"), "--docker-tls-key", str(folder / "server.key"))
    line = refusal(tmp_path, *on_engines("swarm", manager), *own)
    assert line.startswith(f"chronos: --pool swarm: The Docker engine at {manager.secure_url} ")
    assert "it refuses this server's certificate (docker_tls_cert)" in line


def refusal(folder: Path, *options: str) -> str:
    """The one line that a server ends with."""
    command: list[str | Path] = [CHRONOS, "server", "--data-dir", folder, "--listen", "127.0.0.1:0", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=IN_TIME, check=False)
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    return line
