"""Real servers that elect their leader through a real ZooKeeper ensemble, over one PostgreSQL."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.leading import let_lead, wait_until_over
from tests.cluster.occurrences import TICK, each_occurrence_ran_once
from tests.cluster.server import CHRONOS, ServerProcess, free_port, wait_for
from tests.cluster.zookeeper import Ensemble
from tests.pools.waiting import lines

pytestmark = pytest.mark.postgres


@pytest.fixture
def options(ensemble: Ensemble, postgres_database_url: str, request: pytest.FixtureRequest) -> list[str]:
    return [
        *("--pool", "process", "--database-url", postgres_database_url),
        *("--election", "zookeeper", "--zk-hosts", ensemble.hosts, "--zk-path", f"/{request.node.name}"),
        *("--zk-session-seconds", "2"),
    ]


@pytest.fixture
def pair(start_server: Callable[..., ServerProcess], options: list[str]) -> tuple[ServerProcess, ServerProcess]:
    """The leader, which has a job every second, and the other."""
    leader = start_server(*options)
    leader.wait_until_it_leads()
    other = start_server(*options)
    leader.define(**TICK)
    wait_for("the first launches", lambda: lines(leader.shared_dir / "witness"))
    return leader, other


def test_kill_9_of_the_leader(pair: tuple[ServerProcess, ServerProcess]) -> None:
    leader, other = pair
    let_lead(leader, other)
    leader.kill_9()
    other.wait_until_it_leads()
    each_occurrence_ran_once(other)


def test_a_leader_stopped_for_three_sessions(pair: tuple[ServerProcess, ServerProcess]) -> None:
    leader, other = pair
    term = let_lead(leader, other)
    leader.signal(signal.SIGSTOP)
    other.wait_until_it_leads()
    witness = other.shared_dir / "witness"
    seen = len(lines(witness))
    wait_for("three sessions to pass", lambda: len(lines(witness)) > seen + 6)
    leader.signal(signal.SIGCONT)
    wait_until_over(leader, term)
    each_occurrence_ran_once(other)


def test_a_clean_handover(pair: tuple[ServerProcess, ServerProcess]) -> None:
    leader, other = pair
    let_lead(leader, other)
    leader.terminate()
    other.wait_until_it_leads()
    each_occurrence_ran_once(other)


def test_the_quorum_is_lost_and_comes_back(pair: tuple[ServerProcess, ServerProcess], ensemble: Ensemble) -> None:
    leader = pair[0]
    for server in ensemble.servers[:2]:
        server.send(signal.SIGSTOP)
    wait_for("nobody to lead", lambda: not any(each.get("/api/leader")["isLeader"] for each in pair))
    wait_for("the pages to say so", lambda: "ZooKeeper" in str(leader.problems()))
    for server in ensemble.servers[:2]:
        server.send(signal.SIGCONT)
    leading = wait_for("one to lead", lambda: [each for each in pair if each.get("/api/leader")["isLeader"]], 60)
    each_occurrence_ran_once(leading[0])


def start_in_vain(folder: Path, *options: str) -> str:
    """What a server that cannot start says."""
    ended = subprocess.run(
        [CHRONOS, "server", "--listen", "127.0.0.1:0", "--data-dir", folder, *options],
        capture_output=True,
        text=True,
        timeout=60,  # mostly for the start of Python on a busy machine
        check=False,
    )
    assert ended.returncode == 1
    return ended.stderr.strip().splitlines()[-1]


def test_zookeeper_is_not_there(tmp_path: Path) -> None:
    hosts = f"127.0.0.1:{free_port()}"
    said = start_in_vain(tmp_path, "--election", "zookeeper", "--zk-hosts", hosts)
    assert f"ZooKeeper at {hosts} does not answer; check --zk-hosts" in said


def test_a_node_of_another_election_does_not_start(
    start_server: Callable[..., ServerProcess], options: list[str], postgres_database_url: str, tmp_path: Path
) -> None:
    start_server(*options).wait_until_it_leads()
    said = start_in_vain(tmp_path, "--pool", "process", "--database-url", postgres_database_url)
    assert "elects the leader by zookeeper /test_a_node_of_another" in said


def test_a_node_of_another_ensemble_is_refused(
    start_server: Callable[..., ServerProcess], options: list[str], ensemble: Ensemble, tmp_path: Path
) -> None:
    """Under the same path, so that each ensemble would have its own first candidate."""
    other = Ensemble(tmp_path / "other", 1)
    first = start_server(*options)
    first.wait_until_it_leads()
    try:
        other.start()
        elsewhere = [other.hosts if value == ensemble.hosts else value for value in options]
        said = start_in_vain(tmp_path / "node", *elsewhere)
    finally:
        other.stop()
    assert said == (
        f"chronos: The node at {first.url.removeprefix('http://')} elects the leader by another ZooKeeper than"
        f" {other.hosts}; start this node with the same zk-hosts, or stop the others first."
    )
    # Other servers of the same ensemble are the same election.
    some = ensemble.hosts.rpartition(",")[0]
    second = start_server(*[some if value == ensemble.hosts else value for value in options])
    first.terminate()
    second.wait_until_it_leads()
