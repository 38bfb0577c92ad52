"""Names of time zones that Java knows and the tz database does not."""

from __future__ import annotations

import re

from chronos_py.errors import InvalidDefinition
from chronos_py.model.schedule import parse_zone

# Java's old three-letter names, which stand for regions with their changes of the clock.
_OLD_NAMES = {
    "ACT": "Australia/Darwin",
    "AET": "Australia/Sydney",
    "AGT": "America/Argentina/Buenos_Aires",
    "ART": "Africa/Cairo",
    "AST": "America/Anchorage",
    "BET": "America/Sao_Paulo",
    "BST": "Asia/Dhaka",
    "CAT": "Africa/Harare",
    "CNT": "America/St_Johns",
    "CST": "America/Chicago",
    "CTT": "Asia/Shanghai",
    "EAT": "Africa/Addis_Ababa",
    "ECT": "Europe/Paris",
    "EST": "America/New_York",
    "IET": "America/Indiana/Indianapolis",
    "IST": "Asia/Kolkata",
    "JST": "Asia/Tokyo",
    "MIT": "Pacific/Apia",
    "MST": "America/Denver",
    "NET": "Asia/Yerevan",
    "NST": "Pacific/Auckland",
    "PLT": "Asia/Karachi",
    "PNT": "America/Phoenix",
    "PRT": "America/Puerto_Rico",
    "PST": "America/Los_Angeles",
    "SST": "Pacific/Guadalcanal",
    "VST": "Asia/Ho_Chi_Minh",
}
_OFFSET = re.compile(r"GMT([+-])(\d{1,2})(?::?(\d{2}))?")


def java_zone(name: str) -> str:
    """The tz database's name of the zone that Chronos took ``name`` for: UTC where it knew none.

    Raises InvalidDefinition for an offset that no zone of the tz database has.
    """
    found = region(name)
    try:
        parse_zone(found)
    except InvalidDefinition:
        return "UTC"
    return found


def region(name: str) -> str:
    """``name`` as the tz database has it, where Java's name of a zone is another one.

    Raises InvalidDefinition for an offset that no zone of the tz database has.
    """
    if name in _OLD_NAMES:
        return _OLD_NAMES[name]
    offset = _OFFSET.fullmatch(name)
    if offset is not None:
        sign, hours, minutes = offset.group(1), int(offset.group(2)), int(offset.group(3) or 0)
        if minutes or hours > 12:
            raise InvalidDefinition(
                f'scheduleTimeZone "{name}" has no name in the tz database; name a region instead.',
                "scheduleTimeZone",
            )
        # The tz database counts these westwards.
        return f"Etc/GMT{'-' if sign == '+' else '+'}{hours}" if hours else "UTC"
    return name
