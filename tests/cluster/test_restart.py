"""Kill the server and start it again: every run ends once, none twice, none lost."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.cluster.server import ServerProcess, wait_for
from tests.pools.waiting import lines

CHAIN = {"extract": [], "clean": ["extract"], "sum": ["extract"], "load": ["clean", "sum"], "report": ["load"]}


def define_chain(server: ServerProcess) -> None:
    """Each task appends its name to a shared file when it begins and when it ends: a witness that cannot lie."""
    witness = "$CHRONOS_SHARED_DIR/witness"
    for name, parents in CHAIN.items():
        command = f"echo {name} begins >> {witness}; sleep 0.3; echo {name} ends >> {witness}"
        server.define(name=name, command=command, parents=parents, retries=0)


@pytest.mark.parametrize("seed", [1, 2])
def test_kill_9_in_the_middle_of_a_chain(any_server: ServerProcess, seed: int) -> None:
    server, witness = any_server, any_server.shared_dir / "witness"
    define_chain(server)
    server.run("extract")
    chance = random.Random(seed)
    for _ in range(4):
        time.sleep(chance.uniform(0.0, 0.6))  # the moment of the kill is what is tested
        server.kill_9()
        server.start()
    wait_for("the report to end", lambda: [run for run in server.runs("report") if run["state"] == "succeeded"], 60)
    for name in CHAIN:
        assert [run["state"] for run in server.runs(name)] == ["succeeded"], name
        assert lines(witness).count(f"{name} begins") == 1, lines(witness)
        assert lines(witness).count(f"{name} ends") == 1, lines(witness)
    order = [line for line in lines(witness) if line.endswith("begins")]
    assert order[0] == "extract begins"
    assert order[-2:] == ["load begins", "report begins"]


def test_running_tasks_are_adopted_not_restarted(any_server: ServerProcess) -> None:
    server, shared = any_server, any_server.shared_dir
    server.define(
        name="long",
        command="cd $CHRONOS_SHARED_DIR; echo begins >> witness; while [ ! -e go ]; do sleep 0.05; done; echo ends",
        retries=0,
    )
    run_id = server.run("long")
    wait_for("the task to begin", lambda: lines(shared / "witness"))
    wait_for("it to be seen", lambda: server.get(f"/api/runs/{run_id}")["state"] == "running")
    assert server.terminate() == 0
    server.start()
    assert server.get(f"/api/runs/{run_id}")["state"] == "running"
    (shared / "go").touch()
    run = server.wait_for_end(run_id)
    assert (run["state"], len(run["attempts"])) == ("succeeded", 1)
    assert lines(shared / "witness") == ["begins"]
    assert server.output(run_id) == "ends\n"


def test_a_task_that_ends_while_no_server_runs_keeps_its_result(any_server: ServerProcess) -> None:
    server, go, ended = any_server, any_server.shared_dir / "go", any_server.shared_dir / "ended"
    wait = "cd $CHRONOS_SHARED_DIR; while [ ! -e go ]; do sleep 0.05; done"
    server.define(name="short", command=f"{wait}; echo out; touch ended; exit 3", retries=0)
    run_id = server.run("short")
    wait_for("the task to run", lambda: server.get(f"/api/runs/{run_id}")["state"] == "running")
    server.kill_9()
    go.touch()
    wait_for("the task to end", ended.exists)
    server.start()
    run = server.wait_for_end(run_id)
    assert (run["state"], run["attempts"][0]["exitCode"]) == ("failed", 3)
    assert server.output(run_id) == "out\n"


def test_sigterm_may_come_to_any_thread(server: ServerProcess) -> None:
    """The kernel chooses which of the process's threads takes it; what waits for it sleeps in the first."""
    threads = [int(each.name) for each in Path(f"/proc/{server.pid}/task").iterdir()]
    another = next(thread for thread in threads if thread != server.pid)
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.tgkill(server.pid, another, signal.SIGTERM) == 0, os.strerror(ctypes.get_errno())
    assert server.wait() == 0


def test_sigterm_hands_over_at_once(server: ServerProcess) -> None:
    """The next server leads without waiting for the lease of the first."""
    server.define(name="job", command="true")
    assert server.terminate() == 0
    server.start()
    server.wait_until_it_leads()
    assert server.wait_for_end(server.run("job"))["state"] == "succeeded"
