"""What running tasks use, as their agents count it: the executor of a command is part of it.

Asked for at intervals, one call for all tasks of an agent, so a task that ends sooner may leave nothing to tell.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass

from chronos_py.pools import PoolUnavailable, Usage
from chronos_py.pools.mesos.book import Book
from chronos_py.pools.mesos.calls import Json
from chronos_py.pools.mesos.http import Address, Caller

logger = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
MOST_BYTES = 32 << 20
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class UsageWatch:
    """Looks at the agents on which tasks run."""

    caller: Caller
    book: Book

    def run(self, is_over: Callable[[], bool]) -> None:
        """Until it is over, which is looked at whenever the book changes."""
        while True:
            with self.book.changed:
                if self.book.changed.wait_for(is_over, LOOK_SECONDS):
                    return
                addresses = self.book.addresses_of_running()
            for address in addresses:
                self._look_at(address)

    def _look_at(self, address: str) -> None:
        try:
            where = Address.parse(address, 5051)
            body = self.caller.post(where, "/api/v1", {"type": "GET_CONTAINERS"}, most_bytes=MOST_BYTES)
            self.book.note_usage(read_usage(json.loads(body)))
        except (PoolUnavailable, ValueError, TypeError, AttributeError) as error:  # it is but good to know
            logger.debug("What tasks on the Mesos agent %s use is not known: %s", address, error)


def read_usage(answer: Json) -> dict[tuple[str, str], Usage]:
    """Usage by the ids of framework and executor, which for tasks of the scheduler is the task's."""
    found: dict[tuple[str, str], Usage] = {}
    for each in (answer.get("get_containers") or {}).get("containers") or []:
        statistics = each.get("resource_statistics") or {}
        user, system = statistics.get("cpus_user_time_secs"), statistics.get("cpus_system_time_secs")
        memory = statistics.get("mem_rss_bytes")
        framework_id = str((each.get("framework_id") or {}).get("value", ""))
        executor_id = str((each.get("executor_id") or {}).get("value", ""))
        found[framework_id, executor_id] = Usage(
            cpu_seconds=None if user is None or system is None else round(user + system, 3),
            max_memory_mb=None if memory is None else round(memory / _MIB, 3),
        )
    return found
