"""Schedules as the original shows them: with the next start and the repetitions that are left.

The original rewrites its stored text after every launch, and clients read the next run from it. We keep the
text that was written, with its anchor, and show the other form; where it comes back unchanged, nothing changes.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Any

from chronos_py.model.job import Job
from chronos_py.model.schedule import parse_schedule
from chronos_py.model.schedule.iso8601 import RepeatingInterval


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


def restore_schedule(document: dict[str, Any], job: Job) -> None:
    """Put the stored schedule in where ``document`` brings back the form that was shown, so that nothing restarts."""
    definition = job.definition
    same_zone = document.get("scheduleTimeZone", "") == definition.schedule_time_zone
    if document.get("schedule") != shown_schedule(job) or not same_zone or definition.parents:
        return
    if definition.kind == "manual":
        del document["schedule"]
    elif job.repetitions_left != 0 or document.get("disabled"):
        # An exhausted schedule that comes back as R0 on a job to be enabled shall not begin anew.
        document["schedule"] = definition.schedule
