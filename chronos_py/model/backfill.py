"""Backfill: which past occurrences of a schedule are run, and which stand already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chronos_py.model.run import FINAL_RUN_STATES, RunState
from chronos_py.model.schedule import Schedule

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class StandingRun:
    """A run that stands for a time already. ``has_begun``: an attempt of it was made."""

    id: int
    state: RunState
    has_begun: bool


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An occurrence that a backfill leaves alone, because of a run."""

    occurrence: datetime
    run: StandingRun


def past_occurrences(schedule: Schedule, first: datetime, last: datetime, most: int) -> list[datetime]:
    """The occurrences in [first, last], the earliest first; one more than ``most`` where there are more.

    Of a schedule of so many repetitions, only the first so many are occurrences at all.
    """
    found: list[datetime] = []
    cursor = schedule.next_after(first - _INSTANT)
    while cursor is not None and cursor <= last and len(found) <= most:
        found.append(cursor)
        cursor = schedule.next_after(cursor)
    if schedule.repetitions is None or not found:
        return found
    beginning = schedule.next_after(datetime.min.replace(tzinfo=first.tzinfo)) or found[0]
    before = (schedule.count_between(beginning, found[0]) or 1) - 1
    return found[: max(0, schedule.repetitions - before)]


def choose(
    occurrences: Sequence[datetime], standing: Mapping[datetime, StandingRun], force: bool
) -> tuple[list[datetime], list[LeftOut]]:
    """The occurrences to run, and those that are left alone.

    What has run is left alone unless ``force``; what is about to run, or runs, always. One that was skipped, or
    killed before it began, has not run.
    """
    chosen: list[datetime] = []
    left_out: list[LeftOut] = []
    for occurrence in occurrences:
        run = standing.get(occurrence)
        is_free = run is None or (run.state in FINAL_RUN_STATES and (force or not run.has_begun))
        if run is None or is_free:
            chosen.append(occurrence)
        else:
            left_out.append(LeftOut(occurrence, run))
    return chosen, left_out
