"""ISO 8601 durations: a period of calendar units and elapsed time, or a plain number of seconds."""

from __future__ import annotations

import calendar
import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn

from chronos_py.errors import ScheduleError

# Eighteen digits are more than any calendar has; Python refuses to read numbers of thousands.
_MOST_DIGITS = 18
_MICROSECOND_DIGITS = 6
# Nominal lengths, only for estimates: exact positions are always computed from the anchor.
_NOMINAL_MONTH = timedelta(days=30.436875)
_LONGEST = timedelta(days=3_652_059)  # the years 1 to 9999
_DIGITS = "0123456789"
_ANY_DIGITS = re.compile("[0-9]+")
_DATE_UNITS = "YMWD"
_TIME_UNITS = "HMS"
_MONTHS = {"Y": 12, "M": 1}
_DAYS = {"W": 7, "D": 1}
_SECONDS = {"TH": 3600, "TM": 60, "TS": 1}
_NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True)
class Period:
    """Months and days move the wall clock, ``elapsed`` moves the instant."""

    months: int = 0
    days: int = 0
    elapsed: timedelta = _NOTHING

    @property
    def nominal(self) -> timedelta:
        """About how long it is."""
        return self.months * _NOMINAL_MONTH + timedelta(days=self.days) + self.elapsed

    @property
    def is_zero(self) -> bool:
        return self.months == 0 and self.days == 0 and self.elapsed == _NOTHING


