"""A schedule without the occurrences on blocked days, in blackouts, before its start and after its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo

from chronos_py.model.schedule.blackout import Blackout
from chronos_py.model.schedule.contract import Schedule
from chronos_py.model.schedule.days import HORIZON_DAYS, AllowedDays, start_of

_INSTANT = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_HORIZON = timedelta(days=HORIZON_DAYS)
# How far ahead one row of skipped occurrences reaches at most.
_LONGEST_STRETCH = timedelta(days=31)
MOST_BLOCKS = 2000


@dataclass(frozen=True, slots=True)
class Block:
    """Why an occurrence is blocked, and the stretch around it, [since, until), of which that is true.

    None: from, or to, farther than anyone looks.
    """

    reason: str
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class BlockedStretch:
    """Occurrences that may not run: ``count`` of them (None: many), from ``first`` to ``last``."""

    first: datetime
    last: datetime
    count: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class FilteredSchedule:
    """What is left of ``schedule``. ``start`` and ``end`` are both still in it."""

    schedule: Schedule
    days: AllowedDays = AllowedDays()  # noqa: RUF009 - it is immutable
    blackouts: Sequence[Blackout] = ()
    start: datetime | None = None
    end: datetime | None = None

    @property
    def text(self) -> str:
        return self.schedule.text

    @property
    def zone(self) -> tzinfo:
        return self.schedule.zone

    @property
    def repetitions(self) -> int | None:
        return self.schedule.repetitions

    def anchored(self, defined_at: datetime) -> FilteredSchedule:
        return replace(self, schedule=self.schedule.anchored(defined_at))

    def first(self, defined_at: datetime) -> datetime | None:
        """The first occurrence owed to a job defined at ``defined_at``."""
        first = self.schedule.first(defined_at)
        return None if first is None else self.next_after(first - _INSTANT)

    def next_after(self, instant: datetime) -> datetime | None:
        """The first occurrence strictly after ``instant``."""
        try:
            return self._next_after(instant)
        except OverflowError:  # past the end of the calendar
            return None

    def _next_after(self, instant: datetime) -> datetime | None:
        give_up = _plus(instant, _HORIZON)
        occurrence = self.due_after(instant)
        while occurrence is not None and occurrence <= give_up:
            block = self.block_at(occurrence)
            if block is None:
                return occurrence
            occurrence = None if block.until is None else self.due_after(block.until - _INSTANT)
        return None

    def latest_at_or_before(self, instant: datetime) -> datetime | None:
        """The last occurrence at or before ``instant``."""
        try:
            return self._latest_at_or_before(instant)
        except OverflowError:
            return None

    def _latest_at_or_before(self, instant: datetime) -> datetime | None:
        if self.end is not None:
            instant = min(instant, self.end)
        give_up = _plus(instant, -_HORIZON)
        occurrence = self.schedule.latest_at_or_before(instant)
        while occurrence is not None and occurrence >= max(give_up, self.start or give_up):
            block = self.block_at(occurrence)
            if block is None:
                return occurrence
            before = None if block.since is None else block.since - _INSTANT
            occurrence = None if before is None else self.schedule.latest_at_or_before(before)
        return None

    def count_between(self, first: datetime, last: datetime) -> int | None:
        """How many occurrences lie in [first, last]; None where blocks cut them into more pieces than one counts."""
        first = max(first, self.start or first)
        last = min(last, self.end or last)
        if last < first:
            return 0
        count = self.schedule.count_between(first, last)
        for pieces, stretch in enumerate(self.blocked_between(first, last)):
            if count is None or stretch.count is None or pieces >= MOST_BLOCKS:
                return None
            count -= stretch.count
        return count

    def due_after(self, instant: datetime) -> datetime | None:
        """The first occurrence after ``instant`` between start and end, blocked or not."""
        if self.start is not None:
            instant = max(instant, self.start - _INSTANT)
        occurrence = self.schedule.next_after(instant)
        return None if occurrence is None or (self.end is not None and occurrence > self.end) else occurrence

    def block_at(self, occurrence: datetime) -> Block | None:
        """What blocks an occurrence of the unrestricted schedule."""
        if not self.days.is_every_day:
            day = occurrence.astimezone(self.zone).date()
            reason = self.days.why_blocked(day)
            if reason is not None:
                before, after = self.days.previous_allowed(day), self.days.next_allowed(day)
                return Block(
                    reason,
                    None if before is None else start_of(before + _DAY, self.zone),
                    None if after is None else start_of(after, self.zone),
                )
        for blackout in self.blackouts:
            window = blackout.covering(occurrence)
            if window is not None:
                return Block(window.why_blocked, window.start, window.end)
        return None

    def next_blocked(self, instant: datetime, last: datetime) -> datetime | None:
        """The first occurrence in (``instant``, ``last``] of the unrestricted schedule that is blocked."""
        occurrence = self.due_after(instant)
        for _ in range(MOST_BLOCKS):
            if occurrence is None or occurrence > last:
                return None
            if self.block_at(occurrence) is not None:
                return occurrence
            start = self._next_block_start(occurrence, last)
            if start is None:
                return None
            occurrence = self.due_after(max(occurrence, start - _INSTANT))
        return None

    def _next_block_start(self, instant: datetime, last: datetime) -> datetime | None:
        """When the next block may begin in (``instant``, ``last``]; None: there is none."""
        starts = [blackout.next_start(instant) for blackout in self.blackouts]
        if not self.days.is_every_day:
            day: date | None = instant.astimezone(self.zone).date()
            day = None if day is None or day == date.max else self.days.next_blocked(day + _DAY)
            starts.append(None if day is None else start_of(day, self.zone))
        return min((start for start in starts if start is not None and start <= last), default=None)

    def blocked_since(self, due: datetime, now: datetime) -> BlockedStretch | None:
        """What was blocked from ``due`` to ``now``; where one is blocked now, also what follows of that block."""
        if due > now:
            return None
        last = now
        latest = self.schedule.latest_at_or_before(now)
        if latest is not None and latest >= due and self.block_at(latest) is not None:
            following, limit = self.next_after(latest), _plus(now, _LONGEST_STRETCH)
            last = limit if following is None else min(limit, following - _INSTANT)
        whole: BlockedStretch | None = None
        for pieces, stretch in enumerate(self.blocked_between(due, min(last, self.end or last))):
            if whole is None:
                whole = stretch
                continue
            is_counted = whole.count is not None and stretch.count is not None and pieces < MOST_BLOCKS
            count = (whole.count or 0) + (stretch.count or 0) if is_counted else None
            whole = replace(whole, last=stretch.last, count=count)
            if pieces >= MOST_BLOCKS:
                return replace(whole, last=last)
        return whole

    def blocked_between(self, first: datetime, last: datetime) -> Iterator[BlockedStretch]:
        """The blocked occurrences in [first, last], a stretch for each block, the earliest first."""
        cursor = first - _INSTANT
        while (blocked := self.next_blocked(cursor, last)) is not None:
            block = self.block_at(blocked)
            cursor = last if block is None or block.until is None else min(last, block.until - _INSTANT)
            final = self.schedule.latest_at_or_before(cursor) or blocked
            count = self.schedule.count_between(blocked, final)
            yield BlockedStretch(blocked, final, count, "" if block is None else block.reason)


def _plus(instant: datetime, amount: timedelta) -> datetime:
    """The sum, or the end of the calendar that it lies beyond."""
    try:
        return instant + amount
    except OverflowError:
        return (datetime.max if amount > timedelta(0) else datetime.min).replace(tzinfo=instant.tzinfo)
