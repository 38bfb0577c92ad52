"""Times as people write them: with an offset, or on the wall clock of a zone; a date for the whole day."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, tzinfo

from chronos_py.model.schedule.zone import to_instant

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def read_instant(text: str, zone: tzinfo, is_end: bool = False) -> datetime | None:
    """The instant (aware UTC) of an ISO 8601 time, on the wall clock of ``zone`` where it has no offset.

    A date alone is the beginning of that day, or with ``is_end`` its last instant. None for anything else.
    """
    try:
        if _DATE.fullmatch(text):
            day = date.fromisoformat(text)
            return to_instant(datetime.combine(day, time.max if is_end else time.min), zone)
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo is not None else to_instant(moment, zone)
    except (ValueError, OverflowError):  # no time at all, or one outside the years 1 to 9999
        return None
