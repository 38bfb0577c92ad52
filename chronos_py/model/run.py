"""Runs and attempts: their states, the transitions between them, and the values the rest passes around.

The two tables below are the only place that knows which change of state is legal; the store asks them
before it writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Trigger(StrEnum):
    """Why a run exists."""

    SCHEDULE = "schedule"
    DEPENDENCY = "dependency"
    MANUAL = "manual"
    BACKFILL = "backfill"
    RERUN = "rerun"


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"  # decided, waiting for the dispatcher
    STARTING = "starting"  # an attempt's intent is committed
    RUNNING = "running"  # the pool runs its task
    WAITING_RETRY = "waiting_retry"  # an attempt failed, the next one has its time
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    KILLED = "killed"
    LOST = "lost"
    SKIPPED = "skipped"  # an occurrence (or several in a row) that was decided not to run, with the reason


class AttemptState(StrEnum):
    """Where one try of a run stands."""

    STARTING = "starting"  # intent committed, the pool may or may not have been called
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    KILLED = "killed"
    LOST = "lost"


class Outcome(StrEnum):
    """What a run's children see of its end. A soft error, and a failure that a person overruled, is a success."""

    NONE = ""
    SUCCESS = "success"
    FAILURE = "failure"


class Reason(StrEnum):
    """Why a run or an attempt ended as it did, or was skipped. The sentence for people is kept beside it."""

    NONE = ""
    EXIT = "exit"  # the command ended with a status other than 0
    SIGNAL = "signal"  # a signal ended the command
    MEMORY = "memory"  # it used more memory than it may
    CPU_TIME = "cpu_time"
    TIMEOUT = "timeout"
    LAUNCH_ERROR = "launch_error"  # the pool refused it; nothing ran
    LOST = "lost"  # the task vanished, its outcome is not known
    KILLED = "killed"  # a person asked for it
    OVERLAP = "overlap"  # skipped: an earlier run of the job was still there
    MISSED = "missed"  # skipped: nobody could launch at its time, and catch-up says not to
    BLOCKED = "blocked"  # skipped: a calendar or a blackout says no
    REPLACED = "replaced"  # a later run took its place
    CANCELLED = "cancelled"  # the backfill that it belonged to was cancelled
    DISABLED = "disabled"  # skipped: the job was paused before it could start
    DELETED = "deleted"  # the job was deleted


RUN_TRANSITIONS: Mapping[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.STARTING, RunState.KILLED, RunState.SKIPPED}),
    RunState.STARTING: frozenset(
        {
            RunState.RUNNING,
            RunState.WAITING_RETRY,
            RunState.SUCCEEDED,
            RunState.FAILED,
            RunState.KILLED,
            RunState.LOST,
        }
    ),
    RunState.RUNNING: frozenset(
        {RunState.WAITING_RETRY, RunState.SUCCEEDED, RunState.FAILED, RunState.KILLED, RunState.LOST}
    ),
    RunState.WAITING_RETRY: frozenset({RunState.STARTING, RunState.KILLED}),
    RunState.SUCCEEDED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.KILLED: frozenset(),
    RunState.LOST: frozenset(),
    RunState.SKIPPED: frozenset(),
}

ATTEMPT_TRANSITIONS: Mapping[AttemptState, frozenset[AttemptState]] = {
    AttemptState.STARTING: frozenset(
        {
            AttemptState.RUNNING,
            AttemptState.SUCCEEDED,
            AttemptState.FAILED,
            AttemptState.KILLED,
            AttemptState.LOST,
        }
    ),
    AttemptState.RUNNING: frozenset(
        {AttemptState.SUCCEEDED, AttemptState.FAILED, AttemptState.KILLED, AttemptState.LOST}
    ),
    AttemptState.SUCCEEDED: frozenset(),
    AttemptState.FAILED: frozenset(),
    AttemptState.KILLED: frozenset(),
    AttemptState.LOST: frozenset(),
}

FINAL_RUN_STATES = frozenset(state for state, following in RUN_TRANSITIONS.items() if not following)
FINAL_ATTEMPT_STATES = frozenset(state for state, following in ATTEMPT_TRANSITIONS.items() if not following)
WAITING_RUN_STATES = frozenset({RunState.QUEUED, RunState.WAITING_RETRY})
ACTIVE_RUN_STATES = frozenset({RunState.STARTING, RunState.RUNNING, RunState.WAITING_RETRY})
LIVE_ATTEMPT_STATES = frozenset({AttemptState.STARTING, AttemptState.RUNNING})


def states_before(target: RunState) -> frozenset[RunState]:
    """The states from which a run may go to ``target``."""
    return frozenset(state for state, following in RUN_TRANSITIONS.items() if target in following)


def attempt_states_before(target: AttemptState) -> frozenset[AttemptState]:
    """The states from which an attempt may go to ``target``."""
    return frozenset(state for state, following in ATTEMPT_TRANSITIONS.items() if target in following)


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a forced run changes in the job's definition, for this run only. None: as the job says."""

    arguments: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a run. ``number`` counts from 1. Times are aware UTC."""

    id: int
    run_id: int
    number: int
    state: AttemptState
    task_name: str
    pool: str
    epoch: int
    revision: int
    handle: str = ""
    node: str = ""
    exit_code: int | None = None
    reason: Reason = Reason.NONE
    message: str = ""
    created_at: datetime | None = None
    launched_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    kill_requested_at: datetime | None = None
    kill_reason: Reason = Reason.NONE
    kill_message: str = ""
    recovered: bool = False
    unreachable_since: datetime | None = None
    cpu_seconds: float | None = None
    max_memory_mb: float | None = None
    reported_status: int | None = None
    reported_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One decided execution of a job.

    ``scheduled_at`` is the time the run stands for. ``occurrences`` is 1, but for a skipped row that stands for
    several missed slots of a schedule up to ``scheduled_until`` (None: more than anyone counted).
    ``root_run_id`` is the run that started the wave, ``parent_run_id`` the one whose success made this one ready.
    What still waits at ``start_before`` is skipped. ``note`` says what was special when it was made, such as a run
    that it waits for or replaces. ``in_wave``: its children are those that are ready in its own wave, whatever other
    runs of their parents did. ``interval_start`` to ``scheduled_at`` is the time whose data it is for.
    ``parent_runs`` made it ready; ``outputs`` is what its task wrote for its children.
    """

    id: int
    job_id: int
    job_name: str
    trigger: Trigger
    state: RunState
    scheduled_at: datetime
    created_at: datetime
    not_before: datetime
    revision: int
    attempts: int = 0
    reason: Reason = Reason.NONE
    message: str = ""
    scheduled_until: datetime | None = None
    occurrences: int | None = 1
    high_priority: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    requested_by: str = ""
    root_run_id: int | None = None
    parent_run_id: int | None = None
    backfill_id: int | None = None
    starts_children: bool = True
    start_before: datetime | None = None
    note: str = ""
    outcome: Outcome = Outcome.NONE
    in_wave: bool = False
    interval_start: datetime | None = None
    parent_runs: tuple[int, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    overrides: Overrides = field(default_factory=Overrides)

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_RUN_STATES
