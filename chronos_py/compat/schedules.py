"""Schedules as the original shows them: with the next start and the repetitions that are left.

The original rewrites its stored text after every launch, and clients read the next run from it. We keep the
text that was written, with its anchor, and show the other form; where it comes back unchanged, nothing changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from chronos_py.errors import ScheduleError
from chronos_py.model.document import shown
from chronos_py.model.job import Job
from chronos_py.model.schedule import parse_schedule
from chronos_py.model.schedule.iso8601 import RepeatingInterval

_STARTS_IN = re.compile(r"R\d*/(\d{4})")


def milliseconds(moment: datetime, zone: tzinfo = UTC) -> str:
    """ISO 8601 with milliseconds and the offset in ``zone``, ``Z`` for none."""
    text = moment.astimezone(zone).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def shown_schedule(job: Job) -> str:
    """The schedule of a job as the original would print it now; cron text as it was written.

    A job that is only run by hand is one without repetitions: the original has no other word for it.
    """
    definition = job.definition
    if not definition.schedule:
        return f"R0/{milliseconds(job.created_at)}/PT24H"
    schedule = parse_schedule(definition.schedule, definition.schedule_time_zone, definition.name)
    if not isinstance(schedule, RepeatingInterval):
        return definition.schedule
    # Strict clients need a complete start, also where there is no next one or where none was written.
    start = job.next_due or schedule.anchored(job.created_at).occurrence(0)
    repetitions = "" if job.repetitions_left is None else job.repetitions_left
    period = definition.schedule.split("/", 2)[2]
    return f"R{repetitions}/{milliseconds(start, schedule.zone)}/{period}"


def refuse_old_start(document: Mapping[str, Any]) -> None:
    """The original takes no start before 1970. Raises ScheduleError."""
    text = document.get("schedule", "")
    year = _STARTS_IN.match(text)
    if year is not None and int(year[1]) < 1970:
        raise ScheduleError(f"schedule {shown(text)}: the start is before 1970; use a later one.")


def restore_schedule(document: dict[str, Any], job: Job) -> bool:
    """Put the stored schedule in where ``document`` brings back the form that was shown, so that nothing restarts.

    Whether the schedule is the stored one.
    """
    definition = job.definition
    same_zone = document.get("scheduleTimeZone", "") == definition.schedule_time_zone
    text = document.get("schedule")
    if not text or definition.parents or not same_zone:
        return False
    if text != shown_schedule(job):
        return bool(text == definition.schedule)
    is_resumed = definition.disabled and not document.get("disabled")
    if definition.kind == "manual":
        del document["schedule"]
    elif not (is_resumed and job.repetitions_left == 0):
        # An exhausted schedule begins anew when its job is resumed: one that comes back as R0 shall not.
        document["schedule"] = definition.schedule
    return True