class Cursor:
    """A place in the text of a schedule. What is not as expected there is refused with a ScheduleError."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def sees(self, characters: str) -> bool:
        """Whether the next character is one of these. At the end there is none."""
        following = self.text[self.position : self.position + 1]
        return following != "" and following in characters

    def take(self, characters: str) -> str:
        """The next character where it is one of these, else nothing."""
        following = self.text[self.position : self.position + 1]
        if following not in characters:
            return ""
        self.position += len(following)
        return following

    def expect(self, characters: str, expected: str) -> str:
        """The next character, which has to be one of these."""
        return self.take(characters) or self.refuse(expected)

    def digits(self) -> str:
        """All digits from here on."""
        found = _ANY_DIGITS.match(self.text, self.position)
        if found is None:
            return ""
        self.position = found.end()
        return found[0]

    def number(self, length: int, lowest: int, highest: int, expected: str) -> int:
        """A number of so many digits."""
        digits = self.text[self.position : self.position + length]
        if not (len(digits) == length and digits.isascii() and digits.isdecimal()):
            self.digits()
            self.refuse(expected)
        if not lowest <= int(digits) <= highest:
            self.refuse(expected)
        self.position += length
        return int(digits)

    def refuse(self, expected: str) -> NoReturn:
        rest = self.text[self.position :]
        found = f"{quoted(rest, 24)} stands" if rest else "it ends"
        raise ScheduleError(f"schedule {quoted(self.text)}: {found} where {expected} is expected.", self.position)


def quoted(text: str, longest: int = 80) -> str:
    """A text as it is shown in an error: one line, shortened."""
    line = json.dumps(text, ensure_ascii=False)
    return line if len(line) <= longest else line[: longest - 3] + "..."


def read_period(cursor: Cursor) -> Period:
    """Read ``PnYnMnWnDTnHnMnS`` (seconds may have a fraction) from the cursor to the end of its text.

    Negative numbers are understood, so the period may be zero or go backwards. Raises ScheduleError.
    """
    begin = cursor.position
    amounts = _read_amounts(cursor)
    try:
        period = Period(
            months=sum(_whole(number) * _MONTHS[unit] for unit, number in amounts if unit in _MONTHS),
            days=sum(_whole(number) * _DAYS[unit] for unit, number in amounts if unit in _DAYS),
            elapsed=sum(
                (_seconds(number) * _SECONDS[unit] for unit, number in amounts if unit in _SECONDS), _NOTHING
            ),
        )
        if abs(period.nominal) < _LONGEST:
            return period
    except OverflowError:
        pass
    raise ScheduleError(
        f"schedule {quoted(cursor.text)}: the period {quoted(cursor.text[begin:], 40)} is longer than any calendar;"
        " write a shorter one.",
        begin,
    )


def print_period(text: str) -> str:
    """The readable period ``text`` in its own units, as short as it goes: ``PT060M`` is PT60M. Zero is PT0S."""
    dates, times = "", ""
    for unit, number in _read_amounts(Cursor(text)):
        sign, whole, fraction = _parts(number)
        if whole.strip("0") or fraction.strip("0"):
            amount = sign + (whole.lstrip("0") or "0") + ("." + fraction.rstrip("0")).rstrip(".") + unit[-1]
            if unit.startswith("T"):
                times += amount
            else:
                dates += amount
    return f"P{dates}" + (f"T{times}" if times else "") if dates or times else "PT0S"


def _read_amounts(cursor: Cursor) -> list[tuple[str, str]]:
    """Units, those of times after a T, each with its number as it is written."""
    cursor.expect("P", "a period such as P1D or PT1H30M")
    amounts = _read_numbers(cursor, _DATE_UNITS)
    if cursor.take("T"):
        times = _read_numbers(cursor, _TIME_UNITS)
        if not times:
            cursor.refuse("a number of hours, minutes or seconds")
        amounts += [("T" + unit, number) for unit, number in times]
        if cursor.position < len(cursor.text):
            cursor.refuse("the end, or a smaller unit with its number")
    elif cursor.position < len(cursor.text):
        cursor.refuse('the end, a number with a smaller unit, or "T" and a time')
    return amounts


def _read_numbers(cursor: Cursor, units: str) -> list[tuple[str, str]]:
    """Numbers with units in the order of ``units``."""
    numbers = []
    while units and cursor.sees("-" + _DIGITS):
        begin = cursor.position
        cursor.take("-")
        if not cursor.digits():
            cursor.refuse("a digit")
        if units.endswith("S") and cursor.take(".,"):
            units = "S"  # only seconds have fractions
            if not cursor.digits():
                cursor.refuse("a digit")
        number = cursor.text[begin : cursor.position]
        unit = cursor.take(units) or cursor.refuse(_one_of(units))
        units = units[units.index(unit) + 1 :]
        numbers.append((unit, number))
    return numbers


def _one_of(units: str) -> str:
    names = ", ".join(f'"{unit}"' for unit in units[:-1])
    listed = f'{names} or "{units[-1]}"' if names else f'"{units}"'
    return listed + (' (or "H", "M" or "S" after a "T")' if units.endswith("D") else "")


def _parts(number: str) -> tuple[str, str, str]:
    """Sign, whole digits, and the fraction to the microsecond."""
    whole, _, fraction = number.removeprefix("-").replace(",", ".").partition(".")
    return "-" if number.startswith("-") else "", whole, fraction[:_MICROSECOND_DIGITS]


def _whole(number: str) -> int:
    """Raises OverflowError where it is longer than any calendar."""
    sign, whole, _ = _parts(number)
    if len(whole.lstrip("0")) > _MOST_DIGITS:
        raise OverflowError(f"{len(whole)} digits")
    return int(sign + (whole.lstrip("0") or "0"))


def _seconds(number: str) -> timedelta:
    sign, _, fraction = _parts(number)
    microseconds = int(fraction.ljust(_MICROSECOND_DIGITS, "0"))
    return timedelta(seconds=_whole(number), microseconds=-microseconds if sign else microseconds)


def parse_period(text: str) -> Period | None:
    """Read ``PnYnMnWnDTnHnMnS`` (seconds may have a fraction), nothing negative.

    None when it is none, or longer than any calendar.
    """
    try:
        return None if "-" in text else read_period(Cursor(text))
    except ScheduleError:
        return None


def add_months(local: datetime, months: int) -> datetime:
    """``local`` moved by calendar months, clipped to the last day of the month where it has to be.

    Raises OverflowError outside the years 1 to 9999.
    """
    index = local.year * 12 + local.month - 1 + months
    year, month = divmod(index, 12)
    if not 1 <= year <= 9999:
        raise OverflowError(f"year {year} is out of range")
    day = min(local.day, calendar.monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day)


def parse_seconds(value: object) -> float | None:
    """A duration of a document, in seconds: a number of seconds, or an ISO 8601 duration as text.

    Months count 30.44 days. None when it is neither.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str):
        period = parse_period(value)
        if period is not None:
            return period.nominal.total_seconds()
    return None
