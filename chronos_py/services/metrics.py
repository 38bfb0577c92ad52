"""Figures for monitoring, read from the database whenever they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chronos_py.model.job import Counters
from chronos_py.model.run import RunState
from chronos_py.model.statistics import RunTimes
from chronos_py.services.application import Application
from chronos_py.store import jobs, leadership, queue, runs


@dataclass(frozen=True, slots=True)
class JobFigures:
    """What is counted about one job. ``next_run`` is aware UTC, None when there is none."""

    name: str
    disabled: bool
    counters: Counters
    next_run: datetime | None
    run_times: RunTimes


@dataclass(frozen=True, slots=True)
class Figures:
    """The cluster's figures. ``queue_seconds`` is how long the oldest run that could start has been waiting."""

    jobs: Sequence[JobFigures]
    unfinished: Mapping[RunState, int]
    high_priority_waiting: int
    queue_seconds: float
    epoch: int
    is_leader: bool
    problems: int


def collect_figures(app: Application) -> Figures:
    now = app.clock.now()
    with app.database.read() as connection:
        counted = jobs.counted_jobs(connection)
        times = app.run_times.of_jobs(connection, counted)
        oldest = queue.oldest_due(connection, now)
        return Figures(
            jobs=[JobFigures(job.name, job.disabled, job.counters, job.next_run, times[job.id]) for job in counted],
            unfinished=runs.count_by_state(connection),
            high_priority_waiting=runs.count_waiting(connection, high_priority=True),
            queue_seconds=0.0 if oldest is None else max(0.0, (now - oldest).total_seconds()),
            epoch=leadership.read_leadership(connection).epoch,
            is_leader=app.term.epoch is not None,
            problems=len(app.health.problems()),
        )
