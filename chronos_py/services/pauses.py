"""What came while a job was paused is told in its history: as one skipped row, unless it is caught up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from chronos_py.model.job import Definition, Job
from chronos_py.model.run import Reason, RunState, Trigger
from chronos_py.model.schedule import Schedule, parse_schedule
from chronos_py.store import calendars, revisions, runs
from chronos_py.store.runs import NewRun
from chronos_py.store.schedules import StoredSchedule

_INSTANT = timedelta(microseconds=1)


def begins_anew(definition: Definition, previous: StoredSchedule) -> bool:
    """Whether a schedule that is resumed starts from its beginning: of so many repetitions none, or all, have run."""
    repetitions = parse_schedule(definition.schedule, definition.schedule_time_zone, definition.name).repetitions
    return repetitions is not None and previous.repetitions_left in (0, repetitions)


def note_pause(
    connection: Connection,
    before: Job,
    definition: Definition,
    previous: StoredSchedule,
    now: datetime,
    catch_up: bool,
) -> datetime | None:
    """Tell what a paused job did not run, when it is resumed or gets another schedule.

    When it is paused, that is what was due and not planned yet. The answer is since when occurrences were held back,
    None for a job that was not paused. With ``catch_up`` none of them is told: the planner looks at them then.
    """
    if not before.definition.disabled:
        if definition.disabled and previous.next_due is not None and previous.next_due <= now:
            message = "skipped: the job was paused before the run could start"
            _skip(connection, before, previous, previous.next_due, now, message)
        return None
    began = revisions.pause_began(connection, before.id, before.revision)
    if began is None:
        return None
    since = max(began.created_at, previous.defined_at)
    is_same = (previous.expression, previous.time_zone) == (definition.schedule, definition.schedule_time_zone)
    is_resumed = not definition.disabled
    if is_same and (not is_resumed or catch_up or begins_anew(definition, previous)):
        return since
    by = f" by {began.author}" if began.author else ""
    message = f"skipped: the job was paused from {_words(began.created_at)} to {_words(now)}{by}"
    _skip(connection, before, previous, since + _INSTANT, now, message)
    return since


def _skip(
    connection: Connection, job: Job, previous: StoredSchedule, first: datetime, last: datetime, message: str
) -> None:
    """One row for all occurrences in [first, last], however many there are."""
    if previous.repetitions_left == 0:
        return
    timetable = _timetable(connection, job.definition, previous)
    begin, end = timetable.next_after(first - _INSTANT), timetable.latest_at_or_before(last)
    if begin is None or end is None or end < begin:
        return
    row = NewRun(
        job_id=job.id,
        revision=job.revision,
        trigger=Trigger.SCHEDULE,
        scheduled_at=begin,
        created_at=last,
        state=RunState.SKIPPED,
        reason=Reason.DISABLED,
        message=message,
        scheduled_until=end,
        occurrences=timetable.count_between(begin, end),
    )
    runs.insert_run(connection, row)


def _timetable(connection: Connection, definition: Definition, previous: StoredSchedule) -> Schedule:
    known = calendars.calendars_named(connection, definition.restrictions.calendars)
    return definition.timetable(known, previous.defined_at)


def _words(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
