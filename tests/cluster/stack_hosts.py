"""deploy/stack.yaml on a real Swarm of three machines, without pulling an image.

Services get the image that every host has, and this machine's programs as mounts: its Python with this checkout, its
PostgreSQL, its ZooKeeper. Everything else is as the file says.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.pools.swarm_hosts import Host, Network, form_swarm, hosts, run

ROOT = Path(__file__).parents[2]
# What the entry points of the usual images do with the same variables.
POSTGRES = """
programs=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
data=/var/lib/postgresql/data
as_owner() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
mkdir -p /var/run/postgresql
chown postgres:postgres $data /var/run/postgresql
if ! [ -e $data/PG_VERSION ]; then
    as_owner $programs/initdb -D $data --no-sync --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" \
        --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 || exit 1
    echo 'host all all all scram-sha-256' >> $data/pg_hba.conf
    echo "CREATE DATABASE $POSTGRES_DB" | as_owner $programs/postgres --single -D $data postgres || exit 1
fi
exec setpriv --reuid=postgres --regid=postgres --clear-groups $programs/postgres -D $data -h 0.0.0.0
"""
ZOOKEEPER = """
echo "$ZOO_MY_ID" > /data/myid
for line in tickTime=500 initLimit=50 syncLimit=10 dataDir=/data dataLogDir=/datalog admin.enableServer=false \
    "autopurge.purgeInterval=$ZOO_AUTOPURGE_PURGEINTERVAL" $ZOO_CFG_EXTRA $ZOO_SERVERS
do echo "$line"; done > /tmp/zoo.cfg
exec java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '/usr/share/java/zookeeper.jar:/usr/share/java/*' \
    org.apache.zookeeper.server.quorum.QuorumPeerMain /tmp/zoo.cfg
"""


def from_here(*more: Path) -> list[str]:
    """Mounts of this machine's programs into a container."""
    given = {Path("/usr"): "/usr", Path("/usr/lib"): "/lib", Path("/etc/passwd"): "/etc/passwd"}
    given |= {Path("/etc/group"): "/etc/group"}
    given |= {Path(folder): folder for folder in ("/lib64",) if Path(folder).exists()}
    given |= {
        folder: str(folder) for folder in (*more, *Path("/etc").glob("java*")) if not folder.is_relative_to("/usr")
    }
    if Path("/etc/alternatives").exists():
        given[Path("/etc/alternatives")] = "/etc/alternatives"
    return [f"{source.resolve()}:{target}:ro" for source, target in given.items()]


def in_compose(script: str) -> list[str]:
    return ["sh", "-c", script.replace("$", "$$")]


def changes() -> dict[str, Any]:
    """What this machine has instead of the images."""
    python = [Path(folder) for folder in dict.fromkeys((str(ROOT), sys.prefix, sys.base_prefix))]
    programs = f"{sys.prefix}/bin:/usr/bin:/bin"
    node = {
        "image": "busybox:1",
        "volumes": from_here(*python),
        "command": ["chronos", "server"],
        "environment": {"PATH": programs, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
    }
    servers = {
        f"zookeeper{number}": {"image": "busybox:1", "volumes": from_here(), "command": in_compose(ZOOKEEPER)}
        for number in (1, 2, 3)
    }
    postgres = {"image": "busybox:1", "volumes": from_here(), "command": in_compose(POSTGRES)}
    return {"services": {"chronos": node, "postgres": postgres, **servers}}


@contextmanager
def three_managers(folder: Path) -> Iterator[list[Host]]:
    """Three hosts, all managers, each with its engine's socket at the same path, ``folder/here/docker.sock``."""
    with (network := Network(folder)).up(), hosts((1, 2, 3), network) as made:
        (folder / "here").mkdir()
        for host in made:
            host.inside("mount", "--bind", folder / str(host.number), folder / "here")
        form_swarm(made)
        run("docker", "--host", made[0].url, "node", "promote", "node2", "node3")
        yield made
