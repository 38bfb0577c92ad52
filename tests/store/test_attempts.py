"""Attempts: intents, endings that are written once, kill requests, tasks that cannot be reached."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Connection, update
from sqlalchemy.exc import IntegrityError

from chronos_py.model.run import (
    ATTEMPT_TRANSITIONS,
    FINAL_ATTEMPT_STATES,
    LIVE_ATTEMPT_STATES,
    Attempt,
    AttemptState,
    Reason,
    RunState,
)
from chronos_py.store import attempts
from chronos_py.store.attempts import Ending, SettledTask
from chronos_py.store.database import Database
from chronos_py.store.tables import AttemptRow
from tests.store.building import NOW, POOL, add_attempt, add_job, add_run, later

FAILED = Ending(AttemptState.FAILED, Reason.EXIT, "words", later(9), exit_code=3)


def stored(connection: Connection, attempt: Attempt) -> Attempt:
    found = attempts.find_attempt(connection, attempt.run_id, attempt.number)
    assert found is not None
    return found


def launched(connection: Connection, name: str = "job") -> Attempt:
    return add_attempt(connection, add_run(connection, add_job(connection, name), RunState.STARTING))


def mark_running(connection: Connection, attempt: Attempt, recovered: bool = False) -> bool:
    return attempts.mark_attempt_running(
        connection, attempt.id, "handle", "node", later(1), later(2), recovered=recovered
    )


def test_an_attempt_comes_back_as_it_was_stored(database: Database) -> None:
    with database.write() as connection:
        run_id = add_run(connection, add_job(connection), RunState.STARTING)
        first, second = (add_attempt(connection, run_id, number) for number in (1, 2))
        assert first == Attempt(
            id=first.id,
            run_id=run_id,
            number=1,
            state=AttemptState.STARTING,
            task_name=f"task-{run_id}-1",
            pool=POOL,
            epoch=1,
            revision=1,
            created_at=NOW,
        )
        assert attempts.attempts_of(connection, run_id) == [first, second]
        assert attempts.find_attempt(connection, run_id, 2) == second
        assert attempts.find_attempt(connection, run_id, 3) is None


@pytest.mark.parametrize(("number", "name"), [(1, "another name"), (2, "the name")])
def test_an_attempt_is_intended_once(database: Database, number: int, name: str) -> None:
    with database.write() as connection:
        run_id = add_run(connection, add_job(connection), RunState.STARTING)
        attempts.insert_attempt(connection, run_id, 1, 1, "the name", POOL, 1, NOW)
    with pytest.raises(IntegrityError), database.write() as connection:
        attempts.insert_attempt(connection, run_id, number, 1, name, POOL, 2, NOW)


@pytest.mark.parametrize("state", list(AttemptState))
def test_an_attempt_moves_as_the_state_table_says(database: Database, state: AttemptState) -> None:
    with database.write() as connection:
        for target in AttemptState:
            if target is AttemptState.STARTING:
                continue  # it is born so
            attempt = launched(connection, f"job {target}")
            connection.execute(update(AttemptRow).where(AttemptRow.id == attempt.id).values(state=state.value))
            before = stored(connection, attempt)
            if target is AttemptState.RUNNING:
                moved = mark_running(connection, attempt)
            else:
                moved = attempts.end_attempt(connection, attempt.id, replace(FAILED, state=target))
            allowed = target in ATTEMPT_TRANSITIONS[state]
            assert moved is allowed, f"{state} -> {target}"
            after = stored(connection, attempt)
            assert after.state is (target if allowed else state)
            assert allowed or after == before, "a refused move changes nothing"


def test_an_attempt_ends_once(database: Database) -> None:
    ending = Ending(
        AttemptState.SUCCEEDED,
        Reason.NONE,
        "",
        later(9),
        exit_code=0,
        started_at=later(3),
        cpu_seconds=1.5,
        max_memory_mb=12.25,
        recovered=True,
    )
    with database.write() as connection:
        attempt = launched(connection)
        assert mark_running(connection, attempt)
        assert attempts.end_attempt(connection, attempt.id, ending)
        ended = stored(connection, attempt)
        assert not attempts.end_attempt(connection, attempt.id, FAILED)
        assert not mark_running(connection, attempt)
        attempts.note_running(connection, attempt.id, "other", "other", later(20), recovered=False)
        attempts.request_kill(connection, [attempt.run_id], Reason.KILLED, "killed by ann", later(20))
        attempts.mark_unreachable(connection, POOL, later(20))
        assert stored(connection, attempt) == ended, "what has ended does not change any more"
    assert (ended.state, ended.exit_code, ended.finished_at) == (AttemptState.SUCCEEDED, 0, later(9))
    assert (ended.launched_at, ended.started_at) == (later(1), later(2))
    assert (ended.handle, ended.node, ended.recovered) == ("handle", "node", True)
    assert (ended.cpu_seconds, ended.max_memory_mb) == (1.5, 12.25)


def test_a_launch_in_which_two_leaders_had_a_hand_stays_marked(database: Database) -> None:
    with database.write() as connection:
        attempt = launched(connection)
        attempts.note_running(connection, attempt.id, "handle", "node", later(4), recovered=True)
        noted = stored(connection, attempt)
        assert (noted.state, noted.handle, noted.node) == (AttemptState.RUNNING, "handle", "node")
        assert (noted.launched_at, noted.started_at, noted.recovered) == (later(4), later(4), True)
        attempts.note_running(connection, attempt.id, "handle", "node", later(5), recovered=False)
        again = stored(connection, attempt)
        assert (again.launched_at, again.started_at, again.recovered) == (later(4), later(5), True)
        assert attempts.end_attempt(connection, attempt.id, FAILED)
        assert stored(connection, attempt).recovered


def test_live_attempts_are_those_of_the_pool_that_have_not_ended(database: Database) -> None:
    with database.write() as connection:
        first, ended, second = (launched(connection, name) for name in ("first", "ended", "second"))
        other = add_attempt(connection, second.run_id, 2, pool="docker")
        assert mark_running(connection, second)
        assert attempts.end_attempt(connection, ended.id, FAILED)
        live = attempts.live_attempts(connection, POOL)
        assert [one.attempt.id for one in live] == [first.id, second.id]
        assert [one.run.job_name for one in live] == ["first", "second"]
        assert [one.definition.name for one in live] == ["first", "second"]
        assert [one.attempt.id for one in attempts.live_attempts(connection, "docker")] == [other.id]
        assert (attempts.count_live(connection, POOL), attempts.count_live(connection, "swarm")) == (2, 0)


def test_settled_tasks_are_those_that_have_ended(database: Database) -> None:
    with database.write() as connection:
        running, ended = launched(connection, "running"), launched(connection, "ended")
        attempts.end_attempt(connection, ended.id, FAILED)
        names = [running.task_name, ended.task_name, "unknown"]
        assert attempts.settled_tasks(connection, names) == [
            SettledTask(ended.task_name, ended.run_id, ended.number, later(9), False)
        ]
        assert attempts.settled_tasks(connection, []) == []


def test_the_first_request_to_kill_stays(database: Database) -> None:
    with database.write() as connection:
        wanted, other, ended = (launched(connection, name) for name in ("wanted", "other", "ended"))
        attempts.end_attempt(connection, ended.id, FAILED)
        attempts.request_kill(connection, [wanted.run_id, ended.run_id], Reason.TIMEOUT, "", later(5))
        attempts.request_kill(connection, [wanted.run_id], Reason.KILLED, "killed by ann", later(6))
        attempts.request_kill(connection, [], Reason.KILLED, "killed by ann", later(6))
        asked = stored(connection, wanted)
        assert (asked.kill_requested_at, asked.kill_reason) == (later(5), Reason.TIMEOUT)
        assert stored(connection, other).kill_requested_at is None
        assert stored(connection, ended).kill_requested_at is None


def test_a_pool_that_does_not_answer_since_its_first_silence(database: Database) -> None:
    with database.write() as connection:
        attempt = launched(connection)
        other = add_attempt(connection, attempt.run_id, 2, pool="docker")
        for seconds in (5, 6):
            attempts.mark_unreachable(connection, POOL, later(seconds))
        assert stored(connection, attempt).unreachable_since == later(5)
        assert stored(connection, attempt).state is AttemptState.STARTING, "unreachable is not failed"
        assert stored(connection, other).unreachable_since is None
        attempts.mark_reachable(connection, POOL)
        assert stored(connection, attempt).unreachable_since is None


def test_live_and_final_are_all_there_is() -> None:
    assert set(AttemptState) == LIVE_ATTEMPT_STATES | FINAL_ATTEMPT_STATES
