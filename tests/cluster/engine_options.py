"""Options of servers whose tasks run on the hosts of tests.pools.swarm_hosts, reached over TLS."""

from __future__ import annotations

from tests.pools.swarm_hosts import Host


def on_engines(pool: str, *hosts: Host) -> tuple[str, ...]:
    """Tasks run in a pool of these hosts' engines; they are looked at every second."""
    urls = ",".join(host.secure_url for host in hosts)
    return ("--pool", pool, "--docker-url", urls, *hosts[0].network.tls_options(), "--resync-seconds", "1")
