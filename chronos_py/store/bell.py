"""Waking the leader from another node, through PostgreSQL's LISTEN and NOTIFY."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import psycopg

from chronos_py.errors import DatabaseUnavailable
from chronos_py.store.database import CONNECT_SECONDS, NOTICES_LOST_PACKETS, Database

logger = logging.getLogger(__name__)

CHANNEL = "chronos_wake"
_LISTEN_SECONDS = 1.0
_RETRY_SECONDS = 2.0


class Bell:
    """Rings on every node of the cluster that shares a PostgreSQL database, this one included.

    It saves latency only: whoever does not hear it looks by itself a moment later.
    """

    def __init__(self, database: Database, on_ring: Callable[[str], None]) -> None:
        """``on_ring`` is called with what was rung for, from a thread of the bell."""
        self._database = database
        self._on_ring = on_ring
        self._lock = threading.Lock()
        self._wanted: set[str] = set()
        self._has_wanted = threading.Event()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._tell, name="bell", daemon=True),
            threading.Thread(target=self._listen, name="bell listener", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._has_wanted.set()
        for thread in self._threads:
            thread.join()

    def ring(self, name: str) -> None:
        """Ask for a ring; returns at once. Several of one name close together are one."""
        with self._lock:
            self._wanted.add(name)
        self._has_wanted.set()

    def _tell(self) -> None:
        ending = False
        while not ending:
            self._has_wanted.wait()
            self._has_wanted.clear()
            ending = self._stop.is_set()  # what was asked for before is still told
            with self._lock:
                names, self._wanted = sorted(self._wanted), set()
            try:
                self._notify(names)
            except DatabaseUnavailable as error:
                logger.debug("Nobody could be woken: %s", error)

    def _notify(self, names: list[str]) -> None:
        if names:
            with self._database.write() as connection:
                for name in names:
                    connection.exec_driver_sql("SELECT pg_notify(%s, %s)", (CHANNEL, name))

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                self._hear()
            except (psycopg.Error, OSError) as error:
                logger.debug("The bell cannot be heard: %s", error)
                self._stop.wait(_RETRY_SECONDS)

    def _hear(self) -> None:
        url = self._database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(
            url, autocommit=True, connect_timeout=CONNECT_SECONDS, **NOTICES_LOST_PACKETS
        ) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            while not self._stop.is_set():
                for ring in connection.notifies(timeout=_LISTEN_SECONDS):
                    self._on_ring(ring.payload)
