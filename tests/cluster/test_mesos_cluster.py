"""Real servers over Mesos: what the leader's death leaves, and what people see meanwhile.

The master is a double that runs tasks, or the real one that CHRONOS_TEST_MESOS_MASTER names.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..pools.mesos_fixtures import end_framework, mesos_pool
from ..pools.mesos_wiretap import Wiretap
from .server import ServerProcess, wait_for


@pytest.fixture
def server(tmp_path: Path, mesos: Wiretap) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path, "--pool", "mesos", "--mesos-master", mesos.url, "--lease-seconds", "2")
    yield server.start()
    server.terminate()
    (tmp_path / "mesos.framework_id").write_text(mesos.framework_ids[-1])
    end_framework(mesos_pool(mesos.url, tmp_path))


def job(name: str, command: str, **more: object) -> dict[str, object]:
    return {"name": name, "command": command, "retries": 0, "cpus": 0.1, "mem": 32, "disk": 16, **more}


def test_a_task_outlives_the_server_and_its_end_is_known_to_the_next(
    server: ServerProcess, mesos: Wiretap, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    server.define(**job("slow", f"echo begun; while [ ! -e {go} ]; do sleep 0.05; done; echo done; exit 3"))
    run = server.run("slow")
    wait_for("the task to run", lambda: server.get(f"/api/runs/{run}")["state"] == "running")
    server.kill_9()
    go.touch()
    server.start()
    ended = server.wait_for_end(run)
    assert ended["state"] == "failed"
    assert len(ended["attempts"]) == 1
    assert ended["attempts"][0]["exitCode"] == 3
    assert len(mesos.called("ACCEPT")) == 1
    wait_for("the end to be acknowledged", lambda: mesos.acknowledged[-1:] == ["TASK_FAILED"])
    (launched,) = mesos.called("ACCEPT")[0]["accept"]["operations"][0]["launch"]["task_infos"]
    assert launched["task_id"]["value"].startswith("ct:")
    with sqlite3.connect(tmp_path / "chronos.db") as database:
        kept = dict(database.execute("SELECT key, value FROM pool_state").fetchall())
    assert kept == {"mesos.framework_id": mesos.framework_ids[0]}
    assert len(mesos.framework_ids) == 1


def test_a_run_that_no_agent_can_take_says_why_and_can_be_killed(server: ServerProcess) -> None:
    server.define(**job("big", "true", cpus=1000))
    run = server.run("big")
    words = re.compile(r"needs 1000 cpus, the largest offer has \d")
    wait_for("the reason on the run", lambda: words.search(str(server.get(f"/api/runs/{run}"))))
    server.define(**job("small", "echo small"))
    small = server.run("small")
    assert server.wait_for_end(small)["state"] == "succeeded"
    assert server.output(small) == "small\n"
    server.kill_run(run)
    assert server.wait_for_end(run)["state"] == "killed"


def test_a_launch_that_lost_its_answer_and_its_leader_runs_once(
    server: ServerProcess, mesos: Wiretap, tmp_path: Path
) -> None:
    server.define(**job("once", f"echo ran >> {tmp_path}/ran"))
    wait_for("the subscription", lambda: mesos.called("SUPPRESS"))
    mesos.loses["ACCEPT"] = False
    mesos.answers.append(lambda body: (503, "No leader elected") if body["type"] == "SUBSCRIBE" else None)
    run = server.run("once")
    wait_for("the launch to break", lambda: not mesos.loses)
    server.kill_9()
    mesos.undo()
    server.start()
    ended = server.wait_for_end(run)
    assert (ended["state"], len(ended["attempts"])) == ("succeeded", 1)
    assert (tmp_path / "ran").read_text() == "ran\n"
    assert len(mesos.called("ACCEPT")) == 1
