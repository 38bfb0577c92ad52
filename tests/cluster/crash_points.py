"""``chronos server`` that sends itself SIGKILL, or another signal, just before or just after its n-th commit.

Run as ``python -m tests.cluster.crash_points SIGNAL POINT ARMED server OPTION...``. Points count from 1: odd ones lie
before a commit, even ones after it. Only commits that change rows are counted, not those that prolong the lease or
say that the node is there (how many depends on time), and only while the file ARMED is there. How many points were
passed is written into it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event

from chronos_py.cli import main

_CHANGES = ("INSERT", "UPDATE", "DELETE")
_BY_TIME = ("UPDATE leadership", "INSERT INTO nodes", "DELETE FROM nodes")
_HAS_CHANGED = "has changed rows"


class CrashPoint:
    """Listens to every engine of the process."""

    def __init__(self, number: signal.Signals, point: int, armed: Path) -> None:
        self._number = number
        self._point = point
        self._armed = armed
        self._passed = 0
        self._lock = threading.Lock()
        event.listen(Engine, "begin", self._on_begin)
        event.listen(Engine, "after_cursor_execute", self._on_statement)
        event.listen(Engine, "commit", self._before_commit)
        event.listen(Engine, "checkin", self._after_commit)  # each transaction gives its connection back at its end

    @staticmethod
    def _on_begin(connection: Connection) -> None:
        connection.info[_HAS_CHANGED] = False

    @staticmethod
    def _on_statement(connection: Connection, cursor: Any, statement: str, *rest: object) -> None:
        if statement.startswith(_CHANGES) and not statement.startswith(_BY_TIME):
            connection.info[_HAS_CHANGED] = True

    def _before_commit(self, connection: Connection) -> None:
        if connection.info.get(_HAS_CHANGED):
            connection.info["is committed"] = True
            self._pass()

    def _after_commit(self, connection: object, record: Any) -> None:
        if record.info.pop("is committed", False):
            self._pass()

    def _pass(self) -> None:
        with self._lock:
            try:
                armed = self._armed.open("r+")  # which does not make it again when it is taken away in this moment
            except FileNotFoundError:
                return
            self._passed += 1
            with armed:
                armed.write(str(self._passed))
            if self._passed == self._point:
                os.kill(os.getpid(), self._number)


if __name__ == "__main__":
    CrashPoint(signal.Signals[sys.argv[1]], int(sys.argv[2]), Path(sys.argv[3]))
    del sys.argv[1:4]
    main()
