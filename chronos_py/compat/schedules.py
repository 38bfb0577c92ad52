"""Schedules as the original shows them: with the next start and the repetitions that are left.

The original rewrites its stored text after every launch, and clients read the next run from it. We keep the
text that was written, with its anchor, and show the other form; where it comes back unchanged, nothing changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from chronos_py.errors import InvalidDefinition, ScheduleError
from chronos_py.model.job import Job
from chronos_py.model.reader import shown
from chronos_py.model.schedule import parse_schedule
from chronos_py.model.schedule.iso8601 import (
    RepeatingInterval,
    print_repeating_interval,
    read_repeating_interval,
)

_FIRST_START = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


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
    start = job.next_run or schedule.anchored(job.created_at).occurrence(0)
    return print_repeating_interval(_moved(schedule, job.repetitions_left, start))


def _moved(schedule: RepeatingInterval, repetitions: int | None, start: datetime) -> RepeatingInterval:
    try:
        local, zone = start.astimezone(schedule.zone).replace(tzinfo=None), schedule.zone
    except OverflowError:  # past the year 9999 on that zone's wall clock
        local, zone = start.replace(tzinfo=None), UTC
    return replace(schedule, repetitions=repetitions, start=local, zone=zone)


def run_endless_once(document: dict[str, Any], present: Job | None) -> None:
    """Give a schedule whose period is zero or negative one run: the original runs it back to back for ever.

    Once it has run, the same document is no reason to run again. What cannot be read is left for others to refuse.
    """
    text = document.get("schedule") or ""
    try:
        schedule = read_repeating_interval(text.strip(), None)
    except ScheduleError:
        return
    length = schedule.period.nominal
    if length > timedelta(0):
        return
    repetitions, start, period = text.strip().split("/")
    if schedule.repetitions not in (0, 1):
        repetitions = "R1"
    if "-" in period:
        period = "PT0S"
    settled = f"{repetitions}/{start}/{period}"
    if settled == text:
        return
    document["schedule"] = settled
    if present is not None and present.definition.schedule == settled and present.repetitions_left == 0:
        document["disabled"] = bool(document.get("disabled")) or present.definition.disabled


def refuse_old_start(document: Mapping[str, Any]) -> None:
    """The original takes no start before 1970. Raises ScheduleError."""
    schedule = _interval(document.get("schedule", ""), document.get("scheduleTimeZone", ""))
    if schedule is None or schedule.start is None or schedule.occurrence(0) >= _FIRST_START:
        return
    position = schedule.text.index("/") + 1
    raise ScheduleError(f"schedule {shown(schedule.text)}: the start is before 1970; use a later one.", position)


def _interval(text: str, zone: str) -> RepeatingInterval | None:
    """None for what is none, or cannot be read."""
    try:
        schedule = parse_schedule(text, zone)
    except InvalidDefinition:
        return None
    return schedule if isinstance(schedule, RepeatingInterval) else None


def restore_schedule(document: dict[str, Any], job: Job) -> bool:
    """Put the stored schedule in where ``document`` brings back the form that was shown, so that nothing restarts.

    Whether the schedule is the stored one.
    """
    definition = job.definition
    same_zone = document.get("scheduleTimeZone", "") == definition.schedule_time_zone
    text = document.get("schedule")
    if not text or definition.parents or not same_zone:
        return False
    if text != shown_schedule(job) and not _was_shown(text, job):
        return bool(text == definition.schedule)
    is_resumed = definition.disabled and not document.get("disabled")
    if definition.kind == "manual":
        del document["schedule"]
    elif not (is_resumed and job.repetitions_left == 0):
        # An exhausted schedule begins anew when its job is resumed: one that comes back as R0 shall not.
        document["schedule"] = definition.schedule
    return True


def _was_shown(text: str, job: Job) -> bool:
    """Whether ``text`` is the job's schedule as it may have been shown before a later run."""
    zone = job.definition.schedule_time_zone
    stored, form = _interval(job.definition.schedule, zone), _interval(text, zone)
    if stored is None or form is None or form.start is None:
        return False
    if print_repeating_interval(replace(form, text=stored.text)) != text:
        return False
    stored = stored.anchored(job.anchored_at or job.created_at)
    start = form.occurrence(0)
    is_later = job.next_run is not None and start >= job.next_run
    if is_later or stored.latest_at_or_before(start) != start:
        return False
    if form.repetitions is None or stored.repetitions is None or job.repetitions_left is None:
        return form.repetitions is None and job.repetitions_left is None
    # One repetition goes for at most one occurrence: any other number is one that somebody chose.
    used_before, used_since = stored.repetitions - form.repetitions, form.repetitions - job.repetitions_left
    occurrences_before = stored.count_between(stored.occurrence(0), start) - 1
    occurrences_since = used_since if job.next_run is None else stored.count_between(start, job.next_run) - 1
    return 0 <= used_before <= occurrences_before and 0 <= used_since <= occurrences_since
