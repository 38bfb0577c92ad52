"""The start of a repeating interval: ISO 8601 in its extended form, as the original read it.

A year, year and month, date, ordinal date or week date, a time after ``T``, or both; the offset after the time.
"""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo

from chronos_py.model.schedule.period import Cursor

_EPOCH = date(1970, 1, 1)
_MILLISECOND = timedelta(milliseconds=1)
_FINEST_DIGITS = 20  # of a fraction, far below the millisecond
_THE_PERIOD = '"/" and the period'


def read_start(cursor: Cursor) -> tuple[datetime | None, tzinfo | None]:
    """The naive local time of the start and the offset that it is written with, from the cursor to its ``/``.

    None for an empty start, which means now, and for an offset that is not written. Raises ScheduleError.
    """
    if cursor.take("/"):
        return None, None
    if not cursor.sees("0123456789T"):
        cursor.refuse('a start such as 2026-01-01T03:00:00Z, or "/" for one that is now,')
    day = _EPOCH if cursor.sees("T") else _read_date(cursor)
    if not cursor.take("T"):
        cursor.expect("/", f'"T" and a time, or {_THE_PERIOD}')
        return datetime.combine(day, time()), None
    local = datetime.combine(day, time()) + _read_time(cursor)
    offset = _read_offset(cursor)
    cursor.expect("/", _THE_PERIOD if offset else f"an offset such as Z or +01:00, or {_THE_PERIOD}")
    return local, offset


def print_start(local: datetime, zone: tzinfo) -> str:
    """A start to the millisecond with its offset, ``Z`` for none. Offsets of old times are cut to the minute."""
    offset = local.replace(tzinfo=zone).utcoffset() or timedelta(0)
    minutes = abs(offset) // timedelta(minutes=1)
    sign = "-" if offset < timedelta(0) else "+"
    written = f"{sign}{minutes // 60:02}:{minutes % 60:02}" if minutes else "Z"
    return local.replace(tzinfo=None).isoformat(timespec="milliseconds") + written


def _read_date(cursor: Cursor) -> date:
    year = cursor.number(4, 1, 9999, "a year from 0001 to 9999")
    if not cursor.take("-"):
        _expect_next(cursor, "T/", '"-" and a month')
        return date(year, 1, 1)
    if cursor.take("W"):
        return _read_week_date(cursor, year)
    following = cursor.text[cursor.position : cursor.position + 4]
    if following[:3].isdecimal() and not following[3:].isdecimal():
        days = 366 if calendar.isleap(year) else 365
        ordinal = cursor.number(3, 1, days, f"a day of the year {year:04} from 001 to {days}")
        return date(year, 1, 1) + timedelta(days=ordinal - 1)
    month = cursor.number(2, 1, 12, "a month from 01 to 12")
    if not cursor.take("-"):
        _expect_next(cursor, "T/", '"-" and a day')
        return date(year, month, 1)
    _, last = calendar.monthrange(year, month)
    return date(year, month, cursor.number(2, 1, last, f"a day of {year:04}-{month:02} from 01 to {last}"))


def _read_week_date(cursor: Cursor, year: int) -> date:
    last = date(year, 12, 28).isocalendar().week
    week = cursor.number(2, 1, last, f"a week of the year {year:04} from 01 to {last}")
    monday = date.fromisocalendar(year, week, 1)
    if not cursor.take("-"):
        _expect_next(cursor, "T/", '"-" and a day of the week')
        return monday
    last_day = min(7, (date.max - monday).days + 1)
    weekday = cursor.number(1, 1, last_day, f"a day of the week from 1 to {last_day}")
    return monday + timedelta(days=weekday - 1)


def _read_time(cursor: Cursor) -> timedelta:
    """Hours, with or without minutes and seconds, and a fraction of the last of them, cut to the millisecond."""
    elapsed = timedelta(hours=cursor.number(2, 0, 23, "an hour from 00 to 23"))
    smallest = timedelta(hours=1)
    for unit, name in ((timedelta(minutes=1), "minute"), (timedelta(seconds=1), "second")):
        if not cursor.take(":"):
            _expect_next(cursor, ".,Zz+-/", f'":" and a {name}, an offset such as Z or +01:00')
            break
        elapsed += unit * cursor.number(2, 0, 59, f"a {name} from 00 to 59")
        smallest = unit
    if cursor.take(".,"):
        digits = cursor.digits()[:_FINEST_DIGITS] or cursor.refuse("a digit")
        elapsed += smallest // _MILLISECOND * int(digits) // 10 ** len(digits) * _MILLISECOND
    return elapsed


def _read_offset(cursor: Cursor) -> tzinfo | None:
    if cursor.take("Zz"):
        return UTC
    sign = cursor.take("+-")
    if not sign:
        return None
    offset = timedelta(hours=cursor.number(2, 0, 23, "the hours of an offset, from 00 to 23,"))
    if cursor.take(":") or cursor.sees("0123456789"):
        offset += timedelta(minutes=cursor.number(2, 0, 59, "the minutes of an offset, from 00 to 59,"))
    return timezone(-offset if sign == "-" else offset) if offset else UTC


def _expect_next(cursor: Cursor, characters: str, expected: str) -> None:
    if not cursor.sees(characters):
        cursor.refuse(f"{expected}, or {_THE_PERIOD}")
