"""The lease, and the epoch that guards every write of a leader."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy import insert, text, update

from chronos_py.errors import DatabaseUnavailable, Deposed
from chronos_py.store import database as database_module
from chronos_py.store import leadership, outbox
from chronos_py.store.database import Database
from chronos_py.store.leadership import SqlLease
from chronos_py.store.tables import LeadershipRow
from tests.cluster.server import wait_for
from tests.store.background import WAIT, count_sessions, in_background, wait_until_it_waits
from tests.store.building import NOW

SHORT = 0.2  # seconds of a lease


def lease(database: Database, holder: str) -> SqlLease:
    return SqlLease(database, holder, f"{holder}:4400")


def take_over(database: Database, holder: str, seconds: float = 3600) -> int:
    """Lead, whoever led before; the epoch."""
    mine = lease(database, holder)
    epoch = mine.acquire(seconds, NOW, mine.holder())
    assert epoch is not None
    return epoch


def current(database: Database) -> leadership.Leadership:
    with database.read() as connection:
        return leadership.read_leadership(connection)


def notes(database: Database) -> list[int]:
    """The epochs of the leaders' writes, in their order."""
    with database.read() as connection:
        return [payload["epoch"] for _, _, payload in outbox.undelivered(connection, 10_000)]


def lead_and_write(database: Database, epoch: int) -> None:
    with database.lead(epoch) as connection:
        outbox.put(connection, "led", {"epoch": epoch}, NOW)


# The lease


def test_the_cluster_has_one_lasting_name(database: Database) -> None:
    name = leadership.ensure_row(database)
    assert name
    assert leadership.ensure_row(database) == name == current(database).cluster


def test_a_node_that_starts_while_another_names_the_cluster_takes_that_name(database_url: str) -> None:
    first, second = Database(database_url), Database(database_url)
    with first.write() as connection:
        connection.execute(insert(LeadershipRow).values(id=1, cluster="ours", epoch=0, lease_until=0.0))
        name = in_background(lambda: leadership.ensure_row(second))
        with pytest.raises(TimeoutError):
            name.result(timeout=0.5)
    assert name.result(WAIT) == "ours"
    first.close()
    second.close()


def test_one_node_holds_the_lease(database: Database) -> None:
    first, second = lease(database, "first"), lease(database, "second")
    assert first.holder() == ""
    assert first.acquire(3600, NOW) == 1
    assert second.acquire(3600, NOW) is None
    assert first.acquire(3600, NOW) is None, "not even by its holder: a restarted node is another one"
    assert second.holder() == "first"
    assert first.renew(1, 3600)
    assert not second.renew(1, 3600)
    assert not first.renew(2, 3600)
    seen = current(database)
    assert (seen.epoch, seen.holder, seen.address, seen.acquired_at) == (1, "first", "first:4400", NOW)
    assert 3500 < seen.seconds_left <= 3600


def test_a_released_lease_is_free_at_once(database: Database) -> None:
    first, second = lease(database, "first"), lease(database, "second")
    assert first.acquire(3600, NOW) == 1
    second.release(1)
    first.release(2)
    assert first.holder() == "first", "only its holder can give it back, and only in its own term"
    first.release(1)
    assert first.holder() == ""
    assert second.acquire(3600, NOW) == 2
    assert not first.renew(1, 3600)


def test_the_lease_of_a_dead_holder_is_taken_at_once(database: Database) -> None:
    assert lease(database, "first").acquire(3600, NOW) == 1
    second = lease(database, "second")
    assert second.acquire(3600, NOW, dead_holder="somebody else") is None
    assert second.acquire(3600, NOW, dead_holder="first") == 2


