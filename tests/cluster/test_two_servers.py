"""Two servers on one PostgreSQL: one leads, the other takes over, and nothing runs twice."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.cluster.server import ServerProcess, wait_for
from tests.cluster.test_restart import lines

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


def test_a_paused_leader_launches_nothing_when_it_wakes(pair: tuple[ServerProcess, ServerProcess]) -> None:
    first, second = pair
    witness = first.shared_dir / "witness"
    first.define(
        name="tick",
        command="echo $CHRONOS_SCHEDULED_TIME >> $CHRONOS_SHARED_DIR/witness",
        schedule="R//PT1S",
        overlap="allow",
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
    occurrences = [run["scheduledTime"] for run in second.runs("tick")]
    assert len(occurrences) == len(set(occurrences))


def test_what_one_server_is_told_the_other_does(pair: tuple[ServerProcess, ServerProcess]) -> None:
    leader, follower = pair
    follower.define(name="job", command="echo hello")
    run = leader.wait_for_end(follower.run("job"))
    assert run["state"] == "succeeded"
    assert follower.output(run["id"]) == "hello\n"
    assert follower.get("/api/leader")["leader"] == leader.url.removeprefix("http://")
