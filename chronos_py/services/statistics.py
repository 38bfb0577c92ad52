"""How long the runs of jobs take, and what their last attempts did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chronos_py.model.job import Job
from chronos_py.model.statistics import RunTimes
from chronos_py.services.application import Application
from chronos_py.services.jobs import require_job
from chronos_py.store import jobs, statistics
from chronos_py.store.statistics import JobAttempt

__all__ = ["JobAttempt", "JobStatistics", "all_run_times", "job_statistics"]

# The last so many successful runs count where one job is asked for.
LAST_OF_ONE = 1000


@dataclass(frozen=True, slots=True)
class JobStatistics:
    """A job's run times, and its last attempts, newest first."""

    job: Job
    run_times: RunTimes
    attempts: Sequence[JobAttempt]


def job_statistics(app: Application, name: str, history: int = 5) -> JobStatistics:
    """The run times of a job's last 1000 successful runs, and its last ``history`` attempts. Raises NotFound."""
    with app.database.read() as connection:
        job = require_job(connection, name)
        return JobStatistics(
            job,
            statistics.job_run_times(connection, job.id, LAST_OF_ONE),
            statistics.last_attempts(connection, job.id, history),
        )


def all_run_times(app: Application) -> Mapping[str, RunTimes]:
    """The run times of every job's last 100 successful runs, by name; a job without any has none."""
    with app.database.read() as connection:
        counted = jobs.counted_jobs(connection)
        times = app.run_times.of_jobs(connection, counted)
    return {job.name: times[job.id] for job in counted}
