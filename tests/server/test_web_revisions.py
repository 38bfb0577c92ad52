"""The pages of a definition's history, of labels and selections, and renaming in the form."""

from __future__ import annotations

import re
from typing import Any

import pytest

from chronos_py.services import Application, jobs
from chronos_py.web.jobs.revisions import Line, side_by_side
from tests.server.client import Client
from tests.server.html_form import read_form

EVIL = "<script>alert(1)</script>"


def define(application: Application, name: str, author: str = "", **fields: Any) -> None:
    jobs.save_job(application, {"name": name, "command": "true", **fields}, author)


def job_of(application: Application, name: str) -> Any:
    return jobs.get_job(application, name).job


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (1, 2, [("1", "2")]),
        (None, "a", [(None, "a")]),
        ("a", "", [("a", None)]),
        ("a\nb\nc", "a\nx\nc\nd", [("a", "a"), ("b", "x"), ("c", "c"), (None, "d")]),
        ("a\r\nb", "b", [("a", None), ("b", "b")]),
        (["x"], ["x", "y"], [("[", "["), ('  "x"', '  "x",'), (None, '  "y"'), ("]", "]")]),
        (False, True, [("false", "true")]),
    ],
)
def test_values_side_by_side(before: Any, after: Any, lines: list[tuple[str | None, str | None]]) -> None:
    assert side_by_side(before, after) == [Line(*pair) for pair in lines]


def test_texts_of_very_many_lines_are_not_matched() -> None:
    before, after = ("\n".join(f"{word} {number}" for number in range(5000)) for word in ("old", "new"))
    assert len(side_by_side(before, after)) == 5000


def test_the_history_says_who_changed_what(client: Client, application: Application) -> None:
    define(application, "a b", "ann", retries=5)
    define(application, "a b", "bob", retries=1, description=EVIL)
    assert 'href="/jobs/a%20b/revisions"' in client.get("/jobs/a%20b").text
    page = client.get("/jobs/a%20b/revisions").text
    rows = re.findall("<tr.*?</tr>", page, re.DOTALL)[1:]
    assert "bob" in rows[0]
    assert "retries: 5 -&gt; 1" in rows[0]
    assert 'href="/jobs/a%20b/revisions/2"' in rows[0]
    assert "ann" in rows[1]
    assert "created" in rows[1]
    assert EVIL not in page


def test_a_long_history_has_pages(client: Client, application: Application) -> None:
    for retries in range(52):
        define(application, "a", retries=retries)
    first = client.get("/jobs/a/revisions").text
    assert 'href="?before=3"' in first
    second = client.get("/jobs/a/revisions?before=3").text
    assert "revisions/51" in client.get(f"/jobs/a/revisions?before={10**30}").text
    assert ("revisions/2" in second, "revisions/3" in second, "created" in second) == (True, False, True)


def test_a_revision_shows_what_it_changed_line_by_line(client: Client, application: Application) -> None:
    define(application, "a", "ann", command="one\ntwo", owner="x")
    define(application, "a", "bob", command=f"one\n{EVIL}", owner="x")
    define(application, "a", "bob", command="one", owner="y")
    page = client.get("/jobs/a/revisions/2").text
    assert "<td>one</td><td>one</td>" in page
    assert "<del>two</del>" in page
    assert "<ins>&lt;script&gt;alert(1)&lt;/script&gt;</ins>" in page
    assert "owner" not in re.sub("<details>.*", "", page, flags=re.DOTALL)
    assert "Go back to this" in page
    page = client.get("/jobs/a/revisions/3?against=1").text
    assert '<th scope="col">Revision 1</th>' in page
    assert ("<del>two</del>" in page, "<del>x</del>" in page, "<ins>y</ins>" in page) == (True, True, True)
    assert "Go back to this" not in page, "it says so now"
    assert "was created with this" in client.get("/jobs/a/revisions/1").text


