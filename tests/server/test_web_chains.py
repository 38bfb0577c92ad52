"""The page of chains without JavaScript: one chain, its surroundings, a wave, and parts of it hidden."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from chronos_py.model.chain import TriggerRule
from chronos_py.services import Application, chains, runs
from chronos_py.web.chains.drawing import RULES, draw, short
from chronos_py.web.chains.page import neighbourhood, wave_of
from tests.server.web import define, newest, text_of

EVIL = "<script>alert(1)</script>"


def named(page: str) -> list[str]:
    """The jobs in a drawing."""
    return re.findall(r'class="node[^"]*" data-name="([^"]*)"', page)


def define_chains(application: Application) -> None:
    """extract -> load -> report -> mail, with check beside load; and another chain."""
    define(application, "extract")
    define(application, "load", parents=["extract"])
    define(application, "check", parents=["extract"], triggerRule="any_failure")
    define(application, "report", parents=["load", "check"], triggerRule="all_done")
    define(application, "mail", parents=["report"])
    define(application, "one")
    define(application, "two", parents=["one"], disabled=True)
    define(application, "alone")


def test_jobs_in_chains_are_drawn_and_told(client: FlaskClient, application: Application) -> None:
    define_chains(application)
    page = client.get("/chains").text
    assert sorted(named(page)) == ["check", "extract", "load", "mail", "one", "report", "two"]
    assert 'class="line rule-any_failure"' in page
    assert RULES[TriggerRule.ANY_FAILURE] in page
    assert "2 chains" in page
    assert '<tr data-row="report">' in page
    assert "never ran · paused" in text_of(page)


def test_one_chain_and_what_is_near_a_job(client: FlaskClient, application: Application) -> None:
    define_chains(application)
    assert sorted(named(client.get("/chains?job=two").text)) == ["one", "two"]
    assert sorted(named(client.get("/chains?job=mail&steps=1").text)) == ["mail", "report"]
    assert sorted(named(client.get("/chains?job=load&steps=1").text)) == ["extract", "load", "report"]
    assert "runs after nothing" in client.get("/chains?job=alone").text
    assert client.get("/chains?job=nobody").status_code == 404
    drawing = neighbourhood(application, "load", 1)
    assert [box.name for box in drawing.boxes if box.is_here] == ["load"]


def test_chains_are_found_by_their_jobs(client: FlaskClient, application: Application) -> None:
    define_chains(application)
    assert sorted(named(client.get("/chains?q=TWO").text)) == ["one", "two"]
    assert "No chain has a job" in client.get("/chains?q=nowhere").text


def test_what_runs_after_a_job_can_be_hidden(client: FlaskClient, application: Application) -> None:
    define_chains(application)
    page = client.get("/chains?job=extract&fold=load").text
    assert sorted(named(page)) == ["check", "extract", "load", "mail", "report"]  # there is another way to report
    page = client.get("/chains?job=extract&fold=load&fold=check").text
    assert sorted(named(page)) == ["check", "extract", "load"]
    assert "Show the 2 jobs after load" in page
    # The link at a folded job shows them again, and leaves what else is folded.
    back = re.search(r'class="fold" href="([^"]*)"[^>]*aria-label="Show the 2 jobs after load"', page)
    assert back is not None
    assert back[1].replace("&amp;", "&") == "/chains?job=extract&fold=check"


def test_what_has_finished_can_be_hidden(client: FlaskClient, application: Application) -> None:
    define_chains(application)
    for name in ("load", "check", "report", "mail"):
        runs.run_now(application, name)
        end(application, name, "succeeded")
    runs.run_now(application, "extract")
    page = client.get("/chains?job=extract&finished=fold").text
    assert named(page) == ["extract"]
    assert "Show all" in page


def end(application: Application, name: str, state: str) -> None:
    with application.database.write() as connection:
        connection.exec_driver_sql(
            f"UPDATE runs SET state = '{state}', outcome = 'success' WHERE id = {newest(application, name).id}"
        )


def test_the_wave_of_a_run(client: FlaskClient, application: Application) -> None:
    define_chains(application)
    root = runs.run_now(application, "extract")
    runs.run_now(application, "load")  # another wave
    page = client.get(f"/chains?run={root.id}").text
    assert sorted(named(page)) == ["check", "extract", "load", "mail", "report"]
    assert f'href="/runs/{root.id}" aria-label="extract, queued"' in page
    assert page.count("not yet") == 4
    assert client.get("/chains?run=999").status_code == 404
    assert [box.state for box in wave_of(application, root).boxes if box.is_here] == ["queued"]


def test_edges_say_what_the_parent_has_done(client: FlaskClient, application: Application) -> None:
    define_chains(application)
    root = runs.run_now(application, "extract")
    runs.kill_run(application, root.id)
    marked = {edge.child: edge.done.value for edge in chains.view_chain(application, "extract").edges}
    assert marked["load"] == "failure"
    wave = {edge.child: edge.done.value for edge in chains.view_wave(application, root.id).edges}
    assert (wave["load"], wave["mail"]) == ("failure", "")
    assert "done-failure" in client.get("/chains?job=load").text


def test_states_come_by_themselves(client: FlaskClient, application: Application) -> None:
    define_chains(application)
    first = client.get("/chains/states?job=one")
    assert first.json is not None
    assert first.json["nodes"]["two"] == {"state": "fresh", "paused": True, "address": "/jobs/two"}
    assert first.json["edges"] == [["one", "two", ""]]
    etag = {"If-None-Match": first.headers["ETag"]}
    assert client.get("/chains/states?job=one", headers=etag).status_code == 304
    runs.run_now(application, "one")
    fresh = client.get("/chains/states?job=one", headers=etag)
    assert fresh.json is not None
    assert fresh.json["nodes"]["one"]["state"] == "queued"
    assert fresh.json["structure"] == first.json["structure"]
    define(application, "three", parents=["two"])
    assert client.get("/chains/states?job=one").json["structure"] != first.json["structure"]  # type: ignore[index]


def test_names_stay_text(client: FlaskClient, application: Application) -> None:
    """No such name can be saved; the page does not rely on that."""
    define(application, "evil")
    define(application, "after it", parents=["evil"])
    with application.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE jobs SET name = '{EVIL}' WHERE name = 'evil'")
    page = client.get("/chains").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


def test_more_than_can_be_drawn_is_listed(
    client: FlaskClient, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chronos_py.web.chains.page.MOST_DRAWN", 3)
    define_chains(application)
    run = runs.run_now(application, "two", even_if_disabled=True)
    with application.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE runs SET state = 'failed' WHERE id = {run.id}")
    page = client.get("/chains").text
    assert sorted(named(page)) == ["one", "two"]
    assert "The first 2 of 7 jobs are drawn" in page


@pytest.mark.parametrize(
    "query", ["job=", "run=x", "steps=0&job=one", "from=99999999999999999999999", "fold=nobody", "run=-1"]
)
def test_odd_addresses_do_no_harm(client: FlaskClient, application: Application, query: str) -> None:
    define_chains(application)
    assert client.get(f"/chains?{query}").status_code == 200


def test_long_names_are_cut_in_the_middle() -> None:
    assert short("a-name") == "a-name"
    cut = short("warehouse.daily.load_customers.dimension")
    assert cut.startswith("warehouse")
    assert cut.endswith("dimension")
    assert "…" in cut
    assert short("倉庫" * 20).count("倉") < 12


def test_a_drawing_of_nothing() -> None:
    assert draw(chains.ChainGraph({}, [])).boxes == []
