"""The list of jobs: what it shows, how it is filtered, sorted, grouped and kept, and what is done with several."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from sqlalchemy import update

from chronos_py.errors import Conflict, NotFound
from chronos_py.model.job import Counters
from chronos_py.model.run import RunState
from chronos_py.model.standing import Sort, Standing, Wanted, name_prefix
from chronos_py.services import Application, jobs, listing, restoring, runs
from chronos_py.store.tables import RunRow
from tests.server.client import Client
from tests.server.web import define, text_of

NOW = datetime(2026, 11, 1, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)
GOOD = Counters(success_count=3, error_count=1, last_success=NOW, last_error=EARLIER)
BAD = Counters(success_count=1, error_count=1, last_success=EARLIER, last_error=NOW)
EVIL = "<script>alert(1)</script>"


def counted(application: Application, name: str, counters: Counters, **fields: object) -> None:
    jobs.save_job(application, {"name": name, "command": "true", **fields}, counters=counters)


def listed(client: Client, query: str = "") -> list[str]:
    """The names of the jobs on a page, in order."""
    page = client.get(f"/?{query}")
    assert page.status_code == 200, page.text
    return re.findall(r'<th scope="row"><a href="[^"]*">([^<]*)</a>', page.text)


def counters_of(client: Client, query: str = "") -> dict[str, int]:
    """The numbers at the top, by word."""
    part = client.get(f"/?{query}").text.partition('id="counters"')[2].partition("</ul>")[0]
    return {words: int(count) for count, words in re.findall(r"<b>(\d+)</b> ([a-z ]+)</a>", part)}


@pytest.fixture
def several(application: Application) -> None:
    """A job of each standing."""
    define(application, "etl.fresh", labels={"team": "etl"})
    counted(application, "etl.good", GOOD, labels={"team": "etl", "tier": "1"}, owner="ann@example.com")
    counted(application, "bi-bad", BAD, labels={"team": "bi"}, owner="Bob")
    counted(application, "bi-paused", BAD, disabled=True, schedule="@daily")
    define(application, "waits", command="echo Sales", schedule="R/2100-01-01T00:00:00Z/P1D")
    runs.run_now(application, "waits")


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["bi-bad", "bi-paused", "etl.fresh", "etl.good", "waits"]),
        ("state=queued", ["waits"]),
        ("state=failed", ["bi-bad"]),
        ("state=paused", ["bi-paused"]),
        ("state=succeeded", ["etl.good"]),
        ("state=fresh", ["etl.fresh"]),
        ("state=running", []),
        ("state=nonsense&last=nonsense&sort=nonsense&group=nonsense&page=x", None),
        ("last=failure", ["bi-bad", "bi-paused"]),
        ("last=success", ["etl.good"]),
        ("last=fresh", ["etl.fresh", "waits"]),
        ("label=team", ["bi-bad", "etl.fresh", "etl.good"]),
        ("label=team%3Detl&state=fresh", ["etl.fresh"]),
        ("without=team", ["bi-paused", "waits"]),
        ("owner=Bob", ["bi-bad"]),
        ("prefix=etl", ["etl.fresh", "etl.good"]),
        ("pool=process", []),
        ("q=SALES", ["waits"]),
        ("q=ann%40", ["etl.good"]),
        ("q=%25", []),
        ("q=_", []),
        ("sort=-name", ["waits", "etl.good", "etl.fresh", "bi-paused", "bi-bad"]),
        ("sort=state", ["waits", "bi-bad", "bi-paused", "etl.good", "etl.fresh"]),
        ("sort=next", ["waits", "bi-bad", "bi-paused", "etl.fresh", "etl.good"]),
        ("sort=rate", ["bi-bad", "bi-paused", "etl.good", "etl.fresh", "waits"]),
        ("sort=-rate", ["etl.good", "bi-bad", "bi-paused", "etl.fresh", "waits"]),
        ("sort=owner", ["etl.good", "bi-bad", "bi-paused", "etl.fresh", "waits"]),
        ("sort=-last", ["bi-bad", "bi-paused", "etl.good", "etl.fresh", "waits"]),
    ],
)
def test_filters_and_orders_are_in_the_address(client: Client, query: str, names: list[str] | None) -> None:
    assert listed(client, query) == (names if names is not None else listed(client))


@pytest.mark.usefixtures("several")
def test_the_counters_follow_the_filter_but_not_the_state(client: Client) -> None:
    words = ("in all", "running", "queued", "waiting retry", "failed", "paused", "ok", "no result yet", "late")
    expected = dict(zip(words, (5, 0, 1, 0, 1, 1, 1, 1, 0), strict=True))
    assert counters_of(client) == counters_of(client, "state=failed") == expected
    assert counters_of(client, "label=team")["in all"] == 3
    assert "none of them is running" in text_of(client.get("/?state=running").text)


@pytest.mark.usefixtures("several")
def test_the_database_stands_by_the_rule(application: Application) -> None:
    for standing in Standing:
        page = listing.view_page(application, Wanted(standing=standing))
        assert {row.standing for row in page.rows} <= {standing}
        assert page.total == len(page.rows) == page.tally.by_standing.get(standing, 0)


def test_a_job_that_waits_for_its_next_try_does_not_run(client: Client, application: Application) -> None:
    define(application, "flaky")
    run = runs.run_now(application, "flaky")
    with application.database.write() as connection:
        connection.execute(update(RunRow).where(RunRow.id == run.id).values(state=RunState.WAITING_RETRY))
    assert counters_of(client) == {**dict.fromkeys(counters_of(client), 0), "in all": 1, "waiting retry": 1}
    assert listed(client, "state=waiting_retry") == ["flaky"]
    assert "waiting retry" in text_of(client.get("/jobs/flaky").text)
    runs.run_now(application, "flaky")
    assert counters_of(client)["queued"] == 1


def test_what_should_have_started_is_late(client: Client, application: Application) -> None:
    define(application, "due", schedule=f"R/{(datetime.now(UTC) - timedelta(hours=1)).isoformat()}/P1D")
    define(application, "fine", schedule="R/2100-01-01T00:00:00Z/P1D")
    assert counters_of(client)["late"] == 1
    assert listed(client, "state=late") == ["due"]
    assert counters_of(client, "state=late")["in all"] == 2


def test_the_last_runs_are_bars_and_words(client: Client, application: Application) -> None:
    define(application, "busy")
    ids = [runs.run_now(application, "busy").id for _ in range(22)]
    page = client.get("/").text
    assert re.findall(r'class="bar h\d state-queued" href="/runs/(\d+)"', page) == [str(number) for number in ids[2:]]
    assert "Last 20 runs: 20 queued" in text_of(page)


def test_times_are_told_in_the_zone_of_the_job(client: Client, application: Application) -> None:
    define(application, "zoned", schedule="R/2100-01-01T00:00:00Z/P1D", scheduleTimeZone="Asia/Tokyo")
    page = client.get("/").text
    assert 'data-job-zone="Asia/Tokyo"' in page
    assert "2100-01-01 00:00:00 (Asia/Tokyo)" in page


@pytest.mark.usefixtures("several")
def test_groups_open_one_by_one(client: Client) -> None:
    page = client.get("/?group=label:team").text
    assert listed(client, "group=label:team") == []
    assert re.findall(r"</span> ([^<]*)</a>\s*<small>(\d+) jobs?", page) == [
        ("bi", "1"),
        ("etl", "2"),
        ("without team", "2"),
    ]
    assert listed(client, "group=label:team&open=etl") == ["etl.fresh", "etl.good"]
    assert listed(client, "group=label:team&open=etl&open=without+team") == [
        "etl.fresh",
        "etl.good",
        "bi-paused",
        "waits",
    ]
    assert listed(client, "group=prefix&open=bi") == ["bi-bad", "bi-paused"]
    assert "without team" in client.get("/?group=label:team&state=paused").text


@pytest.mark.parametrize("name", ["etl.load", "etl_load", "etl-load", "etl load", "etl#load", "etl"])
def test_prefixes_of_names(name: str) -> None:
    assert name_prefix(name) == "etl"


def test_pages_say_where_they_are(client: Client, application: Application) -> None:
    jobs.save_jobs(application, [{"name": f"job-{number:03}", "command": "true"} for number in range(120)])
    assert "1 to 50 of 120" in text_of(client.get("/").text)
    assert listed(client, "page=3") == [f"job-{number:03}" for number in range(100, 120)]
    assert listed(client, "page=999") == listed(client, "page=3")
    assert listed(client, "page=0") == listed(client, "page=1")


def test_a_view_is_kept_used_and_deleted(client: Client, application: Application) -> None:
    define(application, "one", labels={"team": "etl"})
    query = "q=x&label=team%3Detl"
    kept = client.post("/views", data={"name": " Night  shift ", "query": f"{query}&evil=1&page=3"})
    assert (kept.status_code, kept.location) == (303, f"/?{query}")
    page = client.get(kept.location).text
    assert "This list is kept as “Night shift”." in text_of(page)
    assert "This list is kept" not in client.get(kept.location).text
    assert '<a href="/?q=x&amp;label=team%3Detl" aria-current="page">Night shift</a>' in page
    assert "<h1>Night shift</h1>" in page
    client.post("/views", data={"name": "Night shift", "query": "q=y"})
    assert 'href="/?q=y"' in client.get("/").text
    assert client.post("/views/delete", data={"name": "Night shift"}).status_code == 303
    assert 'href="/?q=y"' not in client.get("/").text
    assert client.post("/views/delete", data={"name": "Night shift"}).status_code == 404


@pytest.mark.parametrize("name", ["", " ", "x" * 61, "a\x00b", "a\x07b"])
def test_a_view_needs_a_name(client: Client, name: str) -> None:
    answer = client.post("/views", data={"name": name, "query": "q=x"})
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert 'value="x"' in answer.text


@pytest.mark.usefixtures("several")
def test_checked_jobs_are_paused_and_that_is_undone(client: Client, application: Application) -> None:
    page = client.get("/selection/pause?checked=on&q=e&name=etl.good&name=bi-paused").text
    assert "Pause 1 job?" in page
    assert "Paused already: bi-paused." in page
    answer = client.post("/selection/pause", data={"name": ["etl.good"], "back": "q=e"})
    assert (answer.status_code, answer.location) == (303, "/?q=e")
    page = client.get(answer.location).text
    assert "1 job is paused." in page
    assert '<form method="post" action="/undo/resume">' in page
    client.post("/undo/resume", data={"name": "etl.good"})
    assert not jobs.get_job(application, "etl.good").job.definition.disabled


@pytest.mark.usefixtures("several")
def test_nothing_checked_is_nothing_done(client: Client) -> None:
    assert "No job was chosen" in client.get("/selection/kill?checked=on&label=team").text
    assert client.post("/selection/kill", data={"back": "label=team"}).status_code == 400


@pytest.mark.usefixtures("several")
def test_all_that_fit_are_looked_at_again(client: Client, application: Application) -> None:
    page = client.get("/selection/run?all=on&label=team&checked=on").text
    assert "Run 3 jobs?" in page
    data = {"all": "on", "count": "3", "back": "label=team"}
    define(application, "another", labels={"team": "x"})
    refused = client.post("/selection/run", data=data)
    assert refused.status_code == 409
    assert "they are 4 now" in refused.text
    assert runs.list_runs(application, "another") == []
    assert client.post("/selection/run", data={**data, "count": "4"}).status_code == 303
    assert len(runs.list_runs(application, "another")) == 1
    assert client.post("/selection/kill", data={**data, "count": "4"}).status_code == 303
    assert "4 runs are being killed." in client.get("/").text
    assert runs.list_runs(application, "another")[0].is_final


@pytest.mark.usefixtures("several")
def test_a_label_is_set_and_taken_away(client: Client, application: Application) -> None:
    def labels(name: str) -> dict[str, str]:
        return dict(jobs.get_job(application, name).job.definition.labels)

    chosen = {"name": ["etl.good", "waits"]}
    assert client.post("/selection/label", data={**chosen, "change": "team = night shift"}).status_code == 303
    assert (labels("etl.good"), labels("waits")) == ({"tier": "1", "team": "night shift"}, {"team": "night shift"})
    assert listed(client, f"label={quote('team=night shift')}") == ["etl.good", "waits"]
    client.post("/selection/label", data={**chosen, "change": "-team"})
    assert (labels("etl.good"), labels("waits")) == ({"tier": "1"}, {})
    for wrong in ("", "a b=c", "=x"):
        answer = client.post("/selection/label", data={**chosen, "change": wrong})
        assert answer.status_code == 400
        assert 'role="alert"' in answer.text
    assert client.post("/selection/label", data={"name": ["nobody"], "change": "a=b"}).status_code == 404


def test_a_deleted_job_comes_back(client: Client, application: Application) -> None:
    define(application, "gone", description="as it was", labels={"team": "etl"})
    with pytest.raises(Conflict):
        restoring.restore_job(application, "gone")
    jobs.delete_job(application, "gone")
    assert client.post("/undo/restore", data={"name": "gone"}).status_code == 303
    assert jobs.get_job(application, "gone").job.definition.description == "as it was"
    assert listed(client, "label=team") == ["gone"]
    with pytest.raises(NotFound):
        restoring.restore_job(application, "nobody")


def test_what_ran_after_a_deleted_job_does_so_again_when_it_comes_back(
    client: Client, application: Application
) -> None:
    define(application, "first", schedule="@daily")
    define(application, "parent", parents=["first"])
    for name in ("child", "changed", "other"):
        define(application, name, parents=["parent", "first"] if name == "other" else ["parent"])
    jobs.delete_job(application, "parent", children="convert")
    define(application, "changed", parents=["first"], description="meanwhile")
    answer = client.post("/undo/restore", data={"name": "parent"})
    assert "What runs after it again: child, other." in text_of(client.get(answer.location).text)
    parents = {name: list(jobs.get_job(application, name).job.definition.parents) for name in ("child", "changed")}
    assert parents == {"child": ["parent"], "changed": ["first"]}
    assert list(jobs.get_job(application, "parent").children) == ["child", "other"]


@pytest.mark.parametrize("cookie", ["", "x", "bm90IGpzb24=", "WzEsMiwzXQ==", "WyJhIiwgImV2aWwiLCBbXV0=", "ä"])
def test_a_notice_that_is_none_is_left_out(client: Client, cookie: str) -> None:
    client.set_cookie("chronos-notice", cookie)
    answer = client.get("/")
    assert answer.status_code == 200
    assert 'class="notice"' not in answer.text


def test_markup_in_all_that_people_type_stays_text(client: Client, application: Application) -> None:
    define(application, "evil", command=EVIL, description=EVIL, owner=EVIL, labels={"team": EVIL})
    client.post("/views", data={"name": EVIL, "query": f"q={EVIL}"})
    quoted = quote(EVIL)
    for query in (
        "",
        f"q={quoted}",
        f"label={quoted}",
        f"owner={quoted}",
        f"group=label:{quoted}",
        "group=label:team",
    ):
        for path in ("/", "/selection/pause", "/selection/label"):
            assert EVIL not in client.get(f"{path}?{query}&change={quoted}").text


def test_a_page_that_says_the_same_is_not_sent_again(client: Client, application: Application) -> None:
    define(application, "quiet")
    client.get("/")  # it has the token from here on
    first = client.get("/")
    assert client.get("/", headers={"If-None-Match": first.headers["ETag"], "X-Live": "1"}).status_code == 304


def test_sorts_are_named_by_what_they_are() -> None:
    assert set(Sort) == {"name", "state", "last", "next", "rate", "owner"}