@pytest.mark.parametrize(
    "path",
    [
        "/jobs/b/revisions",
        "/jobs/a/revisions/2",
        "/jobs/a/revisions/0/restore",
        "/jobs/a/revisions/1?against=9",
        f"/jobs/a/revisions/1?against={10**30}",
        f"/jobs/a/revisions/{2**62}",
    ],
)
def test_what_is_not_there(client: Client, application: Application, path: str) -> None:
    define(application, "a")
    answer = client.get(path)
    assert answer.status_code == 404
    assert "Not found" in answer.text


def test_going_back_asks_first(client: Client, application: Application) -> None:
    define(application, "a", retries=5)
    define(application, "a", retries=1)
    page = client.get("/jobs/a/revisions/1/restore").text
    assert ("<del>1</del>" in page, "<ins>5</ins>" in page) == (True, True)
    assert job_of(application, "a").revision == 2
    answer = client.post("/jobs/a/revisions/1/restore", data=read_form(page))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/jobs/a")
    assert (job_of(application, "a").revision, job_of(application, "a").document["retries"]) == (3, 5)
    assert "says this already" in client.get("/jobs/a/revisions/1/restore").text
    assert "went back to revision 1" in client.get("/jobs/a/revisions").text


def test_going_back_that_is_refused_says_why(client: Client, application: Application) -> None:
    define(application, "p")
    define(application, "a", parents=["p"])
    define(application, "a")
    stale = read_form(client.get("/jobs/a/revisions/1/restore").text)
    define(application, "a", retries=9)
    answer = client.post("/jobs/a/revisions/1/restore", data=stale)
    assert answer.status_code == 412
    assert "changed by someone else" in answer.text
    jobs.delete_job(application, "p")
    form = read_form(client.get("/jobs/a/revisions/1/restore").text)
    answer = client.post("/jobs/a/revisions/1/restore", data=form)
    assert answer.status_code == 400
    assert "which is not found" in answer.text
    assert job_of(application, "a").revision == 3


def test_a_run_leads_to_its_revision(client: Client, application: Application) -> None:
    define(application, "a b")
    run = client.post("/api/jobs/a%20b/runs").json["id"]
    define(application, "a b", retries=1)
    assert f'href="/runs/{run}/definition">revision 1<' in client.get(f"/runs/{run}").text
    page = client.get(f"/runs/{run}/definition").text
    assert 'href="/jobs/a%20b/revisions/1"' in page
    assert "&#34;retries&#34;: 2" in page


