"""What cron expressions mean, written from crontab(5) and Quartz' L, W and #, and from the rule for clock changes.

Slow and plain on purpose: it reads an expression by itself and looks at the clock on the wall, from UTC to local time
only, minute after minute or, where nothing can happen, day after day. It shares nothing with the code it judges.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

FIRST_YEAR, LAST_YEAR = 2020, 2040
MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)  # every offset is a number of them
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SEARCHED_YEARS = 41

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


def zone_names() -> list[str]:
    """Every zone but the copies of others for other ways to count seconds, and this machine's."""
    return sorted(
        name for name in available_timezones() if name != "localtime" and not name.startswith(("posix", "right"))
    )


def wall(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


class Change(NamedTuple):
    """At ``at`` the clock goes from the offset ``before`` to the offset ``after``."""

    at: datetime
    before: timedelta
    after: timedelta


@cache
def changes(name: str) -> tuple[Change, ...]:
    """The changes of a zone's offset in the years looked at: by days, and then by minutes."""
    zone = ZoneInfo(name)
    found = []
    cursor, end = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)
    offset = offset_at(cursor, zone)
    while cursor < end:
        if offset_at(cursor + DAY, zone) != offset:
            at = cursor
            while offset_at(at, zone) == offset:
                at += HOUR if offset_at(at + HOUR, zone) == offset else MINUTE
            found.append(Change(at, offset, offset_at(at, zone)))
            offset = found[-1].after
        cursor += DAY
    return tuple(found)


