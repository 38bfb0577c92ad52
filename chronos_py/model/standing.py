"""How a job stands, in one word, and what people look for in a list of jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from chronos_py.model.job import Counters, last_outcome
from chronos_py.model.labels import Labels
from chronos_py.model.overlap import Unfinished
from chronos_py.model.run import RunState

# What should have started so long ago and has not is late.
LATE = timedelta(minutes=1)
_SEPARATOR = re.compile(r"[._\-# ]")


class Standing(StrEnum):
    """What a job does now; when it does nothing, how it ended last. In the order of a sorted list."""

    RUNNING = "running"
    QUEUED = "queued"
    RETRYING = "waiting_retry"
    FAILED = "failed"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FRESH = "fresh"  # no result yet


_OUTCOMES: Mapping[str, Standing] = {
    "failure": Standing.FAILED,
    "success": Standing.SUCCEEDED,
    "fresh": Standing.FRESH,
}


def standing_of(unfinished: Unfinished, disabled: bool, counters: Counters) -> Standing:
    """The standing of a job that has these runs."""
    if unfinished.active > unfinished.retrying:
        return Standing.RUNNING
    if unfinished.waiting:
        return Standing.QUEUED
    if unfinished.retrying:
        return Standing.RETRYING
    return Standing.PAUSED if disabled else _OUTCOMES[last_outcome(counters)]


def name_prefix(name: str) -> str:
    """What jobs are grouped by where they have no labels: the name up to its first separator."""
    return _SEPARATOR.split(name, maxsplit=1)[0]


def search_text(name: str, command: str, description: str, owner: str) -> str:
    """What a text is looked for in, in lower case."""
    return "\n".join((name, command, description, owner)).lower()


class Sort(StrEnum):
    """What a list of jobs is sorted by; jobs without such a thing come last."""

    NAME = "name"
    STATE = "state"
    LAST = "last"  # when it last ended with a result
    NEXT = "next"
    RATE = "rate"  # of its runs that succeeded
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs are looked for; every part that is given must hold.

    ``text`` is a part of the name, command, description or owner, in any case. ``outcome`` is the last one, in the
    words of :func:`chronos_py.model.job.last_outcome`. ``pool`` is one in which the job has run. ``prefix`` is that
    of :func:`name_prefix`.
    """

    text: str = ""
    standing: Standing | None = None
    is_late: bool = False
    outcome: str = ""
    labels: Labels = ()
    without_label: str = ""
    owner: str = ""
    pool: str = ""
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many jobs stand how, and how many of them are late."""

    by_standing: Mapping[Standing, int]
    late: int

    @property
    def total(self) -> int:
        return sum(self.by_standing.values())


@dataclass(frozen=True, slots=True)
class LastRun:
    """One of the last runs of a job; aware UTC."""

    id: int
    state: RunState
    started_at: datetime | None
    finished_at: datetime | None
