"""Election through a real ZooKeeper ensemble of three."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NodeExistsError, NoNodeError
from kazoo.security import make_acl, make_digest_acl

from chronos_py.clock import SystemClock
from chronos_py.election.zookeeper import ZooKeeperElection, ZooKeeperOptions
from chronos_py.errors import ConfigurationError
from chronos_py.store import leadership, schema
from chronos_py.store.database import Database
from tests.cluster.server import free_port, wait_for
from tests.cluster.zookeeper import Ensemble

SESSION = 50.0  # no machine stands still for so long: what a test sees is its own doing
SHORT = 2.0  # where the end of a session is waited for; a slow machine may lose one more


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'chronos.db'}")
    schema.upgrade(database)
    leadership.ensure_row(database)
    yield database
    database.close()


@dataclass
class Candidate:
    """One node's candidacy and what became of it."""

    election: ZooKeeperElection
    terms: list[int] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    problems: list[str | None] = field(default_factory=list)

    @property
    def leads(self) -> bool:
        return len(self.terms) > len(self.ends) and self.election.may_launch()


Stand = Callable[..., Candidate]


@pytest.fixture
def stand(
    ensemble: Ensemble, database: Database, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stand]:
    """Let a node stand for leadership."""
    monkeypatch.setattr("chronos_py.election.zookeeper.START_SECONDS", 60.0)
    candidates: list[Candidate] = []

    def stand(name: str, hosts: str = "", session: float = SESSION, auth: str = "") -> Candidate:
        wanted = ZooKeeperOptions(hosts or ensemble.hosts, f"/{request.node.name}", session, auth)
        problems: list[str | None] = []
        lease = leadership.SqlLease(database, name, f"{name}:1")
        election = ZooKeeperElection(wanted, lease, SystemClock(), f"{name}:1", lambda _: None, problems.append)
        election.check()
        candidate = Candidate(election, problems=problems)
        election.start(candidate.terms.append, candidate.ends.append)
        candidates.append(candidate)
        return candidate

    yield stand
    for candidate in candidates:
        candidate.election.stop()


@contextmanager
def client_of(ensemble: Ensemble, **options: Any) -> Iterator[KazooClient]:
    client = KazooClient(ensemble.hosts, timeout=SESSION, **options)
    client.start(60)
    try:
        yield client
    finally:
        client.stop()
        client.close()


def is_told(words: str, problems: list[str | None]) -> bool:
    return any(words in problem for problem in problems if problem)


def candidates_of(ensemble: Ensemble, path: str) -> list[tuple[str, str]]:
    with client_of(ensemble) as client:
        names = sorted(client.get_children(f"{path}/candidate"), key=lambda name: name.rpartition("-")[2])
        return [(name, client.get(f"{path}/candidate/{name}")[0].decode()) for name in names]


def lose_all(client: KazooClient, path: str) -> None:
    """At once, as a loss is: whoever deletes one by one leaves what the candidates make in between."""

    def with_all_below(node: str) -> list[str]:
        try:
            names = client.get_children(node)
        except NoNodeError:  # a candidate that has just gone
            return [node]
        return [*chain.from_iterable(with_all_below(f"{node}/{name}") for name in names), node]

    def lost() -> bool:
        transaction = client.transaction()
        for node in with_all_below(path):
            transaction.delete(node)
        return all(result is True for result in transaction.commit())

    wait_for("all to be deleted at once", lost)


def test_the_first_leads_and_hands_over(stand: Stand, ensemble: Ensemble) -> None:
    first = stand("a")
    wait_for("a to lead", lambda: first.leads)
    second = stand("b")
    path = "/test_the_first_leads_and_hands_over"
    wait_for("two candidates", lambda: len(candidates_of(ensemble, path)) == 2)
    found = candidates_of(ensemble, path)
    assert [address for _, address in found] == ["a:1", "b:1"]
    assert all(name.startswith("_c_") and "-latch-" in name for name, _ in found)
    assert not second.election.may_launch()
    first.election.stop()
    wait_for("b to lead", lambda: second.leads, SESSION / 2)
    assert (first.terms, first.ends, second.terms) == ([1], ["the server is stopping"], [2])


def test_without_a_quorum_nobody_launches_and_it_heals_by_itself(stand: Stand, ensemble: Ensemble) -> None:
    both = (stand("a", session=SHORT), stand("b", session=SHORT))
    wait_for("one to lead", lambda: any(each.leads for each in both))
    for server in ensemble.servers[:2]:
        server.send(signal.SIGSTOP)
    wait_for("nobody to launch", lambda: not any(each.election.may_launch() for each in both), 2 * SHORT)
    wait_for("the term to end", lambda: all(len(each.terms) == len(each.ends) for each in both))
    last = max(both[0].terms + both[1].terms)
    for problems in (both[0].problems, both[1].problems):
        wait_for("it to say so", partial(is_told, "does not answer", problems))
        assert not is_told("Error", problems), problems
    for server in ensemble.servers[:2]:
        server.send(signal.SIGCONT)
    leader = wait_for("one to lead again", lambda: next((each for each in both if each.leads), None))
    assert leader.terms[-1] > last
    terms = both[0].terms + both[1].terms
    assert sorted(terms) == list(range(1, len(terms) + 1))


