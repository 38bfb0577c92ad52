"""How many runs go on at once: of a job, and of all jobs that share a named limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush

# What one point of priority is worth: a run goes before those that wait so much longer, so none waits for ever.
HEAD_START = timedelta(minutes=1)
HIGH_PRIORITY_HEAD_START = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Concurrency:
    """A job's fields ``maxConcurrent``, ``concurrencyLimits``, ``priority`` and ``weight``.

    ``limits`` maps the names of limits to the units that a run of the job takes of each.
    """

    most: int | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    priority: int = 0
    weight: float = 1.0


def rank(scheduled_at: datetime, priority: int, is_high: bool) -> datetime:
    """The place of a run in the queue: the earliest goes first."""
    return scheduled_at - priority * HEAD_START - (HIGH_PRIORITY_HEAD_START if is_high else timedelta(0))


@dataclass(frozen=True, slots=True)
class Contender:
    """A job that shares limits: its waiting runs, the first to begin first, and how many of its runs go on.

    ``rank`` is the place of the first of them in the queue.
    """

    run_ids: Sequence[int]
    active: int
    rank: datetime
    concurrency: Concurrency


def admit(contenders: Sequence[Contender], free: Mapping[str, int], most: int) -> list[int]:
    """Which waiting runs may begin now, at most ``most``: their ids, the first to begin first.

    One after the other goes to the job with the fewest runs going on, measured by its weight, so none takes a limit
    for itself; among equals the order is that of the queue. One that does not fit keeps those behind it from a limit
    that it waits for: many small runs cannot keep a large one waiting for ever. ``free`` holds the units that are
    left of each limit; a name that is not in it does not limit.
    """
    left, closed = dict(free), set[str]()
    admitted: list[int] = []
    queue = [(each.active / each.concurrency.weight, each.rank, number, 0) for number, each in enumerate(contenders)]
    heapify(queue)
    while queue and len(admitted) < most:
        _, rank_at, number, begun = heappop(queue)
        contender = contenders[number]
        wanted = {name: units for name, units in contender.concurrency.limits.items() if name in left}
        missing = [name for name, units in wanted.items() if units > left[name]]
        closed.update(missing)
        if missing or closed & wanted.keys():
            continue
        for name, units in wanted.items():
            left[name] -= units
        admitted.append(contender.run_ids[begun])
        begun += 1
        if begun < len(contender.run_ids):
            share = (contender.active + begun) / contender.concurrency.weight
            heappush(queue, (share, rank_at, number, begun))
    return admitted
