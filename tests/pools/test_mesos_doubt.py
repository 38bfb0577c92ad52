"""What nobody can say for a while: launches without an answer, tasks that come back, a framework's id unkept."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from chronos_py.errors import DatabaseUnavailable
from chronos_py.model.task import Task
from chronos_py.pools import LaunchRefused, LaunchWaits, PoolOptions, PoolUnavailable, TaskState
from chronos_py.pools.mesos.http import Address, Caller
from chronos_py.pools.mesos.pool import MesosPool

from .mesos_fixtures import allow, end_framework, keeps_trying, launches_wait_soon
from .mesos_wiretap import Json, Wiretap
from .waiting import eventually, final, present, status_of

COMMAND = 'echo ran >> "$CHRONOS_SHARED_DIR/ran"'


def nobody_subscribes(body: Json) -> tuple[int, str] | None:
    return (503, "No leader elected") if body["type"] == "SUBSCRIBE" else None


@pytest.mark.parametrize("arrives", [False, True], ids=["before Mesos has it", "after Mesos has it"])
def test_a_launch_that_lost_its_answer_is_made_once_by_the_same_leader(
    mesos: Wiretap, make: Callable[..., MesosPool], tmp_path: Path, arrives: bool
) -> None:
    pool = make()
    assert pool.list() == []
    mesos.loses["ACCEPT"] = arrives
    with contextlib.suppress(LaunchWaits, PoolUnavailable):  # where it takes longer than a launch waits for
        pool.submit(Task(name="a", command=COMMAND), allow)
    assert eventually(keeps_trying(lambda: final(pool, "a"))).exit_code == 0
    assert (tmp_path / "shared" / "ran").read_text() == "ran\n"
    assert len(mesos.called("ACCEPT")) == 1


@pytest.mark.parametrize("arrives", [False, True], ids=["before Mesos has it", "after Mesos has it"])
def test_a_launch_that_lost_its_answer_and_its_leader_is_made_once_by_the_next(
    mesos: Wiretap,
    make: Callable[..., MesosPool],
    tmp_path: Path,
    arrives: bool,
) -> None:
    old, task = make(), Task(name="a", command=COMMAND)
    assert old.list() == []
    mesos.loses["ACCEPT"] = arrives
    mesos.drops_updates = True  # one of them might come before the stream is given up, and say that it was launched
    mesos.answers.append(nobody_subscribes)
    with launches_wait_soon(), pytest.raises(LaunchWaits):  # a handle would say that it was launched
        old.submit(task, allow)
    eventually(lambda: not mesos.loses)
    old.close()
    mesos.undo()
    new = make()
    assert eventually(keeps_trying(lambda: [new.list()]))
    if arrives:
        assert eventually(keeps_trying(lambda: present(new, "a")))
    else:
        assert status_of(new, "a") is None
    assert eventually(keeps_trying(lambda: recovered(new, task)))
    assert final(new, "a").exit_code == 0
    assert (tmp_path / "shared" / "ran").read_text() == "ran\n"
    assert len(mesos.called("ACCEPT")) == 1


def test_a_refusal_that_comes_after_the_task_was_launched_anew_changes_nothing(
    mesos: Wiretap, make: Callable[..., MesosPool]
) -> None:
    """The call belonged to a subscription that is over, and the next one has found out that it did not arrive."""
    told, is_held = threading.Event(), threading.Event()

    def late(body: Json) -> tuple[int, str] | None:
        if body["type"] != "ACCEPT" or is_held.is_set():
            return None
        is_held.set()
        told.wait(100)
        return 400, "The stream ID included in this request didn't match the stream ID"

    mesos.answers.append(late)
    pool = make()
    assert pool.list() == []
    submitting = threading.Thread(target=lambda: recovered(pool, Task(name="a", command="sleep 100")))
    submitting.start()
    assert is_held.wait(60)
    mesos.cut_streams()
    eventually(keeps_trying(lambda: present(pool, "a").state is TaskState.RUNNING))
    told.set()
    submitting.join(60)
    eventually(lambda: [each.name for each in threading.enumerate()].count("mesos placing") == 1)
    assert present(pool, "a").state is TaskState.RUNNING
    assert len(mesos.called("ACCEPT")) == 1


def test_a_second_launch_that_mesos_refuses_does_not_end_the_task_that_runs(
    mesos: Wiretap, make: Callable[..., MesosPool]
) -> None:
    pool = make()
    pool.submit(Task(name="a", command="sleep 100"), allow)
    eventually(lambda: present(pool, "a").state is TaskState.RUNNING)
    mesos.say_of("a", "TASK_ERROR", "REASON_TASK_INVALID", "Task has duplicate ID: a")
    mesos.say_of("a", "TASK_UNREACHABLE", "REASON_RECONCILIATION", "Task is unreachable")
    eventually(lambda: present(pool, "a").message)
    assert present(pool, "a").state is TaskState.RUNNING


def recovered(pool: MesosPool, task: Task) -> str | None:
    try:
        return pool.recover(task, allow)
    except LaunchWaits:
        return None


def test_a_launch_in_doubt_is_not_given_up_when_it_is_not_wanted_any_more(
    mesos: Wiretap, make: Callable[..., MesosPool]
) -> None:
    """To refuse it would say for certain that it was not launched."""
    pool, task = make(), Task(name="a", command="true")
    assert pool.list() == []
    mesos.loses["ACCEPT"] = True
    silent = '{"type": "GET_TASKS", "get_tasks": {}}'
    mesos.drops_updates = True
    mesos.answers.append(lambda body: (202, "") if body["type"] == "RECONCILE" else None)
    mesos.answers.append(lambda body: (200, silent) if body["type"] == "GET_TASKS" else None)
    with launches_wait_soon(), pytest.raises(LaunchWaits):
        pool.submit(task, allow)
    eventually(lambda: not mesos.loses)
    eventually(keeps_trying(lambda: len(mesos.called("SUBSCRIBE")) == 2 and pool.list()))

    def late() -> None:
        raise LaunchRefused("too late")

    with pytest.raises(LaunchWaits, match="has not answered"):
        pool.recover(task, late)
    status = present(pool, "a")
    assert (status.state, "has not answered" in status.message) == (TaskState.WAITING, True)
    mesos.undo()
    mesos.cut_streams()
    assert eventually(keeps_trying(lambda: final(pool, "a"))).exit_code == 0
    assert len(mesos.called("ACCEPT")) == 1


def test_a_task_that_was_given_up_and_comes_back_is_killed(mesos: Wiretap, make: Callable[..., MesosPool]) -> None:
    pool = make()
    handle = pool.submit(Task(name="a", command="sleep 100"), allow)
    eventually(lambda: present(pool, "a").state is TaskState.RUNNING)
    mesos.say_of("a", "TASK_UNKNOWN", "REASON_RECONCILIATION", "Task is unknown")
    eventually(lambda: "TASK_UNKNOWN" in present(pool, "a").message)
    pool.kill(handle, 1)
    assert present(pool, "a").state is TaskState.LOST
    pool.forget(handle)
    assert mesos.called("KILL") == []
    mesos.cut_streams()  # the next subscription hears of it again
    eventually(keeps_trying(lambda: mesos.called("KILL")))
    eventually(keeps_trying(lambda: pool.list() == [] and mesos.acknowledged[-1:] == ["TASK_KILLED"]))


def test_output_is_read_of_a_task_that_was_taken_over_while_its_agent_was_away(
    mesos: Wiretap, make: Callable[..., MesosPool], tmp_path: Path
) -> None:
    go = tmp_path / "shared" / "go"
    old = make()
    old.submit(Task(name="a", command=f"echo here; while [ ! -e {go} ]; do sleep 0.05; done; exit 4"), allow)
    eventually(lambda: present(old, "a").state is TaskState.RUNNING)
    old.close()
    nobody = '{"type": "GET_AGENTS", "get_agents": {}}'
    mesos.answers.append(lambda body: (200, nobody) if body["type"] == "GET_AGENTS" else None)
    new = make()
    assert present(new, "a").state is TaskState.RUNNING
    with pytest.raises(PoolUnavailable, match="agent"):
        new.logs(present(new, "a").handle, "stdout", 0, 100)
    mesos.undo()
    go.touch()
    assert final(new, "a").exit_code == 4
    assert new.logs(present(new, "a").handle, "stdout", 0, 100) == b"here\n"
    assert present(new, "a").node


def test_how_a_task_ended_while_nobody_listened_is_read_from_the_master(
    mesos: Wiretap, make: Callable[..., MesosPool], tmp_path: Path
) -> None:
    """Its update comes again only after a while, and what is said of it when it is reconciled has no exit status."""
    go = tmp_path / "shared" / "go"
    pool = make()
    pool.submit(Task(name="a", command=f"while [ ! -e {go} ]; do sleep 0.05; done; exit 5"), allow)
    eventually(lambda: present(pool, "a").state is TaskState.RUNNING and "TASK_RUNNING" in mesos.acknowledged)
    mesos.drops_updates = True
    go.touch()
    master = Address.parse(mesos.url)
    eventually(lambda: b"exited with status 5" in Caller().post(master, "/api/v1", {"type": "GET_TASKS"}))
    mesos.cut_streams()
    eventually(keeps_trying(lambda: len(mesos.called("SUBSCRIBE")) == 2 and pool.list()))
    mesos.say_of("a", "TASK_FAILED", "REASON_RECONCILIATION", "Reconciliation: Latest task state")
    status = final(pool, "a")
    assert (status.state, status.exit_code) == (TaskState.EXITED, 5)


def test_another_leaders_task_is_not_acknowledged_before_it_is_known_whose_it_is(
    mesos: Wiretap, mesos_address: str, make: Callable[..., MesosPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its update may be the first thing that is heard when a broken stream is opened again."""
    monkeypatch.setattr("chronos_py.pools.mesos.session.BACK_OFF_SECONDS", (0.1,))
    first = make()
    assert first.list() == []
    mesos.answers.append(nobody_subscribes)  # but past the wiretap
    mesos.cut_streams()
    eventually(lambda: not mesos.streams)
    second = make(mesos_address)
    second.submit(Task(name="a", command="exit 6"), allow)
    assert final(second, "a").exit_code == 6
    mesos.undo()
    assert eventually(keeps_trying(lambda: final(first, "a"))).exit_code == 6
    assert "TASK_FAILED" not in mesos.acknowledged