def test_the_form_renames(client: Client, application: Application) -> None:
    define(application, "old", retries=5)
    define(application, "child", parents=["old"])
    form = read_form(client.get("/jobs/old/edit").text)
    assert form["name"] == "old"
    answer = client.post("/jobs/old/edit", data={**form, "name": "fresh", "retries": "6"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/jobs/fresh")
    assert job_of(application, "fresh").document["retries"] == 6
    assert job_of(application, "child").document["parents"] == ["fresh"]
    assert client.get("/jobs/old").status_code == 404
    assert "its parent old was renamed to fresh" in client.get("/jobs/child/revisions").text


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [("child", 409, "exists already"), ("a/b", 400, "is not allowed"), ("", 400, "name is missing")],
)
def test_a_name_that_cannot_be_stands_beside_the_field(
    client: Client, application: Application, name: str, status: int, words: str
) -> None:
    define(application, "old")
    define(application, "child", parents=["old"])
    form = read_form(client.get("/jobs/old/edit").text)
    answer = client.post("/jobs/old/edit", data={**form, "name": name, "command": "typed"})
    assert answer.status_code == status
    assert words in answer.text
    assert 'id="name-wrong"' in answer.text
    assert "typed" in answer.text
    assert job_of(application, "old").revision == 1


def test_labels_are_shown_and_filtered_by(client: Client, application: Application) -> None:
    define(application, "one", labels={"team": "etl", "urgent": ""})
    define(application, "two", labels={"team": "bi & co"})
    page = client.get("/").text
    assert '<a class="tag" href="/?label=team%3Detl">team=etl</a>' in page
    assert '<a class="tag" href="/?label=urgent%3D">urgent</a>' in page
    assert "team=bi &amp; co" in page
    assert "team=etl" in client.get("/jobs/one").text
    page = client.get("/?label=team%3Detl&q=o").text
    assert ("/jobs/one" in page, "/jobs/two" in page) == (True, False)
    assert 'formaction="/selection/pause"' in page
    assert 'href="/?q=o" aria-label="Without label team=etl"' in page
    assert '<input type="hidden" name="label" value="team=etl">' in page
    assert "/jobs/two" in client.get("/?label=team").text
    assert "No job fits" in client.get("/?label=team&label=nothing").text


def test_the_next_page_keeps_the_filter(client: Client, application: Application) -> None:
    for number in range(51):
        define(application, f"job-{number:02}", labels={"team": "etl"})
    following = re.search(r'href="(/\?[^"]*page=2)"', client.get("/?label=team%3Detl&q=job").text)
    assert following is not None
    page = client.get(following[1].replace("&amp;", "&")).text
    assert ("/jobs/job-50" in page, "team=etl" in page, "/jobs/job-01" in page) == (True, True, False)


def test_what_is_no_label_is_said_and_kept(client: Client) -> None:
    answer = client.get("/?label=te+am&label=fine")
    assert answer.status_code == 400
    assert "is not allowed" in answer.text
    assert 'value="te am"' in answer.text
    assert '<input type="hidden" name="label" value="fine">' in answer.text
    assert client.get("/selection/pause?label=te+am").status_code == 400


def test_pausing_what_is_shown_names_it_first(client: Client, application: Application) -> None:
    define(application, "one", labels={"team": "etl"})
    define(application, "two", labels={"team": "etl"}, disabled=True)
    define(application, "three")
    page = client.get("/selection/pause?label=team%3Detl").text
    assert "Pause 1 job?" in page
    assert ("one" in page, "Paused already: two." in page, "three" in page) == (True, True, False)
    data = {"name": ["one"], "back": "label=team%3Detl"}
    answer = client.post("/selection/pause", data=data)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/?label=team%3Detl")
    assert job_of(application, "one").definition.disabled
    assert not job_of(application, "three").definition.disabled
    assert "None of the jobs shown is active" in client.get("/selection/pause?label=team").text
    page = client.get("/selection/resume?label=team%3Detl").text
    assert ("Resume 2 jobs?" in page, "Resume and catch up" in page) == (True, True)
    client.post("/selection/resume", data={"name": ["one", "two"], "back": "x=\r\nEvil: y", "catchUp": "on"})
    assert not job_of(application, "two").definition.disabled
    refused = client.post("/selection/pause", data={"name": ["one", "nobody"]})
    assert (refused.status_code, job_of(application, "one").definition.disabled) == (404, False)
    assert client.post("/selection/pause").status_code == 400
    assert client.post("/selection/pause", data={"name": "a\x00"}).status_code == 400
    assert client.get("/selection/delete").status_code == 404


def test_a_paused_job_says_since_when_and_offers_to_catch_up(client: Client, application: Application) -> None:
    define(application, "cron", schedule="@daily")
    define(application, "hand")
    for name in ("cron", "hand"):
        assert "<dt>Paused</dt>" not in client.get(f"/jobs/{name}").text
        assert client.post(f"/jobs/{name}/pause").status_code == 303
        assert "<dt>Paused</dt>" in client.get(f"/jobs/{name}").text
    assert "Resume and catch up" in client.get("/jobs/cron").text
    assert "Resume and catch up" not in client.get("/jobs/hand").text
    client.post("/jobs/cron/resume", data={"catchUp": "on"})
    assert job_of(application, "cron").next_run is not None
