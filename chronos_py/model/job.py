"""A job's definition, typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from chronos_py.model.chain import DependencyMode, TriggerRule
from chronos_py.model.concurrency import Concurrency
from chronos_py.model.constraints import Constraint
from chronos_py.model.fetch import Fetch
from chronos_py.model.overlap import Overlap
from chronos_py.model.restrictions import Restrictions
from chronos_py.model.retry import RetryPolicy
from chronos_py.model.schedule import Schedule, parse_schedule
from chronos_py.model.schedule.calendar import Calendar
from chronos_py.model.schedule.catch_up import CatchUpPolicy
from chronos_py.model.task import Container, Limits

Kind = Literal["schedule", "dependency", "manual"]


@dataclass(frozen=True, slots=True)
class Definition:
    """What to run, and when (``schedule``) or after what (``parents``); with neither, only by hand.

    Read from a job document by :func:`chronos_py.model.document.read_definition`, which fills in the defaults.
    ``is_asynchronous``: a command that ends well has only begun the work; its outcome is reported later.
    ``processes_data``: its tasks report how many elements they have processed. A custom ``executor`` gets
    ``executor_data``: the document's ``taskInfoData``, or else ``<executorFlags>|<command>`` as in the original.
    """

    name: str
    command: str = ""
    shell: bool = True
    arguments: tuple[str, ...] = ()
    description: str = ""
    owner: str = ""
    schedule: str = ""
    schedule_time_zone: str = ""
    parents: tuple[str, ...] = ()
    restrictions: Restrictions = field(default_factory=Restrictions)
    jitter: timedelta = timedelta(0)
    disabled: bool = False
    dependency_mode: DependencyMode = DependencyMode.LATEST
    trigger_rule: TriggerRule = TriggerRule.ALL_SUCCESS
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    disable_after_failures: int | None = None
    concurrency: Concurrency = field(default_factory=Concurrency)
    overlap: Overlap = Overlap.FORBID_QUEUE_ONE
    catch_up: CatchUpPolicy = field(default_factory=CatchUpPolicy)
    high_priority: bool = False
    soft_error: bool = False
    is_asynchronous: bool = False
    processes_data: bool = False
    limits: Limits = field(default_factory=Limits)
    grace_seconds: float = 10.0
    startup_seconds: float | None = None
    user: str = ""
    container: Container | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    fetch: tuple[Fetch, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    executor: str = ""
    executor_data: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def timetable(self, calendars: Mapping[str, Calendar], anchored_at: datetime) -> Schedule:
        """The schedule with its restrictions, an open start fixed at ``anchored_at``. The job must have one."""
        schedule = parse_schedule(self.schedule, self.schedule_time_zone, self.name)
        return self.restrictions.applied_to(schedule, calendars).anchored(anchored_at)

    @property
    def kind(self) -> Kind:
        if self.schedule:
            return "schedule"
        return "dependency" if self.parents else "manual"


@dataclass(frozen=True, slots=True)
class Counters:
    """What the scheduler counts about a job. Times are aware UTC."""

    success_count: int = 0
    error_count: int = 0
    errors_since_last_success: int = 0
    last_success: datetime | None = None
    last_error: datetime | None = None


def last_outcome(counters: Counters) -> str:
    """``fresh``, ``success`` or ``failure``, by which of the last two came later; the original's words."""
    if counters.last_error is None:
        return "fresh" if counters.last_success is None else "success"
    if counters.last_success is None or counters.last_success <= counters.last_error:
        return "failure"
    return "success"


@dataclass(frozen=True, slots=True)
class Job:
    """A stored job: its document as given, its definition, and what the scheduler knows of it.

    ``revision`` grows with every change of the definition; runs name it. ``next_run`` is the next occurrence
    (aware UTC), None for jobs without a schedule or whose schedule is exhausted. ``anchored_at`` is what an open
    start of the schedule stands for.
    """

    id: int
    revision: int
    document: Mapping[str, Any]
    definition: Definition
    counters: Counters
    created_at: datetime
    updated_at: datetime
    next_run: datetime | None = None
    repetitions_left: int | None = None
    anchored_at: datetime | None = None

    @property
    def name(self) -> str:
        return self.definition.name
