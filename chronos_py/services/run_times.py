"""The run times of all jobs, kept in memory between two questions: monitoring asks for them again and again."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from chronos_py.model.statistics import RunTimes
from chronos_py.store import statistics
from chronos_py.store.jobs import CountedJob

# The last so many successful runs of each job count.
LAST_OF_EACH = 100

_Successes = tuple[int, datetime | None]


class RecentRunTimes:
    """Reads the runs of those jobs only that have succeeded since it was asked last. For use by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, tuple[_Successes, RunTimes]] = {}

    def of_jobs(self, connection: Connection, jobs: Sequence[CountedJob]) -> Mapping[int, RunTimes]:
        """The times of every one of ``jobs``, which were read before in the same transaction, by job id."""
        with self._lock:
            successes = {job.id: (job.counters.success_count, job.counters.last_success) for job in jobs}
            kept = {
                job_id: known
                for job_id, known in self._known.items()
                if job_id in successes and known[0] == successes[job_id]
            }
            changed = [job_id for job_id in successes if job_id not in kept]
            found = statistics.run_times(connection, changed, LAST_OF_EACH)
            for job_id in changed:
                times = found.get(job_id, RunTimes())
                if times.count == LAST_OF_EACH:  # there may be more, and monitoring wants a number that grows
                    times = replace(times, count=max(times.count, successes[job_id][0]))
                kept[job_id] = (successes[job_id], times)
            self._known = kept
            return {job_id: times for job_id, (_, times) in kept.items()}
