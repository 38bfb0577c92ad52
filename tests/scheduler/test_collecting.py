"""What ended tasks left, and their machines or the archive do not give or take at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chronos_py.errors import Deposed
from chronos_py.model.run import Reason, RunState
from chronos_py.pools import PoolUnavailable, Stream
from chronos_py.scheduler.watcher import Watcher
from chronos_py.services import Application, logs, runs
from tests.scheduler.conftest import Leader, elect
from tests.scheduler.scripted_pool import ScriptedPool

AWAY = "The agent is away."


@pytest.fixture
def mute(pool: ScriptedPool, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of tasks whose output cannot be read."""
    names: set[str] = set()
    whole = pool.logs

    def read(handle: str, stream: Stream, offset: int, limit: int) -> bytes:
        if handle.removeprefix("handle of ") in names:
            raise PoolUnavailable(AWAY)
        return whole(handle, stream, offset, limit)

    monkeypatch.setattr(pool, "logs", read)
    return names


@pytest.fixture
def mute_of_values(pool: ScriptedPool, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of tasks whose values for children cannot be read."""
    names: set[str] = set()
    whole = pool.outputs

    def read(handle: str, limit: int) -> bytes:
        if handle.removeprefix("handle of ") in names:
            raise PoolUnavailable(AWAY)
        return whole(handle, limit)

    monkeypatch.setattr(pool, "outputs", read)
    return names


def begun(leader: Leader, job: str, **fields: object) -> str:
    """The task of a new job's run."""
    leader.define(job, **fields)
    run = runs.run_now(leader.application, job)
    leader.turn()
    return f"chronos-test-{run.id}-1"


def note(leader: Leader, job: str) -> str | None:
    return runs.get_run(leader.application, leader.runs(job)[0].id).run.note


def printed(leader: Leader, job: str) -> bytes:
    return logs.read_log(leader.application, leader.runs(job)[0].id).data


def test_a_machine_that_gives_nothing_holds_up_no_others_and_not_for_ever(
    leader: Leader, application: Application, pool: ScriptedPool, mute: set[str], mute_of_values: set[str]
) -> None:
    cut_off, reached = begun(leader, "cut off"), begun(leader, "reached")
    mute.add(cut_off)
    mute_of_values.add(cut_off)
    pool.end(cut_off, 0, node="away")
    pool.end(reached, 0, node="here")
    leader.turn()
    assert leader.states("reached") == [RunState.SUCCEEDED]
    assert leader.states("cut off") == [RunState.RUNNING]
    (attempt,) = runs.get_run(application, leader.runs("cut off")[0].id).attempts
    assert attempt.message == f"it has ended; its output cannot be read yet: {AWAY}"
    leader.clock.advance(minutes=9)
    leader.turn()
    assert leader.states("cut off") == [RunState.RUNNING]
    leader.clock.advance(minutes=1)
    leader.turn()
    assert leader.states("cut off") == [RunState.SUCCEEDED]
    assert (
        note(leader, "cut off") == f"Neither what it printed nor what it left for its children could be read: {AWAY}"
    )


def test_children_do_not_wait_long_for_what_a_task_printed_and_the_archive_has_it_later(
    leader: Leader, pool: ScriptedPool, mute: set[str]
) -> None:
    task = begun(leader, "parent")
    leader.define("child", parents=["parent"])
    mute.add(task)
    pool.outputs_of[task] = b"DAY=Sunday\n"
    pool.end(task, 0, node="away", finished_at=leader.clock.now())
    leader.turn()
    assert leader.states("parent") == [RunState.RUNNING]
    leader.clock.advance(seconds=30)
    leader.turn()
    assert leader.states("parent") == [RunState.SUCCEEDED]
    leader.turn()
    child = next(each for each in pool.starts if each != task)
    assert pool.tasks[child].environment["CHRONOS_PARENT_PARENT_DAY"] == "Sunday"
    assert note(leader, "parent") == f"What it printed could not be read at its end: {AWAY}"
    with pytest.raises(PoolUnavailable, match=AWAY):
        printed(leader, "parent")
    assert pool.forgotten == []
    mute.clear()
    assert printed(leader, "parent") == f"stdout of handle of {task}\n".encode()
    leader.clock.advance(seconds=29)
    leader.turn()
    assert pool.forgotten == []  # it is not asked for it in each pass
    leader.clock.advance(seconds=1)
    leader.turn()
    assert pool.forgotten == [f"handle of {task}"]
    assert printed(leader, "parent") == f"stdout of handle of {task}\n".encode()


def test_a_machine_that_says_nothing_is_asked_for_old_output_less_and_less(
    leader: Leader, pool: ScriptedPool, mute: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a call that takes longer than the pause between two is not made again at once."""
    task = begun(leader, "job")
    mute.add(task)
    pool.end(task, 0, node="away")
    leader.turn()
    leader.clock.advance(seconds=30)
    leader.turn()
    asked: list[str] = []
    muted = pool.logs

    def hang(handle: str, stream: Stream, offset: int, limit: int) -> bytes:
        asked.append(handle)
        leader.clock.advance(seconds=40)
        return muted(handle, stream, offset, limit)

    monkeypatch.setattr(pool, "logs", hang)
    began = leader.clock.now()
    while leader.clock.now() < began + timedelta(hours=2):
        leader.clock.advance(seconds=5)
        leader.watcher.step()
    assert 10 < len(asked) < 20


def test_a_node_whose_term_is_over_does_not_touch_what_the_next_one_has_kept(
    leader: Leader, application: Application, pool: ScriptedPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waited for a machine, and the next leader has archived the output and let the task go meanwhile."""
    task = begun(leader, "job")
    pool.end(task, 0, node="here")
    application.logs.archive(leader.runs("job")[0].id, 1, f"handle of {task}", lambda: None)

    def over() -> None:
        raise Deposed("term 1 is over")

    monkeypatch.setattr(pool, "logs", lambda *_: b"")
    Watcher(leader.watcher._term, leader.launcher, leader.settler, application.logs, over).step()
    assert leader.states("job") == [RunState.RUNNING]
    assert printed(leader, "job") == f"stdout of handle of {task}\n".encode()


def test_the_next_leader_fetches_what_the_last_one_could_not(
    leader: Leader, application: Application, pool: ScriptedPool, mute: set[str]
) -> None:
    late, kept = begun(leader, "late"), begun(leader, "kept")
    mute.add(late)
    for task, node in ((late, "away"), (kept, "here")):
        pool.end(task, 0, node=node, finished_at=leader.clock.now())
    leader.turn()
    leader.clock.advance(seconds=30)
    leader.turn()
    assert leader.states("late") == [RunState.SUCCEEDED]
    assert pool.forgotten == [f"handle of {kept}"]
    mute.clear()
    leader.launcher.stop()
    second = elect(application, pool, "second", dead="first")
    second.turn()
    assert printed(second, "late") == f"stdout of handle of {late}\n".encode()
    assert pool.forgotten == [f"handle of {kept}", f"handle of {late}"]
    second.launcher.stop()


def test_what_a_task_printed_is_given_up_after_a_day(leader: Leader, pool: ScriptedPool, mute: set[str]) -> None:
    task = begun(leader, "job")
    mute.add(task)
    pool.end(task, 0, node="away", finished_at=leader.clock.now())
    leader.turn()
    leader.clock.advance(seconds=30)
    for hours in (0, 1, 22):
        leader.clock.advance(hours=hours)
        leader.turn()
        assert pool.forgotten == []
    leader.clock.advance(hours=1)
    leader.turn()
    assert pool.forgotten == [f"handle of {task}"]


def test_the_values_alone_may_be_missing(leader: Leader, pool: ScriptedPool, mute_of_values: set[str]) -> None:
    task = begun(leader, "job")
    mute_of_values.add(task)
    pool.end(task, 0, node="away", finished_at=leader.clock.now())
    leader.turn()
    leader.clock.advance(minutes=10)
    leader.turn()
    assert leader.runs("job")[0].reason is Reason.NONE
    assert note(leader, "job") == f"What it left for its children could not be read: {AWAY}"
    assert printed(leader, "job") == f"stdout of handle of {task}\n".encode()
    assert pool.forgotten == [f"handle of {task}"]
