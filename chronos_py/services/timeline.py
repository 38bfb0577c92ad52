"""What ran, runs and will run in a stretch of time, across all jobs."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from threading import Lock
from typing import Any

from sqlalchemy import Connection

from chronos_py.model.document import read_stored_definition
from chronos_py.model.run import RunState
from chronos_py.model.schedule.contract import Schedule
from chronos_py.services.application import Application
from chronos_py.store import calendars, timeline
from chronos_py.store.timeline import JobFilter, PlannedJob, Stretch, TimedAttempt, TimedRun

__all__ = [
    "Band",
    "Day",
    "JobFilter",
    "Planned",
    "Row",
    "Stretch",
    "TimedAttempt",
    "TimedRun",
    "view_day",
    "view_stretches",
]

# More runs of a job in one row are not drawn one by one.
MOST_BARS = 96
# More occurrences of a schedule in one stretch are not named one by one, but counted bin by bin.
MOST_OCCURRENCES = 100
# So many schedules are read and so many steps taken for one page; the rest is known from before, or comes with the
# next refresh.
MOST_READ = 1500
MOST_STEPS = 60_000
# The bins of a whole day, where nobody asks for others.
DAY_BIN_SECONDS = 300
_KEPT = 40_000
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Planned:
    """Occurrences in a stretch: each of them, or, of many, how many lie in each bin of it."""

    times: Sequence[datetime] = ()
    first: datetime | None = None
    last: datetime | None = None
    count: int = 0
    bins: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Band:
    """Many runs, as one: how many in which state."""

    start: datetime
    end: datetime
    states: Mapping[RunState, int]


@dataclass(frozen=True, slots=True)
class Row:
    """A job in the timeline; ``expected`` is how long its runs take (the median of the last that succeeded)."""

    name: str
    runs: Sequence[TimedRun]
    attempts: Mapping[int, Sequence[TimedAttempt]]
    bands: Sequence[Band]
    planned: Planned
    expected: timedelta | None


@dataclass(frozen=True, slots=True)
class Day:
    """A page of rows; of all jobs, launches and planned occurrences per bin of ``bin_seconds``.

    ``unread`` counts jobs whose plan is not in ``planned`` yet. ``following``: after which job the next page begins.
    """

    stretch: Stretch
    rows: Sequence[Row]
    bin_seconds: int
    launched: Sequence[int]
    planned: Sequence[int]
    unread: int
    following: str | None


def view_day(
    app: Application, stretch: Stretch, bin_seconds: int, jobs: JobFilter, after: str = "", limit: int = 50
) -> Day:
    """What has to do with a stretch of time."""
    now = app.clock.now()
    bins = -(-int((stretch.end - stretch.start).total_seconds()) // bin_seconds)
    with app.database.read() as connection:
        names = timeline.busy_jobs(connection, stretch, now, jobs, after, limit + 1)
        shown = dict(list(names.items())[:limit])
        ids = list(shown)
        plans, unread = _plans(app, connection, stretch, bin_seconds, now, jobs, ids)
        launched = timeline.count_launches(connection, stretch, bin_seconds, jobs)
        rows = _rows(connection, shown, stretch, bin_seconds, plans)
    planned = [0] * bins
    for plan in plans.values():
        add_to_bins(plan, stretch.start, bin_seconds, planned)
    return Day(
        stretch,
        rows,
        bin_seconds,
        [launched.get(number, 0) for number in range(bins)],
        planned,
        unread,
        shown[ids[-1]] if len(names) > limit else None,
    )


def view_stretches(
    app: Application, stretches: Sequence[Stretch], jobs: JobFilter
) -> tuple[list[Counter[RunState]], list[int], int]:
    """For neighbouring stretches (days): how many runs ended in each, by state; what is planned; what is unread."""
    whole, now = Stretch(stretches[0].start, stretches[-1].end), app.clock.now()
    ends = [stretch.end for stretch in stretches]
    ended: list[Counter[RunState]] = [Counter() for _ in stretches]
    quarter = 900  # what all zones' days are made of
    with app.database.read() as connection:
        for number, state, count in timeline.count_ended(connection, whole, quarter, jobs):
            day = _which(ends, whole.start + timedelta(seconds=number * quarter))
            ended[day][state] += count
        planned, unread = _counts(app, connection, [each for each in stretches if each.end > now], now, jobs)
    planned = [0] * (len(stretches) - len(planned)) + planned
    return ended, planned, unread


def _which(ends: Sequence[datetime], moment: datetime) -> int:
    return min(bisect_left(ends, moment + timedelta(microseconds=1)), len(ends) - 1)


def _rows(
    connection: Connection, names: Mapping[int, str], stretch: Stretch, seconds: int, plans: Mapping[int, Planned]
) -> list[Row]:
    counts = timeline.count_runs(connection, list(names), stretch) if names else {}
    many = [job_id for job_id, count in counts.items() if count > MOST_BARS]
    few = [job_id for job_id in counts if job_id not in set(many)]
    runs: dict[int, list[TimedRun]] = defaultdict(list)
    for run in timeline.runs_in(connection, few, stretch) if few else ():
        runs[run.job_id].append(run)
    retried = [run.id for each in runs.values() for run in each if run.attempts > 1 and run.has_begun]
    attempts: dict[int, list[TimedAttempt]] = defaultdict(list)
    for attempt in timeline.attempts_of(connection, retried) if retried else ():
        attempts[attempt.run_id].append(attempt)
    bands = _bands(connection, many, stretch, seconds)
    lengths = timeline.recent_lengths(connection, names)
    return [
        Row(
            name,
            runs[job_id],
            {run.id: attempts[run.id] for run in runs[job_id] if run.id in attempts},
            bands.get(job_id, ()),
            plans.get(job_id, Planned()),
            _median(lengths.get(job_id, ())),
        )
        for job_id, name in names.items()
    ]


def _median(lengths: Sequence[timedelta]) -> timedelta | None:
    return timedelta(seconds=median(length.total_seconds() for length in lengths)) if lengths else None


def _bands(connection: Connection, job_ids: Sequence[int], stretch: Stretch, seconds: int) -> dict[int, list[Band]]:
    """The runs of these jobs bin by bin; bins beside each other that look alike are one band."""
    bins: dict[int, dict[int, Counter[RunState]]] = defaultdict(lambda: defaultdict(Counter))
    for job_id, number, state, count in (
        timeline.bins_of_runs(connection, job_ids, stretch, seconds) if job_ids else ()
    ):
        bins[job_id][number][state] += count
    return {job_id: joined(stretch.start, seconds, found) for job_id, found in bins.items()}


def joined(start: datetime, seconds: int, bins: Mapping[int, Mapping[RunState, int]]) -> list[Band]:
    """Bins as bands: neighbours with the same states (whatever their number) become one."""
    bands: list[Band] = []
    step = timedelta(seconds=seconds)
    for number in sorted(bins):
        begin = start + number * step
        states = Counter(bins[number])
        last = bands[-1] if bands else None
        if last is not None and last.end == begin and set(last.states) == set(states):
            bands[-1] = Band(last.start, begin + step, Counter(last.states) + states)
        else:
            bands.append(Band(begin, begin + step, states))
    return bands


def add_to_bins(plan: Planned, start: datetime, seconds: int, bins: list[int]) -> None:
    """Add occurrences to the bins of so many seconds that they lie in."""
    for time in plan.times:
        bins[int((time - start).total_seconds() // seconds)] += 1
    for number, count in enumerate(plan.bins):
        bins[number] += count


def _counts(
    app: Application, connection: Connection, stretches: Sequence[Stretch], now: datetime, jobs: JobFilter
) -> tuple[list[int], int]:
    """How much is planned in neighbouring stretches that are not over, and of how many jobs nobody knows yet."""
    totals = [0] * len(stretches)
    if not stretches:
        return totals, 0
    first = 0
    if stretches[0].start <= now:  # of what has begun, some has been decided already
        plans, _ = _plans(app, connection, stretches[0], DAY_BIN_SECONDS, now, jobs)
        totals[0], first = sum(plan.count for plan in plans.values()), 1
    whole = Stretch(stretches[0].start, stretches[-1].end)
    due, keys, found, missing = _looked_up(app, connection, whole, jobs, "counts")
    for job, schedule in _schedules(connection, missing[:MOST_READ]):
        found[job.job_id] = tuple(count_in(schedule, stretch) for stretch in stretches)
        _known.put(keys[job.job_id], found[job.job_id])
    for job in due:
        left = job.repetitions_left
        for number in range(first, len(stretches) if job.job_id in found else 0):
            if stretches[number].end > job.next_run:
                count = found[job.job_id][number] if left is None else min(found[job.job_id][number], left)
                left = None if left is None else left - count
                totals[number] += count
    return totals, max(len(missing) - MOST_READ, 0)


class _Known:
    """What was worked out before, by job, revision and stretch; the oldest goes first. Thread-safe."""

    def __init__(self) -> None:
        self._values: OrderedDict[tuple[object, ...], Any] = OrderedDict()
        self._lock = Lock()

    def get(self, key: tuple[object, ...]) -> Any:
        with self._lock:
            return self._values.get(key)

    def put(self, key: tuple[object, ...], value: Any) -> None:
        with self._lock:
            self._values[key] = value
            while len(self._values) > _KEPT:
                self._values.popitem(last=False)


_known = _Known()


def _looked_up(
    app: Application, connection: Connection, stretch: Stretch, jobs: JobFilter, kind: object
) -> tuple[list[PlannedJob], dict[int, tuple[object, ...]], dict[int, Any], list[PlannedJob]]:
    """The jobs that are due before a stretch ends, their keys, what is known of them, and those without."""
    place = (kind, app.database.shown_url, timeline.calendars_changed_at(connection), stretch.start, stretch.end)
    due = timeline.planned_jobs(connection, stretch.end, jobs)
    keys: dict[int, tuple[object, ...]] = {
        job.job_id: (*place, job.job_id, job.revision, job.anchored_at) for job in due
    }
    found = {job.job_id: value for job in due if (value := _known.get(keys[job.job_id])) is not None}
    return due, keys, found, [job for job in due if job.job_id not in found]


def _plans(
    app: Application,
    connection: Connection,
    stretch: Stretch,
    seconds: int,
    now: datetime,
    jobs: JobFilter,
    first: Sequence[int] = (),
) -> tuple[dict[int, Planned], int]:
    """What is still to come in a stretch, by job, and of how many jobs nobody has worked it out yet.

    Those of ``first`` are worked out before others.
    """
    if stretch.end <= now:
        return {}, 0
    due, keys, found, missing = _looked_up(app, connection, stretch, jobs, ("plans", seconds))
    wanted = set(first)
    missing.sort(key=lambda job: job.job_id not in wanted)
    steps = read = 0
    for job, schedule in _schedules(connection, missing[:MOST_READ]):
        if steps > MOST_STEPS:
            break
        plan = found[job.job_id] = occurrences(schedule, stretch, seconds)
        _known.put(keys[job.job_id], plan)
        steps, read = steps + len(plan.times) + len(plan.bins), read + 1
    known = [(job, found[job.job_id]) for job in due if job.job_id in found]
    coming = {job.job_id: still_to_come(plan, job, stretch.start, seconds) for job, plan in known}
    return coming, len(missing) - read


def _schedules(connection: Connection, jobs: Sequence[PlannedJob]) -> list[tuple[PlannedJob, Schedule]]:
    documents = timeline.documents(connection, [job.job_id for job in jobs]) if jobs else {}
    definitions = {job.job_id: read_stored_definition(documents[job.job_id]) for job in jobs}
    names = {name for definition in definitions.values() for name in definition.restrictions.calendars}
    known = calendars.calendars_named(connection, names)
    return [(job, definitions[job.job_id].timetable(known, job.anchored_at)) for job in jobs]


def count_in(schedule: Schedule, stretch: Stretch) -> int:
    """How many occurrences of a schedule lie in a stretch."""
    last = stretch.end - _INSTANT
    start = schedule.next_after(stretch.start - _INSTANT)
    if start is None or start > last:
        return 0
    count = schedule.count_between(start, last)
    return occurrences(schedule, stretch, DAY_BIN_SECONDS).count if count is None else count


def occurrences(schedule: Schedule, stretch: Stretch, seconds: int) -> Planned:
    """All occurrences of a schedule in a stretch; of many how many lie in each bin of so many seconds."""
    last = stretch.end - _INSTANT
    start = schedule.next_after(stretch.start - _INSTANT)
    if start is None or start > last:
        return Planned()
    number = -(-int((stretch.end - stretch.start).total_seconds()) // seconds)
    count = schedule.count_between(start, last)
    if count is not None and count > max(number, MOST_OCCURRENCES):
        step = timedelta(seconds=seconds)
        starts = [stretch.start + place * step for place in range(number)]
        bins = [schedule.count_between(begin, min(begin + step - _INSTANT, last)) or 0 for begin in starts]
        return Planned((), start, schedule.latest_at_or_before(last), sum(bins), bins)
    times = [start]
    while len(times) < MOST_STEPS and (time := schedule.next_after(times[-1])) is not None and time <= last:
        times.append(time)
    if len(times) <= MOST_OCCURRENCES:
        return Planned(times, times[0], times[-1], len(times))
    bins = [0] * number
    add_to_bins(Planned(times), stretch.start, seconds, bins)
    return Planned((), times[0], times[-1], len(times), bins)


def still_to_come(plan: Planned, job: PlannedJob, start: datetime, seconds: int) -> Planned:
    """What of a plan has not been decided yet: from the job's next run on, and not more than it may still run."""
    begin = job.next_run
    most = plan.count if job.repetitions_left is None else job.repetitions_left
    if plan.last is None or plan.first is None or plan.last < begin or not most:
        return Planned()
    if plan.times:
        times = plan.times[bisect_left(plan.times, begin) :][:most]
        return Planned(times, times[0], times[-1], len(times))
    if begin <= plan.first and most >= plan.count:
        return plan
    bins = list(plan.bins)
    if begin > plan.first:
        place, into = divmod((begin - start).total_seconds(), seconds)
        # The next run is one of its bin; before it lie as many as if they came evenly.
        bins[: int(place)] = [0] * int(place)
        bins[int(place)] = math.ceil(bins[int(place)] * (1 - into / seconds))
    for number, count in enumerate(bins):
        bins[number] = min(count, most)
        most -= bins[number]
    step = timedelta(seconds=seconds)
    filled = [number for number, count in enumerate(bins) if count]
    last = plan.last if most else min(plan.last, start + (filled[-1] + 1) * step - _INSTANT)
    return Planned((), max(plan.first, begin), last, sum(bins), bins)
