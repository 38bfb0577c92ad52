"""Cron expressions: croniter reads them, the stepping and the rule for changes of the clock are ours.

An expression with a wildcard or a step in the hour follows elapsed time: it fires at every instant at which the
wall clock shows a listed time. One at fixed hours fires once per listed local time (see
:mod:`chronos_py.model.schedule.zone`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from croniter import CroniterError, croniter

from chronos_py.errors import ScheduleError
from chronos_py.model.schedule.wall_clock import CronFields
from chronos_py.model.schedule.zone import next_transition, to_instant

_COUNT_AT_MOST = 1000
_LONGEST_CHANGE = timedelta(days=2)  # zones that crossed the date line changed by a day
_SECOND = timedelta(seconds=1)
_ZERO = timedelta(0)


@dataclass(frozen=True, slots=True)
class CronExpression:
    """A parsed five-field cron expression in a zone. It repeats for ever."""

    text: str
    zone: tzinfo
    fields: CronFields
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
            return self._next_elapsed(instant) if self.follows_elapsed_time else self._next_fixed(instant)
        except OverflowError:
            return None

    def latest_at_or_before(self, instant: datetime) -> datetime | None:
        """The last occurrence at or before ``instant``; None when there is none."""
        # Forth is simple, back is not: begin before any change of the clock that could confuse the order.
        try:
            local = self.fields.preceding(_wall_clock(instant - _LONGEST_CHANGE, self.zone))
        except OverflowError:
            return None
        cursor = None if local is None else self.next_after(to_instant(local, self.zone) - _SECOND)
        latest = None
        while cursor is not None and cursor <= instant:
            latest = cursor
            cursor = self.next_after(cursor)
        return latest

    def count_between(self, first: datetime, last: datetime) -> int | None:
        """How many occurrences lie in [first, last]; None when there are more than a thousand."""
        cursor: datetime | None = first - _SECOND
        for count in range(_COUNT_AT_MOST + 1):
            cursor = self.next_after(cursor) if cursor is not None else None
            if cursor is None or cursor > last:
                return count
        return None

    def _next_fixed(self, instant: datetime) -> datetime | None:
        local = _wall_clock(instant, self.zone)
        before = instant - _LONGEST_CHANGE
        if before.astimezone(self.zone).utcoffset() != instant.astimezone(self.zone).utcoffset():
            local = _wall_clock(before, self.zone)  # the wall clock may have gone back: begin before that
        while (listed := self.fields.following(local)) is not None:
            candidate = to_instant(listed, self.zone)
            if candidate > instant:
                return candidate
            local = listed
        return None

    def _next_elapsed(self, instant: datetime) -> datetime | None:
        while True:
            offset = instant.astimezone(self.zone).utcoffset() or _ZERO
            local = self.fields.following((instant.astimezone(UTC) + offset).replace(tzinfo=None))
            if local is None:
                return None
            candidate = (local - offset).replace(tzinfo=UTC)
            if candidate.astimezone(self.zone).utcoffset() == offset:
                return candidate
            # The clock changes on the way there: what it shows from the change on decides.
            instant = next_transition(instant, candidate, self.zone) - _SECOND
            changed = _wall_clock(instant + _SECOND, self.zone)
            if self.fields.matches(changed):
                return instant + _SECOND
            instant += _SECOND


def _wall_clock(instant: datetime, zone: tzinfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


def parse_cron(text: str, zone: tzinfo | None) -> CronExpression:
    """Read a five-field cron expression; ``zone`` None is UTC. Raises ScheduleError."""
    fields, follows_elapsed_time = _read(text)
    return CronExpression(text, zone or UTC, fields, follows_elapsed_time)


@lru_cache(maxsize=4096)
def _read(text: str) -> tuple[CronFields, bool]:
    words = text.split()
    if len(words) != 5:
        raise ScheduleError(
            f'schedule "{text}" is neither an ISO 8601 repeating interval such as R/2026-01-01T03:00:00Z/P1D'
            f" nor a cron expression of 5 fields such as 0 3 * * * (it has {len(words)}).",
            0,
        )
    try:
        expanded, nth = croniter.expand(text)
    except (CroniterError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ScheduleError(f'schedule "{text}" is not a cron expression: {error}.', _bad_field(words)) from error
    fields = _fields(expanded, nth)
    if fields.following(datetime(2000, 1, 1)) is None:
        raise ScheduleError(f'schedule "{text}" never comes: no date fits it.', 0)
    return fields, "*" in words[1] or "/" in words[1] or len(fields.hours) == 24


def _bad_field(words: list[str]) -> int:
    """Where the first field begins that is wrong by itself; 0 when each could stand alone."""
    position = 0
    for index, word in enumerate(words):
        alone = ["*"] * 5
        alone[index] = word
        if not croniter.is_valid(" ".join(alone)):
            return position
        position += len(word) + 1
    return 0


def _fields(expanded: Sequence[Sequence[int | str]], nth: Mapping[Any, Iterable[Any]]) -> CronFields:
    minutes, hours, month_days, months, weekdays = expanded
    by_nth = frozenset(
        (weekday, -1 if number == "l" else int(number)) for weekday, numbers in nth.items() for number in numbers
    )
    return CronFields(
        seconds=(0,),
        minutes=_numbers(minutes, range(60)),
        hours=_numbers(hours, range(24)),
        months=frozenset(_numbers(months, range(1, 13))),
        month_days=None if "*" in month_days else frozenset(_numbers(month_days, range(0))),
        last_day="l" in month_days,
        weekdays=None if "*" in weekdays else frozenset(_numbers(weekdays, range(0))) - set(nth),
        nth_weekdays=by_nth,
    )


def _numbers(values: Sequence[int | str], everything: range) -> tuple[int, ...]:
    if "*" in values:
        return tuple(everything)
    return tuple(sorted(value for value in values if isinstance(value, int)))
