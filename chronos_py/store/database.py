"""Connections and transactions."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, select
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InternalError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from chronos_py.errors import ConfigurationError, DatabaseUnavailable, Deposed
from chronos_py.store.tables import LeadershipRow

CONNECT_SECONDS = 5
BUSY_SECONDS = 30
# So that a server whose packets do not arrive any more is noticed in seconds, and not when the kernel gives up, in
# a quarter of an hour (or never, where we only wait): a new connection may find the way, or say that there is none.
NOTICES_LOST_PACKETS: Mapping[str, Any] = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
}
# A leader stopped in the middle of a transaction must not keep its locks: PostgreSQL ends the session.
IDLE_TRANSACTION_SECONDS = 10
_BEGIN = "chronos_begin"
# The database cannot serve us: away, full, read-only (PostgreSQL says InternalError), or no database (SQLite says
# DatabaseError itself, whose subclasses mean other things). What is left is our own mistake.
_UNAVAILABLE = (OperationalError, InterfaceError, InternalError, DatabaseError)


class Database:
    """One SQL database: SQLite (WAL, synchronous=FULL) or PostgreSQL.

    ``read`` and ``write`` raise DatabaseUnavailable when the database cannot be reached; nothing was written then
    (or, where the connection broke during the commit, nobody knows: every caller can safely ask again).
    """

    def __init__(self, url: str) -> None:
        self.engine = _create_engine(url)
        self.dialect = self.engine.dialect.name
        self._is_sqlite = self.dialect == "sqlite"
        # SQLite lets one writer in at a time: queueing in the process is fair and immediate, its busy wait neither.
        self._writer = threading.Lock() if self._is_sqlite else nullcontext()

    @property
    def shown_url(self) -> str:
        """The URL without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed at the end, or rolled back by an exception."""
        with self._writer, self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def lead(self, epoch: int) -> Iterator[Connection]:
        """A leader's transaction: raises Deposed, and writes nothing, unless ``epoch`` is the current one.

        The row stays locked (shared) until the commit, so a takeover waits for the writes it would fence off.
        """
        with self.write() as connection:
            current = connection.execute(select(LeadershipRow.epoch).with_for_update(read=True)).scalar_one()
            if current != epoch:
                raise Deposed(f"term {epoch} is over: the cluster is in term {current}.")
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        try:
            with self.engine.connect() as plain:
                connection = plain.execution_options(**{_BEGIN: begin})
                with connection.begin():
                    yield connection
        except PoolTimeout as error:
            raise DatabaseUnavailable(self._sentence(error)) from error
        except DBAPIError as error:
            if type(error) in _UNAVAILABLE or error.connection_invalidated:
                raise DatabaseUnavailable(self._sentence(error)) from error
            raise

    def _sentence(self, error: Exception) -> str:
        words = str(getattr(error, "orig", None) or error).strip().splitlines()
        return f"The database {self.shown_url} cannot be used: {words[0] if words else type(error).__name__}."

    def close(self) -> None:
        self.engine.dispose()


def _create_engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _create_sqlite_engine(url)
        if parsed.get_backend_name() == "postgresql":
            return create_engine(
                parsed,
                pool_size=16,
                max_overflow=16,
                pool_pre_ping=True,
                connect_args={
                    "connect_timeout": CONNECT_SECONDS,
                    **NOTICES_LOST_PACKETS,
                    "options": f"-c idle_in_transaction_session_timeout={IDLE_TRANSACTION_SECONDS * 1000}"
                    " -c timezone=UTC -c synchronous_commit=on",
                },
            )
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise ConfigurationError(f'database-url "{_shown(url)}" cannot be used: {_shown(str(error))}.') from error
    raise ConfigurationError(
        f'database-url "{_shown(url)}" is neither SQLite nor PostgreSQL;'
        " use sqlite:////folder/chronos.db or postgresql+psycopg://user:password@host/database."
    )


def _shown(text: str) -> str:
    """``text`` without the password of a URL in it, also of one that is not quite a URL."""
    return re.sub(r"(://[^:/@]*:)[^@]*@", r"\1***@", text)


def _enter_wal(cursor: sqlite3.Cursor) -> None:
    """Only the first connection to a new file has something to change; others may come in that very moment.

    SQLite refuses them at once then, whatever its busy timeout.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _create_sqlite_engine(url: str) -> Engine:
    parsed = make_url(url)
    if not parsed.database or parsed.database == ":memory:":
        raise ConfigurationError(f'database-url "{url}" names no file; a scheduler must not forget: name one.')
    engine = create_engine(parsed, pool_size=16, max_overflow=16, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, in the kind that is wanted
        cursor = connection.cursor()
        connection.create_function("lower", 1, _lower, deterministic=True)  # its own knows ASCII only
        for pragma in (f"busy_timeout={BUSY_SECONDS * 1000}", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        _enter_wal(cursor)
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        # A transaction that will write takes the write lock at its start: upgrading later can only fail.
        connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))

    return engine
