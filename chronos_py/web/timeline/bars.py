"""Bars of the timeline: what the template puts into SVG. All places are percent of the width; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from chronos_py.model.run import RunState
from chronos_py.services.timeline import Band, Day, Planned, Row, TimedRun
from chronos_py.web.timeline.days import Window
from chronos_py.web.words import span

# A band of many runs has the colour of the worst of them.
WORST_FIRST = (
    RunState.FAILED,
    RunState.LOST,
    RunState.KILLED,
    RunState.WAITING_RETRY,
    RunState.RUNNING,
    RunState.STARTING,
    RunState.QUEUED,
    RunState.SKIPPED,
    RunState.SUCCEEDED,
)
SHORTEST = 0.16  # a bar that can be seen and met
MOST_PLANNED = 96  # more planned occurrences in a row are drawn as one band
_FIVE_MINUTES = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: a run, one of its tries, many runs, or what is planned. ``address`` is where a click leads."""

    kind: str
    x: float
    width: float
    state: str
    words: str
    address: str = ""
    start: datetime | None = None
    run_id: int | None = None


@dataclass(frozen=True, slots=True)
class DrawnRow:
    """A job's row."""

    name: str
    bars: Sequence[Bar]
    expected: str

    @property
    def summary(self) -> str:
        """What a screen reader says of the drawing."""
        ran = sum(bar.kind in ("run", "band", "never") for bar in self.bars)
        planned = sum(bar.kind == "planned" for bar in self.bars)
        return f"{self.name}: bars for runs: {ran}, for plans: {planned}"


@dataclass(frozen=True, slots=True)
class Column:
    """Launches and planned occurrences in one bin of the strip at the top; heights in percent of the highest."""

    x: float
    width: float
    launched: float
    planned: float
    words: str


@dataclass(frozen=True, slots=True)
class Density:
    """The strip at the top. ``words`` tells its peak."""

    columns: Sequence[Column]
    most: int
    words: str


@dataclass(frozen=True, slots=True)
class DayCell:
    """A day in the month."""

    day: date
    address: str
    succeeded: int
    failed: int
    skipped: int
    other: int
    planned: int
    is_today: bool


def draw_row(row: Row, window: Window, now: datetime, hour_address: Callable[[str], str]) -> DrawnRow:
    """The bars of a job. ``hour_address`` leads to an hour of the day, by its time on the wall."""
    bars = [_band(band, window, hour_address) for band in row.bands]
    for run in row.runs:
        bars += _run(run, row, window, now)
    bars += _planned(row.planned, row.expected, window, hour_address)
    return DrawnRow(row.name, bars, span(row.expected) if row.expected is not None else "")


def _run(run: TimedRun, row: Row, window: Window, now: datetime) -> list[Bar]:
    """A run, with its tries where it had several."""
    words = run.state.value.replace("_", " ")
    address = f"/runs/{run.id}"
    if not run.has_begun:
        return [_never(run, words, window, address)]
    end = run.end or max(now, run.start)
    tries = f", {run.attempts} tries" if run.attempts > 1 else ""
    said = f"Run {run.id}, {words}, {window.clock(run.start)}, {span(end - run.start)}{tries}"
    bars = [_bar("run", window, run.start, end, run.state.value, said, address, run.id)]
    if run.state is RunState.RUNNING and row.expected is not None and run.start + row.expected > now:
        until = run.start + row.expected
        bars.insert(0, _bar("expected", window, now, until, "running", f"Expected until {window.clock(until)}"))
    for attempt in row.attempts.get(run.id, ()):
        ended = attempt.end or max(now, attempt.start)
        tried = f"Run {run.id}, try {attempt.number}, {attempt.state.value}, {span(ended - attempt.start)}"
        bars.append(_bar("attempt", window, attempt.start, ended, attempt.state.value, tried, address))
    return bars


def _never(run: TimedRun, words: str, window: Window, address: str) -> Bar:
    """What never began, or has not yet: at its time, or from the first to the last of several."""
    is_one = run.occurrences == 1
    if not is_one:
        words = f"{'many' if run.occurrences is None else run.occurrences} occurrences {words}"
    end = run.start if is_one or run.end is None else max(run.end, run.start)
    said = f"Run {run.id}, {words}, for {window.clock(run.start)}{': ' + run.message if run.message else ''}"
    return _bar("never", window, run.start, end, run.state.value, said, address, run.id)


