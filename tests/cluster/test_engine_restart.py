"""Engines that are killed and started again while a server runs tasks on them: each run ends right, none twice."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.cluster.engine_options import on_engines
from tests.cluster.occurrences import TICK
from tests.cluster.server import ServerProcess, wait_for
from tests.pools.swarm_hosts import Host
from tests.pools.waiting import lines

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

Start = Callable[..., ServerProcess]
BEGIN = 'echo "$CHRONOS_JOB_NAME" >> "$CHRONOS_SHARED_DIR/begun"'
OVER = 'echo "$CHRONOS_JOB_NAME" >> "$CHRONOS_SHARED_DIR/over"'


def define_waiting(server: ServerProcess, name: str, **more: Any) -> int:
    """Run a job that begins and then waits for a file of its name; the run, once it has begun."""
    wait = f'while [ ! -e "$CHRONOS_SHARED_DIR/{name}" ]; do sleep 0.1; done'
    document = {"name": name, "command": f"{BEGIN}; {wait}; {OVER}; echo ended", "retries": 0, "gracePeriod": 1}
    server.define(**{**document, **more})
    run_id = server.run(name)
    wait_for(f"{name} to begin", lambda: name in lines(server.shared_dir / "begun"))
    wait_for(f"{name} to be seen", lambda: server.get(f"/api/runs/{run_id}")["attempts"][0]["startedAt"])
    return run_id


def is_ready(server: ServerProcess) -> bool:
    return '"ready":true' in server.problems()


def states_of_hosts(server: ServerProcess) -> dict[str, str]:
    return {host["name"]: host["state"] for host in server.get("/api/cluster")["pool"]["hosts"]}


def every_occurrence_has_its_run(server: ServerProcess) -> list[str]:
    """The states of all that were due, once all of them have ended. None of them began twice."""
    witness = server.shared_dir / "witness"
    seen = len(lines(witness))
    wait_for("more launches", lambda: len(lines(witness)) > seen + 1)
    server.patch("tick", disabled=True)
    wait_for("the last run to end", lambda: all(run["finishedAt"] for run in server.runs("tick")))
    runs, begun = server.runs("tick"), lines(witness)
    while runs[-1]["state"] == "skipped":  # it had not begun when the job was disabled
        runs.pop()
    assert len(begun) == len(set(begun)), "an occurrence ran twice"
    due = [int(run["scheduledTime"][17:19]) for run in runs]
    assert [(later - one) % 60 for one, later in pairwise(due)] == [1] * (len(due) - 1)
    assert {run["state"] for run in runs} <= {"succeeded", "failed", "lost"}
    assert len([run for run in runs if run["state"] == "succeeded"]) <= len(begun)
    return [run["state"] for run in runs]


@pytest.mark.parametrize("live_restore", [True, False], ids=["live-restore", "without"])
def test_dockerd_is_killed_and_started_again(start_server: Start, spare_host: Host, live_restore: bool) -> None:
    """What runs goes on with live-restore, and is ended without; what ended meanwhile tells its own result.

    What a task wrote while its engine was dead, and ended then, nobody has: engines lose it.
    """
    spare_host.stop_engine()
    spare_host.start_engine(*["--live-restore"] * live_restore)
    server = start_server(*on_engines("docker", spare_host))
    server.wait_until_it_leads()
    goes_on, ends = define_waiting(server, "goes-on"), define_waiting(server, "ends")
    server.define(**TICK, retries=0)
    wait_for("launches", lambda: lines(server.shared_dir / "witness"))
    spare_host.kill_engine()
    wait_for("the server to say so", lambda: "does not answer" in server.problems())
    assert server.get(f"/api/runs/{goes_on}")["state"] == "running"
    (server.shared_dir / "ends").touch()
    wait_for("its end", lambda: lines(server.shared_dir / "over") == ["ends"])  # or the engine would end it
    spare_host.start_engine(*["--live-restore"] * live_restore)
    wait_for("the server to be well", lambda: is_ready(server))
    ended = server.wait_for_end(ends)
    assert (ended["state"], len(ended["attempts"])) == ("succeeded", 1)
    if live_restore:
        assert server.get(f"/api/runs/{goes_on}")["state"] == "running"
        (server.shared_dir / "goes-on").touch()
    gone_on = server.wait_for_end(goes_on)
    exit_code = gone_on["attempts"][0]["exitCode"]
    assert (gone_on["state"], exit_code) == (("succeeded", 0) if live_restore else ("failed", 143))
    assert server.output(goes_on) == ("ended\n" if live_restore else "")
    assert set(every_occurrence_has_its_run(server)) >= {"succeeded"}
    assert sorted(lines(server.shared_dir / "begun")) == ["ends", "goes-on"]


def test_the_only_manager_is_killed_and_started_again(start_server: Start, swarm_hosts: list[Host]) -> None:
    """What runs on the worker goes on; what is due meanwhile is launched late."""
    manager, _ = swarm_hosts
    server = start_server(*on_engines("swarm", manager))
    server.wait_until_it_leads()
    run_id = define_waiting(server, "goes-on", constraints=[["hostname", "EQUALS", "node2"]])
    server.define(**TICK, retries=0)
    wait_for("launches", lambda: lines(server.shared_dir / "witness"))
    manager.kill_engine()
    try:
        wait_for("the server to say so", lambda: "does not answer" in server.problems())
    finally:
        manager.start_engine()
    wait_for("the server to be well", lambda: is_ready(server), 60)
    (server.shared_dir / "goes-on").touch()
    ended = server.wait_for_end(run_id)
    assert (ended["state"], ended["attempts"][0]["node"]) == ("succeeded", "node2")
    assert set(every_occurrence_has_its_run(server)) >= {"succeeded"}
    assert lines(server.shared_dir / "begun") == ["goes-on"]


def test_one_of_several_engines_is_killed_and_started_again(start_server: Start, swarm_hosts: list[Host]) -> None:
    """Tasks go on elsewhere; those of that engine are unknown, and what only it may run waits for it."""
    first, second = swarm_hosts
    server = start_server(*on_engines("docker", first, second))
    server.wait_until_it_leads()
    only_there: dict[str, Any] = {"constraints": [["hostname", "EQUALS", "node2"]]}
    hidden = define_waiting(server, "hidden", **only_there)
    server.define(name="waits", command=f"{BEGIN}; hostname", retries=0, **only_there)
    server.define(**TICK, retries=0)
    wait_for("launches", lambda: lines(server.shared_dir / "witness"))
    second.kill_engine()
    try:
        words = f"The Docker engine at {second.secure_url} does not answer"
        wait_for("the server to say so", lambda: words in server.problems())
        wait_for(
            "the attempt to be unknown",
            lambda: f"unknown: {words}" in str(server.get(f"/api/runs/{hidden}")["attempts"][0]["message"]),
        )
        (server.shared_dir / "hidden").touch()
        waits = server.run("waits")
        wait_for("the hosts", lambda: states_of_hosts(server) == {"node1": "ready", "node2": "away"})
        seen = len(lines(server.shared_dir / "witness"))
        wait_for("launches elsewhere", lambda: len(lines(server.shared_dir / "witness")) > seen + 1)
        assert server.get(f"/api/runs/{waits}")["state"] in ("queued", "starting")
    finally:
        second.start_engine()
    assert server.wait_for_end(hidden)["state"] == "succeeded"
    assert server.wait_for_end(waits)["attempts"][0]["node"] == "node2"
    assert set(every_occurrence_has_its_run(server)) >= {"succeeded"}
    assert sorted(lines(server.shared_dir / "begun")) == ["hidden", "waits"]
