"""What every use case needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from chronos_py.clock import Clock
from chronos_py.health import Health
from chronos_py.logs import TaskLogs
from chronos_py.pools import Pool
from chronos_py.services.defaults import JobDefaults
from chronos_py.services.run_times import RecentRunTimes
from chronos_py.store.database import Database
from chronos_py.wake import Wake


class Term(Protocol):
    """This node's part in the leadership."""

    @property
    def epoch(self) -> int | None:
        """The epoch of this node's term while it leads, else None."""


@dataclass(frozen=True, slots=True)
class Application:
    """The parts of a node that use cases work with. ``address`` is what the node advertises.

    ``configuration`` are the settings of the node as text, secrets masked.
    """

    database: Database
    clock: Clock
    wake: Wake
    health: Health
    logs: TaskLogs
    pool: Pool
    term: Term
    address: str
    started_at: datetime
    run_times: RecentRunTimes = field(default_factory=RecentRunTimes)
    defaults: JobDefaults = field(default_factory=JobDefaults)
    configuration: Mapping[str, str] = field(default_factory=dict)
