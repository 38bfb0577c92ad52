"""Jobs, runs and tasks as the model in model_of_runs.py knows them: plain values, nothing of the product."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import NamedTuple

from chronos_py.model.overlap import Overlap
from chronos_py.model.run import Reason, RunState, Trigger

FINAL = {RunState.SUCCEEDED, RunState.FAILED, RunState.KILLED, RunState.LOST, RunState.SKIPPED}
BEGUN = {RunState.STARTING, RunState.RUNNING, RunState.WAITING_RETRY}
BUSY = {RunState.STARTING, RunState.RUNNING}


@dataclass(frozen=True)
class Timetable:
    """Every ``period`` from ``start`` on. ``owes_latest``: one defined late owes its latest occurrence at once."""

    text: str
    start: datetime
    period: timedelta
    owes_latest: bool

    def latest(self, now: datetime) -> datetime | None:
        return None if now < self.start else self.start + (now - self.start) // self.period * self.period

    def following(self, now: datetime) -> datetime:
        latest = self.latest(now)
        return self.start if latest is None else latest + self.period

    def first(self, now: datetime) -> datetime:
        return (self.latest(now) if self.owes_latest else None) or self.following(now)

    def between(self, first: datetime, last: datetime) -> list[datetime]:
        count = (last - self.start) // self.period + 1
        return [time for time in (self.start + n * self.period for n in range(count)) if time >= first]


@dataclass(frozen=True)
class Definition:
    """What a person says of a job."""

    name: str
    parents: tuple[str, ...] = ()
    timetable: Timetable | None = None
    overlap: Overlap = Overlap.FORBID_QUEUE_ONE
    retries: int = 0
    retry_delay: timedelta = timedelta(0)
    soft_error: bool = False
    disabled: bool = False


@dataclass
class Job:
    id: int
    definition: Definition
    next_due: datetime | None = None
    deleted: bool = False
    paused_at: datetime | None = None
    defined_at: datetime | None = None  # its timetable


class Place(Enum):
    """Where the task of an attempt is."""

    INTENDED = auto()  # not in the pool
    RUNNING = auto()
    ENDED = auto()
    VANISHED = auto()


@dataclass
class Task:
    """The live attempt of a run, with the definition that it was started with."""

    definition: Definition
    serial: int
    place: Place = Place.INTENDED
    exit_code: int | None = None
    ended_at: datetime | None = None
    kill_at: datetime | None = None
    kill_reason: Reason = Reason.NONE


class Row(NamedTuple):
    """What the database says of a run. ``id`` comes last, so that rows without one sort as those with."""

    job: int
    trigger: str
    state: str
    reason: str
    scheduled_at: datetime
    occurrences: int
    attempts: int
    not_before: datetime
    backfill: int
    root: int
    parent: int
    starts_children: bool
    id: int


@dataclass(eq=False)
class Run:
    job: Job
    trigger: Trigger
    scheduled_at: datetime
    not_before: datetime
    state: RunState = RunState.QUEUED
    reason: Reason = Reason.NONE
    occurrence: datetime | None = None
    occurrences: int = 1
    attempts: int = 0
    backfill: Backfill | None = None
    root: int = 0
    parent: int = 0
    starts_children: bool = True
    in_wave: bool = False
    has_succeeded: bool = False  # or counts as if it had
    id: int = 0
    task: Task | None = None

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def wave(self) -> int:
        return self.root or self.id

    def row(self, run_id: int | None = None) -> Row:
        return Row(
            self.job.id,
            self.trigger,
            self.state,
            self.reason,
            self.scheduled_at,
            self.occurrences,
            self.attempts,
            self.not_before,
            0 if self.backfill is None else self.backfill.id,
            self.root,
            self.parent,
            self.starts_children,
            self.id if run_id is None else run_id,
        )


@dataclass(eq=False)
class Backfill:
    id: int
    job: Job
    parallel: int
    cancelled: bool = False