@pytest.mark.parametrize("year", [2000, 2090])
def test_a_lease_runs_out_by_the_clock_of_the_database(database: Database, year: int) -> None:
    wrong = datetime(year, 1, 1, tzinfo=UTC)  # the node's own clock, which nobody asks
    first, second = lease(database, "first"), lease(database, "second")
    started = time.monotonic()
    assert first.acquire(0.5, wrong) == 1
    epoch = None
    while epoch is None and time.monotonic() < started + WAIT:
        epoch = second.acquire(3600, wrong)
        time.sleep(0.02)  # between two looks; the deadline decides
    assert epoch == 2
    assert time.monotonic() - started >= 0.5
    assert not first.renew(1, 3600)


def test_a_lease_that_ran_out_may_be_renewed_while_nobody_took_it(database: Database) -> None:
    first = lease(database, "first")
    assert first.acquire(-1, NOW) == 1
    assert current(database).seconds_left < 0
    assert first.renew(1, 3600)
    assert lease(database, "second").acquire(3600, NOW) is None


def test_of_many_candidates_one_is_elected(database_url: str, database: Database) -> None:
    databases = [Database(database_url) for _ in range(6)]
    for term in range(1, 6):
        together = threading.Barrier(len(databases))

        def stand(number: int, together: threading.Barrier = together) -> int | None:
            together.wait(WAIT)
            return lease(databases[number], f"node {number}").acquire(3600, NOW)

        with ThreadPoolExecutor(len(databases)) as nodes:
            elected = [epoch for epoch in nodes.map(stand, range(len(databases))) if epoch is not None]
        assert elected == [term]
        lease(database, current(database).holder).release(term)
    for node in databases:
        node.close()


# The guard


def test_a_deposed_leader_writes_nothing(database: Database) -> None:
    old = take_over(database, "old")
    lead_and_write(database, old)
    new = take_over(database, "new")
    began = False
    with pytest.raises(Deposed, match="term 1 is over: the cluster is in term 2"), database.lead(old):
        began = True
    assert not began
    with pytest.raises(Deposed):
        lead_and_write(database, new + 1)
    lead_and_write(database, new)
    assert notes(database) == [old, new]


def test_a_takeover_waits_for_the_open_transaction_of_the_leader(database_url: str, database: Database) -> None:
    other = Database(database_url)
    old = take_over(database, "old")
    dead = "old"
    with database.lead(old) as connection:
        outbox.put(connection, "led", {"epoch": old}, NOW)
        takeover = in_background(lambda: lease(other, "new").acquire(3600, NOW, dead))
        with pytest.raises(TimeoutError):
            takeover.result(timeout=0.5)
    assert takeover.result(WAIT) == old + 1
    with pytest.raises(Deposed):
        lead_and_write(database, old)
    assert notes(database) == [old]
    other.close()


def test_a_leader_waits_for_an_open_takeover_and_is_refused(database_url: str, database: Database) -> None:
    other = Database(database_url)
    old = take_over(database, "old")
    with other.write() as connection:
        connection.execute(update(LeadershipRow).values(epoch=LeadershipRow.epoch + 1, holder="new"))
        write = in_background(lambda: lead_and_write(database, old))
        with pytest.raises(TimeoutError):
            write.result(timeout=0.5)
    with pytest.raises(Deposed):
        write.result(WAIT)
    assert notes(database) == []
    other.close()


def test_no_write_of_an_old_epoch_lands_after_a_newer_one(database_url: str, database: Database) -> None:
    """Three nodes that depose each other all the time: in the order of the rows, epochs never go back."""
    refused = []

    def node(name: str) -> None:
        own = Database(database_url)
        for _ in range(12):
            epoch = take_over_if_free(own, name)
            try:
                for _ in range(4):
                    lead_and_write(own, epoch)
            except Deposed:
                refused.append(epoch)
        own.close()

    def take_over_if_free(own: Database, name: str) -> int:
        deadline = time.monotonic() + WAIT
        while time.monotonic() < deadline:
            mine = lease(own, name)
            epoch = mine.acquire(3600, NOW, mine.holder())
            if epoch is not None:
                return epoch
        raise AssertionError("nobody could take over")

    with ThreadPoolExecutor(3) as nodes:
        list(nodes.map(node, ["a", "b", "c"]))
    order = notes(database)
    assert order == sorted(order)
    assert len(set(order)) + len(set(refused) - set(order)) == current(database).epoch == 36


