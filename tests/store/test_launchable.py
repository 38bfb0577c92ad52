"""Which waiting runs may be launched now, and in which order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from sqlalchemy import Connection

from chronos_py.model.run import Reason, RunState
from chronos_py.store import queue, runs
from chronos_py.store.database import Database
from tests.store.background import WAIT
from tests.store.building import NOW, add_job, add_run, later


def launchable(connection: Connection, now: datetime = NOW, limit: int = 100) -> list[int]:
    found = [run.id for run in queue.launchable(connection, now, limit, queue.backfill_rooms(connection))]
    assert queue.has_launchable(connection, now) is bool(found)
    return found


def test_high_priority_goes_first_then_the_scheduled_time_then_the_order_of_decision(database: Database) -> None:
    with database.write() as connection:
        job_id = add_job(connection, overlap="allow")
        plain = [add_run(connection, job_id, scheduled_at=later(seconds)) for seconds in (0, -60, 0)]
        urgent = [add_run(connection, job_id, scheduled_at=later(at), high_priority=True) for at in (30, 10)]
        wanted = [urgent[1], urgent[0], plain[1], plain[0], plain[2]]
        assert launchable(connection) == wanted
        assert launchable(connection, limit=2) == wanted[:2]


def test_only_waiting_runs_whose_time_has_come(database: Database) -> None:
    with database.write() as connection:
        job_id = add_job(connection, overlap="allow")
        made = {state: add_run(connection, job_id, state) for state in RunState}
        retry = add_run(connection, job_id, RunState.WAITING_RETRY, not_before=later(60))
        assert launchable(connection) == [made[RunState.QUEUED], made[RunState.WAITING_RETRY]]
        assert retry in launchable(connection, later(60))


@pytest.mark.parametrize("overlap", ["forbid-skip", "forbid-queue-one"])
@pytest.mark.parametrize("active", [RunState.STARTING, RunState.RUNNING, RunState.WAITING_RETRY])
def test_a_job_that_forbids_overlap_waits_for_its_own_runs(
    database: Database, overlap: str, active: RunState
) -> None:
    with database.write() as connection:
        job_id, other = add_job(connection, "job", overlap=overlap), add_job(connection, "other", overlap=overlap)
        earlier = add_run(connection, job_id, active, not_before=later(60))
        queued = add_run(connection, job_id)
        free = add_run(connection, other)
        assert launchable(connection) == [free]
        if active is RunState.WAITING_RETRY:
            assert runs.start_run(connection, earlier, 2, 1)
        assert runs.end_run(connection, earlier, RunState.FAILED, Reason.EXIT, "", NOW)
        assert launchable(connection) == [queued, free]


@pytest.mark.parametrize("active", [RunState.STARTING, RunState.RUNNING, RunState.WAITING_RETRY])
def test_a_job_that_allows_overlap_waits_for_nothing(database: Database, active: RunState) -> None:
    with database.write() as connection:
        job_id = add_job(connection, overlap="allow")
        add_run(connection, job_id, active, not_before=later(60))
        queued = add_run(connection, job_id)
        assert launchable(connection) == [queued]


def test_a_retry_waits_for_tasks_but_not_for_other_retries(database: Database) -> None:
    with database.write() as connection:
        job_id = add_job(connection)
        retries = [add_run(connection, job_id, RunState.WAITING_RETRY) for _ in range(2)]
        add_run(connection, job_id)
        assert launchable(connection) == retries
        assert runs.start_run(connection, retries[0], 2, 1)
        assert launchable(connection) == []


@pytest.mark.parametrize("overlap", ["allow", "forbid-queue-one"])
def test_two_dispatchers_never_get_the_same_run(database_url: str, database: Database, overlap: str) -> None:
    with database.write() as connection:
        jobs = [add_job(connection, f"job {number}", overlap=overlap) for number in range(60)]
        wanted = [add_run(connection, job_id) for job_id in jobs]

    def dispatch(_: int) -> list[int]:
        own = Database(database_url)
        taken: list[int] = []
        while True:
            with own.write() as connection:
                found = [run.id for run in queue.launchable(connection, NOW, 3, {})]
                assert all(runs.start_run(connection, run_id, 1, 1) for run_id in found)
            taken += found
            with own.read() as connection:
                if not found and not queue.has_launchable(connection, NOW):
                    own.close()
                    return taken

    with ThreadPoolExecutor(3) as dispatchers:
        taken = [run_id for part in dispatchers.map(dispatch, range(3), timeout=WAIT) for run_id in part]
    assert sorted(taken) == wanted


@pytest.mark.postgres
def test_a_run_that_a_person_is_just_killing_is_left_out(postgres_store: Database) -> None:
    with postgres_store.write() as connection:
        job_id = add_job(connection, overlap="allow")
        first, second = add_run(connection, job_id), add_run(connection, job_id)
    with postgres_store.write() as person:
        runs.find_run(person, first, lock=True)
        with postgres_store.write() as connection:
            assert [run.id for run in queue.launchable(connection, NOW, 10, {})] == [second]
