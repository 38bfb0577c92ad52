"""The whole path on a real swarm: the sample chain over two nodes, one of which is cut off in the middle."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.server import CHRONOS, ServerProcess, wait_for
from tests.pools.swarm_hosts import Host
from tests.pools.waiting import eventually

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

SAMPLES = Path(__file__).parents[2] / "sample_jobs"
CHAIN = ("extract_orders", "transform_products", "transform_customers", "load_warehouse", "report_sales")
# The first attempt does not end by itself.
HELD = (
    'echo "$HOSTNAME" >> "$CHRONOS_SHARED_DIR/launches"\nif mkdir "$CHRONOS_SHARED_DIR/held"; then sleep 9999; fi\n'
)


@pytest.fixture
def on_swarm(
    start_server: Callable[..., ServerProcess],
    swarm_hosts: list[Host],
) -> ServerProcess:
    urls = ",".join(host.url for host in swarm_hosts)
    server = start_server("--pool", "swarm", "--docker-url", urls, "--resync-seconds", "1")
    server.wait_until_it_leads()
    return server


def the_run(server: ServerProcess, job: str) -> dict[str, Any]:
    (run,) = wait_for(f"a run of {job}", lambda: server.runs(job))
    found: dict[str, Any] = server.get(f"/api/runs/{run['id']}")
    return found


def message_of(server: ServerProcess, job: str) -> str:
    """What the first attempt of the only run of a job says; "" when there is none yet."""
    attempts = the_run(server, job)["attempts"]
    return str(attempts[0]["message"]) if attempts else ""


def services_of(manager: Host) -> set[str]:
    return {service["ID"] for service in manager.client.services()}  # type: ignore[no-untyped-call]


def test_the_sample_chain_goes_on_when_a_node_was_cut_off_in_the_middle(
    on_swarm: ServerProcess,
    swarm_hosts: list[Host],
) -> None:
    manager, worker = swarm_hosts
    others = services_of(manager)
    for name in CHAIN:
        document = json.loads((SAMPLES / f"{name}.json").read_text())
        document |= {"schedule": None} if name == "extract_orders" else {}
        if name == "transform_customers":
            document |= {"command": HELD + document["command"], "gracePeriod": 60, "retries": 1, "retryDelay": 0}
            document |= {"constraints": [["hostname", "EQUALS", "node2"]]}
        if name == "transform_products":  # which must not be away as well
            document |= {"constraints": [["hostname", "EQUALS", "node1"]]}
        on_swarm.define(**{key: value for key, value in document.items() if value is not None})
    on_swarm.run("extract_orders")
    wait_for("the second step to begin", lambda: (on_swarm.shared_dir / "held").exists(), 60)
    wait_for("it to be seen", lambda: the_run(on_swarm, "transform_customers")["state"] == "running")
    worker.cut()
    try:
        eventually(lambda: manager.node("node2")["Status"]["State"] == "down", 60)
        unknown = "unknown: its node node2 is down"
        wait_for("the attempt to be unknown", lambda: unknown in message_of(on_swarm, "transform_customers"))
        assert the_run(on_swarm, "transform_customers")["state"] == "running"
        assert on_swarm.wait_for_end(the_run(on_swarm, "transform_products")["id"])["state"] == "succeeded"
        assert on_swarm.runs("load_warehouse") == []
    finally:
        worker.mend()
    ended = {name: on_swarm.wait_for_end(the_run(on_swarm, name)["id"], 90) for name in CHAIN}
    assert {name: run["state"] for name, run in ended.items()} == dict.fromkeys(CHAIN, "succeeded")
    attempts = {name: len(run["attempts"]) for name, run in ended.items()}
    assert attempts == dict.fromkeys(CHAIN, 1) | {"transform_customers": 2}
    first, second = ended["transform_customers"]["attempts"]
    assert (first["state"], first["exitCode"], first["node"]) == ("failed", 143, "node2")
    assert "its node node2 had been away" in first["message"]
    assert (second["state"], second["node"]) == ("succeeded", "node2")
    assert len((on_swarm.shared_dir / "launches").read_text().splitlines()) == 2
    assert "loaded" in on_swarm.output(ended["load_warehouse"]["id"])
    # What is settled is cleaned up, on every node.
    eventually(lambda: services_of(manager) <= others)


def test_an_image_that_no_node_has_fails_with_the_reason(on_swarm: ServerProcess) -> None:
    on_swarm.define(name="typo", command="true", container={"image": "no-such-image:7"}, retries=0)
    run = on_swarm.wait_for_end(on_swarm.run("typo"))
    assert (run["state"], run["reason"]) == ("failed", "launch_error")
    assert "No such image: no-such-image:7" in run["attempts"][0]["message"]


def test_what_waits_for_room_says_so_and_can_be_killed(on_swarm: ServerProcess) -> None:
    on_swarm.define(name="large", command="true", cpus=1000)
    run_id = on_swarm.run("large")
    wait_for("the scheduler's words", lambda: "insufficient resources" in message_of(on_swarm, "large"))
    on_swarm.kill_run(run_id)
    assert on_swarm.wait_for_end(run_id)["state"] == "killed"


def test_without_a_manager_the_server_ends_with_one_line(tmp_path: Path) -> None:
    command: list[str | Path] = [
        CHRONOS,
        "server",
        "--data-dir",
        tmp_path,
        "--listen",
        "127.0.0.1:0",
        "--pool",
        "swarm",
    ]
    done = subprocess.run(
        [*command, "--docker-url", f"unix://{tmp_path}/none.sock"],
        capture_output=True,
        text=True,
        timeout=60,  # mostly for the start of Python on a busy machine
        check=False,
    )
    assert done.returncode == 1
    assert "--pool swarm: The Docker engine at unix://" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
