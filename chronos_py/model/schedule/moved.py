"""A schedule whose occurrences on blocked days move to the next, or the previous, allowed day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo

from chronos_py.model.schedule.contract import Schedule
from chronos_py.model.schedule.days import AllowedDays, start_of
from chronos_py.model.schedule.zone import to_instant

_INSTANT = timedelta(microseconds=1)
_DAY = timedelta(days=1)
MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class MovedSchedule:
    """Every occurrence of ``schedule``, each on an allowed day at the time of day that it had.

    Occurrences that meet there are one. ``forward``: to the next allowed day, else to the previous one.
    """

    schedule: Schedule
    days: AllowedDays
    forward: bool

    @property
    def text(self) -> str:
        return self.schedule.text

    @property
    def zone(self) -> tzinfo:
        return self.schedule.zone

    @property
    def repetitions(self) -> int | None:
        return self.schedule.repetitions

    def anchored(self, defined_at: datetime) -> MovedSchedule:
        return replace(self, schedule=self.schedule.anchored(defined_at))

    def first(self, defined_at: datetime) -> datetime | None:
        """The first occurrence owed to a job defined at ``defined_at``."""
        first = self.schedule.first(defined_at)
        if first is None:
            return None
        owed = self.latest_at_or_before(defined_at) if first <= defined_at else None
        return owed or self.next_after(defined_at)

    def next_after(self, instant: datetime) -> datetime | None:
        """The first occurrence strictly after ``instant``."""
        try:
            return self._next_after(instant)
        except OverflowError:  # past the end of the calendar
            return None

    def _next_after(self, instant: datetime) -> datetime | None:
        day: date | None = self._local_day(instant)
        while day is not None and (day := self.days.next_allowed(day)) is not None:
            later = [moved for moved, _ in self._on(day) if moved > instant]
            if later:
                return min(later)
            day = self._following(day)
        return None

    def latest_at_or_before(self, instant: datetime) -> datetime | None:
        """The last occurrence at or before ``instant``."""
        try:
            return self._latest_at_or_before(instant)
        except OverflowError:
            return None

    def _latest_at_or_before(self, instant: datetime) -> datetime | None:
        day: date | None = self._local_day(instant)
        while day is not None and (day := self.days.previous_allowed(day)) is not None:
            earlier = [moved for moved, _ in self._on(day) if moved <= instant]
            if earlier:
                return max(earlier)
            day = self._preceding(day)
        return None

    def count_between(self, first: datetime, last: datetime) -> int | None:
        """How many occurrences lie in [first, last]; None: more than are worth counting."""
        count = 0
        cursor = self.next_after(first - _INSTANT)
        while cursor is not None and cursor <= last:
            count += 1
            if count > MOST_COUNTED:
                return None
            cursor = self.next_after(cursor)
        return count

    def moved_from(self, instant: datetime) -> datetime | None:
        """The occurrence of ``schedule`` that moved to ``instant``; None where one stands there by itself."""
        origins = [origin for moved, origin in self._on(self._local_day(instant)) if moved == instant]
        return None if not origins or instant in origins else origins[0]

    def _local_day(self, instant: datetime) -> date:
        return instant.astimezone(self.zone).date()

    def _sources(self, day: date) -> tuple[date, date]:
        """The first and the last day whose occurrences come on the allowed ``day``."""
        if self.forward:
            before = self.days.previous_allowed(day - _DAY) if day > date.min else None
            return (day if before is None else before + _DAY), day
        after = self.days.next_allowed(day + _DAY) if day < date.max else None
        return day, (day if after is None else after - _DAY)

    def _on(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """What comes on an allowed day, as (when, the occurrence that it was)."""
        first, last = self._sources(day)
        cursor = self.schedule.next_after(start_of(first, self.zone) - _INSTANT)
        while cursor is not None:
            local = cursor.astimezone(self.zone)
            if local.date() > last:
                return
            time_of_day = datetime.combine(day, local.time())
            yield (cursor if local.date() == day else to_instant(time_of_day, self.zone)), cursor
            cursor = self.schedule.next_after(cursor)

    def _following(self, day: date) -> date | None:
        """A day after ``day``, with nothing that comes in between."""
        last = self._sources(day)[1]
        occurrence = self.schedule.next_after(start_of(last + _DAY, self.zone) - _INSTANT)
        if occurrence is None:
            return None
        source = self._local_day(occurrence)
        if self.forward:
            return source
        return max(day + _DAY, self.days.previous_allowed(source) or source)

    def _preceding(self, day: date) -> date | None:
        first = self._sources(day)[0]
        occurrence = self.schedule.latest_at_or_before(start_of(first, self.zone) - _INSTANT)
        if occurrence is None:
            return None
        source = self._local_day(occurrence)
        if not self.forward:
            return source
        return min(day - _DAY, self.days.next_allowed(source) or source)
