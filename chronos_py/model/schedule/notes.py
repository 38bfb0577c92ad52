"""What is odd about the next times of a schedule: changes of the clock, blocked and moved occurrences, jitter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from chronos_py.model.schedule.contract import Schedule
from chronos_py.model.schedule.cron import CronExpression
from chronos_py.model.schedule.filtered import BlockedStretch, FilteredSchedule
from chronos_py.model.schedule.iso8601 import RepeatingInterval
from chronos_py.model.schedule.jitter import jitter
from chronos_py.model.schedule.moved import MovedSchedule

MOST_BLOCKS = 50
_INSTANT = timedelta(microseconds=1)


def notes(
    schedule: Schedule, name: str, times: Sequence[datetime], start: datetime, most_jitter: timedelta
) -> list[str]:
    """One sentence without a full stop for each oddity of ``times``, which are those after ``start``, in their order.

    ``name`` is the job's, for its jitter.
    """
    found: list[tuple[datetime, str]] = []
    inner = schedule
    if isinstance(inner, FilteredSchedule):
        if times:
            blocked = inner.blocked_between(start + _INSTANT, times[-1])
            found += [(stretch.first, _blocked(inner, stretch)) for stretch in islice(blocked, MOST_BLOCKS)]
        inner = inner.schedule
    if isinstance(inner, MovedSchedule):
        found += [(time, words) for time in times for words in _moved(inner, time)]
        inner = inner.schedule
    else:
        found += [(time, words) for time in times for words in _clock_change(inner, time)]
    sentences = [words for _, words in sorted(found)]
    if most_jitter and times:
        first = jitter(name, times[0], most_jitter).total_seconds()
        sentences.append(
            f"Each run starts up to {most_jitter.total_seconds():g} s after its time (jitter): the first one"
            f" {first:g} s"
        )
    return sentences


def _local(schedule: Schedule, instant: datetime) -> str:
    return f"{instant.astimezone(schedule.zone):%Y-%m-%d %H:%M}"


def _blocked(schedule: FilteredSchedule, stretch: BlockedStretch) -> str:
    first = _local(schedule, stretch.first)
    if stretch.count == 1:
        return f"{first} is skipped: {stretch.reason}"
    count = "many" if stretch.count is None else f"{stretch.count:,}"
    return f"{first} to {_local(schedule, stretch.last)}: {count} are skipped, {stretch.reason}"


def _moved(schedule: MovedSchedule, time: datetime) -> Iterator[str]:
    origin = schedule.moved_from(time)
    if origin is not None:
        why = schedule.days.why_blocked(origin.astimezone(schedule.zone).date())
        yield f"{_local(schedule, time)} is moved from {_local(schedule, origin)}: {why}"


def _clock_change(schedule: Schedule, time: datetime) -> Iterator[str]:
    if not 2 <= time.year <= 9998:  # no wall clock shows what lies beyond the calendar
        return
    zone = schedule.zone
    before, after = (time - _INSTANT).astimezone(zone), time.astimezone(zone)
    skipped = (after.utcoffset() or timedelta()) - (before.utcoffset() or timedelta())
    if skipped > timedelta(0) and not _shows_listed_time(schedule, after):
        gone = after.replace(tzinfo=None) - skipped
        yield (
            f"On {after:%Y-%m-%d} the clock skips {gone:%H:%M} to {after:%H:%M}: what falls in between runs at"
            f" {after:%H:%M}"
        )
    elif _keeps_wall_clock(schedule) and after.replace(fold=1).utcoffset() != after.replace(fold=0).utcoffset():
        yield f"On {after:%Y-%m-%d} {after:%H:%M} comes twice: it runs the first time only"
    elif isinstance(schedule, RepeatingInterval) and not _keeps_wall_clock(schedule):
        yield from _drift(schedule, time)


def _drift(schedule: RepeatingInterval, time: datetime) -> Iterator[str]:
    """Hours are elapsed time: after a change of the clock a period of whole days comes at another time of day."""
    if schedule.period.elapsed % timedelta(days=1):
        return
    local = time.astimezone(schedule.zone)
    previous = (time - schedule.period.elapsed).astimezone(schedule.zone)
    if previous.utcoffset() != local.utcoffset():
        yield (
            f"From {local:%Y-%m-%d} on it comes at {local:%H:%M}, not {previous:%H:%M}: the clock changes, and hours"
            " are elapsed time; days, such as P1D, keep the time of day"
        )


def _keeps_wall_clock(schedule: Schedule) -> bool:
    if isinstance(schedule, CronExpression):
        return not schedule.follows_elapsed_time
    return isinstance(schedule, RepeatingInterval) and not schedule.period.elapsed


def _shows_listed_time(schedule: Schedule, local: datetime) -> bool:
    """Whether the wall clock shows at ``local`` what the schedule asks for."""
    if isinstance(schedule, CronExpression):
        return schedule.fields.matches(local.replace(tzinfo=None))
    if isinstance(schedule, RepeatingInterval) and schedule.start is not None and _keeps_wall_clock(schedule):
        return local.time() == schedule.start.time()
    return True
