"""Work beside the test, to see what waits for what."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy import text

from chronos_py.store.database import Database
from tests.cluster.server import wait_for

Value = TypeVar("Value")

WAIT = 60.0  # seconds; nothing that should come may take longer


def in_background(work: Callable[[], Value]) -> Future[Value]:
    future: Future[Value] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  (handed to whoever asks for the result)
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def count_sessions(database: Database, condition: str, **values: Any) -> int:
    """How many of PostgreSQL's other sessions in the database are so."""
    question = (
        "SELECT count(*) FROM pg_stat_activity"
        f" WHERE datname = current_database() AND pid <> pg_backend_pid() AND {condition}"
    )
    with database.read() as connection:
        return int(connection.execute(text(question), values).scalar_one())


def wait_until_it_waits(database: Database) -> None:
    """Until a transaction waits for a lock that another one has (PostgreSQL)."""
    wait_for("a transaction to wait for a lock", lambda: count_sessions(database, "wait_event_type = 'Lock'"), WAIT)
