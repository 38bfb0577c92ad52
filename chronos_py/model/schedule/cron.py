"""Cron expressions: croniter reads them, the stepping and the rule for changes of the clock are ours.

An expression with a wildcard or a step in the hour follows elapsed time: it fires at every instant at which the
wall clock shows a listed time. One at fixed hours fires once per listed local time (see
:mod:`chronos_py.model.schedule.zone`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache, partial
from typing import Any

from croniter import CroniterError, croniter

from chronos_py.errors import ScheduleError
from chronos_py.model.schedule.wall_clock import LAST, CronFields
from chronos_py.model.schedule.zone import next_transition, to_instant

_LONGEST_CHANGE = timedelta(days=2)  # zones that crossed the date line changed by a day
_SECOND = timedelta(seconds=1)
_INSTANT = timedelta(microseconds=1)
_ZERO = timedelta(0)
# What croniter raises for texts that are no cron expression: its own errors, and slips of its parser.
_UNREADABLE = (CroniterError, ValueError, KeyError, TypeError, AttributeError, IndexError)
_RANDOM = re.compile(r"(?<![a-z])R(?![a-z])", re.IGNORECASE)
_HASHED = re.compile(
    r"(?<![a-z])H(?:\((?P<low>\d{1,2})-(?P<high>\d{1,2})\))?(?:/(?P<step>\d{1,2}))?(?![a-z])", re.IGNORECASE
)
# Seconds, minutes, hours, days (those that every month has), months, weekdays.
_RANGES = ((0, 59), (0, 59), (0, 23), (1, 28), (1, 12), (0, 6))
_NEAREST = re.compile(r"(0?[1-9]|[12]\d|3[01]|L)W", re.IGNORECASE)

ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


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
        try:
            local = self.fields.preceding(_wall_clock(instant, self.zone))
            if local is None:
                return None
            guess = to_instant(local, self.zone)
            if next_transition(guess - _LONGEST_CHANGE, instant, self.zone) is None:
                return guess
            # The clock has changed in between: begin before that, and come forward.
            cursor = self.next_after(guess - _LONGEST_CHANGE - _SECOND)
        except OverflowError:
            return None
        latest = None
        while cursor is not None and cursor <= instant:
            latest, cursor = cursor, self.next_after(cursor)
        return latest

    def count_between(self, first: datetime, last: datetime) -> int:
        """How many occurrences lie in [first, last].

        Counted from one change of the clock to the next, so the cost grows with the years in between only.
        """
        count, start, end = 0, first - _INSTANT, last + _INSTANT
        reached = _wall_clock(start, self.zone)
        while True:
            change = next_transition(start, end, self.zone)
            begin = _wall_clock(start, self.zone)
            finish = begin + ((change or end) - start)
            if not self.follows_elapsed_time:
                # What a gap leaves out comes together at its end; what an overlap repeats has been counted.
                if self.fields.count(reached, begin) and not self.fields.matches(begin):
                    count += 1
                begin = max(begin, reached)
            count += self.fields.count(begin, finish)
            if change is None:
                return count
            start, reached = change, max(reached, finish)

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
            change = next_transition(instant, candidate, self.zone)
            if change is None:
                return candidate
            if self.fields.matches(_wall_clock(change, self.zone)):
                return change
            instant = change


def _wall_clock(instant: datetime, zone: tzinfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


def parse_cron(text: str, zone: tzinfo | None, name: str) -> CronExpression:
    """Read a cron expression of 5 fields, of 6 with seconds first, or an alias such as @daily.

    ``zone`` None is UTC. ``H`` stands for a number made of ``name``, the job's: the same on every node and day.
    Raises ScheduleError.
    """
    fields, follows_elapsed_time = _read(text, name if "H" in text.upper() else "")
    return CronExpression(text, zone or UTC, fields, follows_elapsed_time)


@lru_cache(maxsize=4096)
def _read(text: str, name: str) -> tuple[CronFields, bool]:
    words = ALIASES.get(text, text).split()
    if len(words) not in (5, 6):
        raise ScheduleError(
            f'schedule "{text}" is neither an ISO 8601 repeating interval such as R/2026-01-01T03:00:00Z/P1D'
            f" nor a cron expression of 5 fields such as 0 3 * * * (it has {len(words)}).",
            0,
        )
    seconds = words[:-5]
    minute, hour, month_day, month, weekday = words[-5:]
    month_day, nearest = _take_nearest(month_day)
    plain = [*seconds, minute, hour, month_day or "1", month, weekday]
    try:
        expanded, nth = _expand(plain, name)
    except _UNREADABLE as error:
        raise ScheduleError(
            f'schedule "{text}" is not a cron expression: {error}.', _position_of_the_bad_field(text, plain, name)
        ) from error
    fields = _fields(expanded, nth, nearest, only_nearest=not month_day)
    if fields.following(datetime(2000, 1, 1)) is None:
        raise ScheduleError(f'schedule "{text}" never comes: no date fits it.', 0)
    return fields, "*" in hour or "/" in hour or len(fields.hours) == 24


def _expand(words: list[str], name: str) -> tuple[Sequence[Sequence[int | str]], Mapping[Any, Iterable[Any]]]:
    """Croniter's reading: minutes, hours, days, months, weekdays and, where there are any, seconds."""
    ranges = _RANGES[-len(words) :]
    plain = []
    for index, word in enumerate(words):
        if _RANDOM.search(word):
            raise ValueError(f"{word}: R, a random number, would be another one on every node; H stays the same")
        plain.append(_HASHED.sub(partial(_hash, name, index - len(words), *ranges[index]), word))
    return croniter.expand(" ".join(plain), second_at_beginning=len(words) == 6)


