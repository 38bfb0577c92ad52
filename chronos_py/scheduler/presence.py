"""A node says that it is there, so that the others and the pages know."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from chronos_py.errors import DatabaseUnavailable
from chronos_py.store import schema
from chronos_py.store.database import Database
from chronos_py.store.nodes import NodeFacts, forget_node, note_node

logger = logging.getLogger(__name__)

BEAT_SECONDS = 10.0


class Presence:
    """One node's row. Whether it leads is told by the leadership, not here."""

    def __init__(self, database: Database, facts: NodeFacts, on_misfit: Callable[[str], None] = logger.error) -> None:
        """``on_misfit`` is told when the database has been migrated beyond what this version can work with.

        That is done only where no such node is seen; one that was paused meanwhile was not.
        """
        self._database = database
        self._facts = facts
        self._on_misfit = on_misfit
        self._lock = threading.Lock()  # a beat may be under way when the node leaves
        self._has_left = False

    def beat(self) -> None:
        """Say so now. A database that is away hears it next time; the election reports that it is."""
        with self._lock:
            if not self._has_left:
                self._say_so()

    def _say_so(self) -> None:
        try:
            with self._database.write() as connection:
                misfit = schema.misfit(connection)
                if misfit is None:
                    note_node(connection, self._facts)
        except DatabaseUnavailable as error:
            logger.debug("This node could not say that it is there: %s", error)
        else:
            if misfit is not None:
                self._on_misfit(f"The database {self._database.shown_url} is {misfit}")

    def leave(self) -> None:
        """Take the row away, for good: no later beat brings it back."""
        with self._lock:
            self._has_left = True
            try:
                with self._database.write() as connection:
                    forget_node(connection, self._facts.address, self._facts.identity)
            except DatabaseUnavailable as error:
                logger.debug("This node could not say that it leaves: %s", error)
