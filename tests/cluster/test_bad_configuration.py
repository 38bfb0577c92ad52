"""What keeps a server from starting is said in one clear line, with exit status 1, after 5 s of waiting at most."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from kazoo.client import KazooClient
from kazoo.security import make_digest_acl
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from tests.cluster.server import CHRONOS, free_port, wait_for
from tests.cluster.zookeeper import Ensemble
from tests.databases import private_postgres


def line_of_failure(folder: Path, *options: str) -> str:
    """The one line that a server says which cannot start."""
    ended = subprocess.run(
        [CHRONOS, "server", "--listen", "127.0.0.1:0", "--data-dir", folder, "--pool", "process", *options],
        capture_output=True,
        text=True,
        timeout=60,  # mostly for the start of Python on a busy machine
        check=False,
        env={key: value for key, value in os.environ.items() if not key.startswith("CHRONOS_")},
    )
    assert ended.returncode == 1, ended.stderr
    said = [line for line in ended.stderr.splitlines() if " INFO " not in line]
    assert len(said) == 1, ended.stderr
    assert said[0].startswith("chronos: ")
    return said[0].removeprefix("chronos: ")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Somebody listens there and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture(scope="module")
def guarded_postgres() -> Iterator[URL]:
    """A PostgreSQL that asks ``ann`` for her password, which is "right"."""
    with private_postgres() as server:
        rules = server.folder / "data" / "pg_hba.conf"
        rules.write_text(f"host all ann 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
        engine = create_engine(server.url)
        with engine.begin() as connection:
            connection.execute(text("CREATE ROLE ann LOGIN PASSWORD 'right'"))
            connection.execute(text("SELECT pg_reload_conf()"))
        engine.dispose()
        guarded = make_url(server.url).set(username="ann")
        wait_for("the rules to be read", lambda: refuses(guarded.set(password="wrong")))
        yield guarded


def refuses(url: URL) -> bool:
    engine = create_engine(url)
    try:
        engine.connect().close()
    except OperationalError:
        return True
    finally:
        engine.dispose()
    return False


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("password", "database", "words"),
    [
        ("wrong", "postgres", 'password authentication failed for user "ann"'),
        ("right", "nosuch", 'database "nosuch" does not exist'),
    ],
)
def test_postgres_refuses(guarded_postgres: URL, tmp_path: Path, password: str, database: str, words: str) -> None:
    url = guarded_postgres.set(password=password, database=database)
    said = line_of_failure(tmp_path, "--database-url", url.render_as_string(hide_password=False))
    assert words in said
    assert said.startswith(f"The database {url.render_as_string()} cannot be used: ")
    assert password not in said.replace(words, "")


def test_postgres_is_not_there(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://chronos@127.0.0.1:{free_port()}/chronos"
    assert "Connection refused" in line_of_failure(tmp_path, "--database-url", url)


def test_postgres_does_not_say_a_word(tmp_path: Path, silent_port: int) -> None:
    url = f"postgresql+psycopg://chronos@127.0.0.1:{silent_port}/chronos"
    assert line_of_failure(tmp_path, "--database-url", url) == (
        f"The database {url} cannot be used: connection timeout expired."
    )


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    # Nobody can write there, root included.
    assert line_of_failure(Path("/proc")).startswith("data-dir /proc cannot be written: ")
    (tmp_path / "file").touch()
    said = line_of_failure(tmp_path / "file" / "data")
    assert said == f"data-dir {tmp_path}/file/data cannot be made: Not a directory."


def test_wrong_credentials_of_zookeeper(ensemble: Ensemble, tmp_path: Path) -> None:
    client = KazooClient(ensemble.hosts)
    client.start(60)
    client.ensure_path("/guarded")
    client.create("/guarded/candidate", acl=[make_digest_acl("ann", "right", all=True)])
    client.stop()
    client.close()
    options = ("--election", "zookeeper", "--zk-hosts", ensemble.hosts, "--zk-path", "/guarded")
    said = line_of_failure(tmp_path, *options, "--zk-auth", "ann:wrong")
    assert said == (
        f"ZooKeeper at {ensemble.hosts} does not let this node use /guarded/candidate as ann; check --zk-auth and"
        " --zk-path."
    )


def test_zookeeper_does_not_say_a_word(tmp_path: Path, silent_port: int) -> None:
    hosts = f"127.0.0.1:{silent_port}"
    said = line_of_failure(tmp_path, "--election", "zookeeper", "--zk-hosts", hosts)
    assert said == f"ZooKeeper at {hosts} does not answer; check --zk-hosts, and that its servers form a quorum."


def test_addresses_of_zookeeper_that_are_none(tmp_path: Path) -> None:
    said = line_of_failure(tmp_path, "--election", "zookeeper", "--zk-hosts", "127.0.0.1:2181,127.0.0.1:99999")
    assert said == 'zk-hosts is "127.0.0.1:99999" but must be host:port.'
