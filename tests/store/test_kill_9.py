"""An acknowledged commit survives the death of the process that made it, and of the database's server."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from chronos_py.store import outbox
from chronos_py.store.database import Database
from tests.cluster.server import wait_for
from tests.databases import migrate, private_postgres
from tests.store.building import NOW

WRITER = Path(__file__).with_name("acknowledging_writer.py")


@contextmanager
def writer(url: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, WRITER, url],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def read_acknowledged(process: subprocess.Popen[str], count: int) -> None:
    """Until the writer has acknowledged ``count`` commits."""
    assert process.stdout is not None
    assert process.stderr is not None
    for _ in range(count):
        assert process.stdout.readline(), process.stderr.read()


def last_acknowledged(process: subprocess.Popen[str], seen: int) -> int:
    """The number of the last commit that a writer acknowledged before it died."""
    assert process.stdout is not None
    return max([seen, *(int(line) for line in process.stdout if line.endswith("\n"))])


def is_alone(database: Database) -> bool:
    """Whether the sessions of others have ended: a commit that was asked for goes on without its client."""
    others = text(
        "SELECT 1 FROM pg_stat_activity"
        " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    with database.read() as connection:
        return connection.execute(others).first() is None


def check_and_clear(database: Database, acknowledged: int) -> None:
    """All that was acknowledged is there, at most one more commit, and each of them whole."""
    if database.dialect == "postgresql":
        wait_for("the session of the dead writer to end", lambda: is_alone(database))
    with database.write() as connection:
        rows = outbox.undelivered(connection, 1_000_000)
        outbox.mark_delivered(connection, [row_id for row_id, _, _ in rows], NOW)
    written = [payload["number"] for _, topic, payload in rows if topic == "written"]
    with_it = [payload["number"] for _, topic, payload in rows if topic == "with it"]
    assert written == with_it == list(range(1, len(written) + 1))
    assert acknowledged <= len(written) <= acknowledged + 1


def test_what_was_acknowledged_survives_the_writer(database_url: str, database: Database) -> None:
    chance = random.Random(9)
    for _ in range(4):
        with writer(database_url) as process:
            seen = chance.randint(1, 60)
            read_acknowledged(process, seen)
            process.kill()
            acknowledged = last_acknowledged(process, seen)
        check_and_clear(database, acknowledged)
    if database.dialect == "sqlite":
        with database.read() as connection:
            assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"


@pytest.mark.postgres
def test_what_was_acknowledged_survives_a_crash_of_postgres() -> None:
    with private_postgres() as server:
        migrate(server.url)
        database = Database(server.url)
        for seen in (1, 40):
            with writer(server.url) as process:
                read_acknowledged(process, seen)
                server.crash()
                acknowledged = last_acknowledged(process, seen)
            server.start()
            check_and_clear(database, acknowledged)
        database.close()
