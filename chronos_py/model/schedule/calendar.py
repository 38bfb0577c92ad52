"""Calendars: named sets of days, public holidays by the holidays library and days of one's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, NoReturn, Protocol

import holidays

from chronos_py.errors import InvalidDefinition

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEKENDS = "weekends"
NAME_LENGTH = 100
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_YEARLY = re.compile(r"(?:--)?(\d\d)-(\d\d)", re.ASCII)
_MOST_DATES = 10_000


class Calendar(Protocol):
    """A named set of days."""

    @property
    def name(self) -> str: ...

    def label(self, day: date) -> str | None:
        """What ``day`` is in this calendar, such as "Christmas Day"; None when it is not in it."""


@dataclass(frozen=True, slots=True)
class Weekdays:
    """Some days of every week; Monday is 0."""

    name: str
    days: frozenset[int]

    def label(self, day: date) -> str | None:
        return WEEKDAYS[day.weekday()].capitalize() if day.weekday() in self.days else None


@dataclass(frozen=True, slots=True)
class PublicHolidays:
    """The holidays of a country, one of its parts, or a stock exchange, by their code."""

    name: str
    code: str
    part: str | None
    is_exchange: bool

    def label(self, day: date) -> str | None:
        return _holidays_of(self.code, self.part, self.is_exchange, day.year).get(day)


@dataclass(frozen=True, slots=True)
class OwnCalendar:
    """Days that people chose: dates, some that come every year as (month, day), weekdays, and other calendars.

    A date in ``except_dates`` is not in it, whatever else says so.
    """

    name: str
    dates: Mapping[date, str]
    yearly: Mapping[tuple[int, int], str]
    includes: tuple[Calendar, ...] = ()
    except_dates: frozenset[date] = frozenset()

    def label(self, day: date) -> str | None:
        if day in self.except_dates:
            return None
        own = self.dates.get(day)
        if own is None:
            own = self.yearly.get((day.month, day.day))
        if own is not None:
            return own or self.name
        return next(filter(None, (calendar.label(day) for calendar in self.includes)), None)


@lru_cache(maxsize=2048)
def _holidays_of(code: str, part: str | None, is_exchange: bool, year: int) -> Mapping[date, str]:
    """A year's holidays. A new object each time: the library's own fill themselves while they are read."""
    if is_exchange:
        return dict(holidays.financial_holidays(code, years=year, expand=False))
    return dict(holidays.country_holidays(code, subdiv=part, years=year, expand=False))


@lru_cache(maxsize=1)
def _countries() -> Mapping[str, frozenset[str]]:
    return {code: frozenset(parts) for code, parts in holidays.list_supported_countries().items()}


@lru_cache(maxsize=1)
def _exchanges() -> frozenset[str]:
    return frozenset(holidays.list_supported_financial())


@lru_cache(maxsize=512)
def built_in_calendar(name: str) -> Calendar | None:
    """``weekends``, a country such as ``DE``, a part of one such as ``DE-BY``, or an exchange such as ``NYSE``."""
    if name == WEEKENDS:
        return Weekdays(name, frozenset({5, 6}))
    if name in _exchanges():
        return PublicHolidays(name, name, None, True)
    code, _, part = name.partition("-")
    parts = _countries().get(code)
    if parts is None or (part and part not in parts) or name.endswith("-"):
        return None
    return PublicHolidays(name, code, part or None, False)


def built_in_names() -> list[str]:
    """Every name that :func:`built_in_calendar` knows, without the parts of countries."""
    return [WEEKENDS, *sorted(code for code in _countries() if len(code) == 2), *sorted(_exchanges())]


def check_calendar_name(name: str) -> str:
    """``name`` if people may give it to a calendar. Raises InvalidDefinition."""
    if not _NAME.fullmatch(name) or len(name) > NAME_LENGTH:
        raise InvalidDefinition(
            f'name "{name[:60]}" is not allowed for a calendar: use up to {NAME_LENGTH} letters, digits and _ . -,'
            " the first one a letter or a digit.",
            "name",
        )
    if name == "new":
        raise InvalidDefinition('name "new" is that of the page for a new calendar; choose another one.', "name")
    if built_in_calendar(name) is not None:
        raise InvalidDefinition(f'name "{name}" is that of a built-in calendar; choose another one.', "name")
    return name


def read_calendar(name: str, document: Mapping[str, Any]) -> OwnCalendar:
    """The calendar of a document with ``dates``, ``weekdays``, ``includes`` and ``exceptDates``.

    A date is ``2026-12-24``, or ``12-24`` for every year, as text or as ``{"date": ..., "name": ...}``.
    Raises InvalidDefinition.
    """
    dates: dict[date, str] = {}
    yearly: dict[tuple[int, int], str] = {}
    for index, item in enumerate(_list(document, "dates")):
        field = f"dates[{index}]"
        text, label = (item.get("date"), item.get("name") or "") if isinstance(item, dict) else (item, "")
        if not isinstance(label, str):
            _refuse(f"{field}.name", label, "text")
        match = _YEARLY.fullmatch(text) if isinstance(text, str) else None
        if match:
            month, day = int(match[1]), int(match[2])
            _date(f"2000-{month:02}-{day:02}", field, text)  # a leap year: 29 February is one, too
            yearly[month, day] = label
        else:
            dates[_date(text, field, text)] = label
    weekdays = _weekdays(document)
    includes = [_included(item, index) for index, item in enumerate(_list(document, "includes"))]
    excepted = frozenset(
        _date(item, f"exceptDates[{index}]", item, "a date such as 2026-12-24")
        for index, item in enumerate(_list(document, "exceptDates"))
    )
    if not (dates or yearly or weekdays or includes):
        raise InvalidDefinition(
            f'calendar "{name}" has no day; give dates, weekdays, or calendars that it includes.', "dates"
        )
    if weekdays:
        includes.append(Weekdays(name, weekdays))
    return OwnCalendar(name, dates, yearly, tuple(includes), excepted)


def _list(document: Mapping[str, Any], field: str) -> list[Any]:
    value = document.get(field)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > _MOST_DATES:
        raise InvalidDefinition(f"{field} must be a list of at most {_MOST_DATES} items.", field)
    return value


def _refuse(field: str, value: object, expected: str) -> NoReturn:
    raise InvalidDefinition(f'{field} is "{str(value)[:60]}" but must be {expected}.', field)


def _date(
    text: object, field: str, shown: object, expected: str = "a date such as 2026-12-24, or 12-24 for every year"
) -> date:
    try:
        if isinstance(text, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:
        pass
    _refuse(field, shown, expected)


def _weekdays(document: Mapping[str, Any]) -> frozenset[int]:
    found = set()
    for index, item in enumerate(_list(document, "weekdays")):
        word = item.lower() if isinstance(item, str) else ""
        matching = [number for number, weekday in enumerate(WEEKDAYS) if word in (weekday, weekday[:3])]
        if not matching:
            _refuse(f"weekdays[{index}]", item, "the English name of a weekday, such as saturday or sat")
        found.update(matching)
    return frozenset(found)


def _included(name: object, index: int) -> Calendar:
    calendar = built_in_calendar(name) if isinstance(name, str) else None
    if calendar is None:
        _refuse(
            f"includes[{index}]", name, "a built-in calendar: weekends, a country such as DE or DE-BY, or an exchange"
        )
    return calendar


def days_of(calendar: Calendar, year: int) -> list[tuple[date, str]]:
    """The days of a year that are in a calendar, in order, with their labels."""
    first = date(year, 1, 1).toordinal()
    days = (date.fromordinal(first + offset) for offset in range((date(year, 12, 31).toordinal() - first) + 1))
    return [(day, label) for day in days if (label := calendar.label(day)) is not None]


def find_calendars(names: Iterable[str], own: Mapping[str, Calendar]) -> dict[str, Calendar]:
    """The calendars of those names that exist, by name; ``own`` holds those that people defined."""
    found = {}
    for name in names:
        calendar = own.get(name) or built_in_calendar(name)
        if calendar is not None:
            found[name] = calendar
    return found
