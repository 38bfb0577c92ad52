"""What goes wrong with Mesos, and the right next step: streams, leaders, masters, frameworks, credentials."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from chronos_py.errors import Deposed
from chronos_py.model.task import Task
from chronos_py.pools import LaunchWaits, PoolUnavailable, TaskState
from chronos_py.pools.mesos.pool import MesosPool
from chronos_py.pools.mesos.session import Session

from .mesos_fixtures import allow, keeps_trying, launches_wait_soon
from .mesos_recordings import read_recording
from .mesos_wiretap import Wiretap
from .waiting import eventually, final, present


def test_a_stream_that_breaks_is_opened_again_with_the_same_framework(
    mesos: Wiretap, make: Callable[..., MesosPool]
) -> None:
    pool = make()
    stop = threading.Event()
    watching = threading.Thread(target=lambda: list(pool.watch(stop)))
    watching.start()
    pool.submit(Task(name="a", command="sleep 0.3; exit 5"), allow)
    mesos.cut_streams()
    eventually(lambda: len(mesos.called("SUBSCRIBE")) == 2)
    assert eventually(keeps_trying(lambda: final(pool, "a"))).exit_code == 5
    assert len(mesos.framework_ids) == 1
    stop.set()
    watching.join(60)
    eventually(lambda: not mesos.streams)


def test_a_subscription_that_held_for_long_is_opened_again_at_once(
    mesos: Wiretap, make: Callable[..., MesosPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chronos_py.pools.mesos.session.LASTING_SECONDS", 0.0)
    monkeypatch.setattr("chronos_py.pools.mesos.session.BACK_OFF_SECONDS", (0.0, 3600.0))
    pool = make()
    for breaks in range(3):
        eventually(keeps_trying(lambda: pool.list() == []))
        assert len(mesos.called("SUBSCRIBE")) == breaks + 1
        mesos.cut_streams()
        eventually(lambda number=breaks + 2: len(mesos.called("SUBSCRIBE")) == number)


def test_a_leader_that_comes_back_while_its_subscription_ends_has_a_new_one(
    mesos: Wiretap, make: Callable[..., MesosPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    ends, goes_on = threading.Event(), threading.Event()
    end_keeping = Session._end_keeping

    def slowly(session: Session, problem: str) -> None:
        ends.set()
        goes_on.wait(60)
        end_keeping(session, problem)

    monkeypatch.setattr(Session, "_end_keeping", slowly)
    pool, stop = make(), threading.Event()
    watching = threading.Thread(target=lambda: list(pool.watch(stop)))
    watching.start()
    eventually(keeps_trying(lambda: pool.list() == []))
    stop.set()
    watching.join(60)
    assert ends.wait(60)
    back = threading.Timer(0.2, goes_on.set)
    back.start()
    assert pool.list() == []
    assert len(mesos.called("SUBSCRIBE")) == 2


def test_a_call_with_an_old_streams_id_launches_nothing_and_is_made_anew(
    mesos: Wiretap, make: Callable[..., MesosPool]
) -> None:
    pool = make()
    assert pool.list() == []
    mesos.spoils = "ACCEPT"
    with launches_wait_soon(), contextlib.suppress(LaunchWaits):  # it may be launched only then
        pool.submit(Task(name="a", command="true"), allow)
    eventually(lambda: not mesos.spoils)
    assert eventually(keeps_trying(lambda: final(pool, "a"))).exit_code == 0
    assert len(mesos.called("ACCEPT")) == 1
    assert len(mesos.called("SUBSCRIBE")) == 2


def test_of_two_leaders_the_later_one_has_the_framework(
    mesos: Wiretap, make: Callable[..., MesosPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chronos_py.pools.mesos.session.TAKE_BACK_SECONDS", 1e9)
    old, new = make(), make()
    old.submit(Task(name="a", command="sleep 0.2"), allow)
    assert present(new, "a")
    assert len(mesos.framework_ids) == 1
    with pytest.raises(PoolUnavailable, match="Another scheduler has"):
        eventually(lambda: old.list() and None)
    assert final(new, "a").exit_code == 0


def test_a_framework_that_was_removed_begins_anew_and_says_that_its_tasks_are_lost(
    mesos: Wiretap, make: Callable[..., MesosPool]
) -> None:
    pool = make()
    pool.submit(Task(name="a", command="sleep 100"), allow)
    mesos.drops_updates = True  # that Mesos kills the task may be told before it ends the stream
    mesos.call("TEARDOWN")
    status = eventually(keeps_trying(lambda: final(pool, "a")))
    assert status.state is TaskState.LOST
    assert "removed the framework" in status.message
    mesos.undo()
    pool.submit(Task(name="b", command="true"), allow)
    assert final(pool, "b").exit_code == 0
    assert len(mesos.framework_ids) == 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, "401 Unauthorized."), "refuses the credentials (401); check --mesos_authentication_principal"),
        ((503, "No leader elected"), "is not ready (No leader elected)"),
        ((400, "Failed to validate"), "refuses a call (400: Failed to validate)"),
    ],
)
def test_what_mesos_refuses_is_one_line_and_is_tried_again(
    mesos: Wiretap, make: Callable[..., MesosPool], answer: tuple[int, str], words: str
) -> None:
    mesos.answers.append(lambda body: answer)
    pool = make()
    with pytest.raises(PoolUnavailable) as caught:
        pool.list()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    mesos.undo()
    assert eventually(keeps_trying(lambda: pool.list() == [])) is True


def test_a_role_that_mesos_does_not_take_is_said(make: Callable[..., MesosPool]) -> None:
    pool = make(mesos_role="bad role")
    with pytest.raises(PoolUnavailable, match=r"Mesos does not take this framework: .* invalid role: .*'bad role'"):
        pool.list()


def test_a_master_that_is_gone_is_one_line(make: Callable[..., MesosPool]) -> None:
    pool = make("http://127.0.0.1:1")
    for call in (pool.list, pool.nodes, lambda: pool.submit(Task(name="a", command="true"), allow)):
        with pytest.raises(PoolUnavailable, match=r"127\.0\.0\.1:1 cannot be reached"):
            call()


def test_a_master_that_does_not_lead_says_who_does(mesos: Wiretap, make: Callable[..., MesosPool]) -> None:
    follower = Wiretap(mesos.url)
    try:
        follower.answers.append(lambda body: (307, f"//127.0.0.1:{mesos.port}/master/api/v1/scheduler"))
        pool = make(follower.url)
        pool.submit(Task(name="a", command="true"), allow)
        assert final(pool, "a").exit_code == 0
        assert pool.nodes()[0].name
        assert follower.calls == []
    finally:
        follower.stop()


def test_a_silent_master_is_noticed_by_its_heartbeats(mesos: Wiretap, make: Callable[..., MesosPool]) -> None:
    mesos.heartbeat_seconds = 0.2
    pool = make()
    eventually(keeps_trying(lambda: pool.list() == []))
    eventually(lambda: len(mesos.called("SUBSCRIBE")) >= 3)


def test_a_new_leader_waits_for_the_agents_of_a_new_master(mesos: Wiretap, make: Callable[..., MesosPool]) -> None:
    old = make()
    old.submit(Task(name="a", command="true"), allow)
    eventually(lambda: mesos.called("SUPPRESS"))
    old.close()
    mesos.calls.clear()
    recovered = json.dumps({"type": "GET_AGENTS", "get_agents": {"recovered_agents": [{"id": {"value": "S1"}}]}})
    mesos.answers.append(lambda body: (200, recovered) if body["type"] == "GET_AGENTS" else None)
    pool = make()
    with pytest.raises(PoolUnavailable, match="waits for 1 agents to register again"):
        pool.list()
    eventually(lambda: mesos.called("SUPPRESS") and not mesos.offers)  # others can use them in the meantime
    mesos.undo()
    assert eventually(keeps_trying(lambda: present(pool, "a")))
    pool.submit(Task(name="b", command="true"), allow)
    assert final(pool, "b").exit_code == 0


def test_a_deposed_leader_launches_nothing(mesos: Wiretap, make: Callable[..., MesosPool]) -> None:
    def permit() -> None:
        raise Deposed("over")

    with pytest.raises(Deposed):
        make().submit(Task(name="a", command="true"), permit)
    assert mesos.called("ACCEPT") == []


def test_introduces_itself_with_principal_and_secret_as_recorded(
    mesos: Wiretap, make: Callable[..., MesosPool], tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    make(mesos_principal="lab", mesos_secret_file=str(tmp_path / "secret")).list()
    request = read_recording("22")["streams"][0]["request"]
    assert mesos.authorizations == {dict(request["headers"])["Authorization"]}
    (call,) = mesos.called("SUBSCRIBE")
    assert call["subscribe"]["framework_info"]["principal"] == "lab"
