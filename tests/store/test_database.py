"""Connections and transactions: what is promised of both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, StatementError

from chronos_py.errors import ConfigurationError, DatabaseUnavailable
from chronos_py.store import database as database_module
from chronos_py.store import jobs, outbox
from chronos_py.store.database import Database
from tests.cluster.server import wait_for
from tests.databases import OWN_IDLE_TRANSACTION_SECONDS
from tests.store.background import count_sessions
from tests.store.building import NOW, add_job


def setting(database: Database, statement: str) -> object:
    with database.read() as connection:
        return connection.execute(text(statement)).scalar_one()


def test_sqlite_keeps_what_it_acknowledged(sqlite_store: Database) -> None:
    assert setting(sqlite_store, "PRAGMA journal_mode") == "wal"
    assert setting(sqlite_store, "PRAGMA synchronous") == 2  # FULL
    assert setting(sqlite_store, "PRAGMA foreign_keys") == 1
    assert setting(sqlite_store, "PRAGMA busy_timeout") == 30_000


@pytest.mark.postgres
def test_postgres_keeps_what_it_acknowledged(postgres_store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "IDLE_TRANSACTION_SECONDS", OWN_IDLE_TRANSACTION_SECONDS)
    database = Database(postgres_store.engine.url.render_as_string(hide_password=False))
    assert setting(database, "SHOW synchronous_commit") == "on"
    assert setting(database, "SHOW timezone") == "UTC"
    assert setting(database, "SHOW idle_in_transaction_session_timeout") == "10s"
    database.close()


@pytest.mark.postgres
def test_what_stands_still_in_a_transaction_keeps_no_locks(
    postgres_store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "IDLE_TRANSACTION_SECONDS", 1)
    stopped = Database(postgres_store.engine.url.render_as_string(hide_password=False))

    def stand_still() -> None:
        with stopped.write() as connection:
            add_job(connection, "left")
            wait_for("the session to be ended", lambda: not count_sessions(postgres_store, "backend_xid IS NOT NULL"))

    with pytest.raises(DatabaseUnavailable):
        stand_still()
    with postgres_store.write() as connection:
        add_job(connection, "left")
    stopped.close()


def test_foreign_keys_are_checked(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(text("INSERT INTO edges (parent_id, child_id) VALUES (98, 99)"))


def test_an_exception_undoes_the_whole_transaction(database: Database) -> None:
    def fail_in_the_middle() -> None:
        with database.write() as connection:
            add_job(connection)
            outbox.put(connection, "topic", {}, NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_in_the_middle()
    with database.read() as connection:
        assert jobs.count_jobs(connection) == 0
        assert outbox.undelivered(connection, 10) == []


def test_readers_and_a_writer_do_not_wait_for_each_other(database: Database) -> None:
    with database.read() as reader:
        assert jobs.count_jobs(reader) == 0
        with database.write() as writer:
            add_job(writer)
            with database.read() as other:
                assert jobs.count_jobs(other) == 0, "nobody sees what is not committed"
    with database.read() as reader:
        assert jobs.count_jobs(reader) == 1


def test_many_threads_may_write(database: Database) -> None:
    def write(number: int) -> None:
        with database.write() as connection:
            outbox.put(connection, "topic", {"number": number}, NOW)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(write, range(64)))
    with database.read() as connection:
        numbers = [payload["number"] for _, _, payload in outbox.undelivered(connection, 100)]
    assert sorted(numbers) == list(range(64))


def test_times_come_back_as_aware_utc(database: Database) -> None:
    elsewhere = datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    with database.write() as connection:
        job_id = add_job(connection)
        jobs.count_success(connection, job_id, elsewhere)
        stored = jobs.find_job(connection, "job")
    assert stored is not None
    assert stored.counters.last_success == elsewhere
    assert stored.counters.last_success.tzinfo is UTC
    assert stored.created_at.tzinfo is UTC


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="has no time zone"), database.write() as connection:
        outbox.put(connection, "topic", {}, datetime(2026, 6, 1))
    with database.read() as connection:
        assert outbox.undelivered(connection, 10) == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "cannot be used"),
        ("mysql://somewhere/chronos", "neither SQLite nor PostgreSQL"),
        ("postgresql+nodriver://somewhere/chronos", "cannot be used"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_an_unusable_url_is_refused_in_one_sentence(url: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as refused:
        Database(url)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["mysql", "postgresql+nodriver", "postgresql+psycopg"])
def test_no_password_is_shown(scheme: str) -> None:
    url = f"{scheme}://me:secret@127.0.0.1:1/chronos"
    with pytest.raises((ConfigurationError, DatabaseUnavailable)) as refused:
        setting(Database(url), "SELECT 1")
    assert "secret" not in str(refused.value)
