"""Jobs are paused, resumed and edited while the leader plans, starts and ends their runs: nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import ModuleType

import pytest
from sqlalchemy import text

from chronos_py.model.run import RunState, Trigger
from chronos_py.services import backfills, jobs, runs
from chronos_py.store import backfills as store_backfills
from chronos_py.store import runs as store_runs
from chronos_py.store.runs import NewRun
from tests.cluster.server import wait_for
from tests.scheduler.conftest import START, Leader

ROUNDS = 60


def in_background(work: Callable[[], None]) -> tuple[threading.Thread, list[Exception]]:
    """Do it in a thread; what it raises is kept."""
    raised: list[Exception] = []

    def guarded() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  (the test looks at it)
            raised.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    return thread, raised


@pytest.mark.parametrize("overlap", ["allow", "forbid-queue-one", "replace"])
def test_pausing_deadlocks_nobody(leader: Leader, overlap: str) -> None:
    leader.define("tick", schedule="R//PT1S", overlap=overlap, retries=0)
    leader.define("after", parents=["tick"], overlap=overlap)
    over = threading.Event()

    def edit() -> None:
        number = 0
        while not over.is_set():
            number += 1
            for name in ("tick", "after"):
                changes = {"disabled": number % 2 == 0, "description": str(number)}
                jobs.patch_job(leader.application, name, changes)

    editor, raised = in_background(edit)
    try:
        for _ in range(ROUNDS):
            leader.clock.advance(seconds=1)
            leader.planner.step()
            leader.dispatcher.step()
            leader.wait_for_launches()
            for task in list(leader.pool.statuses.values()):
                if not task.is_final:
                    leader.pool.end(task.name, 0, finished_at=leader.clock.now())
            leader.watcher.step()
    finally:
        over.set()
        editor.join()
    assert raised == []


def in_the_middle_of(
    monkeypatch: pytest.MonkeyPatch, owner: ModuleType, name: str, other: Callable[[], None]
) -> None:
    """Have ``other`` done, and committed, once right after ``owner.name`` has been called for the first time."""
    plain = getattr(owner, name)
    left = [other]

    def called(*arguments: object, **more: object) -> object:
        answer = plain(*arguments, **more)
        if left:
            left.pop()()
        return answer

    monkeypatch.setattr(owner, name, called)


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_run_that_fails_in_the_moment_of_its_kill_is_not_tried_again(
    leader: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader.define("load", retries=1, retryDelay=60)
    for kill in (
        lambda: runs.kill_run(leader.application, leader.runs("load")[-1].id),
        lambda: runs.kill_job_runs(leader.application, "load"),
        lambda: jobs.delete_job(leader.application, "load"),
    ):
        run = runs.run_now(leader.application, "load")
        leader.turn()
        with monkeypatch.context() as patch:
            in_the_middle_of(patch, store_runs, "end_waiting", lambda: leader.end_last("load", 1))
            kill()
        assert runs.get_run(leader.application, run.id).run.state is RunState.KILLED


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_retry_that_starts_in_the_moment_of_its_replacement_is_killed_before_the_next_run_starts(
    leader: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader.define("load", schedule="0 * * * *", overlap="replace", retries=1, retryDelay=3600)
    leader.clock.advance(hours=1)
    leader.turn()
    leader.end_last("load", 1)
    leader.clock.advance(hours=1)

    def start_the_retry() -> None:
        leader.dispatcher.step()
        leader.wait_for_launches()

    in_the_middle_of(monkeypatch, store_runs, "unfinished_runs", start_the_retry)
    leader.planner.step()
    leader.turn()
    assert leader.states("load") == [RunState.RUNNING, RunState.QUEUED]
    assert [name for name, _ in leader.pool.kills] == ["handle of chronos-test-1-2"]


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_run_that_is_repeated_while_the_last_one_of_its_backfill_ends_begins(leader: Leader) -> None:
    leader.define("load", schedule="0 * * * *")
    backfills.start_backfill(leader.application, "load", "2026-06-01T08:00", "2026-06-01T08:00")
    leader.turn()
    backfill_id = leader.runs("load")[0].backfill_id
    assert backfill_id is not None
    job_id = leader.runs("load")[0].job_id

    def is_waiting() -> bool:
        waits = "SELECT * FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        with leader.database.read() as reading:
            return reading.execute(text(waits)).first() is not None

    again = NewRun(job_id, 1, Trigger.RERUN, START, leader.clock.now(), backfill_id=backfill_id)
    with leader.database.write() as connection:
        # However late the other one is.
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        again_id = store_runs.insert_run(connection, again)
        store_backfills.note_more(connection, backfill_id)
        ending, raised = in_background(lambda: leader.end(leader.runs("load")[0]))
        wait_for("the end of the last run to wait", is_waiting)
    ending.join()
    assert raised == []
    leader.turn()
    assert runs.get_run(leader.application, again_id).run.state is RunState.RUNNING
