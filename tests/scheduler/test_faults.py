"""When a leader dies, is paused or loses its pool: nothing twice, nothing lost."""

from __future__ import annotations

import errno

import pytest

from chronos_py.errors import Deposed
from chronos_py.logs import LogArchive
from chronos_py.model.run import AttemptState, RunState
from chronos_py.pools import PoolUnavailable, TaskState, TaskStatus
from chronos_py.services import Application, runs
from tests.scheduler.conftest import Leader, elect
from tests.scheduler.scripted_pool import ScriptedPool


def test_a_deposed_leader_changes_nothing(leader: Leader, application: Application, pool: ScriptedPool) -> None:
    leader.define("job", schedule="R/2026-06-01T10:00:00Z/PT1H")
    runs.run_now(application, "job")
    leader.turn()
    successor = elect(application, pool, "second", dead="first")
    leader.clock.advance(hours=1)
    pool.end("chronos-test-1-1", 0)
    for step in (leader.planner.step, leader.watcher.step):
        with pytest.raises(Deposed):
            step()
    assert leader.states("job") == [RunState.RUNNING]
    successor.turn()
    assert leader.states("job")[0] is RunState.SUCCEEDED
    successor.launcher.stop()


def test_an_intent_that_was_never_launched_is_launched_once_by_the_next_leader(
    leader: Leader, application: Application, pool: ScriptedPool
) -> None:
    leader.define("job")
    run = runs.run_now(application, "job")
    pool.away = "the engine is restarting"
    leader.dispatcher.step()
    leader.wait_for_launches()
    assert runs.get_run(application, run.id).attempts[0].state is AttemptState.STARTING
    pool.away = ""
    successor = elect(application, pool, "second", dead="first")
    successor.turn()
    successor.turn()
    assert pool.starts == [f"chronos-test-{run.id}-1"]
    assert runs.get_run(application, run.id).attempts[0].recovered
    successor.launcher.stop()


def test_a_lost_reply_starts_no_second_task(leader: Leader, pool: ScriptedPool, application: Application) -> None:
    leader.define("job")
    run = runs.run_now(application, "job")
    pool.lose_reply = True
    leader.dispatcher.step()
    leader.wait_for_launches()
    pool.lose_reply = False
    leader.turn()
    assert pool.starts == [f"chronos-test-{run.id}-1"]
    assert leader.states("job") == [RunState.RUNNING]


def test_a_task_that_was_named_but_never_started_is_launched_after_all(leader: Leader, pool: ScriptedPool) -> None:
    leader.define("job")
    run = runs.run_now(leader.application, "job")
    name = f"chronos-test-{run.id}-1"
    # Another leader took the name and died before the start: our submit finds it and starts nothing.
    pool.statuses[name] = TaskStatus(name, f"handle of {name}", TaskState.CREATED)
    leader.turn()
    leader.turn()
    assert pool.starts == [name]
    assert leader.states("job") == [RunState.RUNNING]


def test_a_pool_that_is_away_makes_tasks_unknown_not_failed(leader: Leader, pool: ScriptedPool) -> None:
    leader.define("job")
    run = runs.run_now(leader.application, "job")
    leader.turn()
    pool.away = "connection refused"
    with pytest.raises(PoolUnavailable):
        leader.watcher.step()
    detail = runs.get_run(leader.application, run.id)
    assert detail.run.state is RunState.RUNNING
    assert detail.attempts[0].unreachable_since == leader.clock.now()
    pool.away = ""
    leader.watcher.step()
    assert runs.get_run(leader.application, run.id).attempts[0].unreachable_since is None
    leader.end_last("job")
    assert leader.states("job") == [RunState.SUCCEEDED]


def test_the_end_of_a_task_is_settled_once_by_two_leaders(
    leader: Leader, application: Application, pool: ScriptedPool
) -> None:
    leader.define("parent")
    leader.define("child", parents=["parent"])
    runs.run_now(application, "parent")
    leader.turn()
    pool.end("chronos-test-1-1", 0)
    successor = elect(application, pool, "second", dead="first")
    successor.watcher.step()
    leader.watcher.step()
    successor.watcher.step()
    assert len(leader.runs("child")) == 1
    successor.launcher.stop()


def test_a_recovered_task_keeps_its_name_for_a_day(
    leader: Leader, application: Application, pool: ScriptedPool
) -> None:
    leader.define("job")
    run = runs.run_now(application, "job")
    pool.away = "away"
    leader.dispatcher.step()
    leader.wait_for_launches()
    pool.away = ""
    successor = elect(application, pool, "second", dead="first")
    successor.turn()
    successor.end_last("job")
    successor.watcher.step()
    assert f"chronos-test-{run.id}-1" in pool.statuses
    successor.clock.advance(hours=25)
    successor.watcher.step()
    assert pool.statuses == {}
    successor.launcher.stop()


def test_tasks_that_nobody_knows_are_left_alone(leader: Leader, pool: ScriptedPool) -> None:
    pool.statuses["stranger"] = TaskStatus("stranger", "h", TaskState.EXITED, 0)
    leader.watcher.step()
    assert "stranger" in pool.statuses


def test_a_full_archive_delays_the_end_and_says_so(leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    leader.define("job")
    runs.run_now(leader.application, "job")
    leader.turn()

    def no_room(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(LogArchive, "store", no_room)
        leader.end_last("job")
        assert leader.states("job") == [RunState.RUNNING]
        (problem,) = leader.health.problems()
        assert "No space left on device" in problem.message
    leader.watcher.step()
    assert leader.states("job") == [RunState.SUCCEEDED]
    assert leader.health.problems() == []


def test_a_task_whose_output_breaks_the_reader_holds_up_no_other(
    leader: Leader, pool: ScriptedPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("odd", "job"):
        leader.define(name)
        runs.run_now(leader.application, name)
    leader.turn()
    plain = pool.outputs

    def outputs(handle: str, limit: int) -> bytes:
        if handle == "handle of chronos-test-1-1":
            raise ValueError("a bug")
        return plain(handle, limit)

    monkeypatch.setattr(pool, "outputs", outputs)
    for task in ("chronos-test-1-1", "chronos-test-2-1"):
        pool.end(task, 0)
    leader.watcher.step()
    assert leader.states("job") == [RunState.SUCCEEDED]
    assert leader.states("odd") == [RunState.RUNNING]
    leader.clock.advance(minutes=10)
    leader.watcher.step()
    (run,) = leader.runs("odd")
    assert run.state is RunState.SUCCEEDED
    assert run.note.startswith("What it left for its children could not be read: an internal error")


def test_an_adopted_task_that_was_surely_launched_frees_its_name(
    leader: Leader, application: Application, pool: ScriptedPool
) -> None:
    leader.define("job")
    runs.run_now(application, "job")
    leader.dispatcher.step()
    leader.wait_for_launches()  # launched and committed, but not yet seen in the pool's list
    successor = elect(application, pool, "second", dead="first")
    successor.turn()
    successor.end_last("job")
    successor.watcher.step()
    assert pool.statuses == {}
    successor.launcher.stop()
