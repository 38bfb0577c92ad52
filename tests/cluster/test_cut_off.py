"""A leader that is cut off from PostgreSQL or from ZooKeeper, in one direction or both, and comes back.

From PostgreSQL its packets are dropped, so that connections break as they do in a network; before ZooKeeper stands a
proxy, whose connections last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from sqlalchemy import make_url

from tests.cluster.cutter import Cutter
from tests.cluster.island import Island
from tests.cluster.leading import let_lead, wait_until_over
from tests.cluster.occurrences import TICK, each_occurrence_ran_once
from tests.cluster.server import ANSWER_SECONDS, ServerProcess, wait_for
from tests.cluster.zookeeper import Ensemble
from tests.pools.waiting import lines

pytestmark = pytest.mark.postgres

DIRECTIONS = [("to",), ("from",), ("to", "from")]
Start = Callable[..., ServerProcess]
Cut = Callable[..., Cutter]


@pytest.fixture
def cutter_to() -> Iterator[Cut]:
    """Proxies before ports."""
    made: list[Cutter] = []

    def make(port: int, host: str = "127.0.0.1") -> Cutter:
        made.append(Cutter(port, host))
        return made[-1]

    yield make
    for each in made:
        each.close()


def cut_and_heal(
    leader: ServerProcess, other: ServerProcess, cut: Callable[[], None], heal: Callable[[], None], says: str
) -> None:
    """The other takes over and launches, the first one says what is away, and comes back as a follower."""
    leader.define(**TICK)
    witness = leader.shared_dir / "witness"
    wait_for("the first launches", lambda: lines(witness))
    term = let_lead(leader, other)
    cut()
    other.wait_until_it_leads()
    seen = len(lines(witness))
    wait_for("the first to say so", lambda: says in leader.problems())
    page = requests.get(f"{leader.url}/cluster", timeout=ANSWER_SECONDS).text
    assert says in page
    assert "does not answer</span>" in page
    wait_for("launches by the other", lambda: len(lines(witness)) > seen + 3)
    heal()
    wait_for("the first to be well", lambda: '"ready":true' in leader.problems())
    wait_until_over(leader, term)
    each_occurrence_ran_once(other)
    later = [run for run in other.runs("tick") if run["attemptCount"]][-3:]
    assert all(other.get(f"/api/runs/{run['id']}")["attempts"][0]["epoch"] > term for run in later)


@pytest.fixture
def island() -> Iterator[Island]:
    island = Island()
    try:
        island.build()
        yield island
    finally:
        island.sink()


@pytest.mark.parametrize("directions", DIRECTIONS, ids="+".join)
def test_cut_from_the_database(
    postgres_database_url: str, island: Island, cutter_to: Cut, start_server: Start, directions: tuple[str, ...]
) -> None:
    url = make_url(postgres_database_url)
    harbour = cutter_to(url.port or 5432, island.shore)  # here it only passes on
    through = url.set(host=island.shore, port=harbour.port).render_as_string(hide_password=False)
    options = ("--pool", "process", "--database-url")
    leader = start_server(*options, through, "--insecure", host=island.address, enter=island.enter)
    leader.wait_until_it_leads()
    other = start_server(*options, postgres_database_url)
    cut_and_heal(leader, other, lambda: island.drop(harbour.port, *directions), island.heal, says="database")


@pytest.mark.parametrize("directions", DIRECTIONS, ids="+".join)
def test_cut_from_zookeeper(
    postgres_database_url: str,
    ensemble: Ensemble,
    cutter_to: Cut,
    start_server: Start,
    directions: tuple[str, ...],
    tmp_path: Path,
) -> None:
    cutter = cutter_to(ensemble.servers[0].port)
    options = ["--pool", "process", "--database-url", postgres_database_url, "--zk-session-seconds", "2"]
    options += ["--election", "zookeeper", "--zk-path", f"/{tmp_path.name}"]
    leader = start_server(*options, "--zk-hosts", f"127.0.0.1:{cutter.port}")
    leader.wait_until_it_leads()
    other = start_server(*options, "--zk-hosts", ensemble.hosts)
    cut_and_heal(leader, other, lambda: cutter.cut(*directions), cutter.heal, says="ZooKeeper")
