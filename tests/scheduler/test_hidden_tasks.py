"""Tasks that their pool cannot see for a while, and tasks that it has not begun yet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chronos_py.model.run import AttemptState, Reason, RunState
from chronos_py.pools import PartlyUnavailable, TaskState, TaskStatus
from chronos_py.services import Application, runs
from tests.scheduler.conftest import Leader
from tests.scheduler.scripted_pool import ScriptedPool


def test_what_a_part_of_the_pool_hides_is_unknown_and_the_rest_goes_on(
    leader: Leader, application: Application, pool: ScriptedPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("hidden", "seen"):
        leader.define(name)
        runs.run_now(application, name)
    leader.turn()
    hidden, seen = (f"chronos-test-{runs.list_runs(application, name)[0].id}-1" for name in ("hidden", "seen"))
    whole = pool.list

    def list_without() -> list[TaskStatus]:
        raise PartlyUnavailable("The engine is away.", [status for status in whole() if status.name != hidden])

    monkeypatch.setattr(pool, "list", list_without)
    pool.end(seen, 0)
    leader.turn()
    leader.turn()
    assert leader.states("seen") == [RunState.SUCCEEDED]
    assert leader.states("hidden") == [RunState.RUNNING]
    (attempt,) = runs.get_run(application, runs.list_runs(application, "hidden")[0].id).attempts
    assert attempt.message == "unknown: The engine is away."
    monkeypatch.undo()
    leader.turn()
    (attempt,) = runs.get_run(application, runs.list_runs(application, "hidden")[0].id).attempts
    assert (attempt.state, attempt.message) == (AttemptState.RUNNING, "")
    pool.end(hidden, 0)
    leader.turn()
    assert leader.states("hidden") == [RunState.SUCCEEDED]
    assert sorted(pool.starts) == sorted([hidden, seen])


def test_a_task_that_waits_for_room_says_so_and_can_be_killed(
    leader: Leader, application: Application, pool: ScriptedPool
) -> None:
    leader.define("job")
    run = runs.run_now(application, "job")
    leader.turn()
    name = f"chronos-test-{run.id}-1"
    words = "waits for a node: no suitable node"
    pool.statuses[name] = replace(pool.statuses[name], state=TaskState.WAITING, message=words)
    leader.turn()
    assert runs.get_run(application, run.id).attempts[0].message == words
    runs.kill_run(application, run.id)
    leader.turn()
    assert [handle for handle, _ in pool.kills] == [f"handle of {name}"]


def test_a_task_that_its_pool_could_not_begin_has_failed_to_launch(
    leader: Leader, application: Application, pool: ScriptedPool
) -> None:
    leader.define("job", retries=0)
    run = runs.run_now(application, "job")
    leader.turn()
    name = f"chronos-test-{run.id}-1"
    words = "on node1: No such image: x"
    pool.statuses[name] = replace(pool.statuses[name], state=TaskState.EXITED, cause="launch", message=words)
    leader.turn()
    (attempt,) = runs.get_run(application, run.id).attempts
    assert (attempt.state, attempt.reason, attempt.message) == (AttemptState.FAILED, Reason.LAUNCH_ERROR, words)
