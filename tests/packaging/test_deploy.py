"""The recipes of docs/deploy.md: what they name is there, and what they put back is what was saved."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from click.testing import CliRunner
from sqlalchemy import Engine, QueuePool

from chronos_py.cli import chronos
from chronos_py.config.options import OPTIONS
from chronos_py.store import leadership, schema
from chronos_py.store.database import Database
from tests.databases import postgres_database
from tests.packaging.recipes import PAGE, blocks

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
VARIABLES = {option.variable for option in OPTIONS} | {"CHRONOS_CONFIG"}
OF_THE_STACK = {"CHRONOS_IMAGE", "CHRONOS_SHARED", "CHRONOS_DOCKER_SOCKET"}
OF_CLIENTS = {"CHRONOS_SERVER"}


def stack() -> dict[str, Any]:
    """The file, with the values that its variables have unless somebody sets them."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (DEPLOY / "stack.yaml").read_text())
    assert "${" not in text
    services: dict[str, Any] = yaml.safe_load(text)
    return services


def test_the_stack_sets_only_options_that_exist() -> None:
    node = stack()["services"]["chronos"]
    given = node["environment"]
    assert set(given) <= VARIABLES
    flags = [word for name, value in given.items() for word in (f"--{flag_of(name)}", value)]
    assert CliRunner().invoke(chronos, ["server", *flags, "--help"]).exit_code == 0
    hosts = [host.partition(":")[0] for host in given["CHRONOS_ZK_HOSTS"].split(",")]
    assert len(hosts) == 3
    assert set(hosts) < set(stack()["services"])
    assert given["CHRONOS_CONFIG"].removeprefix("/run/secrets/") in stack()["secrets"]
    assert CliRunner().invoke(chronos, [*node["healthcheck"]["test"][2:], "--help"]).exit_code == 0
    mounted = {volume.partition(":")[2] for volume in node["volumes"]}
    assert given["CHRONOS_DOCKER_URL"].removeprefix("unix://") in mounted


def flag_of(variable: str) -> str:
    return variable.removeprefix("CHRONOS_").lower().replace("_", "-")


def test_a_rolling_upgrade_stops_one_node_at_a_time_first() -> None:
    deploy = stack()["services"]["chronos"]["deploy"]
    assert deploy["replicas"] == 3
    assert deploy["placement"]["max_replicas_per_node"] == 1  # so a new one has no room before the old one went
    assert deploy["update_config"].items() >= {"parallelism": 1, "order": "stop-first"}.items()


@pytest.mark.skipif(shutil.which("docker") is None, reason="it takes the docker command")
def test_docker_takes_the_stack() -> None:
    done = subprocess.run(
        ["docker", "stack", "config", "-c", DEPLOY / "stack.yaml"],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert set(yaml.safe_load(done.stdout)["services"]) == set(stack()["services"])


def test_the_page_and_the_files_name_only_what_exists() -> None:
    texts = [path.read_text() for path in (PAGE, *DEPLOY.iterdir())]
    names = set(re.findall(r"\bCHRONOS_[A-Z_]+", "\n".join(texts)))
    assert names <= VARIABLES | OF_THE_STACK | OF_CLIENTS
    for path in re.findall(r"\bdeploy/[A-Za-z.]+[a-z]", PAGE.read_text()):
        assert (ROOT / path).is_file(), path
    for service in re.findall(r"\bchronos_([a-z0-9]+)", PAGE.read_text()):
        assert service in {*stack()["services"], "default"}  # the network


def test_postgresql_has_room_for_the_connections_of_all_nodes() -> None:
    pool = Database("postgresql+psycopg://nobody@127.0.0.1:1/none").engine.pool
    assert isinstance(pool, QueuePool)
    most = pool.size() + pool._max_overflow + 1  # and the one that listens
    assert f"at most {most} connections" in PAGE.read_text()
    services = stack()["services"]
    granted = int(services["postgres"]["command"][-1].removeprefix("max_connections="))
    assert granted > most * services["chronos"]["deploy"]["replicas"] * 1.5


def cluster_of(url: str) -> str:
    database = Database(url)
    try:
        schema.upgrade(database)
        return leadership.ensure_row(database)
    finally:
        database.close()


@pytest.mark.postgres
def test_a_dump_of_the_stack_comes_back_as_the_page_says(
    postgres_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The programs and options of the page, on a server that is not in a container."""
    with postgres_database(postgres_engine) as url:
        cluster, name = cluster_of(url), url.rpartition("/")[2]
        at = postgres_engine.url
        for variable, value in (("PGHOST", at.host), ("PGPORT", str(at.port)), ("PGPASSWORD", at.password or "")):
            monkeypatch.setenv(variable, value or "")
        dump, restore = blocks("Backup and restore")[2:4]
        for line in [*dump.splitlines(), *restore.splitlines()]:
            command = re.sub(r"^docker exec (-i )?\$\(.*?\) ", "", line).replace("/backup", str(tmp_path))
            if command != line:
                end = re.sub(r"\bchronos(?=$| [<>])", name, command)
                assert end != command
                subprocess.run(["bash", "-c", end], check=True, timeout=60)
        assert cluster_of(url) == cluster


@pytest.mark.parametrize("words", ["ready", "db restored", "db upgrade"])
def test_the_commands_of_the_page_take_the_servers_options(words: str) -> None:
    shown = CliRunner().invoke(chronos, [*shlex.split(words), "--help"]).output
    assert "--database-url" in shown