def test_everything_is_reconciled_again_and_again(
    mesos: Wiretap, make: Callable[..., MesosPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chronos_py.pools.mesos.placing.RECONCILE_SECONDS", 0.2)
    monkeypatch.setattr("chronos_py.pools.mesos.placing.SETTLED_SECONDS", 0.0)
    pool = make()
    pool.submit(Task(name="a", command="sleep 100"), allow)
    eventually(lambda: present(pool, "a").state is TaskState.RUNNING)

    def asked() -> list[list[str]]:
        """The tasks that were asked for, with their agents; none: all that the master knows."""
        named = [call["reconcile"]["tasks"] for call in mesos.called("RECONCILE")]
        return [[each["task_id"]["value"] for each in tasks if each["agent_id"]] for tasks in named]

    eventually(lambda: asked().count(["a"]) >= 2 and asked().count([]) >= 3)
    assert present(pool, "a").state is TaskState.RUNNING


class FailingState:
    """Keeps texts, and now and then it cannot: no database."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.failures = 0

    def get(self, key: str) -> str:
        return self.kept.get(key, "")

    def set(self, key: str, value: str) -> None:
        if self.failures:
            self.failures -= 1
            raise DatabaseUnavailable("The database cannot be reached.")
        self.kept[key] = value


def test_a_removed_framework_is_made_anew_also_when_the_database_is_away_meanwhile(
    mesos: Wiretap, tmp_path: Path
) -> None:
    state = FailingState()
    pool = MesosPool.from_options(
        PoolOptions("test", tmp_path, tmp_path / "shared", extra={"mesos_master": mesos.url}, state=state)
    )
    try:
        assert pool.list() == []
        state.failures = 2
        mesos.call("TEARDOWN")
        eventually(lambda: state.failures == 0)
        eventually(keeps_trying(lambda: pool.list() == [] and len(mesos.framework_ids) == 2))
        assert state.kept == {"mesos.framework_id": mesos.framework_ids[-1]}
    finally:
        end_framework(pool)
