"""How the cluster stands, as a page and for scripts."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NoReturn

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, insert, select, update

from chronos_py import __version__
from chronos_py.bootstrap import Node, open_node
from chronos_py.config import Settings
from chronos_py.errors import DatabaseUnavailable
from chronos_py.http import create_wsgi_app
from chronos_py.pools import PoolNode, PoolUnavailable
from chronos_py.scheduler import presence as presence_module
from chronos_py.scheduler.presence import Presence
from chronos_py.services import Application, runs, standing
from chronos_py.services.standing import AWAY_AFTER, Standing, view_standing
from chronos_py.store.nodes import NodeFacts, list_nodes, note_node
from chronos_py.store.tables import AttemptRow, JobRow, LeadershipRow, NodeRow, RunRow
from tests.scheduler.conftest import ManualClock
from tests.server.client import Client, client_of
from tests.server.conftest import ADDRESS
from tests.server.web import define, text_of

EVIL = "<script>alert(1)</script>"


def facts(address: str, version: str = "", identity: str = "someone") -> NodeFacts:
    return NodeFacts(address, identity, EVIL, version or __version__, "process", "sql", datetime.now(UTC))


def put_node(application: Application, node: NodeFacts, seconds_ago: float = 0.0) -> None:
    with application.database.write() as connection:
        note_node(connection, node)
        connection.execute(
            update(NodeRow).where(NodeRow.address == node.address).values(seen_at=NodeRow.seen_at - seconds_ago)
        )


def make_leader(application: Application, address: str) -> None:
    with application.database.write() as connection:
        connection.execute(update(LeadershipRow).values(address=address, epoch=7, lease_until=9e9))


def put_launches(application: Application, *lags: float) -> None:
    """Scheduled runs of one job that were launched so many seconds late."""
    now = datetime.now(UTC)
    with application.database.write() as connection:
        job_id = connection.execute(select(JobRow.id)).scalar_one()
        for number, lag in enumerate(lags):
            at = now - timedelta(seconds=1800 + number)
            times = {"created_at": at + timedelta(seconds=lag), "started_at": at + timedelta(seconds=lag)}
            run_id = connection.execute(
                insert(RunRow)
                .values(
                    job_id=job_id,
                    trigger="schedule",
                    state="succeeded",
                    occurrence=at,
                    scheduled_at=at,
                    not_before=at,
                    revision=1,
                    attempts=1,
                    **times,
                )
                .returning(RunRow.id)
            ).scalar_one()
            connection.execute(
                insert(AttemptRow).values(
                    run_id=run_id,
                    number=1,
                    state="succeeded",
                    task_name=f"task-{run_id}",
                    pool="process",
                    epoch=1,
                    revision=1,
                    launched_at=times["started_at"],
                    **times,
                )
            )


def test_every_node_says_that_it_is_there(application: Application, settings: Settings) -> None:
    other = open_node(settings, "127.0.0.1:4401")
    found = {node.facts.address: node for node in view_standing(application).nodes}
    assert set(found) == {ADDRESS, "127.0.0.1:4401"}
    assert found[ADDRESS].is_this
    assert found["127.0.0.1:4401"].seconds_ago < AWAY_AFTER
    other.start()
    other.stop()
    assert [node.facts.address for node in view_standing(application).nodes] == [ADDRESS]


def test_a_process_that_leaves_takes_no_other_with_it(application: Application) -> None:
    old = Presence(application.database, facts("a:1", identity="old"))
    old.beat()
    Presence(application.database, facts("a:1", identity="new")).beat()
    old.leave()
    with application.database.read() as connection:
        assert [node.facts.identity for node in list_nodes(connection) if node.facts.address == "a:1"] == ["new"]


def test_a_node_that_has_left_is_not_brought_back_by_a_beat_that_was_under_way(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_go_on = threading.Event(), threading.Event()

    def slow(connection: Connection, node: NodeFacts) -> None:
        note_node(connection, node)
        begun.set()
        assert may_go_on.wait(60)

    presence = Presence(application.database, facts("a:1"))
    monkeypatch.setattr(presence_module, "note_node", slow)
    beating, leaving = (threading.Thread(target=work) for work in (presence.beat, presence.leave))
    beating.start()
    assert begun.wait(60)
    leaving.start()
    may_go_on.set()
    for thread in (beating, leaving):
        thread.join(60)
        assert not thread.is_alive()
    presence.beat()
    with application.database.read() as connection:
        assert "a:1" not in [node.facts.address for node in list_nodes(connection)]


def test_silent_nodes_are_grey_and_forgotten_after_a_day(client: FlaskClient, application: Application) -> None:
    put_node(application, facts("silent:1"), seconds_ago=100)
    put_node(application, facts("gone:1"), seconds_ago=90_000)
    page = client.get("/cluster").text
    assert '<tr class="away"><th scope="row">silent:1' in page
    assert "Node silent:1 has not been heard of for" in page
    assert "gone:1" not in page
    put_node(application, facts("another:1"))
    with application.database.read() as connection:
        assert connection.execute(select(NodeRow.address).where(NodeRow.address == "gone:1")).first() is None


def test_the_leader_and_its_term(client: FlaskClient, application: Application) -> None:
    put_node(application, facts("leader:1"))
    make_leader(application, "leader:1")
    page = client.get("/cluster").text
    assert "<dt>Leader</dt><dd>leader:1</dd>" in page
    assert "<dt>Term (epoch)</dt><dd>7, since" in page
    assert "★ leader" in text_of(page)
    assert "Somebody leads, the database and the pool answer" in page


def test_nobody_leads(client: FlaskClient) -> None:
    page = client.get("/cluster").text
    assert "Nobody leads, so nothing is started" in page
    assert "nobody at the moment" in page


def test_lag_of_the_last_hour(application: Application) -> None:
    define(application, "late")
    assert view_standing(application).lag.count == 0
    put_launches(application, *range(1, 101))
    lag = view_standing(application).lag
    assert lag.count == 100
    assert [round(value, 2) for value in (lag.median, lag.p95, lag.longest)] == [50, 95, 100]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 19, 20, 21])
def test_lag_of_a_few(application: Application, count: int) -> None:
    define(application, "late")
    put_launches(application, *range(1, count + 1))
    lag = view_standing(application).lag
    assert [round(value, 2) for value in (lag.median, lag.p95, lag.longest)] == [
        -(-count // 2),
        -(-count * 95 // 100),
        count,
    ]


def test_what_waits_and_why(client: FlaskClient, application: Application) -> None:
    define(application, "one")
    define(application, "two")
    for name in ("one", "one", "two"):
        runs.run_now(application, name)
    page = text_of(client.get("/cluster").text)
    assert "3 waiting" in page
    assert "room in the pool, and for the leader to start it2 " in page
    assert "of this job, which goes first1 " in page


def test_what_is_late_is_told(application: Application) -> None:
    define(application, "late")
    run = runs.run_now(application, "late")
    make_leader(application, ADDRESS)
    assert view_standing(application).problems == []
    with application.database.write() as connection:
        connection.execute(
            update(RunRow).where(RunRow.id == run.id).values(not_before=datetime.now(UTC) - timedelta(minutes=10))
        )
    [problem] = view_standing(application).problems
    assert "was due 10 min ago" in problem


def test_versions_that_differ_are_told(application: Application) -> None:
    put_node(application, facts("old:1", version="0.0.1"))
    assert any("different versions (0.0.1, " in problem for problem in view_standing(application).problems)


def test_a_pool_that_does_not_answer(
    client: FlaskClient, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    def capacity(self: object) -> None:
        raise PoolUnavailable("The engine at unix:///somewhere cannot be reached.")

    monkeypatch.setattr(type(application.pool), "capacity", capacity)
    page = client.get("/cluster")
    assert page.status_code == 200
    assert "The engine at unix:///somewhere cannot be reached." in page.text


def test_hosts_of_the_pool(client: FlaskClient, application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = [
        PoolNode("h1", {"hostname": "h1", "rack": EVIL}, "ready", 8, 2, 16000, 4000),
        PoolNode("h2", {"hostname": "h2"}, "drained"),
    ]
    monkeypatch.setattr(type(application.pool), "nodes", lambda self: hosts)
    page = client.get("/cluster").text
    assert "6.0 of 8.0 in use" in text_of(page)
    assert "12,000 of 16,000 MB in use" in text_of(page)
    assert "Host h2 of the pool takes no tasks: it is drained." in page
    assert EVIL not in page


def test_the_database(client: FlaskClient, application: Application) -> None:
    page = text_of(client.get("/cluster").text)
    assert ("SQLite 3" if application.database.dialect == "sqlite" else "PostgreSQL ") in page
    assert "schema revision 00" in page
    assert "not used: the database decides who leads" in page
    found: Standing = view_standing(application)
    assert found.database.facts.size_bytes > 10_000
    assert found.election == "sql"


def test_names_of_nodes_stay_text(client: FlaskClient, application: Application) -> None:
    put_node(application, facts(EVIL))
    assert EVIL not in client.get("/cluster").text


def test_the_same_for_scripts(client: Client, application: Application, node: Node) -> None:
    define(application, "one")
    run = runs.run_now(application, "one")
    make_leader(application, ADDRESS)
    answer: dict[str, Any] = client.get("/api/cluster").json
    assert (answer["leader"], answer["epoch"], answer["jobs"]) == (ADDRESS, 7, 1)
    assert [each["isThis"] for each in answer["nodes"]] == [True]
    assert answer["waiting"] == [
        {"reason": "room in the pool, and for the leader to start it", "runs": [run.id]},
    ]
    assert answer["unfinished"] == {"queued": 1}
    assert answer["pool"]["name"] == "process"
    assert answer["problems"] == []


def test_without_the_database_the_page_says_what_the_node_knows(
    application: Application, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    application.health.report("pool", "The engine does not answer.")
    sentence = f"The database {application.database.shown_url} cannot be used: it is away."

    def away() -> NoReturn:
        raise DatabaseUnavailable(sentence)

    monkeypatch.setattr(application.database.engine, "connect", away)
    answer = client.get("/cluster")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    told = text_of(answer.text)
    assert "This node cannot reach the database" in told
    assert told.count(sentence) == 1
    assert "The engine does not answer." in told
    assert "Database✕ does not answer" in told
    assert "ZooKeepernot used" in told
    assert "Pool✓ answers process" in told


@pytest.mark.parametrize(
    ("stands_still_in", "database_behind", "told"),
    [
        ("read_leadership", 0, []),
        ("database_time", 0, []),
        ("", 30, ["This node's clock is 30 s ahead of the database's"]),
        ("", -30, ["This node's clock is 30 s behind the database's"]),
    ],
)
def test_a_clock_is_wrong_only_where_no_slow_answer_explains_it(
    application: Application,
    monkeypatch: pytest.MonkeyPatch,
    stands_still_in: str,
    database_behind: float,
    told: list[str],
) -> None:
    clock = ManualClock(datetime.now(UTC))
    plain = {"read_leadership": standing.read_leadership, "database_time": lambda _: clock.now() - behind}
    behind = timedelta(seconds=database_behind)

    def slow(name: str, connection: Connection) -> object:
        found = plain[name](connection)
        clock.advance(seconds=10 if name == stands_still_in else 0)
        return found

    for name in plain:
        monkeypatch.setattr(standing, name, partial(slow, name))
    make_leader(application, ADDRESS)
    problems = view_standing(replace(application, clock=clock)).problems
    assert [problem.partition(";")[0] for problem in problems] == told


def test_zookeeper_on_the_page_and_for_scripts(application: Application) -> None:
    elected = replace(
        application, configuration={"election": "zookeeper", "zk_hosts": "zk1:2181", "zk_path": "/chronos"}
    )
    client = client_of(create_wsgi_app(elected))
    assert "ZooKeeper✓ answers decides who may lead, at zk1:2181, path /chronos" in text_of(
        client.get("/cluster").text
    )
    application.health.report("zookeeper", "ZooKeeper at zk1:2181 does not answer: refused.")
    told = text_of(client.get("/cluster").text)
    assert "ZooKeeper✕ does not answer" in told
    assert "ZooKeeper at zk1:2181 does not answer: refused." in told
    found = client.get("/api/cluster").json["zookeeper"]
    assert found == {
        "hosts": "zk1:2181",
        "path": "/chronos",
        "problem": "ZooKeeper at zk1:2181 does not answer: refused.",
    }
    assert client.get("/readyz").status_code == 503