def _hash(name: str, field_index: int, lowest: int, highest: int, match: re.Match[str]) -> str:
    """``H``, ``H(low-high)`` and both with ``/step`` as plain cron; a hash of its own for every field.

    croniter's own ``H`` takes the fields from one small hash, so that jobs meet at few times of a day.
    """
    low, high = int(match["low"] or lowest), int(match["high"] or highest)
    if not lowest <= low <= high <= highest:
        raise ValueError(f"{match[0]}: the range must lie within {lowest}-{highest}")
    digest = hashlib.sha256(f"{field_index}:{name}".encode()).digest()
    number = int.from_bytes(digest[:8])
    if match["step"] is None:
        return str(low + number % (high - low + 1))
    step = int(match["step"])
    if not 1 <= step <= high - low + 1:
        raise ValueError(f"{match[0]}: the step must be from 1 to {high - low + 1}")
    return f"{low + number % step}-{high}/{step}"


def _take_nearest(month_day: str) -> tuple[str, frozenset[int]]:
    """Take ``15W`` and ``LW`` out of the days of the month; croniter does not step them."""
    kept, nearest = [], set()
    for item in month_day.split(","):
        match = _NEAREST.fullmatch(item)
        if match:
            nearest.add(LAST if match[1] in "Ll" else int(match[1]))
        else:
            kept.append(item)
    return ",".join(kept), frozenset(nearest)


def _position_of_the_bad_field(text: str, words: list[str], name: str) -> int:
    """Where in ``text`` the first field begins that is wrong by itself; 0 when each could stand alone."""
    for index, match in enumerate(re.finditer(r"\S+", text)):
        alone = ["*"] * len(words)
        alone[index] = words[index]
        try:
            _expand(alone, name)
        except _UNREADABLE:
            return match.start()
    return 0


def _fields(
    expanded: Sequence[Sequence[int | str]],
    nth: Mapping[Any, Iterable[Any]],
    nearest: frozenset[int],
    only_nearest: bool,
) -> CronFields:
    minutes, hours, month_days, months, weekdays = expanded[:5]
    seconds = expanded[5] if len(expanded) > 5 else [0]
    by_nth = frozenset(
        (weekday, -1 if number == "l" else int(number)) for weekday, numbers in nth.items() for number in numbers
    )
    if only_nearest:
        month_days = []
    return CronFields(
        seconds=_numbers(seconds, range(60)),
        minutes=_numbers(minutes, range(60)),
        hours=_numbers(hours, range(24)),
        months=frozenset(_numbers(months, range(1, 13))),
        month_days=None if "*" in month_days else frozenset(_numbers(month_days, range(0))),
        last_day="l" in month_days,
        weekdays=None if "*" in weekdays else frozenset(_numbers(weekdays, range(0))) - set(nth),
        nth_weekdays=by_nth,
        nearest=nearest,
    )


def _numbers(values: Sequence[int | str], everything: range) -> tuple[int, ...]:
    if "*" in values:
        return tuple(everything)
    return tuple(sorted(value for value in values if isinstance(value, int)))
