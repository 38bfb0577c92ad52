"""What all duties of one term share."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from chronos_py.clock import Clock
from chronos_py.health import Reports
from chronos_py.pools import Pool
from chronos_py.store.database import Database
from chronos_py.wake import Wake


@dataclass(frozen=True, slots=True)
class TermContext:
    """The node's parts, and the epoch under which they are used."""

    database: Database
    clock: Clock
    epoch: int
    pool: Pool
    wake: Wake
    health: Reports

    def lead(self) -> AbstractContextManager[Connection]:
        """A transaction that is Deposed, and writes nothing, once the epoch is over."""
        return self.database.lead(self.epoch)

    def read(self) -> AbstractContextManager[Connection]:
        return self.database.read()

    def now(self) -> datetime:
        return self.clock.now()
