"""The pages: what a person sees and does there without JavaScript."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from chronos_py.services import Application, jobs

EVIL = "<script>alert(1)</script>"


def define(application: Application, name: str, **fields: object) -> None:
    jobs.save_job(application, {"name": name, "command": "true", **fields})


@pytest.mark.parametrize("path", ["/", "/runs", "/chains", "/timeline", "/cluster", "/jobs/new"])
def test_every_page_works_while_there_is_nothing(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "New job" in answer.text


def test_the_empty_list_says_what_to_do(client: FlaskClient) -> None:
    assert "No jobs yet" in client.get("/").text


@pytest.mark.parametrize("path", ["/jobs/nobody", "/runs/99", "/nowhere"])
def test_what_is_not_there_is_a_page_that_says_so(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "Not found" in answer.text
    assert "Traceback" not in answer.text


def test_a_job_and_its_chain_are_shown(client: FlaskClient, application: Application) -> None:
    define(application, "extract", schedule="0 3 * * *", scheduleTimeZone="Europe/Berlin", owner="ann@example.com")
    define(application, "load data", parents=["extract"], description="after it")
    listing = client.get("/").text
    assert "At 03:00 (Europe/Berlin)" in listing
    assert "After extract" in listing
    page = client.get("/jobs/load%20data").text
    assert "after it" in page
    assert '<a href="/jobs/extract">extract</a>' in page
    assert client.get("/jobs/extract").text.count("<time") >= 6  # the next run and five more
    assert "load data" in client.get("/chains").text
    later = (datetime.now(UTC) + timedelta(days=2)).date()
    assert "extract" in client.get(f"/timeline?day={later}&zone=Europe/Berlin").text


def test_the_next_runs_follow_from_the_next_one(client: FlaskClient, application: Application) -> None:
    define(application, "open", schedule="R//PT1H")
    job = jobs.get_job(application, "open").job
    assert job.next_run is not None
    page = client.get("/jobs/open").text
    for hours in range(5):
        assert f"{job.next_run + timedelta(hours=hours):%Y-%m-%d %H:%M:%S} UTC" in page


def test_times_are_on_the_clock_of_who_looks_as_soon_as_it_is_known(
    client: FlaskClient, application: Application
) -> None:
    define(application, "tokyo", schedule="R/2101-01-01T00:30:00/P1D", scheduleTimeZone="Asia/Tokyo")
    page = client.get("/jobs/tokyo").text
    assert ">2100-12-31 15:30:00 UTC<" in page
    assert "<span data-zone>UTC</span>" in page
    client.set_cookie("zone", "America/St_Johns")
    page = client.get("/jobs/tokyo").text
    assert ">Dec 31, 2100, 12:00:00<" in page
    assert page.count("<span data-zone>America/St_Johns</span>") == 2
    client.set_cookie("zone", "Asia/Tokyo")  # then one clock is enough
    assert client.get("/jobs/tokyo").text.count("<span data-zone>Asia/Tokyo</span>") == 1
    client.set_cookie("zone", EVIL)
    assert "<span data-zone>UTC</span>" in client.get("/jobs/tokyo").text


def test_filters_are_in_the_address(client: FlaskClient, application: Application) -> None:
    define(application, "one")
    define(application, "two", disabled=True)
    assert "/jobs/two" not in client.get("/?q=ONE").text
    assert "/jobs/one" not in client.get("/?state=paused").text
    assert "No job fits" in client.get("/?q=three").text


def test_a_long_list_has_pages(client: FlaskClient, application: Application) -> None:
    for number in range(51):
        define(application, f"job-{number:02}")
    first = client.get("/")
    assert "/jobs/job-50" not in first.text
    following = re.search(r'href="(/\?[^"]*page=2)"', first.text)
    assert following is not None
    assert "/jobs/job-50" in client.get(following[1].replace("&amp;", "&")).text


def test_what_jobs_are_called_and_say_stays_text(client: FlaskClient, application: Application) -> None:
    define(application, "evil", command=EVIL, description=EVIL, owner=EVIL)
    for path in ("/", "/jobs/evil", "/jobs/evil/edit", "/jobs/evil/delete"):
        assert EVIL not in client.get(path).text


def test_the_form_creates_a_job_and_force_run_runs_it(leading_client: FlaskClient) -> None:
    form = {"name": "hello", "command": "echo hi there", "kind": "manual", "retries": "0"}
    created = leading_client.post("/jobs/new", data=form)
    assert (created.status_code, created.location) == (303, "/jobs/hello")
    assert "only when somebody asks for it" in leading_client.get("/jobs/hello").text
    started = leading_client.post("/jobs/hello/run")
    assert started.status_code == 303
    page = leading_client.get(started.location)
    assert page.status_code == 200
    assert "hello" in page.text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "name is missing"),
        ({"name": "a/b"}, "is not allowed"),
        ({"schedule": "every day"}, "neither an ISO 8601"),
        ({"schedule": ""}, "schedule is empty"),
        ({"scheduleTimeZone": "Mars"}, "not a known time zone"),
        ({"kind": "dependency", "parents": "nobody"}, "not found"),
        ({"kind": "dependency", "parents": "job"}, "cannot run after itself"),
        ({"retries": "many"}, "must be a number"),
        ({"retries": "-1"}, "whole number"),
        ({"environmentVariables.0.value": "no name"}, "the name of a variable"),
        ({"container.volumes.0.containerPath": "relative"}, "an absolute path"),
        ({"command": ""}, "command is empty"),
    ],
)
def test_a_wrong_form_comes_back_as_it_was_with_the_reason(
    client: FlaskClient, application: Application, fields: dict[str, str], words: str
) -> None:
    form = {"name": "job", "command": "echo typed", "kind": "schedule", "schedule": "0 3 * * *", **fields}
    answer = client.post("/jobs/new", data=form)
    assert answer.status_code == 400
    assert words in answer.text
    assert fields.get("command", "echo typed") in answer.text
    assert jobs.list_jobs(application) == []


def test_editing_keeps_what_the_form_does_not_know(client: FlaskClient, application: Application) -> None:
    define(application, "job", constraints=[["rack", "EQUALS", "1"]], container={"image": "a:1", "parameters": []})
    page = client.get("/jobs/job/edit").text
    revision = re.search(r'name="revision" value="(\d+)"', page)
    assert revision is not None
    form = {"name": "job", "command": "new", "kind": "manual", "container.image": "a:2", "revision": revision[1]}
    assert client.post("/jobs/job/edit", data=form).status_code == 303
    document = jobs.get_job(application, "job").job.document
    assert document["constraints"] == [["rack", "EQUALS", "1"]]
    assert (document["command"], document["container"]["image"]) == ("new", "a:2")


def test_an_edit_on_top_of_another_is_refused_with_what_was_typed(
    client: FlaskClient, application: Application
) -> None:
    define(application, "job")
    define(application, "job", command="someone else's")
    form = {"name": "job", "command": "mine", "kind": "manual", "revision": "1"}
    answer = client.post("/jobs/job/edit", data=form)
    assert answer.status_code == 412
    assert "mine" in answer.text
    assert jobs.get_job(application, "job").job.definition.command == "someone else's"


def test_pause_resume_and_delete(client: FlaskClient, application: Application) -> None:
    define(application, "parent")
    define(application, "child", parents=["parent"])
    client.post("/jobs/parent/pause")
    assert jobs.get_job(application, "parent").job.definition.disabled
    client.post("/jobs/parent/resume")
    assert not jobs.get_job(application, "parent").job.definition.disabled
    assert "child" in client.get("/jobs/parent/delete").text
    assert client.post("/jobs/parent/delete", data={"children": "detach"}).status_code == 303
    assert jobs.get_job(application, "child").job.definition.kind == "manual"


def test_a_waiting_run_is_killed_by_a_button(client: FlaskClient, application: Application) -> None:
    define(application, "job")
    started = client.post("/jobs/job/run")
    assert "Kill" in client.get(started.location).text
    client.post(f"{started.location}/kill")
    page = client.get(started.location).text
    assert "killed on request" in page
    assert "Run again" in page


def test_an_unchanged_page_is_not_sent_again(client: FlaskClient) -> None:
    first = client.get("/chains")
    assert client.get("/chains", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
