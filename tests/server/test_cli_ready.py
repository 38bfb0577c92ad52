"""``chronos ready``: what a container's health check asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from chronos_py.cli.ready import own_url
from chronos_py.config import Settings
from tests.cluster.server import ServerProcess
from tests.server.test_cli import chronos, error_of


@pytest.mark.parametrize(
    ("listen", "credentials", "url"),
    [
        ("127.0.0.1:4400", "", "http://127.0.0.1:4400"),
        ("0.0.0.0:80", "ann:s:cr@t", "http://ann:s%3Acr%40t@127.0.0.1:80"),
        ("[::]:4400", "", "http://[::1]:4400"),
        ("example.org:4400", "", "http://example.org:4400"),
    ],
)
def test_it_asks_the_server_of_this_machine(listen: str, credentials: str, url: str) -> None:
    assert own_url(Settings(listen=listen, http_credentials=credentials)) == url


def test_it_reads_the_servers_own_file(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, "--pool", "process", "--http-credentials", "ann:s:cr@t")
    file = tmp_path / "chronos.toml"
    file.write_text(f'listen = "127.0.0.1:{server.port}"\nhttp_credentials = "ann:s:cr@t"\n')
    assert "no server answers" in error_of(chronos("ready", "--config", file))
    try:
        server.url = server.url.replace("://", "://ann:s%3Acr%40t@")
        server.start()
        assert chronos("ready", "--config", file).stdout == "ready\n"
        assert "answered 401" in error_of(chronos("ready", "--listen", f"127.0.0.1:{server.port}"))
    finally:
        server.terminate()
