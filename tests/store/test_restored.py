"""A database that was put back from a backup."""

from __future__ import annotations

from chronos_py.store.database import Database
from chronos_py.store.restored import GAP, leave_a_gap
from tests.store.building import add_job, add_run


def test_no_later_run_has_an_id_that_was_given_after_the_backup(database: Database) -> None:
    with database.write() as connection:
        job_id = add_job(connection)
        known = add_run(connection, job_id)
    leave_a_gap(database)
    with database.write() as connection:
        assert add_run(connection, job_id) > known + GAP
        assert add_run(connection, job_id) > known + GAP + 1


def test_also_when_there_had_not_been_a_run(database: Database) -> None:
    leave_a_gap(database)
    with database.write() as connection:
        assert add_run(connection, add_job(connection)) > GAP