def offset_at(instant: datetime, zone: ZoneInfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta(0)


class Minute(NamedTuple):
    """A minute of time: what the wall clock shows, and which times it shows for the first time or has left out."""

    instant: datetime
    shown: datetime
    reached: tuple[datetime, ...]


def minutes_between(start: datetime, end: datetime, zone: ZoneInfo) -> list[Minute]:
    """Every minute of (start, end]. Both are whole minutes, and ``start`` is no time that is shown twice."""
    furthest = wall(start, zone)
    minutes = []
    instant = start
    while instant < end:
        instant += MINUTE
        shown = wall(instant, zone)
        reached = []
        while furthest < shown:
            furthest += MINUTE
            reached.append(furthest)
        minutes.append(Minute(instant, shown, tuple(reached)))
    return minutes


def numbers(text: str, lowest: int, highest: int, names: list[str] | None = None) -> set[int]:
    """The numbers that one field without L, W and # lists."""
    found: set[int] = set()
    for item in text.lower().split(","):
        span, _, step = item.partition("/")
        first, _, last = span.partition("-")
        if span in ("*", "?"):
            low, high = lowest, highest
        else:
            low = number(first, lowest, names)
            # A start with a step goes on to the end of the field.
            high = number(last, lowest, names) if last else highest if step else low
        size = highest - lowest + 1
        if high < low:
            high += size  # on through the end of the field, and from its beginning
        while low <= high:
            found.add((low - lowest) % size + lowest)
            low += int(step or 1)
    return found


def number(word: str, lowest: int, names: list[str] | None) -> int:
    if word == "l":
        return 31  # at the end of a range of days
    return names.index(word) + lowest if names and word in names else int(word)


@dataclass
class Oracle:
    """One expression of five fields, of six with seconds first, or an alias; no ``H``."""

    text: str
    _known_days: dict[date, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        words = ALIASES.get(self.text, self.text).split()
        minute, hour, self.month_day, month, self.weekday = (word.lower() for word in words[-5:])
        self.seconds = sorted(numbers(words[0], 0, 59)) if len(words) == 6 else [0]
        self.minutes = sorted(numbers(minute, 0, 59))
        self.hours = sorted(numbers(hour, 0, 23))
        self.months = numbers(month, 1, 12, MONTHS)
        # A list of every hour is the wildcard written out.
        self.follows_elapsed_time = "*" in hour or "/" in hour or len(self.hours) == 24
        plain = [item for item in self.month_day.split(",") if not item.endswith("w") and item != "l"]
        self.plain_days = numbers(",".join(plain), 1, 31) if plain else set()
        self.special_days = [item for item in self.month_day.split(",") if item not in plain]
        plain = [item for item in self.weekday.split(",") if "#" not in item and not item.startswith("l")]
        self.plain_weekdays = numbers(",".join(plain), 0, 6, WEEKDAYS) if plain else set()
        self.special_weekdays = [item for item in self.weekday.split(",") if item not in plain]
        # crontab(5): either will do when both are restricted, that is, contain no star.
        self.either = not set("*?") & set(self.month_day + self.weekday)

    def lists(self, shown: datetime) -> bool:
        """Whether the expression lists what a wall clock shows."""
        return (
            shown.minute in self.minutes
            and shown.hour in self.hours
            and shown.second in self.seconds
            and self.lists_day(shown.date())
        )

    def lists_day(self, day: date) -> bool:
        if day not in self._known_days:
            self._known_days[day] = day.month in self.months and self._lists_day_of_month(day)
        return self._known_days[day]

    def _lists_day_of_month(self, day: date) -> bool:
        by_date = day.day in self.plain_days or any(self._is_special(item, day) for item in self.special_days)
        weekday = day.isoweekday() % 7
        by_weekday = weekday in self.plain_weekdays or any(
            self._is_special_weekday(item, day, weekday) for item in self.special_weekdays
        )
        return (by_date or by_weekday) if self.either else (by_date and by_weekday)

    @staticmethod
    def _is_special(item: str, day: date) -> bool:
        """L, LW, and 15W: the Monday to Friday of the same month that is nearest to the 15th."""
        if item == "l":
            return (day + DAY).month != day.month
        working = [other for other in _month_of(day) if other.isoweekday() <= 5]
        if item == "lw":
            return day == working[-1]
        wanted = int(item[:-1])
        if wanted > len(_month_of(day)):
            return False
        return day == min(working, key=lambda other: abs(other.day - wanted))

    @staticmethod
    def _is_special_weekday(item: str, day: date, weekday: int) -> bool:
        """5#2: the second Friday; L5: the last one."""
        if item.startswith("l"):
            return weekday == int(item[1:]) % 7 and (day + 7 * DAY).month != day.month
        listed, _, count = item.partition("#")
        alike = [other for other in _month_of(day) if other.isoweekday() % 7 == weekday]
        return weekday in numbers(listed, 0, 6, WEEKDAYS) and day in alike[int(count) - 1 : int(count)]

    def firings(self, minutes: list[Minute]) -> list[datetime]:
        """Every firing of a five-field expression in these minutes."""
        if self.follows_elapsed_time:
            return [minute.instant for minute in minutes if self.lists(minute.shown)]
        # What a gap leaves out comes at one instant.
        return list(
            dict.fromkeys(minute.instant for minute in minutes for time in minute.reached if self.lists(time))
        )

    def next_after(self, instant: datetime, zone: ZoneInfo) -> datetime | None:
        """The first firing strictly after ``instant``; None when no day of the next decades is listed."""
        return self._next_elapsed(instant, zone) if self.follows_elapsed_time else self._next_fixed(instant, zone)

    def _days_from(self, day: date) -> Iterator[date]:
        """The listed days, beginning with ``day`` itself."""
        for _ in range(SEARCHED_YEARS * 366):
            if self.lists_day(day):
                yield day
            day += DAY

    def _next_elapsed(self, after: datetime, zone: ZoneInfo) -> datetime | None:
        quarter = after.replace(minute=after.minute // 15 * 15, second=0, microsecond=0)
        while True:
            shown = wall(quarter, zone)
            today = shown.date()
            listed = next(self._days_from(today), None)
            if listed is None:
                return None
            steady = wall(quarter + QUARTER, zone) - shown == QUARTER
            if not steady or (listed == today and shown.hour in self.hours):
                for minute in (quarter + number * MINUTE for number in range(15)):
                    time = wall(minute, zone)
                    if time.minute in self.minutes and time.hour in self.hours and self.lists_day(time.date()):
                        for instant in (minute + timedelta(seconds=second) for second in self.seconds):
                            if instant > after:
                                return instant
            # A change of the clock may bring a day on sooner: never go near its beginning in great strides.
            quarter += max(HOUR if listed > today and shown.hour < 18 else QUARTER, listed - today - 2 * DAY)

    def _next_fixed(self, after: datetime, zone: ZoneInfo) -> datetime | None:
        for day in self._days_from(wall(after, zone).date() - 2 * DAY):
            for hour in self.hours:
                if self._firing(day, hour, self.minutes[-1], self.seconds[-1], zone) <= after:
                    continue
                for minute in self.minutes:
                    if self._firing(day, hour, minute, self.seconds[-1], zone) <= after:
                        continue
                    for second in self.seconds:
                        instant = self._firing(day, hour, minute, second, zone)
                        if instant > after:
                            return instant
        return None

    @staticmethod
    def _firing(day: date, hour: int, minute: int, second: int, zone: ZoneInfo) -> datetime:
        """The first instant at which the wall clock shows a time of the day, or is past it."""
        listed = datetime(day.year, day.month, day.day, hour, minute, second)
        as_utc = listed.replace(tzinfo=UTC)
        guesses = sorted({as_utc - offset_at(as_utc + shift, zone) for shift in (-26 * HOUR, 26 * HOUR)})
        for guess in guesses:
            if wall(guess, zone) == listed:
                return guess
        guess = guesses[0].replace(second=0)
        while wall(guess, zone) < listed:
            guess += MINUTE
        return guess


@cache
def _days_of(year: int, month: int) -> list[date]:
    first = date(year, month, 1)
    return [first + number * DAY for number in range(31) if (first + number * DAY).month == month]


def _month_of(day: date) -> list[date]:
    return _days_of(day.year, day.month)
