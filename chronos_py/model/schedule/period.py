"""ISO 8601 durations: a period of calendar units and elapsed time, or a plain number of seconds."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

# Eighteen digits are more than any calendar has; Python refuses to read numbers of thousands.
_NUMBER = r"\d{1,18}"
_PERIOD = re.compile(
    rf"P(?:(?P<years>{_NUMBER})Y)?(?:(?P<months>{_NUMBER})M)?(?:(?P<weeks>{_NUMBER})W)?(?:(?P<days>{_NUMBER})D)?"
    rf"(?P<time>T(?:(?P<hours>{_NUMBER})H)?(?:(?P<minutes>{_NUMBER})M)?"
    rf"(?:(?P<seconds>{_NUMBER}(?:[.,]{_NUMBER})?)S)?)?",
    re.ASCII,
)
# Nominal lengths, only for estimates: exact positions are always computed from the anchor.
_NOMINAL_MONTH = timedelta(days=30.436875)
_LONGEST = timedelta(days=3_652_059)  # the years 1 to 9999


@dataclass(frozen=True, slots=True)
class Period:
    """Months and days move the wall clock, ``elapsed`` moves the instant."""

    months: int = 0
    days: int = 0
    elapsed: timedelta = timedelta(0)

    @property
    def nominal(self) -> timedelta:
        """About how long it is."""
        return self.months * _NOMINAL_MONTH + timedelta(days=self.days) + self.elapsed

    @property
    def is_zero(self) -> bool:
        return self.months == 0 and self.days == 0 and self.elapsed == timedelta(0)


def parse_period(text: str) -> Period | None:
    """Read ``PnYnMnWnDTnHnMnS`` (seconds may have a fraction). None when it is none, or longer than any calendar."""
    match = _PERIOD.fullmatch(text)
    if match is None or match["time"] == "T":
        return None
    number = {unit: int(match[unit] or 0) for unit in ("years", "months", "weeks", "days", "hours", "minutes")}
    try:
        period = Period(
            months=12 * number["years"] + number["months"],
            days=7 * number["weeks"] + number["days"],
            elapsed=timedelta(
                hours=number["hours"],
                minutes=number["minutes"],
                seconds=float((match["seconds"] or "0").replace(",", ".")),
            ),
        )
        return period if period.nominal < _LONGEST else None
    except OverflowError:
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