def _band(band: Band, window: Window, hour_address: Callable[[str], str]) -> Bar:
    total = sum(band.states.values())
    counts = ", ".join(f"{band.states[state]:,} {state.value}" for state in WORST_FIRST if band.states.get(state))
    words = f"{total:,} runs from {window.clock(band.start)} to {window.clock(band.end)}: {counts}"
    worst = next(state for state in WORST_FIRST if band.states.get(state))
    return _bar("band", window, band.start, band.end, worst.value, words, _hour(band.start, window, hour_address))


def _hour(moment: datetime, window: Window, hour_address: Callable[[str], str]) -> str:
    """The address of the hour around a time; "" where no less is seen already."""
    return hour_address(window.clock(moment)[:2] + ":00") if window.hours > 1 else ""


def _planned(
    plan: Planned, expected: timedelta | None, window: Window, hour_address: Callable[[str], str]
) -> list[Bar]:
    length = expected or timedelta(0)
    if plan.first is None or plan.last is None or not plan.count:
        return []
    if plan.times and len(plan.times) <= MOST_PLANNED:
        usual = f", usually takes {span(expected)}" if expected is not None else ""
        return [
            _bar("planned", window, time, time + length, "planned", f"Planned for {window.clock(time)}{usual}")
            for time in plan.times
        ]
    words = f"{plan.count:,} runs planned from {window.clock(plan.first)} to {window.clock(plan.last)}"
    address = _hour(plan.first, window, hour_address)
    return [_bar("planned", window, plan.first, plan.last + length, "planned", words, address)]


def _bar(
    kind: str,
    window: Window,
    start: datetime,
    end: datetime,
    state: str,
    words: str,
    address: str = "",
    run_id: int | None = None,
) -> Bar:
    left, right = window.percent(start), window.percent(end)
    width = max(round(right - left, 3), SHORTEST)
    return Bar(kind, min(left, 100 - width), width, state, words, address, start, run_id)


def density(day: Day, window: Window) -> Density:
    """How many runs begin in each bin."""
    totals = [launched + planned for launched, planned in zip(day.launched, day.planned, strict=True)]
    most = max(totals, default=0)
    if not most:
        return Density((), 0, "Nothing begins in this time.")
    step = timedelta(seconds=day.bin_seconds)
    columns = []
    for number, (launched, planned) in enumerate(zip(day.launched, day.planned, strict=True)):
        if launched or planned:
            start = window.stretch.start + number * step
            left, right = window.percent(start), window.percent(start + step)
            counts = [f"{launched:,} began"] * bool(launched) + [f"{planned:,} planned"] * bool(planned)
            heights = round(launched / most * 100, 2), round(planned / most * 100, 2)
            words = f"{window.clock(start)}: {', '.join(counts)}"
            columns.append(Column(left, round(right - left, 3), *heights, words))
    start = window.stretch.start + totals.index(most) * step
    return Density(
        columns,
        most,
        f"{sum(day.launched):,} began, {sum(day.planned):,} planned. Most at once: {most:,} within"
        f" {span(step)} from {window.clock(start)}.",
    )


def ticks(window: Window) -> list[tuple[float, str, bool]]:
    """Lines on the way: place, time on the wall, and whether it is one of the few that a small screen shows."""
    if window.hours >= 12:
        step, few = timedelta(hours=1), window.hours // 4
    elif window.hours == 1:
        step, few = _FIVE_MINUTES, 3
    else:
        step, few = timedelta(minutes=5 * window.hours), 4
    found: list[tuple[float, str, bool]] = []
    moment = window.stretch.start
    while moment < window.stretch.end:
        found.append((window.percent(moment), window.clock(moment), len(found) % few == 0))
        moment += step
    return found


def month_cells(
    days: Sequence[date],
    ended: Sequence[Mapping[RunState, int]],
    planned: Sequence[int],
    today: date,
    address: Callable[[date], str],
) -> list[list[DayCell | None]]:
    """A month as weeks from Monday on; None where a day belongs to another month."""
    cells: list[DayCell | None] = [None] * days[0].weekday()
    for day, counts, coming in zip(days, ended, planned, strict=True):
        failed = counts.get(RunState.FAILED, 0) + counts.get(RunState.LOST, 0)
        succeeded, skipped = counts.get(RunState.SUCCEEDED, 0), counts.get(RunState.SKIPPED, 0)
        other = sum(counts.values()) - failed - succeeded - skipped
        cells.append(DayCell(day, address(day), succeeded, failed, skipped, other, coming, day == today))
    cells += [None] * (-len(cells) % 7)
    return [cells[start : start + 7] for start in range(0, len(cells), 7)]
