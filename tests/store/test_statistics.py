"""Run times are found without looking through the runs of all jobs."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, insert

from chronos_py.model.job import Counters
from chronos_py.model.statistics import RunTimes
from chronos_py.services import run_times
from chronos_py.services.run_times import RecentRunTimes
from chronos_py.store import jobs, statistics
from chronos_py.store.database import Database
from chronos_py.store.tables import RunRow
from tests.store.building import NOW, add_job

JOBS, RUNS = 20, 5


def build(database: Database) -> list[int]:
    """Jobs, of which each has a failed run and runs that took 1, 2, ... seconds."""
    with database.write() as connection:
        job_ids = [add_job(connection, name=f"job{number:02}") for number in range(JOBS)]
        common = {"trigger": "schedule", "revision": 1, "created_at": NOW, "not_before": NOW, "started_at": NOW}
        connection.execute(
            insert(RunRow),
            [
                {
                    **common,
                    "job_id": job_id,
                    "state": "succeeded" if seconds else "failed",
                    "scheduled_at": NOW + timedelta(hours=seconds),
                    "finished_at": NOW + timedelta(seconds=seconds),
                }
                for seconds in range(RUNS + 1)
                for job_id in job_ids
            ],
        )
    return job_ids


def test_the_last_ones_of_each_job(database: Database) -> None:
    job_ids = build(database)
    with database.read() as connection:
        assert statistics.run_times(connection, job_ids[3:5], 3) == dict.fromkeys(
            job_ids[3:5], RunTimes([3, 4, 5], 3)
        )
        assert statistics.run_times(connection, [], 3) == {}


def test_no_query_goes_through_the_runs_of_all_jobs(sqlite_template: Path, tmp_path: Path) -> None:
    """SQLite would choose the index over states, unless it is told otherwise: the square of the number of runs."""
    shutil.copy(sqlite_template, tmp_path / "chronos.db")
    database = Database(f"sqlite:///{tmp_path}/chronos.db")
    job_ids = build(database)
    asked: list[tuple[str, object]] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    with database.read() as connection:
        statistics.run_times(connection, job_ids, 3)
        statistics.job_run_times(connection, job_ids[0], 3)
        for statement, parameters in [each for each in asked if "FROM" in each[0]]:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            assert "(job_id=?" in str(plan), plan
            assert "ix_runs_state_id" not in str(plan), plan
    database.close()


def test_only_what_has_changed_is_read_again(database: Database) -> None:
    job_ids = build(database)
    known = RecentRunTimes()
    asked: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    with database.read() as connection:
        first = known.of_jobs(connection, jobs.counted_jobs(connection))
        assert first == dict.fromkeys(job_ids, RunTimes([1, 2, 3, 4, 5], 5))
        asked.clear()
        assert known.of_jobs(connection, jobs.counted_jobs(connection)) == first
        assert len([statement for statement in asked if "runs" in statement]) == 0
    with database.write() as connection:
        jobs.count_success(connection, job_ids[7], NOW)
        connection.execute(RunRow.__table__.delete().where(RunRow.job_id == job_ids[7], RunRow.state == "succeeded"))
    with database.read() as connection:
        again = known.of_jobs(connection, jobs.counted_jobs(connection))
        assert again == {**first, job_ids[7]: RunTimes()}


def test_the_count_grows_beyond_what_is_looked_at(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    job_ids = build(database)
    monkeypatch.setattr(run_times, "LAST_OF_EACH", 3)
    with database.write() as connection:
        jobs.set_counters(connection, job_ids[0], Counters(success_count=7))
        times = RecentRunTimes().of_jobs(connection, jobs.counted_jobs(connection))
    assert times[job_ids[0]] == RunTimes([3, 4, 5], 7)
    assert times[job_ids[1]] == RunTimes([3, 4, 5], 3)
