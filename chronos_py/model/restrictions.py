"""What a job's document says against its schedule: calendars, blackouts, a start and an end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

from chronos_py.errors import InvalidDefinition
from chronos_py.model.instant import read_instant
from chronos_py.model.reader import Reader
from chronos_py.model.schedule import Schedule, parse_schedule
from chronos_py.model.schedule.blackout import Blackout, OnceBlackout, RecurringBlackout, Window
from chronos_py.model.schedule.calendar import Calendar
from chronos_py.model.schedule.days import AllowedDays
from chronos_py.model.schedule.filtered import FilteredSchedule
from chronos_py.model.schedule.moved import MovedSchedule

# The document's fields that belong to a schedule.
WHEN = ("excludeCalendars", "onlyCalendars", "onBlockedDay", "blackouts", "startTime", "endTime", "jitter")
_TIME = "an ISO 8601 time such as 2026-12-24T18:00:00, in the job's zone unless it has an offset"
# An open start of a recurring blackout would be another one on every reading.
_NO_START = datetime(2000, 1, 1, tzinfo=UTC)


class OnBlockedDay(StrEnum):
    """What an occurrence does that falls on a day which the calendars block (document field ``onBlockedDay``)."""

    SKIP = "skip"
    NEXT = "next"  # it moves to the next allowed day, at the same time of day
    PREVIOUS = "previous"


@dataclass(frozen=True, slots=True)
class Restrictions:
    """The document's fields about when the schedule does not hold. Times are aware UTC."""

    exclude_calendars: tuple[str, ...] = ()
    only_calendars: tuple[str, ...] = ()
    on_blocked_day: OnBlockedDay = OnBlockedDay.SKIP
    blackouts: tuple[Blackout, ...] = ()
    start: datetime | None = None
    end: datetime | None = None

    @property
    def calendars(self) -> tuple[str, ...]:
        """The names of all calendars that are used."""
        return tuple(dict.fromkeys((*self.exclude_calendars, *self.only_calendars)))

    @property
    def in_words(self) -> tuple[str, ...]:
        """What a sentence about the schedule has to add."""
        words = []
        if self.only_calendars:
            words.append(f"only on days in {' or '.join(self.only_calendars)}")
        if self.exclude_calendars:
            words.append(f"not on days in {' or '.join(self.exclude_calendars)}")
        if self.calendars and self.on_blocked_day is not OnBlockedDay.SKIP:
            words.append(f"but on the {self.on_blocked_day} allowed day")
        if self.blackouts:
            words.append("not during blackouts")
        if self.start is not None:
            words.append(f"from {self.start:%Y-%m-%d %H:%M} UTC")
        if self.end is not None:
            words.append(f"until {self.end:%Y-%m-%d %H:%M} UTC")
        return tuple(words)

    def applied_to(self, schedule: Schedule, calendars: Mapping[str, Calendar]) -> Schedule:
        """The schedule with these restrictions; a calendar that is not in ``calendars`` has no days."""
        exclude = [calendars[name] for name in self.exclude_calendars if name in calendars]
        only = [calendars[name] for name in self.only_calendars if name in calendars]
        days = AllowedDays(tuple(exclude), tuple(only))
        if not days.is_every_day and self.on_blocked_day is not OnBlockedDay.SKIP:
            schedule = MovedSchedule(schedule, days, self.on_blocked_day is OnBlockedDay.NEXT)
            days = AllowedDays()
        if days.is_every_day and not self.blackouts and self.start is None and self.end is None:
            return schedule
        return FilteredSchedule(schedule, days, self.blackouts, self.start, self.end)


def read_restrictions(read: Reader, zone: tzinfo) -> Restrictions:
    """The restrictions in a job document; ``zone`` is its schedule's. Raises InvalidDefinition."""
    time_zone = read.text("scheduleTimeZone")
    start, end = _time(read, "startTime", zone), _time(read, "endTime", zone)
    if start is not None and end is not None and end < start:
        raise InvalidDefinition("endTime is before startTime; the job would never run.", "endTime")
    return Restrictions(
        exclude_calendars=tuple(dict.fromkeys(read.texts("excludeCalendars"))),
        only_calendars=tuple(dict.fromkeys(read.texts("onlyCalendars"))),
        on_blocked_day=OnBlockedDay(read.choice("onBlockedDay", OnBlockedDay.SKIP, tuple(OnBlockedDay))),
        blackouts=tuple(_read_blackout(blackout, time_zone, zone) for blackout in read.objects("blackouts")),
        start=start,
        end=end,
    )


def _time(read: Reader, name: str, zone: tzinfo) -> datetime | None:
    text = read.text(name)
    if not text:
        return None
    moment = read_instant(text, zone, is_end=name in ("end", "endTime"))
    if moment is None:
        read.refuse(name, _TIME)
    return moment


def _read_blackout(read: Reader, time_zone: str, zone: tzinfo) -> Blackout:
    reason = read.text("reason")
    text, start, end = read.text("schedule"), _time(read, "start", zone), _time(read, "end", zone)
    if text and start is None and end is None:
        duration = read.seconds("duration", None)
        if not duration:
            read.refuse("duration", "how long the blackout lasts each time, such as PT2H")
        try:
            schedule = parse_schedule(text, time_zone).anchored(_NO_START)
        except InvalidDefinition as error:
            raise InvalidDefinition(f"{read.path}{error}", f"{read.path}schedule") from error
        return RecurringBlackout(schedule, timedelta(seconds=duration), reason)
    if text or start is None or end is None or end <= start:
        raise InvalidDefinition(
            f"{read.path.rstrip('.')} must have a start and a later end, or a schedule and a duration.",
            read.path.rstrip("."),
        )
    return OnceBlackout(Window(start, end, reason))


def moved_from(schedule: Schedule, occurrence: datetime) -> datetime | None:
    """Where an occurrence would stand if no calendar had moved it; None when none has."""
    inner = schedule.schedule if isinstance(schedule, FilteredSchedule) else schedule
    return inner.moved_from(occurrence) if isinstance(inner, MovedSchedule) else None
