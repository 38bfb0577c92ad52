"""Runs: one per occurrence, moved by the state table alone, listed and counted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from chronos_py.model.overlap import Unfinished
from chronos_py.model.run import FINAL_RUN_STATES, RUN_TRANSITIONS, Overrides, Reason, Run, RunState, Trigger
from chronos_py.store import queue, runs
from chronos_py.store.database import Database
from chronos_py.store.runs import NewRun
from tests.store.background import WAIT
from tests.store.building import NOW, add_job, add_run, later, stored_run


def scheduled(job_id: int, seconds: float = 0, **fields: object) -> NewRun:
    at = later(seconds)
    return NewRun(job_id, 1, Trigger.SCHEDULE, at, later(1), occurrence=at, **fields)  # type: ignore[arg-type]


def test_a_run_comes_back_as_it_was_stored(database: Database) -> None:
    overrides = Overrides(("--day", "2026-05-31", ""), {"MODE": "full"})
    with database.write() as connection:
        job_id = add_job(connection)
        root = add_run(connection, job_id)
        new = NewRun(
            job_id,
            1,
            Trigger.RERUN,
            later(-60),
            NOW,
            high_priority=True,
            requested_by="me",
            overrides=overrides,
            root_run_id=root,
            parent_run_id=root,
        )
        run = stored_run(connection, runs.insert_run(connection, new))
        plain = stored_run(connection, root)
        assert runs.find_run(connection, 999) is None
    assert (run.job_name, run.trigger, run.state, run.attempts) == ("job", Trigger.RERUN, RunState.QUEUED, 0)
    assert (run.scheduled_at, run.created_at, run.not_before) == (later(-60), NOW, NOW)
    assert (run.high_priority, run.requested_by, run.overrides) == (True, "me", overrides)
    assert (run.root_run_id, run.parent_run_id) == (root, root)
    assert (run.started_at, run.finished_at, run.occurrences) == (None, None, 1)
    assert plain.overrides == Overrides()


def test_empty_arguments_are_not_the_same_as_none(database: Database) -> None:
    with database.write() as connection:
        run_id = add_run(connection, add_job(connection), overrides=Overrides(()))
        assert stored_run(connection, run_id).overrides.arguments == ()


def test_at_most_one_run_per_occurrence(database: Database) -> None:
    with database.write() as connection:
        job_id, other = add_job(connection, "job"), add_job(connection, "other")
        runs.insert_runs(connection, [])
        runs.insert_runs(connection, [scheduled(job_id), scheduled(job_id, 60), scheduled(other)])
        runs.insert_runs(connection, [scheduled(job_id, message="again"), scheduled(job_id, 120)])
        times = [(run.scheduled_at, run.message) for run in runs.list_runs(connection, job_id)]
        assert times == [(later(120), ""), (later(60), ""), (NOW, "")]
        add_run(connection, job_id)  # those that stand for no occurrence are not counted
        add_run(connection, job_id)
    with pytest.raises(IntegrityError), database.write() as connection:
        runs.insert_run(connection, scheduled(job_id))


def test_two_planners_make_one_run_of_an_occurrence(database_url: str, database: Database) -> None:
    with database.write() as connection:
        job_id = add_job(connection)
    occurrences = [scheduled(job_id, 60 * number) for number in range(40)]

    def plan(_: int) -> None:
        own = Database(database_url)
        for occurrence in occurrences:
            with own.write() as connection:
                runs.insert_runs(connection, [occurrence])
        own.close()

    with ThreadPoolExecutor(3) as planners:
        list(planners.map(plan, range(3), timeout=WAIT))
    with database.read() as connection:
        found = [run.scheduled_at for run in runs.list_runs(connection, limit=200)]
    assert sorted(found) == [occurrence.scheduled_at for occurrence in occurrences]


def test_a_row_of_missed_occurrences(database: Database) -> None:
    with database.write() as connection:
        job_id = add_job(connection)
        missed = scheduled(
            job_id,
            state=RunState.SKIPPED,
            reason=Reason.MISSED,
            message="missed",
            scheduled_until=later(600),
            occurrences=11,
        )
        runs.insert_runs(connection, [missed, scheduled(job_id, 660, state=RunState.SKIPPED, occurrences=None)])
        uncounted, counted = runs.list_runs(connection, job_id)
    assert (counted.state, counted.reason, counted.message) == (RunState.SKIPPED, Reason.MISSED, "missed")
    assert (counted.scheduled_until, counted.occurrences, counted.finished_at) == (later(600), 11, later(1))
    assert uncounted.occurrences is None


def move(connection: Connection, run_id: int, target: RunState) -> bool:
    if target is RunState.STARTING:
        return runs.start_run(connection, run_id, 3, 2)
    if target is RunState.RUNNING:
        return runs.mark_run_running(connection, run_id, later(5))
    if target is RunState.WAITING_RETRY:
        return runs.await_retry(connection, run_id, later(60), Reason.EXIT, "words")
    return runs.end_run(connection, run_id, target, Reason.EXIT, "words", later(9))


@pytest.mark.parametrize("state", list(RunState))
def test_a_run_moves_as_the_state_table_says(database: Database, state: RunState) -> None:
    with database.write() as connection:
        job_id = add_job(connection)
        for target in set(RunState) - {RunState.QUEUED}:  # it is born so
            run_id = add_run(connection, job_id, state)
            before = stored_run(connection, run_id)
            allowed = target in RUN_TRANSITIONS[state]
            assert move(connection, run_id, target) is allowed, f"{state} -> {target}"
            after = stored_run(connection, run_id)
            assert after.state is (target if allowed else state)
            assert allowed or after == before, "a refused move changes nothing"


def one_run(database: Database, state: RunState, *moves: RunState) -> Run:
    with database.write() as connection:
        run_id = add_run(connection, add_job(connection), state)
        for target in moves:
            assert move(connection, run_id, target)
        return stored_run(connection, run_id)


def test_what_the_moves_write(database: Database) -> None:
    run = one_run(database, RunState.QUEUED, RunState.STARTING, RunState.RUNNING, RunState.WAITING_RETRY)
    assert (run.attempts, run.revision, run.started_at, run.not_before) == (3, 2, later(5), later(60))
    assert (run.reason, run.message, run.finished_at) == (Reason.EXIT, "words", None)
    with database.write() as connection:
        assert runs.start_run(connection, run.id, 4, 2)
        assert runs.mark_run_running(connection, run.id, later(70))
        again = stored_run(connection, run.id)
        assert (again.started_at, again.reason, again.message) == (later(5), Reason.NONE, "")
        assert runs.end_run(connection, run.id, RunState.SUCCEEDED, Reason.NONE, "", later(80))
        assert not runs.end_run(connection, run.id, RunState.FAILED, Reason.EXIT, "", later(90))
        ended = stored_run(connection, run.id)
    assert (ended.state, ended.finished_at, ended.is_final) == (RunState.SUCCEEDED, later(80), True)


def test_listing_pages_backwards_and_filters(database: Database) -> None:
    with database.write() as connection:
        first, second = add_job(connection, "first"), add_job(connection, "second")
        ids = [
            add_run(connection, job_id, state)
            for job_id in (first, second)
            for state in (RunState.QUEUED, RunState.FAILED, RunState.SUCCEEDED)
        ]
        assert [run.id for run in runs.list_runs(connection)] == ids[::-1]
        page = runs.list_runs(connection, limit=4)
        assert [run.id for run in page] == ids[:1:-1]
        assert [run.id for run in runs.list_runs(connection, before=page[-1].id, limit=4)] == ids[1::-1]
        assert [run.id for run in runs.list_runs(connection, first)] == ids[2::-1]
        wanted = {RunState.FAILED, RunState.QUEUED}
        assert [run.id for run in runs.list_runs(connection, second, wanted)] == [ids[4], ids[3]]
        assert set(runs.runs_by_id(connection, [ids[0], ids[5], 999])) == {ids[0], ids[5]}
        assert runs.runs_by_id(connection, []) == {}


def test_counting_what_has_not_ended(database: Database) -> None:
    with database.write() as connection:
        busy, idle = add_job(connection, "busy"), add_job(connection, "idle")
        made = {state: add_run(connection, busy, state) for state in RunState}
        queued = add_run(connection, busy)
        add_run(connection, idle, RunState.LOST)
        assert runs.count_unfinished(connection, [busy, idle]) == {
            busy: Unfinished(3, 2, made[RunState.WAITING_RETRY], queued, retrying=1),
            idle: Unfinished(),
        }
        assert runs.count_by_state(connection) == {
            RunState.QUEUED: 2,
            RunState.STARTING: 1,
            RunState.RUNNING: 1,
            RunState.WAITING_RETRY: 1,
        }
        unfinished = [run.id for run in runs.unfinished_runs(connection, busy, lock=True)]
        assert unfinished[:-1] == [made[state] for state in RunState if state not in FINAL_RUN_STATES]
        assert runs.unfinished_runs(connection, idle) == []


def test_the_next_retry(database: Database) -> None:
    with database.write() as connection:
        job_id = add_job(connection)
        assert queue.next_change(connection, NOW) is None
        add_run(connection, job_id, RunState.WAITING_RETRY, not_before=later(90))
        add_run(connection, job_id, RunState.QUEUED, not_before=later(60))
        add_run(connection, job_id, RunState.WAITING_RETRY, not_before=NOW)
        add_run(connection, job_id, RunState.FAILED, not_before=later(30))
        assert queue.next_change(connection, NOW) == later(60)
        assert queue.next_change(connection, later(60)) == later(90)
        assert queue.next_change(connection, later(90)) is None
