"""A database that goes away is told in one sentence, and used again when it is back, by the same process."""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from chronos_py.errors import DatabaseUnavailable
from chronos_py.store import leadership, outbox
from chronos_py.store.database import Database
from tests.databases import migrate, private_postgres
from tests.store.building import NOW

NOBODY = 65534


def write(database: Database, number: int, payload: str = "") -> None:
    with database.write() as connection:
        outbox.put(connection, "topic", {"number": number, "payload": payload}, NOW)


def written(database: Database) -> list[int]:
    with database.read() as connection:
        return [payload["number"] for _, _, payload in outbox.undelivered(connection, 1000)]


@contextmanager
def unavailable() -> Iterator[None]:
    with pytest.raises(DatabaseUnavailable) as refused:
        yield
    sentence = str(refused.value)
    assert sentence.startswith("The database ")
    assert sentence.endswith(".")
    assert "\n" not in sentence


# PostgreSQL


@pytest.mark.postgres
def test_postgres_stops_and_comes_back() -> None:
    with private_postgres() as server:
        migrate(server.url)
        database = Database(server.url)
        leadership.ensure_row(database)
        epoch = leadership.SqlLease(database, "me", "").acquire(3600, NOW)
        assert epoch is not None
        write(database, 1)
        with unavailable(), database.write() as connection:
            outbox.put(connection, "topic", {"number": 2}, NOW)
            server.crash()
        for _ in range(3):
            with unavailable():
                write(database, 3)
            with unavailable():
                written(database)
            with unavailable(), database.lead(epoch):
                pass

        server.start()
        assert written(database) == [1], "what was not committed is gone"
        write(database, 4)
        with database.lead(epoch) as connection:
            outbox.put(connection, "topic", {"number": 5}, NOW)
        assert written(database) == [1, 4, 5]
        database.close()


@pytest.mark.postgres
def test_sessions_that_the_server_ended_are_replaced(postgres_store: Database) -> None:
    write(postgres_store, 1)
    end_others = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    def lose_the_session_in_the_middle() -> None:
        with postgres_store.write() as connection:
            outbox.put(connection, "topic", {"number": 2}, NOW)
            with postgres_store.write() as other:
                other.execute(end_others)

    with unavailable():
        lose_the_session_in_the_middle()
    write(postgres_store, 3)
    assert written(postgres_store) == [1, 3]


@pytest.mark.postgres
def test_a_read_only_postgres_is_unavailable(postgres_store: Database) -> None:
    """As a standby is, to which a fail-over has led us."""
    name = postgres_store.engine.url.database
    with postgres_store.write() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    postgres_store.engine.dispose()
    with unavailable():
        write(postgres_store, 1)
    assert written(postgres_store) == []
    with postgres_store.read() as connection:
        connection.execute(text("SET TRANSACTION READ WRITE"))
        connection.execute(text(f"ALTER DATABASE {name} RESET default_transaction_read_only"))
    postgres_store.engine.dispose()
    write(postgres_store, 2)
    assert written(postgres_store) == [2]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://chronos@127.0.0.1:1/chronos",
        "postgresql+psycopg://chronos@host.invalid/chronos",
        "sqlite:////nowhere/at/all/chronos.db",
    ],
)
def test_a_database_that_is_not_there(url: str) -> None:
    database = Database(url)
    with unavailable():
        written(database)
    with unavailable():
        write(database, 1)


@pytest.mark.postgres
def test_a_postgres_database_or_user_that_does_not_exist(postgres_store: Database) -> None:
    for change in ({"database": "no_such_database"}, {"username": "no_such_user"}):
        url = postgres_store.engine.url.set(**change)  # type: ignore[arg-type]
        with unavailable():
            written(Database(url.render_as_string(hide_password=False)))


# SQLite


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may write everywhere; the test wants to be refused."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def nobodys_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sqlite") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        yield folder
        folder.chmod(0o755)


def test_a_sqlite_file_that_may_not_be_written(nobodys_folder: Path) -> None:
    file = nobodys_folder / "chronos.db"
    with as_nobody():
        migrate(f"sqlite:///{file}")
        database = Database(f"sqlite:///{file}")
        write(database, 1)
        database.engine.dispose()
        file.chmod(0o444)
        nobodys_folder.chmod(0o555)
        with unavailable():
            write(database, 2)
        nobodys_folder.chmod(0o755)
        file.chmod(0o644)
        write(database, 3)
        assert written(database) == [1, 3]
        database.close()


def test_a_full_disk_under_sqlite(sqlite_store: Database) -> None:
    write(sqlite_store, 1)
    file = Path(sqlite_store.engine.url.database or "")
    largest = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = max(file.stat().st_size, file.with_name(f"{file.name}-wal").stat().st_size)
    # No file may grow: writing fails as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, largest[1]))
    try:
        with unavailable():
            write(sqlite_store, 2, "x" * 3_000_000)
        assert written(sqlite_store) == [1]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, largest)
    write(sqlite_store, 3, "x" * 3_000_000)
    assert written(sqlite_store) == [1, 3]


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    file = tmp_path / "chronos.db"
    file.write_text("This is a letter to my aunt.\n" * 500)
    before = file.read_bytes()
    with unavailable():
        write(Database(f"sqlite:///{file}"), 1)
    assert file.read_bytes() == before
