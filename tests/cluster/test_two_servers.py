"""Two servers on one PostgreSQL: one leads, the other takes over, and nothing runs twice."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.cluster.leading import let_lead, wait_until_over
from tests.cluster.occurrences import TICK, each_occurrence_ran_once
from tests.cluster.server import ServerProcess, wait_for
from tests.pools.waiting import lines

pytestmark = pytest.mark.postgres


@pytest.fixture
def pair(
    start_server: Callable[..., ServerProcess], postgres_database_url: str
) -> tuple[ServerProcess, ServerProcess]:
    """The leader and the other."""
    options = ("--pool", "process", "--database-url", postgres_database_url)
    leader = start_server(*options)
    leader.wait_until_it_leads()
    return leader, start_server(*options)


def test_a_leader_stopped_for_three_leases(pair: tuple[ServerProcess, ServerProcess]) -> None:
    first, second = pair
    witness = first.shared_dir / "witness"
    first.define(**TICK)
    wait_for("the first launches", lambda: lines(witness))
    term = let_lead(first, second)
    first.signal(signal.SIGSTOP)
    second.wait_until_it_leads()
    launched = len(lines(witness))
    wait_for("three leases of two seconds to pass", lambda: len(lines(witness)) > launched + 6)
    first.signal(signal.SIGCONT)
    wait_until_over(first, term)
    each_occurrence_ran_once(second)
    last = [run for run in second.runs("tick") if run["attemptCount"]][-1]
    assert second.get(f"/api/runs/{last['id']}")["attempts"][0]["epoch"] > term


def test_what_one_server_is_told_the_other_does(pair: tuple[ServerProcess, ServerProcess]) -> None:
    leader, follower = pair
    follower.define(name="job", command="echo hello")
    run = leader.wait_for_end(follower.run("job"))
    assert run["state"] == "succeeded"
    assert follower.output(run["id"]) == "hello\n"

    def names_the_leader() -> bool:
        leading = [node.url.removeprefix("http://") for node in pair if node.get("/api/leader")["isLeader"]]
        return leading == [follower.get("/api/leader")["leader"]]

    wait_for("the follower to name the leader", names_the_leader)
