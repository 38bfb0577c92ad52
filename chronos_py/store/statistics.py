"""Run times, and the attempts of a job, newest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select
from sqlalchemy.orm import aliased

from chronos_py.model.run import Attempt, Overrides, RunState
from chronos_py.model.statistics import RunTimes
from chronos_py.store.attempts import attempt_of, select_attempts
from chronos_py.store.tables import AttemptRow, JobRow, RunRow

_BATCH = 500


def job_run_times(connection: Connection, job_id: int, most: int) -> RunTimes:
    """The times of a job's last successful runs, at most so many."""
    rows = connection.execute(
        select(RunRow.started_at, RunRow.finished_at)
        .where(RunRow.job_id == job_id, _has_run(RunRow))
        .order_by(RunRow.id.desc())
        .limit(most)
    )
    times = sorted(_seconds(started_at, finished_at) for started_at, finished_at in rows)
    count = select(func.count()).select_from(RunRow).where(RunRow.job_id == job_id, _has_run(RunRow))
    return RunTimes(times, connection.execute(count).scalar_one())


def run_times(connection: Connection, job_ids: Sequence[int], most: int) -> dict[int, RunTimes]:
    """The times of these jobs' last successful runs, at most so many of each, by job id; those that have any."""
    found: dict[int, list[float]] = {}
    for start in range(0, len(job_ids), _BATCH):
        for job_id, seconds in _times_of(connection, job_ids[start : start + _BATCH], most):
            found.setdefault(job_id, []).append(seconds)
    return {job_id: RunTimes(sorted(seconds), len(seconds)) for job_id, seconds in found.items()}


def _times_of(connection: Connection, job_ids: Sequence[int], most: int) -> Iterator[tuple[int, float]]:
    other = aliased(RunRow)
    # The oldest run that counts, found through the index over a job's runs; NULL: all of them do.
    oldest = (
        select(other.id)
        .where(other.job_id == JobRow.id, _has_run(other))
        .order_by(other.id.desc())
        .offset(most - 1)
        .limit(1)
        .correlate(JobRow)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(JobRow.id, RunRow.started_at, RunRow.finished_at)
        .join(RunRow, RunRow.job_id == JobRow.id)
        .where(JobRow.id.in_(job_ids), _has_run(RunRow), RunRow.id >= func.coalesce(oldest, 0))
    )
    return ((job_id, _seconds(started_at, finished_at)) for job_id, started_at, finished_at in rows)


def _has_run(row: type[RunRow]) -> ColumnElement[bool]:
    """The text that is added to the state keeps SQLite from looking through the runs of all jobs by that index."""
    succeeded = row.state.concat("") == RunState.SUCCEEDED.value
    return succeeded & row.started_at.is_not(None) & row.finished_at.is_not(None)


def _seconds(started_at: datetime | None, finished_at: datetime | None) -> float:
    return max(0.0, (finished_at - started_at).total_seconds()) if started_at and finished_at else 0.0


@dataclass(frozen=True, slots=True)
class JobAttempt:
    """An attempt, when it was committed, what forcing its run changed, and how much its task says it processed."""

    attempt: Attempt
    committed_at: datetime
    overrides: Overrides
    elements_processed: int | None


def last_attempts(connection: Connection, job_id: int, most: int) -> Sequence[JobAttempt]:
    """The last attempts of a job's last runs, newest first."""
    has_attempts = (RunRow.job_id == job_id) & (RunRow.attempts > 0)
    last = select(RunRow.id).where(has_attempts).order_by(RunRow.id.desc()).limit(most)
    rows = connection.execute(
        select_attempts()
        .add_columns(AttemptRow.elements_processed, RunRow.overrides)
        .join_from(AttemptRow, RunRow, RunRow.id == AttemptRow.run_id)
        .where(RunRow.id.in_(last.scalar_subquery()))
        .order_by(AttemptRow.id.desc())
        .limit(most)
    )
    return [
        JobAttempt(attempt_of(row), row.created_at, _overrides(row.overrides), row.elements_processed) for row in rows
    ]


def _overrides(stored: dict[str, list[str] | None] | None) -> Overrides:
    arguments = (stored or {}).get("arguments")
    return Overrides(None if arguments is None else tuple(arguments))
