"""Which occurrences of a due job run, and which are skipped because nobody could launch in time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from chronos_py.model.schedule import Schedule


class CatchUp(StrEnum):
    """What happens to missed occurrences (document field ``catchUp``)."""

    ONE = "one"  # the latest one runs, however late; the earlier ones are skipped
    NONE = "none"  # only one that is at most a little late runs


# How late an occurrence may be before catchUp "none" calls it missed: a restart or a change of leader is not a miss.
ON_TIME = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row of ``count`` missed occurrences from ``first`` to ``last``."""

    first: datetime
    last: datetime
    count: int
    message: str


@dataclass(frozen=True, slots=True)
class Due:
    """What the planner does with a due job. ``run_at`` is the occurrence to run, if any."""

    run_at: datetime | None
    skipped: Skipped | None
    next_due: datetime | None
    repetitions_left: int | None


def decide(
    schedule: Schedule,
    next_due: datetime,
    repetitions_left: int | None,
    now: datetime,
    catch_up: CatchUp = CatchUp.ONE,
    start_deadline: timedelta | None = None,
) -> Due:
    """What is owed by a job whose stored ``next_due`` is at or before ``now``.

    The cost does not depend on how many occurrences were missed.
    A repetition is consumed by the occurrence that runs, not by those that are skipped.
    """
    latest = schedule.latest_at_or_before(now)
    if latest is None or latest < next_due:
        latest = next_due
    allowed = _allowed_lateness(catch_up, start_deadline)
    too_late = allowed is not None and now - latest > allowed
    skipped = _skipped(schedule, next_due, latest, now, too_late)
    if too_late:
        return Due(None, skipped, schedule.next_after(latest), repetitions_left)
    left = None if repetitions_left is None else repetitions_left - 1
    following = None if left is not None and left <= 0 else schedule.next_after(latest)
    return Due(latest, skipped, following, left)


def _allowed_lateness(catch_up: CatchUp, start_deadline: timedelta | None) -> timedelta | None:
    if catch_up is CatchUp.NONE:
        return ON_TIME if start_deadline is None else min(ON_TIME, start_deadline)
    return start_deadline


def _skipped(
    schedule: Schedule, next_due: datetime, latest: datetime, now: datetime, too_late: bool
) -> Skipped | None:
    if too_late:
        late = int((now - latest).total_seconds())
        reason = (
            f"skipped: it could only have started {late} s late, more than the job allows (catchUp, startDeadline)"
        )
        return Skipped(next_due, latest, schedule.count_between(next_due, latest), reason)
    if latest == next_due:
        return None
    last = schedule.latest_at_or_before(latest - timedelta(microseconds=1)) or next_due
    return Skipped(
        next_due,
        last,
        schedule.count_between(next_due, last),
        "skipped: missed while no leader could launch; the latest occurrence runs in its place (catchUp: one)",
    )
