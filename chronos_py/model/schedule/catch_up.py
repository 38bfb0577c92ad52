"""Which occurrences of a due job run, and which are skipped because nobody could launch in time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from chronos_py.model.schedule.contract import Schedule
from chronos_py.model.schedule.filtered import FilteredSchedule

_INSTANT = timedelta(microseconds=1)

# How late an occurrence may be before catchUp "none" calls it missed: a restart or a change of leader is not a miss.
ON_TIME = timedelta(seconds=60)


class CatchUp(StrEnum):
    """What happens to missed occurrences (document field ``catchUp``)."""

    ONE = "one"  # the latest one runs, however late; the earlier ones are skipped
    NONE = "none"  # only one that is at most a little late runs
    ALL = "all"  # each runs, the oldest first; beyond catchUpLimit the oldest are skipped


@dataclass(frozen=True, slots=True)
class CatchUpPolicy:
    """A job's fields ``catchUp``, ``catchUpLimit`` and ``startDeadline``."""

    mode: CatchUp = CatchUp.ONE
    limit: int = 100
    start_deadline: timedelta | None = None

    def allowed_lateness(self) -> timedelta | None:
        """How late an occurrence may start; None: any time."""
        if self.mode is CatchUp.NONE:
            return ON_TIME if self.start_deadline is None else min(ON_TIME, self.start_deadline)
        return self.start_deadline


class Why(StrEnum):
    """Why occurrences are skipped."""

    MISSED = "missed"  # nobody could launch in time
    BLOCKED = "blocked"  # a calendar or a blackout says no


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row of ``count`` occurrences (None: more than anyone counted) from ``first`` to ``last``."""

    first: datetime
    last: datetime
    count: int | None
    message: str
    why: Why = Why.MISSED


@dataclass(frozen=True, slots=True)
class Due:
    """What the planner does with a due job. ``run_at``: the occurrences to run, the oldest first.

    ``next_run`` is the next occurrence that may run, ``next_due`` when the planner has to look again: then, or at an
    earlier occurrence that is blocked, to say so in the history.
    """

    run_at: tuple[datetime, ...]
    skipped: tuple[Skipped, ...]
    next_due: datetime | None
    next_run: datetime | None
    repetitions_left: int | None


def decide(
    schedule: Schedule, next_due: datetime, repetitions_left: int | None, now: datetime, policy: CatchUpPolicy
) -> Due:
    """What is owed by a job whose stored ``next_due`` is at or before ``now``.

    The cost grows with the occurrences that run, not with those that were missed. A repetition is consumed by an
    occurrence that runs, not by those that are skipped.
    """
    blocked = schedule.blocked_since(next_due, now) if isinstance(schedule, FilteredSchedule) else None
    latest = schedule.latest_at_or_before(now)
    if latest is None or latest < next_due:
        latest = None if blocked is not None else next_due
    run_at: tuple[datetime, ...] = ()
    skipped: list[Skipped] = []
    if latest is not None:
        run_at = _to_run(schedule, next_due, latest, repetitions_left, now, policy)
        missed = _skipped(schedule, next_due, latest, run_at, now, policy)
        skipped += [missed] if missed is not None else []
    if blocked is not None:
        message = f"skipped: {blocked.reason}"
        skipped.append(Skipped(blocked.first, blocked.last, blocked.count, message, Why.BLOCKED))
    left = None if repetitions_left is None else repetitions_left - len(run_at)
    if left is not None and left <= 0:
        return Due(run_at, tuple(skipped), None, None, left)
    decided = latest or next_due
    if blocked is not None:
        decided = max(decided, blocked.last)
    return Due(run_at, tuple(skipped), *next_times(schedule, decided), left)


def next_times(schedule: Schedule, instant: datetime) -> tuple[datetime | None, datetime | None]:
    """When the planner has to look next, strictly after ``instant``, and the next occurrence that may run."""
    following = schedule.next_after(instant)
    if isinstance(schedule, FilteredSchedule):
        return schedule.due_after(instant), following
    return following, following


def first_times(schedule: Schedule, defined_at: datetime) -> tuple[datetime | None, datetime | None]:
    """As :func:`next_times`, for a job defined, or resumed with a fresh schedule, at ``defined_at``."""
    first = schedule.first(defined_at)
    due = schedule.due_after(defined_at) if isinstance(schedule, FilteredSchedule) else None
    return min(filter(None, (due, first)), default=None), first


def _to_run(
    schedule: Schedule,
    next_due: datetime,
    latest: datetime,
    repetitions_left: int | None,
    now: datetime,
    policy: CatchUpPolicy,
) -> tuple[datetime, ...]:
    most = policy.limit if policy.mode is CatchUp.ALL else 1
    if repetitions_left is not None:
        most = min(most, repetitions_left)
    allowed = policy.allowed_lateness()
    earliest = next_due if allowed is None else max(next_due, now - allowed)
    found: list[datetime] = []
    occurrence: datetime | None = latest
    while occurrence is not None and occurrence >= earliest and len(found) < most:
        found.append(occurrence)
        occurrence = schedule.latest_at_or_before(occurrence - _INSTANT)
    return tuple(reversed(found))


def _skipped(
    schedule: Schedule,
    next_due: datetime,
    latest: datetime,
    run_at: tuple[datetime, ...],
    now: datetime,
    policy: CatchUpPolicy,
) -> Skipped | None:
    last = latest if not run_at else schedule.latest_at_or_before(run_at[0] - _INSTANT)
    if last is None or last < next_due:
        return None
    allowed = policy.allowed_lateness()
    if allowed is not None and now - last > allowed:
        late = int((now - last).total_seconds())
        reason = f"it could only start {late} s late, more than the job allows (catchUp, startDeadline)"
    elif policy.mode is CatchUp.ALL:
        reason = (
            "missed while no leader could launch or the job was paused,"
            f" and only the latest {policy.limit} are caught up (catchUpLimit)"
        )
    else:
        reason = (
            "missed while no leader could launch or the job was paused;"
            " the latest occurrence runs in its place (catchUp: one)"
        )
    is_restricted = isinstance(schedule, FilteredSchedule)
    first = (schedule.next_after(next_due - _INSTANT) or next_due) if is_restricted else next_due
    return Skipped(first, last, schedule.count_between(first, last), f"skipped: {reason}")
