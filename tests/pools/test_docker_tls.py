"""An engine that is reached over TLS, by those who have a certificate of its authority."""

from __future__ import annotations

from pathlib import Path

import pytest

from chronos_py.model.task import Task
from chronos_py.pools import PoolOptions, PoolUnavailable
from chronos_py.pools.docker.pool import DockerPool

from .docker_fixtures import allow
from .swarm_hosts import Host
from .waiting import final

pytestmark = pytest.mark.docker


def pool_of(tmp_path: Path, host: Host, **files: str) -> DockerPool:
    return DockerPool.from_options(
        PoolOptions(
            cluster="tls",
            data_dir=tmp_path,
            shared_dir=tmp_path / "shared",
            docker_url=host.secure_url,
            extra={f"docker_tls_{name}": str(host.network.folder / file) for name, file in files.items()},
        )
    )


def test_needs_the_certificates_and_names_what_is_wrong(spare_host: Host, tmp_path: Path) -> None:
    pool = pool_of(tmp_path, spare_host, ca="ca.pem", cert="client.pem", key="client.key")
    handle = pool.submit(Task("over-tls", "echo done"), allow)
    assert final(pool, "over-tls").exit_code == 0
    assert pool.logs(handle, "stdout", 0, 10) == b"done\n"
    pool.close()
    for files, words in (
        ({"ca": "ca.pem"}, r"refuses this server's certificate \(docker_tls_cert\): .*certificate"),
        ({"ca": "ca.pem", "cert": "server.pem", "key": "server.key"}, "refuses this server's certificate"),
        ({"ca": "server.pem"}, r"certificate is not trusted \(docker_tls_ca\): unable to get local issuer"),
        ({"ca": "none.pem"}, r"docker_tls_ca: there is no file .*none\.pem"),
        ({"cert": "client.pem"}, "docker_tls_cert and docker_tls_key belong together"),
        ({}, "Client sent an HTTP request to an HTTPS server"),
    ):
        with pytest.raises(PoolUnavailable, match=words):
            pool_of(tmp_path, spare_host, **files)
