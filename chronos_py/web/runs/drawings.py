"""Small drawings of runs: how long the last ones took, and what happened in each, attempt by attempt. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chronos_py.model.run import Attempt, Run
from chronos_py.model.statistics import RunTimes

WIDTH = 1000  # of a drawing, in units of its own
TREND_HEIGHT = 150
_LEAST = 6  # what is shorter could not be seen
# Times beyond so many times the 95th percentile are cut off: one of them would flatten all others.
_OUTLIER = 3.0
_MOST_WIDE = 40


@dataclass(frozen=True, slots=True)
class Bar:
    """A run in the trend. ``is_cut``: it took longer than the drawing is high."""

    run: Run
    x: float
    width: float
    height: float
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Trend:
    """The last runs from left to right. ``lines`` are heights by name, from the ground; ``top`` is in seconds."""

    bars: Sequence[Bar]
    lines: Mapping[str, float]
    top: float


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a run's time: ``state`` of the attempt, or "waits"."""

    state: str
    x: float
    width: float


def draw_trend(found: Sequence[Run], times: RunTimes) -> Trend | None:
    """The runs (newest first) that have run, oldest first; None where there are none."""
    ended = [run for run in reversed(found) if run.started_at is not None and run.finished_at is not None]
    if not ended:
        return None
    seconds = [_seconds(run.started_at, run.finished_at) for run in ended]
    figures = {"median": times.percentile(0.5), "p95": times.percentile(0.95)} if times.seconds else {}
    top = max(max(seconds), *figures.values(), 0.001) if figures else max(*seconds, 0.001)
    if figures:
        top = min(top, max(_OUTLIER * figures["p95"], 0.001))
    step = min(WIDTH / len(ended), _MOST_WIDE)
    bars = [
        Bar(
            run,
            round(index * step, 1),
            round(step * 0.8, 1),
            round(max(min(each / top, 1) * TREND_HEIGHT, 2), 1),
            each > top,
        )
        for index, (run, each) in enumerate(zip(ended, seconds, strict=True))
    ]
    return Trend(bars, {name: round(value / top * TREND_HEIGHT, 1) for name, value in figures.items()}, top)


def draw_runs(
    found: Sequence[Run], attempts: Mapping[int, Sequence[Attempt]], now: datetime
) -> dict[int, Sequence[Piece]]:
    """What happened in each of these runs, by id, all on the scale of the one that took longest."""
    longest = max((_seconds(_begin(run), run.finished_at or now) for run in found if attempts.get(run.id)), default=0)
    scale = WIDTH / max(longest, 1)
    return {run.id: _pieces(run, attempts.get(run.id, ()), now, scale) for run in found}


def _begin(run: Run) -> datetime:
    """When a run might have started: its wait for the time it stands for does not count."""
    return max(run.created_at, min(run.scheduled_at, run.started_at or run.created_at))


def _pieces(run: Run, attempts: Sequence[Attempt], now: datetime, scale: float) -> list[Piece]:
    begin = at = _begin(run)
    pieces = []
    for attempt in attempts:
        started = max(attempt.started_at or attempt.created_at or at, at)
        ended = max(attempt.finished_at or now, started)
        if started - at >= timedelta(milliseconds=1):
            pieces.append(_piece("waits", begin, at, started, scale))
        pieces.append(_piece(attempt.state.value, begin, started, ended, scale))
        at = ended
    return pieces


def _piece(state: str, begin: datetime, start: datetime, end: datetime, scale: float) -> Piece:
    least = 0 if state == "waits" else _LEAST
    x = min(_seconds(begin, start) * scale, WIDTH - least)
    return Piece(state, round(x, 1), round(min(max(_seconds(start, end) * scale, least), WIDTH - x), 1))


def _seconds(start: datetime | None, end: datetime | None) -> float:
    return max((end - start).total_seconds(), 0.0) if start and end else 0.0
