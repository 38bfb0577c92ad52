"""What is due: the rows the planner works on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from sqlalchemy import Connection

from chronos_py.store import jobs, schedules
from chronos_py.store.database import Database
from chronos_py.store.schedules import Advance, StoredSchedule
from tests.store.background import WAIT
from tests.store.building import NOW, add_job, later


def add_scheduled(connection: Connection, name: str, next_due: datetime | None, left: int | None = None) -> int:
    job_id = add_job(connection, name, schedule="R//PT1M")
    schedules.put_schedule(
        connection, StoredSchedule(job_id, "R//PT1M", "Europe/Zurich", NOW, next_due, next_due, left), job_id
    )
    return job_id


def due(connection: Connection, now: datetime = NOW, limit: int = 100) -> list[str]:
    return [job.definition.name for job in schedules.due_jobs(connection, now, limit)]


def test_a_schedule_is_replaced_and_taken_away(database: Database) -> None:
    with database.write() as connection:
        job_id = add_scheduled(connection, "job", later(60), 5)
        assert schedules.find_schedule(connection, job_id) == StoredSchedule(
            job_id, "R//PT1M", "Europe/Zurich", NOW, later(60), later(60), 5
        )
        job = jobs.find_job(connection, "job")
        assert job is not None
        assert (job.next_run, job.repetitions_left) == (later(60), 5)
        other = StoredSchedule(job_id, "* * * * *", "", later(1), None, None, None)
        schedules.put_schedule(connection, other, job_id)
        assert schedules.find_schedule(connection, job_id) == other
        schedules.put_schedule(connection, None, job_id)
        assert schedules.find_schedule(connection, job_id) is None


def test_the_longest_overdue_comes_first(database: Database) -> None:
    with database.write() as connection:
        for name, seconds in (("now", 0.0), ("long ago", -3600.0), ("soon", 0.001), ("just", -0.000001)):
            add_scheduled(connection, name, later(seconds))
        add_scheduled(connection, "never", None)
        assert due(connection) == ["long ago", "just", "now"]
        assert due(connection, limit=2) == ["long ago", "just"]
        assert due(connection, later(1)) == ["long ago", "just", "now", "soon"]
        assert schedules.earliest_due(connection) == later(-3600)


def test_advancing_moves_each_schedule_by_its_own(database: Database) -> None:
    with database.write() as connection:
        assert schedules.earliest_due(connection) is None
        first, second, third = (add_scheduled(connection, name, NOW, 3) for name in "abc")
        schedules.advance_schedules(connection, [])
        schedules.advance_schedules(
            connection, [Advance(first, later(60), later(70), 2), Advance(second, None, None, 0)]
        )
        rows = [schedules.find_schedule(connection, job_id) for job_id in (first, second, third)]
        assert [(row.next_due, row.repetitions_left) for row in rows if row] == [
            (later(60), 2),
            (None, 0),
            (NOW, 3),
        ]
        assert due(connection) == ["c"]


def test_two_planners_share_what_is_due(database_url: str, database: Database) -> None:
    with database.write() as connection:
        ids = [add_scheduled(connection, f"job {number:03}", NOW) for number in range(60)]

    def plan(_: int) -> list[int]:
        own = Database(database_url)
        planned: list[int] = []
        while True:
            with own.write() as connection:
                found = schedules.due_jobs(connection, NOW, 7)
                schedules.advance_schedules(
                    connection, [Advance(job.schedule.job_id, later(60), later(60), None) for job in found]
                )
            if not found and is_all_planned():
                own.close()
                return planned
            planned += [job.schedule.job_id for job in found]

    def is_all_planned() -> bool:
        with database.read() as connection:
            earliest = schedules.earliest_due(connection)
            return earliest is not None and earliest > NOW

    with ThreadPoolExecutor(3) as planners:
        planned = [job_id for part in planners.map(plan, range(3), timeout=WAIT) for job_id in part]
    assert sorted(planned) == ids


@pytest.mark.postgres
def test_a_job_that_is_being_edited_comes_next_time(postgres_store: Database) -> None:
    with postgres_store.write() as connection:
        for name in "ab":
            add_scheduled(connection, name, NOW)
    with postgres_store.write() as edit:
        jobs.find_job(edit, "a", lock=True)
        with postgres_store.write() as connection:
            assert due(connection) == ["b"]
    with postgres_store.write() as connection:
        assert due(connection) == ["a", "b"]
