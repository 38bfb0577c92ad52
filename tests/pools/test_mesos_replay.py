"""The pool against recordings of a real Mesos: what it says, and what it makes of what it is told.

Every recorded scenario, and what of it is replayed (where nothing else is said, the whole stream is, byte for byte,
with each call of ours held against the recorded ones):

======== ============================================================================================================
01-09    all; of 09 not the malformed acknowledgements, which the pool cannot make
10       all; the pool declines for longer than the recorded client, so that the offers come without waiting
11, 11b  all; of tasks that were never launched nothing is asked, and what Mesos says of them is passed over
12       all: a second leader, a dropped stream, TEARDOWN, a removed framework; and as an original's framework
13, 13b  all; /tasks and /state of 13b are not asked for: the pool asks GET_TASKS and GET_AGENTS instead
14       every answer that is no success, each given to the same call of ours, or to RECONCILE where we make none such
15       GET_AGENTS and GET_TASKS answer ours in every test here; files are read as in 20, by their virtual paths
16       all but the health check, which no job has, and with single launches for the invalid task group
17       all; what the pool refuses itself, or gives another id, is never launched, and the stream goes on without it
18       the framework's stream; UPDATE_FRAMEWORK, MESSAGE, REQUEST, SHUTDOWN, operators' events: never asked for
19       all, with single launches: the pool has no task groups; updates, and FAILURE of an executor, are alike
20       all, and READ_FILE of a long file; the old paths /files/* are not used
21       the streams; the pool makes one call to a connection, and asks for nothing compressed
22       every refusal, and the accepted credentials
23       all; 23b its offers: the pool does not announce RESERVATION_REFINEMENT
30       all: the broken stream, the master that is not ready, silence about tasks, the agent that comes back
31, 31b  all; without PARTITION_AWARE, which the pool always announces, the task that comes back is killed
32-34    all
35       all but the call that hangs for 40 seconds; see test_a_silent_master_is_noticed_by_its_heartbeats
40       every redirect and refusal, and both leaders' streams; the znodes in tests/unit and tests/cluster
41       every refusal of a scheduler's call
======== ============================================================================================================
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from chronos_py.pools import PoolUnavailable, TaskState
from chronos_py.pools.mesos.offers import read_offer

from .mesos_double import ReplayDouble
from .mesos_fixtures import keeps_trying, mesos_pool
from .mesos_recordings import RECORDINGS, Json, body_of, read_recording, recorded_tasks, refusals, subscriptions
from .mesos_replaying import Replay, outcome
from .waiting import eventually, present

EXITED, LOST = TaskState.EXITED, TaskState.LOST
FRAMEWORK_FILE = "mesos.framework_id"
MADE_UP = "made-up-id-0001"  # an id that Mesos took as it was given

Expected = dict[str, tuple[TaskState, int | None, str, str]]


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chronos_py.pools.mesos.session.BACK_OFF_SECONDS", (0.01,))


def done(*names: str) -> Expected:
    return dict.fromkeys(names, (EXITED, 0, "", ""))


def is_replayed(replay: Replay, stream: int = 0) -> bool:
    recorded = subscriptions(replay.double.recording, 200)[stream]
    return replay.double.sent[stream].startswith((RECORDINGS / recorded["recordio_file"]).read_bytes())


def assert_ended(replay: Replay, expected: Expected) -> None:
    assert {name: outcome(status) for name, status in replay.ended.items()} == {
        name: each[:3] for name, each in expected.items()
    }
    for name, status in replay.ended.items():
        words = expected[name][3]
        assert words in status.message, (name, status.message)
        assert status.finished_at is not None


TERMINATED, KILLED = "Command terminated with signal Terminated (TASK_KILLED)", "with signal Killed"

SCENARIOS: dict[str, Expected] = {
    "02": done("t-exit0"),
    "03": {"t-exit3": (EXITED, 3, "", "exit status 3")},
    "04": {
        **done("t-argv"),
        "t-signal": (EXITED, 137, "signal", f"{KILLED} (TASK_FAILED)"),
        "t-missing": (EXITED, 127, "", "exit status 127"),
        "t-execmissing": (EXITED, 1, "", "exit status 1"),
        "t-nouser": (LOST, None, "", "Failed to chown directory to 'nosuchuser'"),
    },
    "05": done("d-exit0"),
    "06": {
        **done("d-bridge"),
        "d-exit3": (EXITED, 3, "", "exit status 3"),
        "d-noimage": (EXITED, None, "launch", "(TASK_FAILED, CONTAINER_LAUNCH_FAILED)"),
    },
    "07": {
        "k-cmd": (EXITED, 143, "signal", TERMINATED),
        "k-trap": (EXITED, 137, "signal", f"{KILLED} (TASK_KILLED)"),
        "k-term0": (EXITED, 0, "signal", "Command exited with status 0 (TASK_KILLED)"),
        "k-docker": (EXITED, 137, "signal", "Container exited with status 137 (TASK_KILLED)"),
    },
    "08": {
        "k-nocap": (EXITED, 143, "signal", TERMINATED),
        "k-early": (EXITED, 137, "signal", "Killed before delivery to the executor (TASK_KILLED, TASK_KILLED_DURING"),
    },
    "09": done("n-1"),
    "11": done("r-done"),
    "11b": done("r-done"),
    "16": {
        **done("u-ok"),
        "u-bad": (EXITED, None, "launch", "Failed to fetch all URIs"),
        "h-flip": (EXITED, 143, "signal", TERMINATED),
        "m-time": (EXITED, 143, "wall_time", "(TASK_FAILED, MAX_COMPLETION_TIME_REACHED)"),
        "g-1": (EXITED, None, "launch", "'ExecutorInfo.framework_id' must be set (TASK_ERROR, TASK_GROUP_INVALID)"),
        "g-2": (EXITED, None, "launch", "Mesos refused the task"),
    },
    "17": {
        **done("ct:1711977600000:0:weird name:é", "i-cpuonly", "i-tinymem", "i-norole", "i-two-a", "i-two-b"),
        "i-agent": (EXITED, None, "launch", "Task uses invalid agent other-agent"),
    },
    "18": {"op-1": (EXITED, 143, "signal", TERMINATED)},
    "19": {
        **done("g-1", "g-2"),
        "h-1": (EXITED, 4, "", "exit status 4"),
        "h-2": (EXITED, 143, "signal", TERMINATED),
    },
    "20": {
        **done("dd-argv", "dd-user"),
        "dd-run": (EXITED, 137, "signal", "Container exited with status 137 (TASK_KILLED)"),
        "dd-nocmd": (EXITED, 125, "", "exit status 125"),
        "dd-missing": (EXITED, 127, "", "exit status 127"),
    },
    "31": {"al-run": (LOST, None, "", "health check timed out (TASK_LOST, AGENT_REMOVED)")},
    "31b": {"al-run": (EXITED, 143, "signal", TERMINATED)},
    "32": {"nc-run": (LOST, None, "", "Agent 127.0.0.1 disconnected (TASK_LOST, AGENT_DISCONNECTED)")},
    "33": {
        "ek-run": (LOST, None, "", "Executor terminated (TASK_FAILED, EXECUTOR_TERMINATED)"),
        "ek-docker": (EXITED, 137, "", "exit status 137"),
    },
    "34": {
        "cp-run": (EXITED, 143, "signal", TERMINATED),
        "cp-end": (LOST, None, "", "Executor terminated (TASK_FAILED, EXECUTOR_TERMINATED)"),
    },
    "35": done("fz-run"),
}
GO_ON = {"11": {"r-run"}, "11b": {"pa-stale"}, "17": {"i/slash", "i-dup"}}


@pytest.mark.parametrize("name", SCENARIOS)
def test_replays_what_mesos_did(name: str, tmp_path: Path) -> None:
    with Replay(name, tmp_path) as replay:
        replay.run(*SCENARIOS[name])
        assert_ended(replay, SCENARIOS[name])
        assert is_replayed(replay)
        assert {status.node for status in replay.ended.values()} == {"127.0.0.1"}
        assert {status.name for status in replay.pool.list()} == GO_ON.get(name, set())
        assert len(replay.double.subscribed) == 1
        told = Counter(status.get("uuid") for status in statuses_of(name))
        acknowledged = Counter(call["acknowledge"]["uuid"] for call in replay.double.called("ACKNOWLEDGE"))
        assert acknowledged <= told  # again only what Mesos tells again


def test_what_waits_in_between_is_told_and_ends_nothing(tmp_path: Path) -> None:
    """31b: the agent is away for a while."""
    with Replay("31b", tmp_path) as replay:
        replay.run()
        words = [status.message for status in replay.seen["al-run"] if status.state is TaskState.RUNNING]
        assert any("its agent cannot be reached" in each and "TASK_UNREACHABLE" in each for each in words)


def test_a_task_that_comes_back_after_its_end_was_settled_is_killed(tmp_path: Path) -> None:
    """31: lost, settled, and then running again beside whatever has followed it."""
    with Replay("31", tmp_path) as replay:
        replay.run()
        kill = replay.double.called("KILL")[0]["kill"]
        assert (kill["task_id"]["value"], kill["agent_id"]["value"][-3:]) == ("al-run", "-S0")
        assert [status.state for status in replay.seen["al-run"]][-1] is LOST


def test_what_the_pool_does_not_launch_it_says_itself(tmp_path: Path) -> None:
    with Replay("17", tmp_path) as replay:
        replay.run()
        assert set(replay.refused) == {"i-nocmd", "i-nores"}
        assert "uses no resources" in replay.refused["i-nores"]


def test_an_executor_that_fails_has_everything_reconciled(tmp_path: Path) -> None:
    with Replay("19", tmp_path) as replay:
        replay.run()
        everything: Json = {"tasks": []}
        eventually(lambda: [call["reconcile"] for call in replay.double.called("RECONCILE")].count(everything) >= 2)


def test_declines_suppresses_and_revives_as_recorded(tmp_path: Path) -> None:
    with Replay("10", tmp_path) as replay:
        replay.run()
        double = replay.double
        declined = double.called("DECLINE")
        assert declined[0]["decline"]["filters"]["refuse_seconds"] == 3600  # as the recorded client's third
        kinds = [call["type"] for call in double.calls if call["type"] in ("SUPPRESS", "REVIVE")]
        assert kinds[:2] == ["SUPPRESS", "REVIVE"]
        # The launch on an offer that was gone is made again, and the task too large for any is never sent.
        assert replay.refused == {"o-big": "waiting for an offer that fits: needs 1000 cpus, the largest offer has 4"}
        assert any(call["decline"]["filters"]["refuse_seconds"] == 5 for call in declined)  # while o-big waited
        eventually(lambda: len(double.called("ACCEPT")) == 2)
        launched = [call["accept"]["operations"][0]["launch"]["task_infos"] for call in double.called("ACCEPT")]
        assert [[info["task_id"]["value"] for info in infos] for infos in launched] == [["o-stale"], ["o-stale"]]


@pytest.mark.parametrize("name", ["01", "21"])
def test_without_tasks_every_offer_is_given_back(name: str, tmp_path: Path) -> None:
    with Replay(name, tmp_path) as replay:
        replay.double.plan = replay.double.plan[:1]
        replay.run()
        assert is_replayed(replay)
        eventually(lambda: [each["type"] for each in replay.double.calls].count("SUPPRESS") == 1)
        assert len(replay.double.called("DECLINE")) == 1


def test_what_is_reserved_for_the_role_is_used_first(tmp_path: Path) -> None:
    with Replay("23", tmp_path, mesos_role="chronos") as replay:
        replay.run("ro-reserved", "ro-unreserved", "ro-plain")
        assert_ended(replay, done("ro-reserved", "ro-unreserved", "ro-plain"))
        assert is_replayed(replay)
        (info,) = replay.double.called("ACCEPT")[0]["accept"]["operations"][0]["launch"]["task_infos"]
        recorded = [each["resources"] for each in recorded_tasks(read_recording("23"))["ro-reserved"]]
        assert info["resources"] == recorded[0]


def test_reserved_resources_are_read_in_both_forms() -> None:
    amounts = []
    for name in ("23", "23b"):
        (event,) = [
            each for each in events_of(name) if each["type"] == "OFFERS" and len(each["offers"]["offers"]) == 2
        ]
        offers = [read_offer(each) for each in event["offers"]["offers"]]
        shares = [sorted((each.name, each.role, each.amount) for each in offer.shares) for offer in offers]
        amounts.append(sorted(shares))
    assert amounts[0] == amounts[1]
    assert ("cpus", "chronos", 1.0) in amounts[0][0]


def events_of(name: str) -> Iterator[Json]:
    for stream in read_recording(name)["streams"]:
        yield from (each["event"] for each in stream["events"])


def test_reads_a_long_file_of_a_sandbox_as_recorded(tmp_path: Path) -> None:
    with Replay("20", tmp_path) as replay:
        handle = f"dd-run@c64dbf56-5192-4304-8bfb-a22e9b368760-0020@127.0.0.1:{replay.double.port}"
        assert replay.pool.logs(handle, "stdout", 5, 10) == b"0\nline-1\nl"
        assert replay.pool.logs(handle, "stdout", 10_000_000, 10) == b""
        assert replay.double.problems == []


# --------------------------------------------------------------------------------------------- streams that end


def test_a_master_that_is_killed_and_comes_back_is_subscribed_again(tmp_path: Path) -> None:
    with Replay("30", tmp_path) as replay:
        double = replay.double
        double.tells_tasks = False  # its agent has not registered with the new master yet
        double.plan = subscriptions(double.recording, 200, 503)
        replay.run("mr-run")
        assert_ended(replay, {"mr-run": (EXITED, 143, "signal", TERMINATED)})
        ids = [call.get("framework_id", {}).get("value") for call in double.subscribed]
        assert ids == [None, *["e1d829f2-3af8-45ba-937b-054b043ccb72-0005"] * 2]
        named = [call["reconcile"]["tasks"] for call in double.called("RECONCILE")]
        assert [] in named
        assert any(each["task_id"]["value"] == "mr-run" for tasks in named for each in tasks)
        states = [status.state for status in replay.seen["mr-run"]]
        assert LOST not in states
        assert is_replayed(replay, 1)


def test_follows_the_leading_master_through_redirects_and_refusals(tmp_path: Path) -> None:
    """40: redirects without a scheme, to a dead leader, masters that are not ready, then the new leader."""
    with Replay("40", tmp_path) as replay:
        double = replay.double
        double.plan = subscriptions(double.recording)
        answers = [each["response"]["status"] for each in double.plan]
        assert (answers.count(307), answers.count(503), answers.count(200)) == (8, 3, 2)
        replay.run("ha-run")
        assert_ended(replay, {"ha-run": (EXITED, 143, "signal", TERMINATED)})
        assert len(double.subscribed) == len(answers)
        assert is_replayed(replay, 1)


def test_a_second_leader_takes_the_framework_over_and_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chronos_py.pools.mesos.session.TAKE_BACK_SECONDS", 1e9)
    with Replay("12", tmp_path) as replay:
        double, old = replay.double, replay.pool
        double.plan = subscriptions(double.recording, 200)[:3]
        eventually(lambda: replay.step() and double.wanted is not None and double.wanted["type"] == "SUBSCRIBE")
        replay.pool = mesos_pool(double.url, tmp_path, mesos_failover_timeout="120")
        try:
            adopted = eventually(keeps_trying(lambda: present(replay.pool, "f-run")))
            assert adopted.state is TaskState.RUNNING  # and it is not launched again
            with pytest.raises(PoolUnavailable, match="Another scheduler has just taken the framework over"):
                eventually(lambda: old.list() and None)
            replay.run("f-run")
        finally:
            old.close()
        assert_ended(replay, {"f-run": (EXITED, 143, "signal", TERMINATED)})
        assert len(double.called("ACCEPT")) == 1
        assert (is_replayed(replay, 0), is_replayed(replay, 1), is_replayed(replay, 2)) == (True, True, True)

        replay.pool.close()
        double.plan = subscriptions(double.recording, 200)[2:3]
        framework_id = (tmp_path / FRAMEWORK_FILE).read_text()
        replay.pool = mesos_pool(double.url, tmp_path)
        assert replay.pool.teardown() == framework_id
        assert len(double.called("TEARDOWN")) == 1
        assert (tmp_path / FRAMEWORK_FILE).read_text() == ""
        assert double.problems == []


def test_a_framework_of_the_original_is_taken_over_and_its_tasks_are_left_alone(tmp_path: Path) -> None:
    """12, with the recorded first client as the original: its task runs on, and ends, without a run here."""
    (tmp_path / FRAMEWORK_FILE).write_text("c64dbf56-5192-4304-8bfb-a22e9b368760-0012")
    with Replay("12", tmp_path) as replay:
        double = replay.double
        (theirs,) = recorded_tasks(double.recording)["f-run"]
        double.knows(theirs)
        double.plan = subscriptions(double.recording, 200)[1:3]
        for each in ("ACKNOWLEDGE", "KILL"):
            for call in calls_of("12", each):
                double.pass_by(call)  # what the original, or a person, did
        double.settled.add("f-run")  # nobody here has to commit it
        replay.run()
        assert replay.seen == {}
        states = {each["uuid"]: each["state"] for each in statuses_of("12") if "uuid" in each}
        eventually(lambda: len(double.called("ACKNOWLEDGE")) == 2)
        ended = [states[call["acknowledge"]["uuid"]] for call in double.called("ACKNOWLEDGE")]
        assert ended == ["TASK_KILLING", "TASK_KILLED"]  # all that came on our streams, at once
        assert (double.called("KILL"), double.called("ACCEPT")) == ([], [])
        (first, second) = double.subscribed
        assert first == second
        assert first["framework_id"] == first["subscribe"]["framework_info"]["id"]


def test_what_a_master_says_of_tasks_that_are_not_ours_changes_nothing(tmp_path: Path) -> None:
    """11, whose tasks the original launched: its reconciliations name tasks that nobody here knows."""
    with Replay("11", tmp_path) as replay:
        double = replay.double
        for infos in recorded_tasks(double.recording).values():
            double.knows(infos[0])
            double.settled.add(infos[0]["task_id"]["value"])
        replay.run()
        assert replay.seen == {}
        assert (double.called("KILL"), double.called("ACCEPT")) == ([], [])
        assert len(double.called("ACKNOWLEDGE")) == 5


def calls_of(name: str, kind: str) -> list[Json]:
    return [body_of(each) for each in read_recording(name)["exchanges"] if body_of(each).get("type") == kind]


def statuses_of(name: str) -> Iterator[Json]:
    return (each["update"]["status"] for each in events_of(name) if each["type"] == "UPDATE")


@pytest.mark.parametrize(("name", "task"), [("13", "x-run"), ("13b", "nf-run")])
def test_a_framework_whose_time_ran_out_begins_anew_and_its_tasks_are_lost(
    name: str, task: str, tmp_path: Path
) -> None:
    with Replay(name, tmp_path) as replay:
        double = replay.double
        double.plan = [*subscriptions(double.recording, 200)[:2], *subscriptions(read_recording("13"), 200)[2:]]
        replay.run(task)
        assert_ended(replay, {task: (LOST, None, "", "has removed the framework")})
        assert "Mesos ended its tasks" in replay.ended[task].message
        assert "framework_id" not in double.subscribed[2]
        assert (tmp_path / FRAMEWORK_FILE).read_text() == MADE_UP
        assert is_replayed(replay, 1)


# -------------------------------------------------------------------------------------------------- refusals

REFUSED = [
    pytest.param(name, number, id=f"{name}-{number}")
    for name in ("12", "14", "22", "40", "41")
    for number in range(len(refusals(read_recording(name))))
]


@pytest.mark.parametrize(("name", "number"), REFUSED)
def test_a_recorded_refusal_is_one_line_and_tried_again(
    name: str, number: int, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chronos_py.pools.mesos.session.TAKE_BACK_SECONDS", 0)
    caplog.set_level(logging.WARNING, "chronos_py.pools.mesos")
    exchange = refusals(read_recording(name))[number]
    kind = "SUBSCRIBE" if body_of(exchange).get("type") == "SUBSCRIBE" else "RECONCILE"
    with Replay("01", tmp_path) as replay:
        double = replay.double
        double.plan = double.plan * 3
        double.refusals.append((kind, exchange))
        eventually(
            keeps_trying(lambda: replay.pool.list() == [] and not double.refusals and double.called("SUPPRESS"))
        )
        assert len(double.subscribed) == (1 if kind == "SUBSCRIBE" else 2)
    said = [record.getMessage() for record in caplog.records]
    answer = exchange["response"]
    words = (answer["body"] or "")[:60] if answer["status"] not in (307, 401) else ""
    if words.startswith("The stream ID '"):
        words = "Another scheduler has taken the framework over"
    assert len(said) == 1, said
    assert words.strip() in said[0]
    assert "\n" not in said[0]
    if answer["status"] == 401:
        assert "refuses the credentials (401); check --mesos_authentication_principal" in said[0]


def test_a_framework_that_mesos_does_not_take_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """14: answered with 200, and a stream of one ERROR. The pool tries again when it is told to, and not before."""
    monkeypatch.setattr("chronos_py.pools.mesos.session.BACK_OFF_SECONDS", (3600.0,))
    errors = [each for each in subscriptions(read_recording("14"), 200) if "recordio_file" not in each]
    assert len(errors) == 2
    with Replay("14", tmp_path) as replay:
        replay.double.plan = [*errors, replay.double.plan[0]]
        lines = []
        for tries in range(1, 3):
            with pytest.raises(PoolUnavailable) as caught:
                replay.pool.list()
            lines.append(str(caught.value))
            assert len(replay.double.subscribed) == tries
            replay.pool._session.look_again()
            eventually(lambda number=tries + 1: len(replay.double.subscribed) == number)
        assert lines[0].startswith("Mesos does not take this framework: 'FrameworkInfo.roles' contains invalid role")
        eventually(keeps_trying(lambda: replay.pool.list() == []))


def test_every_call_has_the_recorded_credentials(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    with Replay("22", tmp_path, mesos_principal="lab", mesos_secret_file=str(tmp_path / "secret")) as replay:
        replay.double.plan = replay.double.plan[:1]
        replay.run()
        request = read_recording("22")["streams"][0]["request"]
        assert replay.double.authorizations == {dict(request["headers"])["Authorization"]}
        assert replay.double.subscribed[0]["subscribe"]["framework_info"]["principal"] == "lab"


def test_pages_say_that_no_master_leads(tmp_path: Path) -> None:
    double = ReplayDouble("41")
    pool = mesos_pool(double.url, tmp_path)
    try:
        (answer,) = [each for each in double.recording["exchanges"] if body_of(each).get("type") == "GET_MASTER"]
        double.refusals.append(("GET_AGENTS", answer))
        with pytest.raises(PoolUnavailable, match=r"is not ready \(No leader elected\)"):
            pool.nodes()
        assert pool.nodes()
    finally:
        pool.close()
        double.stop()
