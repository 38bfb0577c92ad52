"""Cron expressions: croniter reads them, the stepping and the rule for changes of the clock are ours.

An expression with a wildcard or a step in the hour follows elapsed time: it fires at every instant at which the
wall clock shows a listed time. One at fixed hours fires once per listed local time (see
:mod:`chronos_py.model.schedule.zone`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

from croniter import CroniterError, croniter

from chronos_py.errors import ScheduleError
from chronos_py.model.schedule.wall_clock import LAST, CronFields
from chronos_py.model.schedule.zone import to_instant, transitions

_LONGEST_CHANGE = timedelta(days=2)  # zones that crossed the date line changed by a day
_INSTANT = timedelta(microseconds=1)
_ZERO = timedelta(0)

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
    """A parsed cron expression in a zone. It repeats for ever. All instants are aware; those returned are UTC."""

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
        """The first occurrence strictly after ``instant``; None when the calendar ends before it."""
        try:
            instant = instant.astimezone(UTC)
            if self.follows_elapsed_time:
                return self._next_elapsed(instant)
            listed = self.fields.following(self._reached(instant))
            return None if listed is None else to_instant(listed, self.zone)
        except OverflowError:
            return None

    def latest_at_or_before(self, instant: datetime) -> datetime | None:
        """The last occurrence at or before ``instant``; None when the calendar begins after it."""
        try:
            instant = instant.astimezone(UTC)
            if self.follows_elapsed_time:
                return self._latest_elapsed(instant)
            listed = self.fields.preceding(self._reached(instant))
            return None if listed is None else to_instant(listed, self.zone)
        except OverflowError:
            return None

    def count_between(self, first: datetime, last: datetime) -> int:
        """How many occurrences lie in [first, last].

        Counted on the wall clock and put right at each of its changes, so the cost grows with the years in between.
        """
        first, end = first.astimezone(UTC), last.astimezone(UTC) + _INSTANT
        if end <= first:
            return 0
        if self.follows_elapsed_time:
            count = self.fields.count(self._wall_clock(first), self._wall_clock(end))
            for change in transitions(first, end, self.zone):
                before, after = self._around(change)
                count += self.fields.count(after, before)  # below zero for what a gap leaves out
            return count
        start = first - _INSTANT
        count = self.fields.count(self._reached(start) + _INSTANT, self._reached(end - _INSTANT) + _INSTANT)
        for change in transitions(start, end - _INSTANT, self.zone):
            before, after = self._around(change)
            left_out = self.fields.count(before, after) if before < after else 0
            if left_out:  # all of it comes together at the end of the gap
                count -= left_out if self.fields.matches(after) else left_out - 1
        return count

    def _next_elapsed(self, instant: datetime) -> datetime | None:
        while True:
            shown = instant.astimezone(self.zone)
            listed = self.fields.following(shown)
            if listed is None:
                return None
            offset = shown.utcoffset() or _ZERO
            candidate = listed.replace(tzinfo=UTC) - offset
            is_steady = (
                candidate - instant < _LONGEST_CHANGE and candidate.astimezone(self.zone).utcoffset() == offset
            )
            change = None if is_steady else next(transitions(instant, candidate, self.zone), None)
            if change is None:
                return candidate
            # What the clock shows from the change on decides.
            if self.fields.matches(self._wall_clock(change)):
                return change
            instant = change

    def _latest_elapsed(self, instant: datetime) -> datetime | None:
        while True:
            shown = instant.astimezone(self.zone)
            listed = self.fields.preceding(shown)
            if listed is None:
                return None
            candidate = listed.replace(tzinfo=UTC) - (shown.utcoffset() or _ZERO)
            change = max(transitions(candidate, instant, self.zone), default=None)
            if change is None:
                return candidate
            instant = change - _INSTANT

    def _wall_clock(self, instant: datetime) -> datetime:
        return instant.astimezone(self.zone).replace(tzinfo=None)

    def _around(self, change: datetime) -> tuple[datetime, datetime]:
        """What the wall clock would have shown at a change without it, and what it shows."""
        return self._wall_clock(change - _INSTANT) + _INSTANT, self._wall_clock(change)

    def _reached(self, instant: datetime) -> datetime:
        """The latest time that the wall clock has shown until ``instant``: it may have gone back since."""
        shown, before = instant.astimezone(self.zone), instant - _LONGEST_CHANGE
        reached = shown.replace(tzinfo=None)
        if before.astimezone(self.zone).utcoffset() == shown.utcoffset():
            return reached
        changes = transitions(before, instant, self.zone)
        return max([reached, *(self._wall_clock(change - _INSTANT) for change in changes)])


class _Field(NamedTuple):
    """One field of an expression: its name, and what it may hold in words and in numbers."""

    name: str
    expected: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    @property
    def everything(self) -> range:
        """Every number, once: a weekday 7 is 0."""
        return range(7) if self.high == 7 else range(self.low, self.high + 1)

    @property
    def hashed(self) -> range:
        """What ``H`` is drawn from: of the days those that every month has."""
        return range(1, 29) if self.high == 31 else self.everything

    def number(self, word: str) -> int:
        """Raises ValueError."""
        number = self.names.index(word) + self.low if word in self.names else int(word)
        if not self.low <= number <= self.high:
            raise ValueError(f"{number} is not within {self.low}-{self.high}")
        return number


_PLAIN = "*, a list, a range or a step"
_LAST_AND_NEAREST = "L (the last), 15W (the Monday to Friday nearest to the 15th), LW"
_NTH = "5#2 (the second Friday), L5 (the last Friday)"
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    _Field("second", f"0-59, {_PLAIN}", 0, 59),
    _Field("minute", f"0-59, {_PLAIN}", 0, 59),
    _Field("hour", f"0-23, {_PLAIN}", 0, 23),
    _Field("day of the month", f"1-31, {_LAST_AND_NEAREST}, ? alone, {_PLAIN}", 1, 31),
    _Field("month", f"1-12 or jan-dec, {_PLAIN}", 1, 12, _MONTH_NAMES),
    _Field("weekday", f"0-7 or sun-sat, {_NTH}, ? alone, {_PLAIN}", 0, 7, _WEEKDAY_NAMES),
)

_LONGEST_TEXT = 1000
_LONGEST_SHOWN = 80
_HASHED = re.compile(r"h(?:\((?P<low>[0-9]{1,2})-(?P<high>[0-9]{1,2})\))?(?:/(?P<step>[0-9]{1,2}))?")
_NEAREST = re.compile(r"(0?[1-9]|[12][0-9]|3[01]|l)w")
_RANGE = re.compile(r"(?P<low>[0-9a-z]+)-(?P<high>[0-9a-z]+)(?:/(?P<step>[0-9]+))?")
# What croniter raises for texts that are no cron expression: its own errors, and slips of its parser.
_UNREADABLE = (CroniterError, ValueError, KeyError, TypeError, AttributeError, IndexError)


def parse_cron(text: str, zone: tzinfo | None, name: str) -> CronExpression:
    """Read a cron expression of 5 fields, of 6 with seconds first, or an alias such as @daily.

    ``zone`` None is UTC. ``H`` stands for a number made of ``name``, the job's: the same on every node and day.
    Raises ScheduleError.
    """
    return _expression(text, zone or UTC, name if "H" in text or "h" in text else "")


@lru_cache(maxsize=4096)
def _expression(text: str, zone: tzinfo, name: str) -> CronExpression:
    places = _places(text)
    words = [word for word, _ in places]
    try:
        fields = _fields(words, name)
    except _UNREADABLE as error:
        raise _refusal(text, places, name) from error
    if fields.following(datetime(2000, 1, 1)) is None:
        weekday = "" if fields.either or words[5] in "*?" else f', weekday "{_short(words[5])}"'
        raise ScheduleError(
            f'schedule "{_short(text)}" never comes: day of the month is "{_short(words[3])}"'
            f' but must be a day that there is in month "{_short(words[4])}"{weekday}.',
            places[3][1],
        )
    follows_elapsed_time = "*" in words[2] or "/" in words[2] or len(fields.hours) == 24
    return CronExpression(text, zone, fields, follows_elapsed_time)


def _places(text: str) -> list[tuple[str, int]]:
    """The six fields in lower case, seconds first, and where in ``text`` they begin."""
    if len(text) > _LONGEST_TEXT:
        raise ScheduleError(
            f'schedule "{_short(text)}" has {len(text)} characters but must have at most {_LONGEST_TEXT}.',
            _LONGEST_TEXT,
        )
    # Some letters that are no cron anyway are longer in lower case.
    plain = ALIASES.get(text, text)
    places = [
        (match[0].lower() if match[0].isascii() else match[0], match.start()) for match in re.finditer(r"\S+", plain)
    ]
    if len(places) not in (5, 6):
        missing_at = len(text) if len(places) > 1 else 0
        raise ScheduleError(
            f'schedule "{_short(text)}" is neither an ISO 8601 repeating interval such as R/2026-01-01T03:00:00Z/P1D'
            f" nor a cron expression of 5 fields such as 0 3 * * * (it has {len(places)}).",
            places[6][1] if len(places) > 6 else missing_at,
        )
    return places if len(places) == 6 else [("0", 0), *places]


def _fields(words: Sequence[str], name: str) -> CronFields:
    """Raises one of _UNREADABLE."""
    plain = list(words)
    plain[3], special = _take(words[3], lambda item: item == "l" or item.endswith("w"))
    plain[5], nth = _take(words[5], lambda item: "#" in item or item.startswith("l"))
    translated = [_translated(index, word, name) if word else "*" for index, word in enumerate(plain)]
    expanded, _ = croniter.expand(" ".join(translated), second_at_beginning=True)
    minutes, hours, month_days, months, weekdays, seconds = (
        sorted(item for item in numbers if isinstance(item, int)) if "*" not in numbers else field_.everything
        for numbers, field_ in zip(expanded, (*_FIELDS[1:], _FIELDS[0]), strict=True)
    )
    return CronFields(
        seconds=tuple(seconds),
        minutes=tuple(minutes),
        hours=tuple(hours),
        months=frozenset(months),
        month_days=frozenset(month_days if plain[3] else ()),
        last_day="l" in special,
        nearest=frozenset(_nearest(item) for item in special if item != "l"),
        weekdays=frozenset(weekdays if plain[5] else ()),
        nth_weekdays=frozenset(_nth(nth)),
        either=not {"*", "?"} & set(words[3] + words[5]),
    )


def _take(word: str, is_special: Callable[[str], bool]) -> tuple[str, list[str]]:
    """The list ``word`` without its special items, and those."""
    items = word.split(",")
    if "" in items:
        raise ValueError("an item is missing")
    return ",".join(item for item in items if not is_special(item)), [item for item in items if is_special(item)]


def _nearest(item: str) -> int:
    """The day of ``15W`` or ``LW``; croniter does not step them in lists."""
    match = _NEAREST.fullmatch(item)
    if match is None:
        raise ValueError(f"{item} is no day")
    return LAST if match[1] == "l" else int(match[1])


def _nth(items: list[str]) -> Iterator[tuple[int, int]]:
    """The weekdays of ``5#2`` and ``L5``; croniter does not read them beside others."""
    if items:
        for weekday, numbers in croniter.expand(f"* * * * {','.join(items)}")[1].items():
            for number in map(str, numbers):
                yield int(weekday), -1 if number == "l" else int(number)


