"""A swarm of three managers that loses one of them, or most, and gets them back; a worker that is lost for good."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

import docker
import pytest

from tests.cluster.engine_options import on_engines
from tests.cluster.occurrences import TICK
from tests.cluster.server import ServerProcess, wait_for
from tests.cluster.test_engine_restart import define_waiting, every_occurrence_has_its_run, is_ready
from tests.pools.swarm_fixtures import new_swarm
from tests.pools.swarm_hosts import Host, join_swarm
from tests.pools.waiting import eventually, lines

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

Start = Callable[..., ServerProcess]


def is_manager(host: Host) -> bool:
    with contextlib.suppress(docker.errors.APIError):
        swarm = host.client.info()["Swarm"]
        return bool(swarm["ControlAvailable"]) and not swarm.get("Error")
    return False


def leave(host: Host, manager: Host) -> None:
    """Let a node go that the manager then knows nothing of."""
    with contextlib.suppress(docker.errors.APIError):  # it was removed already
        host.client.leave_swarm(force=True)

    def is_removed() -> bool:
        with contextlib.suppress(docker.errors.APIError):
            for node in manager.client.nodes():
                if node["Description"].get("Hostname") == host.name:
                    manager.client.remove_node(node["ID"], force=True)
            return True
        return False

    eventually(is_removed, 60)


@pytest.fixture
def three_managers() -> Iterator[list[Host]]:
    """Three hosts that all manage one swarm."""
    with new_swarm((1, 2, 3)) as made:
        for host in made[1:]:
            made[0].change_node(host.name, Role="manager")
            eventually(partial(is_manager, host), 60)
        yield made


@pytest.fixture
def third_node(swarm_hosts: list[Host], spare_host: Host) -> Iterator[Host]:
    """One more worker."""
    join_swarm(spare_host, swarm_hosts[0], "Worker")
    yield spare_host
    leave(spare_host, swarm_hosts[0])


def test_managers_are_demoted_and_lost_and_come_back(start_server: Start, three_managers: list[Host]) -> None:
    """Without most of the managers nothing is launched, and nothing is taken for ended; afterwards all goes on."""
    first, second, third = three_managers
    server = start_server(*on_engines("swarm", *three_managers))
    server.wait_until_it_leads()
    witness = server.shared_dir / "witness"
    run_id = define_waiting(server, "goes-on", retries=1, retryDelay=0)
    server.define(**TICK, retries=0)
    wait_for("launches", lambda: lines(witness))

    second.change_node("node1", Role="worker")  # the swarm's leader, which the server talks to
    eventually(lambda: not is_manager(first), 60)
    seen = len(lines(witness))
    wait_for("launches by another manager", lambda: len(lines(witness)) > seen + 1, 60)
    second.change_node("node1", Role="manager")
    eventually(lambda: is_manager(first), 60)

    second.kill_engine()
    third.kill_engine()
    try:
        words = f"The swarm of the Docker engine at {first.secure_url} fails: "
        wait_for("the server to say so", lambda: words in server.problems(), 60)
        assert server.get(f"/api/runs/{run_id}")["state"] == "running"
    finally:
        second.start_engine()
        third.start_engine()
    wait_for("the server to be well", lambda: is_ready(server), 90)
    (server.shared_dir / "goes-on").touch()
    ended = server.wait_for_end(run_id)
    # Swarm may end what runs on nodes that find the new leader late.
    assert ended["state"] == "succeeded"
    assert len(lines(server.shared_dir / "begun")) == len(ended["attempts"])
    assert set(every_occurrence_has_its_run(server)) >= {"succeeded"}


def test_a_worker_that_never_comes_back_takes_its_tasks_with_it(
    start_server: Start, swarm_hosts: list[Host], third_node: Host
) -> None:
    """They are unknown until somebody says that the node is gone, and then they are lost."""
    manager = swarm_hosts[0]
    server = start_server(*on_engines("swarm", manager))
    server.wait_until_it_leads()
    only_there = {"constraints": [["hostname", "EQUALS", "node3"]]}
    run_id = define_waiting(server, "goes-on", **only_there)
    third_node.cut()
    try:
        eventually(lambda: manager.node("node3")["Status"]["State"] == "down", 60)

        def words() -> str:
            return str(server.get(f"/api/runs/{run_id}")["attempts"][0]["message"])

        wait_for("the attempt to be unknown", lambda: "unknown: its node node3 is down" in words())

        def hosts() -> dict[str, str]:
            return {host["name"]: host["state"] for host in server.get("/api/cluster")["pool"]["hosts"]}

        # node2 may just be late with its heartbeat.
        wait_for("the hosts", lambda: hosts() == {"node1": "ready", "node2": "ready", "node3": "down"}, 60)
        manager.client.remove_node(manager.node("node3")["ID"], force=True)
        ended = server.wait_for_end(run_id)
        assert (ended["state"], len(ended["attempts"])) == ("lost", 1)
        assert "its node was removed from the swarm" in ended["attempts"][0]["message"]
        assert lines(server.shared_dir / "begun") == ["goes-on"]
    finally:
        third_node.mend()
