"""The Mesos pool, and what is said between it and the master: offers, acknowledgements, leaders, what goes wrong.

The master is a double that runs tasks, or the real one that CHRONOS_TEST_MESOS_MASTER names.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chronos_py.model.constraints import Constraint, Operator
from chronos_py.model.task import Limits, Task
from chronos_py.pools import LaunchRefused, LaunchWaits, Pool, PoolUnavailable, TaskState
from chronos_py.pools.mesos.pool import MesosPool
from chronos_py.pools.mesos.task_info import task_info

from .mesos_fixtures import allow, keeps_trying, launches_wait_soon
from .mesos_wiretap import Json, Wiretap
from .waiting import eventually, final, present, status_of

MUCH = Limits(cpus=1000, memory_mb=10, disk_mb=0)
WAIT = 'while [ ! -e "$CHRONOS_SHARED_DIR/go" ]; do sleep 0.05; done'


def waits_for(pool: Pool, task: Task, words: str) -> str:
    """Submit what no agent can take; what its status says once the offers are seen."""
    with launches_wait_soon(), pytest.raises(LaunchWaits):
        pool.submit(task, allow)
    return eventually(lambda: said if re.fullmatch(words, said := present(pool, task.name).message) else None)


# ------------------------------------------------------------------------------------------------------ offers


def test_without_tasks_offers_are_suppressed_and_revived_for_one(
    mesos: Wiretap, make: Callable[..., MesosPool]
) -> None:
    pool = make()
    assert pool.list() == []
    eventually(lambda: mesos.called("SUPPRESS"))
    mesos.hold_offers()
    pool.submit(Task(name="a", command="true"), allow)
    assert final(pool, "a").exit_code == 0
    assert mesos.called("REVIVE")
    eventually(lambda: len(mesos.called("SUPPRESS")) == 2)
    eventually(lambda: not mesos.offers)  # nothing is hoarded


def test_a_task_that_fits_nowhere_waits_says_why_and_holds_up_nobody(make: Callable[..., MesosPool]) -> None:
    pool = make()
    words = r"waiting for an offer that fits: needs 1000 cpus, the largest offer has [\d.]+"
    waits_for(pool, Task(name="big", command="true", limits=MUCH), words)
    status = present(pool, "big")
    assert (status.state, status.exit_code) == (TaskState.WAITING, None)
    pool.submit(Task(name="small", command="true"), allow)
    assert final(pool, "small").exit_code == 0
    pool.kill(status.handle, 5)
    ended = present(pool, "big")
    assert (ended.state, ended.message) == (
        TaskState.LOST,
        "withdrawn before Mesos offered room for it; it never began",
    )
    pool.forget(ended.handle)
    assert status_of(pool, "big") is None


def test_a_task_that_cannot_be_told_to_mesos_is_refused_and_holds_up_nobody(
    make: Callable[..., MesosPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(task: Task, *more: Any) -> Json:
        if task.name == "odd":
            raise ValueError("odd things")
        return task_info(task, *more)

    monkeypatch.setattr("chronos_py.pools.mesos.placing.task_info", told)
    pool = make()
    with pytest.raises(LaunchRefused, match="odd things"):
        pool.submit(Task(name="odd", command="true"), allow)
    pool.submit(Task(name="plain", command="true"), allow)
    assert final(pool, "plain").exit_code == 0
    assert status_of(pool, "odd") is None


def test_constraints_choose_the_agent(make: Callable[..., MesosPool]) -> None:
    pool = make()
    node = pool.nodes()[0]
    texts = {name: value for name, value in node.attributes.items() if isinstance(value, str)}
    near = [Constraint(name, Operator.EQUALS, value) for name, value in texts.items()]
    near.append(Constraint("hostname", Operator.LIKE, f"{re.escape(node.name[:2])}.*"))
    far = (Constraint("rack", Operator.EQUALS, "no-such-rack"),)
    pool.submit(Task(name="near", command="true", constraints=tuple(near)), allow)
    assert final(pool, "near").exit_code == 0
    words = "waiting for an offer that fits: no agent that offers something meets rack EQUALS no-such-rack"
    waits_for(pool, Task(name="far", command="true", constraints=far), words)


def test_a_waiting_task_that_is_not_wanted_any_more_is_refused(
    make: Callable[..., MesosPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chronos_py.pools.mesos.placing.PERMIT_SECONDS", 0.05)
    pool, is_late = make(), threading.Event()

    def permit() -> None:
        if is_late.is_set():
            raise LaunchRefused("too late")

    with launches_wait_soon(), pytest.raises(LaunchWaits):
        pool.submit(Task(name="big", command="true", limits=MUCH), permit)
    is_late.set()
    eventually(lambda: present(pool, "big").state is TaskState.CREATED)
    with pytest.raises(LaunchRefused, match="too late"):
        pool.recover(Task(name="big", command="true", limits=MUCH), permit)
    assert status_of(pool, "big") is None


def test_a_launch_on_an_offer_that_is_gone_is_made_again(mesos: Wiretap, make: Callable[..., MesosPool]) -> None:
    def lose_the_offer(call: Json) -> None:
        if call["type"] == "ACCEPT":
            mesos.edits.clear()
            offers = call["accept"]["offer_ids"]
            mesos.call("DECLINE", decline={"offer_ids": offers, "filters": {"refuse_seconds": 0}})

    mesos.edits.append(lose_the_offer)
    pool = make()
    pool.submit(Task(name="a", command="true"), allow)
    assert eventually(lambda: mesos.updates("a"))[0]["reason"] == "REASON_INVALID_OFFERS"
    assert final(pool, "a").exit_code == 0
    assert len(mesos.called("ACCEPT")) == 2


# -------------------------------------------------------------------------------------------- acknowledgements


def test_the_end_of_a_task_is_acknowledged_when_it_is_forgotten(
    mesos: Wiretap, make: Callable[..., MesosPool]
) -> None:
    pool = make()
    handle = pool.submit(Task(name="a", command="exit 3"), allow)
    assert final(pool, "a").exit_code == 3
    assert [present(pool, "a").exit_code for _ in range(5)] == [3] * 5
    assert mesos.acknowledged == ["TASK_STARTING", "TASK_RUNNING"]
    pool.forget(handle)
    eventually(lambda: mesos.acknowledged == ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"])


def test_nothing_is_acknowledged_that_was_not_listed(mesos: Wiretap, make: Callable[..., MesosPool]) -> None:
    pool = make()
    pool.submit(Task(name="a", command="true"), allow)
    eventually(lambda: mesos.updates("a"))
    assert mesos.called("ACKNOWLEDGE") == []
    pool.list()
    assert mesos.called("ACKNOWLEDGE") == []  # whoever listed it may not have committed it yet
    eventually(lambda: pool.list() and mesos.acknowledged[:1] == ["TASK_STARTING"])


def test_an_end_that_was_not_acknowledged_is_told_to_the_next_leader(
    mesos: Wiretap, make: Callable[..., MesosPool]
) -> None:
    old = make()
    handle = old.submit(Task(name="a", command="echo kept; exit 4"), allow)
    ended = final(old, "a")
    old.close()
    new = make()
    assert final(new, "a") == ended
    assert new.logs(handle, "stdout", 0, 100) == b"kept\n"
    new.forget(handle)
    eventually(lambda: mesos.acknowledged[-1:] == ["TASK_FAILED"])
    assert new.list() == []


def test_updates_of_tasks_that_are_not_ours_are_acknowledged_at_once(
    mesos: Wiretap, make: Callable[..., MesosPool], tmp_path: Path
) -> None:
    """What the original launched, before its framework was taken over."""
    original = make(cluster="another")
    original.submit(Task(name="a", command=f"{WAIT}; exit 3"), allow)
    original.close()
    pool = make()
    assert pool.list() == []
    (tmp_path / "shared" / "go").touch()
    eventually(lambda: pool.list() == [] and mesos.acknowledged[-1:] == ["TASK_FAILED"])


def test_duplicates_and_what_comes_out_of_order_change_nothing(
    mesos: Wiretap, make: Callable[..., MesosPool]
) -> None:
    pool = make()
    pool.submit(Task(name="a", command="exit 3"), allow)
    ended = final(pool, "a")
    for _ in range(3):
        for status in reversed(mesos.updates("a")):
            mesos.say({"type": "UPDATE", "update": {"status": status}})
    mesos.say_of("a", "TASK_GONE", "REASON_RECONCILIATION", "Task is unknown")
    mesos.say_of("a", "TASK_RUNNING", "REASON_RECONCILIATION", "Latest task state")
    mesos.say({"type": "EVENT_OF_A_LATER_MESOS", "new": {"a": 1}})
    mesos.say({"type": "INVERSE_OFFERS", "inverse_offers": {}})
    mesos.say({"type": "MESSAGE", "message": {"data": "x" * 10_000_000}})
    mesos.say({"type": "OFFERS", "offers": {"offers": [{"id": {"value": "broken"}}]}})
    mesos.say({"type": "UPDATE", "update": {}})
    pool.submit(Task(name="b", command="true"), allow)
    assert final(pool, "b").exit_code == 0
    assert present(pool, "a") == ended


def test_a_task_whose_agent_is_away_is_unknown_until_it_is_back(
    mesos: Wiretap, make: Callable[..., MesosPool], tmp_path: Path
) -> None:
    pool = make()
    pool.submit(Task(name="a", command=WAIT), allow)
    eventually(lambda: present(pool, "a").state is TaskState.RUNNING)
    mesos.say_of("a", "TASK_UNREACHABLE", "REASON_AGENT_REMOVED", "health check timed out")
    eventually(lambda: "TASK_UNREACHABLE, AGENT_REMOVED" in present(pool, "a").message)
    assert present(pool, "a").state is TaskState.RUNNING
    mesos.say_of("a", "TASK_RUNNING", "REASON_AGENT_REREGISTERED", "re-registered")
    eventually(lambda: present(pool, "a").message == "")
    (tmp_path / "shared" / "go").touch()
    assert final(pool, "a").exit_code == 0


def test_a_task_that_the_master_does_not_know_can_be_given_up(mesos: Wiretap, make: Callable[..., MesosPool]) -> None:
    pool = make()
    handle = pool.submit(Task(name="a", command="sleep 100"), allow)
    eventually(lambda: present(pool, "a").state is TaskState.RUNNING)
    mesos.say_of("a", "TASK_UNKNOWN", "REASON_RECONCILIATION", "Task is unknown")
    eventually(lambda: "TASK_UNKNOWN" in present(pool, "a").message)
    pool.kill(handle, 1)
    assert present(pool, "a").state is TaskState.LOST
    assert mesos.called("KILL") == []


# -------------------------------------------------------------------------------------------- what is asked for


def test_pages_ask_without_subscribing(mesos: Wiretap, make: Callable[..., MesosPool]) -> None:
    leader, follower = make(), make()
    handle = leader.submit(Task(name="a", command="printf 'ä\\377'"), allow)
    final(leader, "a")
    assert follower.logs(handle, "stdout", 0, 100) == b"\xc3\xa4\xff"
    assert follower.logs(handle, "stdout", 1, 1) == b"\xa4"
    nodes = follower.nodes()
    assert {(node.state, node.engine.split()[0]) for node in nodes} == {("ready", "Mesos")}
    assert all(node.name and node.attributes["hostname"] == node.name for node in nodes)
    assert follower.capacity().cpus_total == sum(node.cpus_total or 0 for node in nodes)
    assert present(leader, "a").node in {node.name for node in nodes}
    assert len(mesos.called("SUBSCRIBE")) == 1


def test_reads_what_a_task_wrote_for_its_children(make: Callable[..., MesosPool]) -> None:
    pool = make()
    handle = pool.submit(Task(name="a", command='cd /; echo rows=3 > "$CHRONOS_OUTPUT_FILE"'), allow)
    assert final(pool, "a").exit_code == 0
    assert pool.outputs(handle, 100) == b"rows=3\n"
    assert pool.outputs("unknown", 100) == b""


def test_tells_what_a_task_uses_while_it_runs_and_after(
    make: Callable[..., MesosPool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chronos_py.pools.mesos.usage.LOOK_SECONDS", 0.3)
    pool = make()
    pool.submit(Task(name="a", command='while [ ! -e "$CHRONOS_SHARED_DIR/go" ]; do :; done'), allow)
    eventually(lambda: (present(pool, "a").usage.cpu_seconds or 0) > 0.2)
    before = present(pool, "a").usage
    (tmp_path / "shared" / "go").touch()
    after = final(pool, "a").usage
    assert (after.cpu_seconds or 0) >= (before.cpu_seconds or 0)
    assert 0 < (before.max_memory_mb or 0) <= (after.max_memory_mb or 0)


def test_standard_error_has_the_words_of_the_executor_too(make: Callable[..., MesosPool]) -> None:
    pool = make()
    handle = pool.submit(Task(name="a", command="echo out; echo err >&2"), allow)
    assert final(pool, "a").exit_code == 0
    assert pool.logs(handle, "stdout", 0, 100) == b"out\n"
    assert b"err\n" in pool.logs(handle, "stderr", 0, 10_000)


def test_a_program_that_is_not_there_ends_with_status_1(make: Callable[..., MesosPool]) -> None:
    pool = make()
    pool.submit(Task(name="a", command="/no/such/program", shell=False), allow)
    status = final(pool, "a")
    assert (status.state, status.exit_code, status.message) == (TaskState.EXITED, 1, "exit status 1")


def test_reads_long_output_in_pieces(make: Callable[..., MesosPool]) -> None:
    pool = make()
    handle = pool.submit(Task(name="a", command="head -c 200000 /dev/zero | tr '\\0' x"), allow)
    assert final(pool, "a").exit_code == 0
    assert pool.logs(handle, "stdout", 0, 1_000_000) == b"x" * 200_000


def test_a_framework_that_mesos_has_ended_already_can_be_torn_down(
    make: Callable[..., MesosPool], tmp_path: Path
) -> None:
    """Or nobody could go on as another one."""
    pool = make()
    pool.list()
    pool.close()
    framework_id = pool.teardown()
    (tmp_path / "mesos.framework_id").write_text(framework_id)
    assert pool.teardown() == framework_id
    with pytest.raises(PoolUnavailable, match="nothing to tear down"):
        pool.teardown()


def test_teardown_ends_the_framework_and_its_id(
    mesos: Wiretap, make: Callable[..., MesosPool], tmp_path: Path
) -> None:
    pool = make()
    pool.list()
    pool.close()
    pool = make()
    framework_id = pool.teardown()
    assert [call["framework_id"]["value"] for call in mesos.called("TEARDOWN")] == [framework_id]
    with pytest.raises(PoolUnavailable, match="nothing to tear down"):
        pool.teardown()
    (tmp_path / "mesos.framework_id").write_text(framework_id)
    later = make()
    assert eventually(keeps_trying(lambda: later.list() == []))
    assert mesos.framework_ids == [framework_id, (tmp_path / "mesos.framework_id").read_text()]
