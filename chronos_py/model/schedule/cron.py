"""Cron expressions: croniter parses and steps the wall clock, the rule for clock changes is ours.

An expression with a wildcard or a step in the hour follows elapsed time; one at fixed times fires once per
listed local time (see :mod:`chronos_py.model.schedule.zone`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from croniter import CroniterBadCronError, CroniterBadDateError, croniter

from chronos_py.errors import ScheduleError
from chronos_py.model.schedule.zone import to_instant, transition_between

_COUNT_AT_MOST = 1000
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CronExpression:
    """A parsed five-field cron expression in a zone. It repeats for ever."""

    text: str
    zone: tzinfo
    follows_elapsed_time: bool
    repetitions: int | None = field(default=None, init=False)

    def anchored(self, defined_at: datetime) -> CronExpression:
        return self

    def first(self, defined_at: datetime) -> datetime | None:
        """The first occurrence owed to a job defined at ``defined_at``."""
        return self.next_after(defined_at)

    def next_after(self, instant: datetime) -> datetime | None:
        """The first occurrence strictly after ``instant`` (aware); None when there is none."""
        try:
            step = self._next_elapsed if self.follows_elapsed_time else self._next_fixed
            return step(instant.astimezone(UTC))
        except (CroniterBadDateError, OverflowError):
            return None

    def latest_at_or_before(self, instant: datetime) -> datetime | None:
        """The last occurrence at or before ``instant``; None when there is none."""
        # Stepping back needs care around clock changes, stepping forth does not: go back on the wall clock
        # to a place that is surely earlier, then come forward.
        cursor = self._local_previous(instant)
        latest = None
        while cursor is not None and cursor <= instant:
            latest, cursor = cursor, self.next_after(cursor)
        return latest

    def count_between(self, first: datetime, last: datetime) -> int | None:
        """How many occurrences lie in [first, last]; None when there are more than a thousand."""
        cursor: datetime | None = first - timedelta(microseconds=1)
        for count in range(_COUNT_AT_MOST + 1):
            cursor = self.next_after(cursor) if cursor is not None else None
            if cursor is None or cursor > last:
                return count
        return None

    def _local_previous(self, instant: datetime) -> datetime | None:
        local = instant.astimezone(self.zone).replace(tzinfo=None)
        try:
            # Two wall-clock hits back covers a gap or an overlap in between.
            previous = croniter(self.text, local + timedelta(microseconds=1)).get_prev(datetime)
            before = croniter(self.text, previous).get_prev(datetime)
        except (CroniterBadDateError, OverflowError):
            return None
        start = to_instant(before, self.zone) - timedelta(microseconds=1)
        return self.next_after(start)

    def _next_fixed(self, instant: datetime) -> datetime:
        local = instant.astimezone(self.zone).replace(tzinfo=None)
        # In an overlap the wall clock has gone back: start a day earlier, where both readings agree.
        stepper = croniter(self.text, local - _DAY)
        while True:
            candidate = to_instant(stepper.get_next(datetime), self.zone)
            if candidate > instant:
                return candidate

    def _next_elapsed(self, instant: datetime) -> datetime:
        while True:
            offset = instant.astimezone(self.zone).utcoffset() or timedelta(0)
            local = (instant + offset).replace(tzinfo=None)
            candidate = (croniter(self.text, local).get_next(datetime) - offset).replace(tzinfo=UTC)
            if candidate.astimezone(self.zone).utcoffset() == offset:
                return candidate
            # The clock changes on the way there: go on from the change, with the new offset.
            change = _next_transition(instant, candidate, self.zone)
            instant = change - timedelta(microseconds=1)
            local = (change + (change.astimezone(self.zone).utcoffset() or timedelta(0))).replace(tzinfo=None)
            if croniter.match(self.text, local):
                return change
            instant = change


def _next_transition(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The first change of offset in (before, after]; there is one."""
    offset = before.astimezone(zone).utcoffset()
    cursor = before
    while cursor + _DAY < after and (cursor + _DAY).astimezone(zone).utcoffset() == offset:
        cursor += _DAY
    return transition_between(cursor, min(cursor + _DAY, after), zone)


def parse_cron(text: str, zone: tzinfo | None) -> CronExpression:
    """Read a five-field cron expression; ``zone`` None is UTC. Raises ScheduleError."""
    fields = text.split()
    if len(fields) != 5:
        raise ScheduleError(
            f'schedule "{text}" is neither an ISO 8601 repeating interval such as R/2026-01-01T03:00:00Z/P1D'
            f" nor a cron expression of 5 fields such as 0 3 * * * (it has {len(fields)}).",
            0,
        )
    try:
        croniter.expand(text)
    except (CroniterBadCronError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ScheduleError(f'schedule "{text}" is not a cron expression: {error}.', 0) from error
    expression = CronExpression(text, zone or UTC, follows_elapsed_time="*" in fields[1])
    if expression.next_after(datetime(2000, 1, 1, tzinfo=UTC)) is None:
        raise ScheduleError(f'schedule "{text}" never comes: no date fits it.', 0)
    return expression
