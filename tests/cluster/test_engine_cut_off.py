"""A leader that is cut off from the engines, in one direction at a time, while it launches a task every second."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from tests.cluster.engine_options import on_engines
from tests.cluster.occurrences import TICK, each_occurrence_ran_once
from tests.cluster.server import ANSWER_SECONDS, ServerProcess, wait_for
from tests.pools.swarm_hosts import Host
from tests.pools.waiting import lines

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


@pytest.mark.parametrize("pool", ["docker", "swarm"])
def test_cut_from_the_engine_in_one_direction_at_a_time(
    start_server: Callable[..., ServerProcess], swarm_hosts: list[Host], pool: str
) -> None:
    manager = swarm_hosts[0]
    server = start_server(*on_engines(pool, manager))
    server.wait_until_it_leads()
    server.define(**TICK)
    cut_and_heal(server, manager, "to")
    cut_and_heal(server, manager, "from")
    each_occurrence_ran_once(server)


def cut_and_heal(server: ServerProcess, engine: Host, direction: str) -> None:
    """Cut the server off while it launches, until it says so. What is asked for then arrives later, or is done
    without an answer.
    """
    witness, words = server.shared_dir / "witness", f"The Docker engine at {engine.secure_url} does not answer"
    seen = len(lines(witness))
    wait_for("launches", lambda: len(lines(witness)) > seen + 1)
    engine.drop(direction)
    try:
        wait_for("the server to say so", lambda: words in server.problems())
        assert words in requests.get(f"{server.url}/cluster", timeout=ANSWER_SECONDS).text
    finally:
        engine.drop_nothing()
    wait_for("the server to be well", lambda: '"ready":true' in server.problems())