def test_one_server_lost_changes_nothing(stand: Stand, ensemble: Ensemble) -> None:
    only = stand("a")
    wait_for("a to lead", lambda: only.leads)
    ensemble.servers[0].kill_9()
    ensemble.servers[0].start()
    ensemble.servers[0].wait_until_it_serves()
    wait_for("a to lead on", lambda: only.leads, 60)


def test_nothing_is_launched_while_disconnected(stand: Stand, ensemble: Ensemble) -> None:
    server = ensemble.servers[0]
    only = stand("a", hosts=f"127.0.0.1:{server.port}")
    wait_for("a to lead", lambda: only.leads)
    server.kill_9()
    wait_for("a to launch nothing", lambda: not only.election.may_launch(), SESSION / 2)
    server.start()
    server.wait_until_it_serves()
    wait_for("a to lead on", lambda: only.leads, 60)
    assert (only.terms, only.ends) == ([1], [])


def test_another_node_with_a_higher_epoch_ends_the_term(
    stand: Stand, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    only, other = stand("a", session=SHORT), leadership.SqlLease(database, "x", "x:1")
    wait_for("a to lead", lambda: only.leads)
    taken: list[int] = []

    def is_noticed() -> bool:
        if not taken or max(only.terms) > taken[-1]:  # a may have lost its session just then, and not noticed
            taken.append(other.claim(1, SystemClock().now()))
        return "another node leads" in only.ends

    wait_for("the term to end", is_noticed)
    wait_for("a to stand again", lambda: max(only.terms) > taken[-1])
    assert "check that all nodes have the same --zk-hosts" in caplog.text


def test_what_nobody_has_foreseen_does_not_take_a_node_out_of_the_election(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bool:
        raise RuntimeError("a table is missing, say")

    first = stand("a", session=SHORT)
    wait_for("a to lead", lambda: first.leads)
    with monkeypatch.context() as patch:
        patch.setattr(leadership.SqlLease, "renew", broken)
        patch.setattr(leadership.SqlLease, "claim", broken)
        wait_for("it to say so", lambda: is_told("internal error", first.problems))
        wait_for("the term to end", lambda: len(first.ends) == len(first.terms))
    wait_for("a to lead again", lambda: first.leads)


@pytest.mark.parametrize("another_is_first", [False, True])
def test_what_zookeeper_kept_is_lost(
    stand: Stand, ensemble: Ensemble, request: pytest.FixtureRequest, another_is_first: bool
) -> None:
    first, second = stand("a", session=SHORT), stand("b", session=SHORT)
    wait_for("one to lead", lambda: first.leads or second.leads)
    path = f"/{request.node.name}"
    ours = first.election.ensemble.encode()
    with client_of(ensemble) as client:
        lose_all(client, path)
        if another_is_first:
            client.ensure_path(f"{path}/candidate")
            with suppress(NodeExistsError):
                client.create(f"{path}/ensemble", b"of a node that starts in this moment")
        wait_for("the term to end", lambda: first.ends + second.ends)
        wait_for("one to lead again", lambda: first.leads or second.leads)
        kept = f"{path}/ensemble"
        wait_for("the ensemble to be theirs", lambda: client.exists(kept) and client.get(kept)[0] == ours)
    assert stand("c").election.ensemble == first.election.ensemble, "a node that is started again is refused else"


def test_a_folder_in_which_only_candidates_may_be_made(stand: Stand, ensemble: Ensemble) -> None:
    path = "/test_a_folder_in_which_only_candidates_may_be_made"
    with client_of(ensemble) as client:
        client.create(path)
        client.create(f"{path}/candidate", acl=[make_digest_acl("ann", "right", all=True)])
        client.set_acls(path, [make_acl("world", "anyone", read=True)])
    only = stand("a", auth="ann:right")
    wait_for("a to lead", lambda: only.leads)
    assert only.election.ensemble == ""


def test_a_server_that_does_not_answer(database: Database) -> None:
    options = ZooKeeperOptions(f"127.0.0.1:{free_port()}", "/x", SESSION)
    lease = leadership.SqlLease(database, "a", "a:1")
    election = ZooKeeperElection(options, lease, SystemClock(), "a:1", lambda _: None, lambda _: None)
    with pytest.raises(ConfigurationError, match=r"does not answer; check --zk-hosts"):
        election.check()


def test_wrong_credentials(stand: Stand, ensemble: Ensemble) -> None:
    first = stand("a", auth="ann:right")
    wait_for("a to lead", lambda: first.leads)
    with pytest.raises(ConfigurationError, match=r"does not let this node use .*/candidate as ann"):
        stand("b", auth="ann:wrong")
    with pytest.raises(ConfigurationError, match=r"without --zk-auth"):
        stand("c")
    with client_of(ensemble, auth_data=[("digest", "ann:right")]) as client:
        acls, _ = client.get_acls("/test_wrong_credentials/candidate")
    assert acls == [make_digest_acl("ann", "right", all=True)]