def _translated(index: int, word: str, name: str) -> str:
    """A field as croniter reads it rightly: it takes 3-3 for all, loses step in 50-10/20, and draws R by lot."""
    field_ = _FIELDS[index]
    items = []
    for item in word.split(","):
        if item.startswith("r"):
            raise ValueError("R would be another number on every node")
        if item.startswith("h"):
            digest = hashlib.sha256(f"{index - len(_FIELDS)}:{name}".encode()).digest()
            items.append(_hash(item, field_, int.from_bytes(digest[:8])))
        else:
            items.append(_unrolled(item, field_) if "-" in item else item)
    return ",".join(items)


def _hash(item: str, field_: _Field, number: int) -> str:
    """``H``, ``H(low-high)`` and both with ``/step`` as plain cron, from a number of the job's for this field.

    croniter's own ``H`` takes the fields from one small hash, so that jobs meet at few times of a day.
    """
    match = _HASHED.fullmatch(item)
    if match is None:
        raise ValueError(f"{item} is no H")
    low, high = int(match["low"] or field_.hashed[0]), int(match["high"] or field_.hashed[-1])
    step = int(match["step"] or 0)
    if low > high or not {low, high} <= set(field_.hashed) or not 0 < (step or 1) <= high - low + 1:
        raise ValueError(f"{item} does not lie within the field")
    if match["step"] is None:
        return str(low + number % (high - low + 1))
    return ",".join(map(str, range(low + number % step, high + 1, step)))


