"""When a job is due next, after it was defined, changed, paused or resumed, or a calendar of its was changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from chronos_py.errors import InvalidDefinition
from chronos_py.model.job import Definition, Job
from chronos_py.model.reader import shown
from chronos_py.model.restrictions import OnBlockedDay
from chronos_py.model.schedule import Schedule, parse_schedule
from chronos_py.model.schedule.calendar import Calendar
from chronos_py.model.schedule.catch_up import first_times, next_times
from chronos_py.services.pauses import begins_anew, note_pause
from chronos_py.store import calendars, jobs, schedules
from chronos_py.store.schedules import StoredSchedule

# Moving looks at every occurrence of the days that are blocked.
MOST_MOVED_PER_WEEK = 7 * 24


def schedule_job(
    connection: Connection,
    job_id: int,
    definition: Definition,
    before: Job | None,
    now: datetime,
    catch_up: bool = False,
) -> None:
    """Write when a job is due; ``before`` is the job as it was. Raises InvalidDefinition.

    ``catch_up`` lets a job that is resumed treat what came while it was paused as missed; otherwise that is skipped.
    """
    names = definition.restrictions.calendars if definition.schedule else ()
    known = calendars.calendars_named(connection, names)
    require_calendars(definition, known)
    calendars.set_job_calendars(connection, job_id, names)
    previous = schedules.find_schedule(connection, job_id)
    resumed_at = now
    if previous is not None and before is not None:
        began = note_pause(connection, before, definition, previous, now, catch_up)
        resumed_at = began if catch_up and began is not None else now
    following = _next_schedule(
        job_id, definition, None if before is None else before.definition, previous, known, now, resumed_at
    )
    schedules.put_schedule(connection, following, job_id)


def first_schedule(
    job_id: int, definition: Definition, known: Mapping[str, Calendar], now: datetime
) -> StoredSchedule | None:
    """The schedule row of a new job, None for a job without one. Raises InvalidDefinition.

    ``known`` are the calendars that there are, of those that the job obeys.
    """
    require_calendars(definition, known)
    return _next_schedule(job_id, definition, None, None, known, now, now)


def reschedule(connection: Connection, name: str, now: datetime) -> None:
    """A calendar of the job has changed: find its next occurrence anew."""
    job = jobs.find_job(connection, name, lock=True)
    previous = None if job is None else schedules.find_schedule(connection, job.id)
    if job is None or previous is None or job.definition.disabled:
        return
    known = calendars.calendars_named(connection, job.definition.restrictions.calendars)
    timetable = job.definition.timetable(known, previous.defined_at)
    schedules.put_schedule(connection, _found_anew(previous, timetable, now), job.id)


def _next_schedule(
    job_id: int,
    definition: Definition,
    before: Definition | None,
    previous: StoredSchedule | None,
    known: Mapping[str, Calendar],
    now: datetime,
    resumed_at: datetime,
) -> StoredSchedule | None:
    """The schedule row of a definition. An unchanged schedule keeps its place: saving a job is no reason to run it.

    A job that is resumed owes what comes after ``resumed_at``; a schedule of so many repetitions that has run none,
    or all of them, begins anew then. A new name may move a schedule with an H.
    """
    if not definition.schedule:
        return None
    # An open start is shown to the millisecond; a finer one would make other occurrences when it comes back.
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    written = (definition.schedule, definition.schedule_time_zone)
    is_same = previous is not None and (previous.expression, previous.time_zone) == written
    timetable = definition.timetable(known, previous.defined_at if previous is not None and is_same else now)
    is_restricted_anew = before is None or before.restrictions != definition.restrictions
    if is_restricted_anew:
        _refuse_what_never_comes(definition, timetable, now)
    if previous is not None and is_same:
        if definition.disabled:
            return replace(previous, next_due=None, next_run=None)
        if not (before is not None and before.disabled):
            is_lost = previous.next_due is None  # it had ended, or could not be read
            is_moved = is_lost or is_restricted_anew or (before is not None and _is_moved_by_name(before, definition))
            return _found_anew(previous, timetable, now) if is_moved else previous
        if not begins_anew(definition, previous):
            due, run = next_times(timetable, min(now, resumed_at))
            return replace(previous, next_due=due, next_run=run)
    due, run = (None, None) if definition.disabled else first_times(definition.timetable(known, now), now)
    return StoredSchedule(job_id, *written, now, due, run, timetable.repetitions)


def _is_moved_by_name(before: Definition, definition: Definition) -> bool:
    """Whether the two have other occurrences although their schedules read the same: H is drawn from the name."""
    if before.name == definition.name:
        return False
    old, new = (parse_schedule(each.schedule, each.schedule_time_zone, each.name) for each in (before, definition))
    return old != new


def _found_anew(previous: StoredSchedule, timetable: Schedule, now: datetime) -> StoredSchedule:
    """What is due already stays so: the planner looks at it with the restrictions that hold by then."""
    is_due = previous.next_due is not None and previous.next_due <= now
    if is_due or previous.repetitions_left == 0:
        return previous
    due, run = next_times(timetable, now)
    return replace(previous, next_due=due, next_run=run)


def require_calendars(definition: Definition, known: Mapping[str, Calendar]) -> None:
    """Raises InvalidDefinition for a calendar that is not ``known``."""
    restrictions = definition.restrictions
    for field, names in (
        ("excludeCalendars", restrictions.exclude_calendars),
        ("onlyCalendars", restrictions.only_calendars),
    ):
        for name in names if definition.schedule else ():
            if name not in known:
                raise InvalidDefinition(
                    f"{field} contains {shown(name)}, which is no calendar; define it first, or use a built-in one:"
                    " weekends, a country such as DE or DE-BY, or an exchange such as NYSE.",
                    field,
                )


def _refuse_what_never_comes(definition: Definition, timetable: Schedule, now: datetime) -> None:
    restrictions = definition.restrictions
    plain = parse_schedule(definition.schedule, definition.schedule_time_zone, definition.name).anchored(now)
    following = plain.next_after(now)
    if restrictions.on_blocked_day is not OnBlockedDay.SKIP and restrictions.calendars and following is not None:
        per_week = plain.count_between(following, following + timedelta(days=7))
        if per_week is None or per_week > MOST_MOVED_PER_WEEK:
            raise InvalidDefinition(
                f"onBlockedDay is {shown(restrictions.on_blocked_day.value)}, but a schedule that comes more often"
                " than once an hour cannot move to other days; use skip.",
                "onBlockedDay",
            )
    is_over = restrictions.end is not None and restrictions.end <= now
    if following is not None and not is_over and timetable.repetitions != 0 and timetable.next_after(now) is None:
        field = "onlyCalendars" if restrictions.only_calendars else "excludeCalendars"
        field = field if restrictions.calendars else "blackouts" if restrictions.blackouts else "endTime"
        raise InvalidDefinition(
            f"{field} leaves no occurrence of the schedule {shown(definition.schedule)}: the job would never run.",
            field,
        )
