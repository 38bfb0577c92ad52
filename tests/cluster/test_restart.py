"""Kill the server and start it again: every run ends once, none twice, none lost."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from tests.cluster.server import ServerProcess, wait_for

CHAIN = {"extract": [], "clean": ["extract"], "sum": ["extract"], "load": ["clean", "sum"], "report": ["load"]}


def define_chain(server: ServerProcess, witness: Path) -> None:
    """Each task appends its name to a file of the test when it begins and when it ends: a witness of its own."""
    for name, parents in CHAIN.items():
        command = f"echo {name} begins >> {witness}; sleep 0.3; echo {name} ends >> {witness}"
        server.define(name=name, command=command, parents=parents, retries=0)


def lines(witness: Path) -> list[str]:
    return witness.read_text().splitlines() if witness.exists() else []


@pytest.mark.parametrize("seed", range(6))
def test_kill_9_in_the_middle_of_a_chain(server: ServerProcess, tmp_path: Path, seed: int) -> None:
    witness = tmp_path / "witness"
    define_chain(server, witness)
    server.run("extract")
    chance = random.Random(seed)
    for _ in range(3):
        time.sleep(chance.uniform(0.0, 0.5))  # the moment of the kill is what is tested
        server.kill_9()
        server.start()
    wait_for("the report to end", lambda: [run for run in server.runs("report") if run["state"] == "succeeded"])
    for name in CHAIN:
        assert [run["state"] for run in server.runs(name)] == ["succeeded"], name
        assert lines(witness).count(f"{name} begins") == 1, lines(witness)
        assert lines(witness).count(f"{name} ends") == 1, lines(witness)
    order = [line for line in lines(witness) if line.endswith("begins")]
    assert order[0] == "extract begins"
    assert order[-2:] == ["load begins", "report begins"]


def test_running_tasks_are_adopted_not_restarted(server: ServerProcess, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    go = tmp_path / "go"
    server.define(
        name="long",
        command=f"echo begins >> {witness}; while [ ! -e {go} ]; do sleep 0.05; done; echo ends; exit 0",
        retries=0,
    )
    run_id = server.run("long")
    wait_for("the task to begin", lambda: lines(witness))
    assert server.terminate() == 0
    server.start()
    assert server.get(f"/api/runs/{run_id}")["state"] == "running"
    go.touch()
    run = server.wait_for_end(run_id)
    assert (run["state"], len(run["attempts"])) == ("succeeded", 1)
    assert lines(witness) == ["begins"]
    assert server.output(run_id) == "ends\n"


def test_a_task_that_ends_while_no_server_runs_keeps_its_result(server: ServerProcess, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    server.define(name="short", command=f"sleep 0.5; echo out; touch {ended}; exit 3", retries=0)
    run_id = server.run("short")
    wait_for("the task to run", lambda: server.get(f"/api/runs/{run_id}")["state"] == "running")
    server.kill_9()
    wait_for("the task to end", ended.exists)
    server.start()
    run = server.wait_for_end(run_id)
    assert (run["state"], run["attempts"][0]["exitCode"]) == ("failed", 3)
    assert server.output(run_id) == "out\n"


def test_sigterm_hands_over_at_once(server: ServerProcess, tmp_path: Path) -> None:
    """The next server leads without waiting for the lease of the first."""
    server.define(name="job", command="true")
    assert server.terminate() == 0
    begun = time.monotonic()
    server.start()
    server.wait_until_it_leads()
    assert server.wait_for_end(server.run("job"))["state"] == "succeeded"
    assert time.monotonic() - begun < 30


def test_a_paused_leader_launches_nothing_when_it_wakes(tmp_path: Path) -> None:
    """Two servers on one database: stop the leader for three leases, let the other work, wake it up."""
    witness = tmp_path / "witness"
    options = ("--pool", "process", "--lease-seconds", "1", "--database-url", f"sqlite:///{tmp_path}/chronos.db")
    first = ServerProcess(tmp_path, *options).start()
    first.wait_until_it_leads()
    second = ServerProcess(tmp_path, *options).start()
    try:
        first.define(
            name="tick", command=f"echo $CHRONOS_SCHEDULED_TIME >> {witness}", schedule="R//PT1S", overlap="allow"
        )
        wait_for("the first launches", lambda: lines(witness))
        first.signal(signal.SIGSTOP)
        second.wait_until_it_leads()
        launched = len(lines(witness))
        wait_for("launches of the second leader", lambda: len(lines(witness)) > launched + 2)
        first.signal(signal.SIGCONT)
        wait_for("the first to know", lambda: not first.get("/api/leader")["isLeader"])
        seen = len(lines(witness))
        wait_for("more launches", lambda: len(lines(witness)) > seen + 2)
        times = lines(witness)
        assert len(times) == len(set(times)), "an occurrence ran twice"
        runs = second.runs("tick")
        occurrences = [run["scheduledTime"] for run in runs]
        assert len(occurrences) == len(set(occurrences))
    finally:
        first.terminate()
        second.terminate()