def _unrolled(item: str, field_: _Field) -> str:
    """A range that runs on through the end of the field, or holds one number only, as a list."""
    match = _RANGE.fullmatch(item)
    if match is None:
        return item
    low, step, size = field_.number(match["low"]), int(match["step"] or 1), len(field_.everything)
    high = 31 if match["high"] == "l" and field_.high == 31 else field_.number(match["high"])
    if low < high < field_.low + size:
        return item
    if high < low:
        high += size
    return ",".join(str((number - field_.low) % size + field_.low) for number in range(low, high + 1, step))


def _refusal(text: str, places: list[tuple[str, int]], name: str) -> ScheduleError:
    """What is wrong with the first field, or item of its list, that is wrong by itself."""
    for index, (word, position) in enumerate(places):
        if _is_readable(index, word, name):
            continue
        start = 0
        for item in word.split(","):
            if not _is_readable(index, item, name):
                word, position = item, position + start
                break
            start += len(item) + 1
        field_ = _FIELDS[index]
        expected = field_.expected
        if word[:1] in ("h", "r"):
            expected = f"H, H(low-high) or H/step within {field_.hashed[0]}-{field_.hashed[-1]}"
        shown = _short(text[position : position + len(word)])
        return ScheduleError(
            f'schedule "{_short(text)}": {field_.name} is "{shown}" but must be {expected}.', position
        )
    return ScheduleError(f'schedule "{_short(text)}" is not a cron expression such as 0 3 * * *.', 0)


def _is_readable(index: int, word: str, name: str) -> bool:
    words = ["*"] * len(_FIELDS)
    words[index] = word
    try:
        _fields(words, name)
    except _UNREADABLE:
        return False
    return True


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"
