"""Whose time is it? All nodes of a cluster go by the database's clock; their own may differ."""

from __future__ import annotations

import logging
from datetime import timedelta

from chronos_py.clock import Clock, SetClock
from chronos_py.errors import DatabaseUnavailable
from chronos_py.health import Health
from chronos_py.store.database import Database
from chronos_py.store.leadership import database_time

logger = logging.getLogger(__name__)

LARGEST = timedelta(seconds=2)  # what differs by more is worth a word


class ClockKeeper:
    """Sets a node's clock by the database's, and says so where the machine's is wrong."""

    def __init__(self, database: Database, machine: Clock, clock: SetClock, health: Health) -> None:
        self._database = database
        self._machine = machine
        self._clock = clock
        self._health = health

    def look(self) -> None:
        """Look at both clocks. A database that is away is for others to report."""
        try:
            with self._database.read() as connection:
                asked = self._machine.now()
                read = database_time(connection)
                answered = self._machine.now()
        except DatabaseUnavailable:
            return
        behind = self._clock.set_by(read, asked, answered)
        if abs(behind) <= LARGEST:
            if self._health.clear("clock"):
                logger.info("The clock of this node agrees with the database's again.")
            return
        seconds = abs(behind).total_seconds()
        word = "behind" if behind > timedelta(0) else "ahead of"
        message = (
            f"The clock of this node is {seconds:.0f} s {word} the database's; jobs are due by the database's."
            " Set the node's clock (NTP)."
        )
        if self._health.report("clock", message, hinders=False):
            logger.warning("%s", message)
