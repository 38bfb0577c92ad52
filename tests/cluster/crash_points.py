"""``chronos server`` that kills itself with SIGKILL just before or just after its n-th commit.

Run as ``python -m tests.cluster.crash_points POINT ARMED server OPTION...``. Points count from 1: odd ones lie before
a commit, even ones after it. Only commits that change rows are counted, not those that prolong the lease (how many
depends on time), and only while the file ARMED is there. How many points were passed is written into it.
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
_LEASE = "UPDATE leadership"
_HAS_CHANGED = "has changed rows"


class CrashPoint:
    """Listens to every engine of the process."""

    def __init__(self, point: int, armed: Path) -> None:
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
        if statement.startswith(_CHANGES) and not statement.startswith(_LEASE):
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
            if not self._armed.exists():
                return
            self._passed += 1
            self._armed.write_text(str(self._passed))
            if self._passed == self._point:
                os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    CrashPoint(int(sys.argv[1]), Path(sys.argv[2]))
    del sys.argv[1:3]
    main()