def wait_until_it_is_idle(database: Database, seconds: float) -> None:
    """Until a transaction has done nothing for so long."""
    idle = "state = 'idle in transaction' AND state_change < clock_timestamp() - make_interval(secs => :seconds)"
    wait_for("an idle transaction", lambda: count_sessions(database, idle, seconds=seconds), WAIT)


def wait_until_they_are_old(database: Database, count: int, seconds: float) -> None:
    """Until so many transactions, those that wait for others too, have gone on for so long."""
    old = "xact_start < clock_timestamp() - make_interval(secs => :seconds)"
    wait_for("the transactions to go on", lambda: count_sessions(database, old, seconds=seconds) == count, WAIT)


@pytest.mark.postgres
@pytest.mark.parametrize("election", ["sql", "zookeeper"])
def test_a_leader_that_stops_in_a_transaction_keeps_nobody_waiting(
    postgres_store: Database, monkeypatch: pytest.MonkeyPatch, election: str
) -> None:
    monkeypatch.setattr(database_module, "IDLE_TRANSACTION_SECONDS", 600)
    url = postgres_store.engine.url.render_as_string(hide_password=False)
    paused = Database(url)
    old = take_over(paused, "old")

    def lead_while_another_takes_over() -> None:
        with paused.lead(old) as connection:
            outbox.put(connection, "led", {"epoch": old}, NOW)
            wait_until_it_is_idle(postgres_store, SHORT / 2)
            # It would wait for the row that we keep locked, so it has the server end our session.
            new = lease(postgres_store, "new")
            take = partial(new.acquire, SHORT, NOW, "old") if election == "sql" else partial(new.claim, SHORT, NOW)
            assert in_background(take).result(WAIT) == old + 1

    with pytest.raises(DatabaseUnavailable):
        lead_while_another_takes_over()
    assert notes(postgres_store) == []
    with pytest.raises(Deposed):
        lead_and_write(paused, old)
    paused.close()


_SHARE = "SELECT epoch FROM leadership FOR SHARE"
_RENEW = "UPDATE leadership SET lease_until = lease_until"
_OTHER = "SELECT pg_advisory_xact_lock(7)"


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("first", "second"), [([_SHARE, _OTHER], [_SHARE, _OTHER]), ([_RENEW], [_SHARE])], ids=["a row", "the lease"]
)
def test_nor_does_one_that_stops_while_one_of_its_transactions_waits_for_another(
    postgres_store: Database, monkeypatch: pytest.MonkeyPatch, first: list[str], second: list[str]
) -> None:
    """The second would get its lock when the first is ended, and keep it."""
    monkeypatch.setattr(database_module, "IDLE_TRANSACTION_SECONDS", 600)
    paused = Database(postgres_store.engine.url.render_as_string(hide_password=False))
    old = take_over(paused, "old")
    has_ended = threading.Event()

    def execute_and_stop(statements: list[str]) -> None:
        with paused.write() as connection:
            for statement in statements:
                connection.execute(text(statement))
            has_ended.wait(2 * WAIT)

    both = [in_background(partial(execute_and_stop, first))]
    wait_until_it_is_idle(postgres_store, 0)
    both.append(in_background(partial(execute_and_stop, second)))
    wait_until_it_waits(postgres_store)
    wait_until_they_are_old(postgres_store, 2, SHORT)
    new = lease(postgres_store, "new")
    taken = in_background(partial(new.acquire, SHORT, NOW, "old"))
    try:
        assert taken.result(WAIT / 2) == old + 1
        assert in_background(partial(new.renew, old + 1, 3600)).result(WAIT / 2)
    finally:
        has_ended.set()
    for transaction in both:
        with pytest.raises(DatabaseUnavailable):
            transaction.result(WAIT)
    paused.close()
