"""Jobs, their revisions, counters, listing and deletion."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from chronos_py.model.job import Counters
from chronos_py.model.run import Reason, RunState, Trigger
from chronos_py.store import attempts, chains, jobs, runs, schedules
from chronos_py.store.database import Database
from chronos_py.store.schedules import Advance, StoredSchedule
from chronos_py.store.tables import JobRevisionRow
from tests.store.background import WAIT, in_background, wait_until_it_waits
from tests.store.building import NOW, POOL, add_attempt, add_job, add_run, change_job, later, stored_run


def names(database: Database, **query: object) -> list[str]:
    with database.read() as connection:
        return [job.name for job in jobs.list_jobs(connection, **query)]  # type: ignore[arg-type]


def test_a_job_comes_back_as_it_was_stored(database: Database) -> None:
    odd = {"description": "Zürich ☂ 'quoted' \\ \"\n", "unknownField": {"deep": [1, 2.5, None, True]}}
    with database.write() as connection:
        job_id = add_job(connection, "etl load #1", owner="me", **odd)
    with database.read() as connection:
        job = jobs.find_job(connection, "etl load #1")
        assert jobs.find_job(connection, "ETL load #1") is None
        found = jobs.find_jobs(connection, ["etl load #1", "nobody"])
    assert job is not None
    assert job.document == {"name": "etl load #1", "command": "true", "owner": "me", **odd}
    assert (job.id, job.revision, job.definition.owner, job.counters) == (job_id, 1, "me", Counters())
    assert (job.created_at, job.updated_at, job.next_run, job.repetitions_left) == (NOW, NOW, None, None)
    assert found == {"etl load #1": job}


def test_every_revision_is_kept(database: Database) -> None:
    with database.write() as connection:
        job_id = add_job(connection, command="one")
        change_job(connection, "job", command="two", disabled=True)
        job = jobs.find_job(connection, "job")
        revisions = connection.execute(
            select(JobRevisionRow.revision, JobRevisionRow.document, JobRevisionRow.author, JobRevisionRow.created_at)
            .where(JobRevisionRow.job_id == job_id)
            .order_by(JobRevisionRow.revision)
        ).all()
    assert job is not None
    assert (job.revision, job.definition.command, job.updated_at) == (2, "two", later(60))
    assert [(row.revision, row.document["command"], row.author) for row in revisions] == [
        (1, "one", "somebody"),
        (2, "two", "somebody else"),
    ]
    assert [row.created_at for row in revisions] == [NOW, later(60)]


def test_a_running_attempt_keeps_the_definition_it_was_launched_with(database: Database) -> None:
    with database.write() as connection:
        run_id = add_run(connection, add_job(connection, command="one"), RunState.STARTING)
        add_attempt(connection, run_id, 1, revision=1)
        change_job(connection, "job", command="two")
        add_attempt(connection, run_id, 2, revision=2)
        live = attempts.live_attempts(connection, POOL)
    assert [one.definition.command for one in live] == ["one", "two"]


def test_a_name_belongs_to_one_job(database: Database) -> None:
    with database.write() as connection:
        add_job(connection, "taken")
    with pytest.raises(IntegrityError), database.write() as connection:
        add_job(connection, "taken")
    assert names(database) == ["taken"]


def test_a_deleted_job_frees_its_name_and_keeps_its_history(database: Database) -> None:
    with database.write() as connection:
        first, child, parent = (add_job(connection, name) for name in ("job", "child", "parent"))
        chains.set_parents(connection, child, [first])
        chains.set_parents(connection, first, [parent])
        schedules.put_schedule(connection, StoredSchedule(first, "R//P1D", "", NOW, NOW, NOW, None), first)
        run_id = add_run(connection, first)
        jobs.mark_deleted(connection, first, later(60))
        assert jobs.find_job(connection, "job") is None
        assert schedules.find_schedule(connection, first) is None
        assert chains.edges_by_name(connection) == []
        assert jobs.count_jobs(connection) == 2
        second = add_job(connection, "job", command="another")
        assert second != first
        assert stored_run(connection, run_id).job_name == "job"
        definitions = jobs.current_definitions(connection, [first, second])
    assert names(database) == ["child", "job", "parent"]
    assert (definitions[first].deleted, definitions[second].deleted) == (True, False)
    assert definitions[second].definition.command == "another"


def test_the_name_of_a_job_deleted_twice_is_free(database: Database) -> None:
    with database.write() as connection:
        for _ in range(3):
            jobs.mark_deleted(connection, add_job(connection), NOW)
        add_job(connection)
    assert names(database) == ["job"]


def test_search_finds_parts_of_names_and_commands_in_any_case(database: Database) -> None:
    with database.write() as connection:
        add_job(connection, "Extract.orders", command="python extract.py")
        add_job(connection, "load_100", command="echo 50% DONE")
        add_job(connection, "report", command="mail -s 'Übersicht \\ Tag'", disabled=True)
    assert names(database, text="EXTRACT") == ["Extract.orders"]
    assert names(database, text="done") == ["load_100"]
    assert names(database, text="%") == ["load_100"], "a sign of SQL's patterns is a letter like others"
    assert names(database, text="_") == ["load_100"]
    assert names(database, text="\\") == ["report"]
    assert names(database, text="üBERSICHT") == ["report"]
    assert names(database, text="o", disabled=False) == ["Extract.orders", "load_100"]
    assert names(database, disabled=True) == ["report"]
    assert names(database, text="'; drop table jobs") == []


def test_pages_show_every_job_once(database: Database) -> None:
    wanted = sorted(["a", "A", "a b", "a-b", "a_b", "a.b", "a#b", "b", "B", "10", "9", "z" * 200])
    with database.write() as connection:
        for name in reversed(wanted):
            add_job(connection, name)
    seen: list[str] = []
    while page := names(database, after=seen[-1] if seen else "", limit=5):
        assert len(page) <= 5
        seen += page
    assert len(seen) == len(wanted)
    assert sorted(seen) == wanted
    assert names(database) == seen


def test_counters(database: Database) -> None:
    with database.write() as connection:
        job_id = add_job(connection)
        jobs.count_error(connection, job_id, later(1))
        jobs.count_error(connection, job_id, later(2))
        job = jobs.find_job(connection, "job")
        assert job is not None
        assert job.counters == Counters(0, 2, 2, None, later(2))
        jobs.count_success(connection, job_id, later(3))
        job = jobs.find_job(connection, "job")
        assert job is not None
        assert job.counters == Counters(1, 2, 0, later(3), later(2))
        brought = Counters(2**40, 7, 3, later(4), later(5))
        jobs.set_counters(connection, job_id, brought)
        job = jobs.find_job(connection, "job")
    assert job is not None
    assert job.counters == brought


def test_the_last_states_of_several_jobs(database: Database) -> None:
    with database.write() as connection:
        first, second, idle = (add_job(connection, name) for name in ("first", "second", "idle"))
        runs = [add_run(connection, first, state) for state in (RunState.FAILED, RunState.SUCCEEDED, RunState.QUEUED)]
        other = add_run(connection, second, RunState.KILLED)
        states = jobs.last_states(connection, [first, second, idle], 2)
    assert states == {first: [(runs[2], "queued"), (runs[1], "succeeded")], second: [(other, "killed")], idle: []}


def test_a_job_whose_schedule_is_exhausted_is_disabled_once(database: Database) -> None:
    with database.write() as connection:
        job_id = add_job(connection, schedule="R2//PT1S")
        assert not jobs.disable_exhausted(connection, job_id, later(1)), "it has no schedule row"
        schedules.put_schedule(connection, StoredSchedule(job_id, "R2//PT1S", "", NOW, NOW, NOW, 1), job_id)
        assert not jobs.disable_exhausted(connection, job_id, later(1))
        schedules.advance_schedules(connection, [Advance(job_id, None, None, 0)])
        assert jobs.disable_exhausted(connection, job_id, later(1))
        assert not jobs.disable_exhausted(connection, job_id, later(2))
        job = jobs.find_job(connection, "job")
    assert job is not None
    assert (job.revision, job.definition.disabled, job.document["disabled"]) == (2, True, True)
    assert names(database, disabled=True) == ["job"]


@pytest.mark.postgres
def test_a_job_that_is_being_changed_gets_runs_all_the_same(postgres_store: Database) -> None:
    """The planner holds the schedule, which who changes the job wants next: it must not wait for the job."""
    database = postgres_store
    with database.write() as connection:
        job_id = add_job(connection)
        queued, running = add_run(connection, job_id), add_run(connection, job_id, RunState.RUNNING)
    with database.write() as editor:
        jobs.find_job(editor, "job", lock=True)
        change_job(editor, "job", disabled=True)
        with database.write() as planner:
            planner.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
            add_run(planner, job_id)
    with database.write() as settler:
        runs.end_run(settler, running, RunState.SUCCEEDED, Reason.NONE, "", NOW)
        with database.write() as editor:
            editor.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
            assert runs.skip_queued(editor, job_id, [Trigger.MANUAL], "skipped", NOW)[0] == queued


@pytest.mark.postgres
def test_a_job_that_is_disabled_while_it_is_edited_keeps_what_was_edited(postgres_store: Database) -> None:
    database = postgres_store
    with database.write() as connection:
        job_id = add_job(connection)

    def disable() -> bool:
        with database.write() as connection:
            return jobs.disable(connection, job_id, "the leader", NOW)

    with database.write() as editor:
        editor.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")  # however late the other one is
        change_job(editor, "job", command="edited")
        disabled = in_background(disable)
        wait_until_it_waits(database)
    assert disabled.result(WAIT)
    with database.read() as connection:
        job = jobs.find_job(connection, "job")
    assert job is not None
    assert (job.revision, job.definition.command, job.definition.disabled) == (3, "edited", True)
