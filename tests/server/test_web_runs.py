"""The page of a run: what it waits for, how it ended and what counts, and the ways to go on after a failure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from chronos_py.model.run import Outcome, Overrides, Run, RunState, Trigger
from chronos_py.services import Application, jobs, limits, runs
from chronos_py.store import runs as stored
from tests.cluster.server import wait_for
from tests.server.client import Client
from tests.server.web import define, newest, text_of

EVIL = "<b onclick=alert(1)>'\""


def killed(application: Application, name: str) -> Run:
    """A run that ended without success."""
    return runs.kill_run(application, runs.run_now(application, name).id)


def test_run_again_is_this_run_only(client: Client, application: Application) -> None:
    define(application, "first")
    define(application, "second", parents=["first"])
    old = killed(application, "first")
    page = client.get(f"/runs/{old.id}").text
    assert "Run again</button>" in page
    assert "everything after it in its wave that did not succeed" in page
    answer = client.post(f"/runs/{old.id}/rerun")
    again = newest(application, "first")
    assert (answer.status_code, answer.location) == (303, f"/runs/{again.id}")
    assert (again.trigger, again.starts_children) == (Trigger.RERUN, False)


def test_run_again_from_here_takes_what_follows_along(client: Client, application: Application) -> None:
    define(application, "first")
    old = killed(application, "first")
    answer = client.post(f"/runs/{old.id}/rerun", data={"from": "failure"})
    again = newest(application, "first")
    assert answer.location == f"/runs/{again.id}"
    assert (again.starts_children, again.in_wave, again.root_run_id) == (True, True, old.id)
    page = text_of(client.get(answer.location).text)
    assert f"began with run #{old.id}" in page
    assert "with what did not succeed after it" in page


def test_a_waiting_run_offers_only_to_kill_it_and_says_what_it_waits_for(
    client: Client, application: Application
) -> None:
    limits.set_limit(application, "warehouse", 1)
    define(application, "job", concurrencyLimits=["warehouse"])
    page = client.get(f"/runs/{runs.run_now(application, 'job').id}").text
    assert "Waits for its turn at warehouse." in page
    assert "Kill</button>" in page
    for words in ("Run again", "Mark successful"):
        assert words not in page


def test_what_it_waits_for_links_to_the_run(client: Client, application: Application) -> None:
    define(application, "job")
    first, second = runs.run_now(application, "job"), runs.run_now(application, "job")
    assert f'run <a href="/runs/{first.id}">#{first.id}</a>' in client.get(f"/runs/{second.id}").text


def test_an_overruled_failure_is_shown_as_what_it_is(client: Client, application: Application) -> None:
    define(application, "first")
    define(application, "second", parents=["first"])
    run = killed(application, "first")
    answer = client.post(f"/runs/{run.id}/mark-successful", data={"note": f"  seen by {EVIL} "})
    assert (answer.status_code, answer.location) == (303, f"/runs/{run.id}")
    ended = runs.get_run(application, run.id).run
    assert (ended.state, ended.outcome) == (RunState.KILLED, Outcome.SUCCESS)
    page = client.get(answer.location).text
    assert "marked successful" in text_of(page)
    assert "killed</span>" in page
    assert "Mark successful" not in page
    assert EVIL not in page
    assert "seen by &lt;b onclick" in page
    child = newest(application, "second")
    assert f'run <a href="/runs/{run.id}">#{run.id}</a>' in client.get(f"/runs/{child.id}").text
    assert "marked successful" in client.get("/runs").text
    assert "marked successful" in client.get("/jobs/first").text


@pytest.mark.parametrize(("note", "words"), [("x" * 1001, "at most 1000 are kept"), ("a\0b", "NUL character")])
def test_a_note_that_cannot_be_kept_comes_back(
    client: Client, application: Application, note: str, words: str
) -> None:
    define(application, "job")
    run = killed(application, "job")
    answer = client.post(f"/runs/{run.id}/mark-successful", data={"note": note})
    assert answer.status_code == 400
    assert words in answer.text
    assert '<details class="ask" open>' in answer.text
    assert note.replace("\0", "") in answer.text.replace("\0", "")
    assert runs.get_run(application, run.id).run.outcome is Outcome.FAILURE


@pytest.mark.parametrize("action", ["rerun", "mark-successful"])
def test_a_run_that_goes_on_is_left_alone(client: Client, application: Application, action: str) -> None:
    define(application, "job")
    run = runs.run_now(application, "job")
    answer = client.post(f"/runs/{run.id}/{action}")
    assert answer.status_code == 409
    assert "has not ended yet" in answer.text
    assert client.post(f"/runs/99999/{action}").status_code == 404


def test_outputs_are_a_table_that_tells_how_children_find_them(client: Client, application: Application) -> None:
    define(application, "load data")
    run = runs.run_now(application, "load data")
    with application.database.write() as connection:
        stored.keep_outputs(connection, run.id, {"ROWS": "17", "note": EVIL}, "")
    page = client.get(f"/runs/{run.id}").text
    assert "CHRONOS_PARENT_LOAD_DATA_ROWS" in page
    assert EVIL not in page
    assert re.search(r"<code>ROWS</code></th><td>17</td>", page)


def test_the_time_whose_data_it_is_for(client: Client, application: Application) -> None:
    define(application, "hourly", schedule="0 * * * *")
    run = runs.run_now(application, "hourly", scheduled_at=datetime(2096, 5, 4, 12, tzinfo=UTC))
    page = text_of(client.get(f"/runs/{run.id}").text)
    assert "Data from2096-05-04 11:00:00 UTC to 2096-05-04 12:00:00 UTC" in page


def test_secrets_of_the_environment_are_hidden(leading_client: Client) -> None:
    client = leading_client
    variables = [
        {"name": "DB_PASSWORD", "value": "hunter2"},
        {"name": "DB_URL", "value": "postgresql://etl:hunter2@db/x"},
        {"name": "REGION", "value": "eu"},
    ]
    client.put("/api/jobs/job", json={"command": "true", "environmentVariables": variables})
    body = {"environment": {"API_TOKEN": "hunter2", "MODE": "full"}}
    run_id = client.post("/api/jobs/job/runs", json=body).json["id"]
    wait_for("the end", lambda: client.get(f"/api/runs/{run_id}").json["state"] == "succeeded")
    for address in (f"/runs/{run_id}", f"/runs/{run_id}/definition", "/jobs/job", "/jobs/job/revisions/1"):
        page = client.get(address).text
        assert "hunter2" not in page, address
        if address != f"/runs/{run_id}":
            assert "postgresql://etl:••••••@db/x" in page, address
    page = text_of(client.get(f"/runs/{run_id}").text)
    assert "API_TOKEN=•••••• MODE=full" in page
    assert "DB_PASSWORD•••••• hiddenthe job" in page
    assert "MODEfullthis run" in page
    assert "CHRONOS_JOB_NAMEjobChronos" in page


def test_what_a_run_ran_with_stays_when_its_job_is_deleted(client: Client, application: Application) -> None:
    define(application, "job", description="as it was")
    run = killed(application, "job")
    assert f'href="/runs/{run.id}/definition"' in client.get(f"/runs/{run.id}").text
    jobs.delete_job(application, "job")
    page = client.get(f"/runs/{run.id}").text
    assert 'href="/jobs/job' not in page
    assert "Run again" not in page
    assert "job (deleted)" in page
    definition = client.get(f"/runs/{run.id}/definition").text
    assert "as it was" in definition
    assert "has been deleted since" in definition
    assert 'href="/jobs/job' not in client.get("/runs").text
    assert client.get("/runs/999/definition").status_code == 404


def test_a_run_shows_its_wave_and_what_it_followed_from(client: Client, application: Application) -> None:
    define(application, "first")
    define(application, "other")
    define(application, "second", parents=["first"])
    run = killed(application, "first")
    killed(application, "other")
    runs.mark_successful(application, run.id)
    child = newest(application, "second")
    for shown in (run, child):
        page = text_of(client.get(f"/runs/{shown.id}").text)
        assert f"2 runs that began with #{run.id}" in page
        assert f"after first #{run.id}" in page
        assert "other" not in page
    again = runs.rerun(application, run.id, "ann")
    assert f"run again from #{run.id} by ann" in text_of(client.get(f"/runs/{again.id}").text)
    assert 'id="rest" data-live' in client.get(f"/runs/{run.id}").text  # its wave goes on
    assert "The wave" not in client.get(f"/runs/{newest(application, 'other').id}").text


def test_why_it_ran_is_said_in_words(client: Client, application: Application) -> None:
    define(application, "job")
    overrides = Overrides(("--day", EVIL), {})
    run = runs.run_now(application, "job", overrides, "ann")
    page = client.get(f"/runs/{run.id}").text
    assert EVIL not in page
    assert "forced by ann with arguments <code>--day &lt;b onclick" in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["beta-load", "alpha", "alpha"]),
        ("state=killed", ["alpha"]),
        ("state=unsuccessful", ["alpha"]),
        ("state=unfinished", ["beta-load", "alpha"]),
        ("job=LOAD", ["beta-load"]),
        ("job=%25", []),
        ("trigger=rerun", ["alpha"]),
        ("trigger=manual&state=queued", ["beta-load"]),
        ("since=2020-01-01", ["beta-load", "alpha", "alpha"]),
        ("since=2096-01-01T00:00", []),
        ("until=2020-01-01", []),
        ("state=nonsense&trigger=nonsense", ["beta-load", "alpha", "alpha"]),
    ],
)
def test_the_list_of_runs_is_filtered_by_its_address(
    client: Client, application: Application, query: str, expected: list[str]
) -> None:
    define(application, "alpha")
    define(application, "beta-load")
    runs.rerun(application, killed(application, "alpha").id)
    runs.run_now(application, "beta-load")
    page = client.get(f"/runs?{query}").text
    assert re.findall(r'<td><a href="/jobs/([^"]*)">', page) == expected
    if not expected:
        assert "No run fits" in page


def test_a_time_that_is_none_is_explained(client: Client) -> None:
    answer = client.get("/runs?since=yesterday&job=<b>")
    assert answer.status_code == 400
    assert "since is &#34;yesterday&#34; but must be a time" in answer.text
    assert 'value="&lt;b&gt;"' in answer.text


def test_the_list_of_runs_has_pages(client: Client, application: Application) -> None:
    define(application, "job", overlap="allow")
    ids = [runs.run_now(application, "job").id for _ in range(53)]
    first = client.get("/runs?job=job").text
    assert re.findall(r'href="/runs/(\d+)">#', first) == [str(each) for each in reversed(ids[3:])]
    following = re.search(r'href="([^"]*)">Older<', first)
    assert following is not None
    second = client.get(following[1].replace("&amp;", "&")).text
    assert re.findall(r'href="/runs/(\d+)">#', second) == [str(each) for each in reversed(ids[:3])]
    assert 'href="/runs?job=job">Newest' in second


def test_a_chain_is_finished_from_its_failure(leading_client: Client) -> None:
    client = leading_client
    form = {"kind": "manual", "retries": "0"}
    command = 'test -e "$CHRONOS_SHARED_DIR/mended" && echo ROWS=3 > "$CHRONOS_OUTPUT_FILE"'
    client.post("/jobs/new", data={**form, "name": "load", "command": command, "softError": ""})
    client.post("/jobs/new", data={**form, "name": "soft", "command": "exit 3", "softError": "on"})
    after = {"kind": "dependency", "parents": "load\nsoft", "retries": "0"}
    child = 'echo "got $CHRONOS_PARENT_LOAD_ROWS"'
    client.post("/jobs/new", data={**after, "name": "report", "command": child})
    run_id = client.post("/jobs/load/run").location.rsplit("/", 1)[1]

    def state_of(wanted: object) -> str:
        return str(client.get(f"/api/runs/{wanted}").json["state"])

    wait_for("the load to fail", lambda: state_of(run_id) == "failed")
    page = text_of(client.get(f"/runs/{run_id}").text)
    assert "exited with code 1" in page
    soft_id = client.post("/jobs/soft/run").location.rsplit("/", 1)[1]
    wait_for("the soft failure", lambda: state_of(soft_id) == "failed")
    page = text_of(client.get(f"/runs/{soft_id}").text)
    assert "the jobs after it run even when it fails (soft error)" in page
    client.post("/jobs/new", data={**form, "name": "mend", "command": 'touch "$CHRONOS_SHARED_DIR/mended"'})
    mend_id = client.post("/jobs/mend/run").location.rsplit("/", 1)[1]
    wait_for("the mending", lambda: state_of(mend_id) == "succeeded")
    again_id = client.post(f"/runs/{run_id}/rerun", data={"from": "failure"}).location.rsplit("/", 1)[1]
    wait_for("the load to succeed", lambda: state_of(again_id) == "succeeded")
    assert "CHRONOS_PARENT_LOAD_ROWS" in client.get(f"/runs/{again_id}").text
    report_id = wait_for("the report", lambda: client.get("/api/jobs/report/runs").json["runs"])[0]["id"]
    wait_for("the report to succeed", lambda: state_of(report_id) == "succeeded")
    page = client.get(f"/runs/{report_id}").text
    assert "got 3" in page
    assert f'began with run <a href="/runs/{run_id}">#{run_id}</a>' in page
