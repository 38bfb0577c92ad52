"""The pages of backfills: look, start, follow, cancel."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from chronos_py.model.run import Reason, RunState, Trigger
from chronos_py.services import Application, backfills, calendars, jobs, runs
from chronos_py.store import runs as run_rows
from chronos_py.store.runs import NewRun
from tests.cluster.server import wait_for
from tests.server.client import Client
from tests.server.html_form import read_form

WEEK = {"from": "2026-01-05", "to": "2026-01-11", "parallel": "2"}


@pytest.fixture
def nightly(application: Application) -> None:
    jobs.save_job(
        application,
        {"name": "nightly", "command": "true", "schedule": "0 3 * * *", "scheduleTimeZone": "Europe/Berlin"},
    )


def start(client: Client, **fields: str) -> str:
    answer = client.post("/jobs/nightly/backfill", data={**WEEK, "do": "start", **fields})
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def test_the_pages_work_while_there_is_nothing(client: Client, nightly: None) -> None:
    assert "No backfill yet" in client.get("/backfills").text
    page = client.get("/jobs/nightly").text
    assert 'action="/jobs/nightly/backfill"><button>Backfill</button>' in page
    form = read_form(client.get("/jobs/nightly/backfill").text)
    first, last = (datetime.fromisoformat(str(form[field])) for field in ("from", "to"))
    assert last - first == timedelta(days=7)
    assert form["parallel"] == "1"


def test_a_job_without_a_schedule_has_no_backfill(client: Client, application: Application) -> None:
    jobs.save_job(application, {"name": "by hand", "command": "true"})
    assert "/backfill" not in client.get("/jobs/by%20hand").text
    assert "no schedule" in client.get("/jobs/by%20hand/backfill").text
    assert client.post("/jobs/by%20hand/backfill", data={**WEEK, "do": "start"}).status_code == 400
    assert client.get("/jobs/nobody/backfill").status_code == 404


def test_the_preview_starts_nothing(client: Client, application: Application, nightly: None) -> None:
    answer = client.post("/jobs/nightly/backfill", data={**WEEK, "do": "preview"})
    assert answer.status_code == 200
    assert "7 occurrences would run, 0 are left alone" in answer.text
    assert "Mon 2026-01-05 03:00 +01:00" in answer.text
    assert runs.list_runs(application) == []
    assert backfills.list_backfills(application) == []


def test_the_preview_is_what_enter_does(client: Client, nightly: None) -> None:
    page = client.get("/jobs/nightly/backfill").text
    assert page.index('value="preview">Preview') < page.index('value="start"')
    assert "7 occurrences would run" in client.post("/jobs/nightly/backfill", data=WEEK).text


def test_the_preview_names_what_is_left_alone(client: Client, application: Application, nightly: None) -> None:
    start(client, to="2026-01-06")
    run = runs.list_runs(application)[0]
    page = client.post("/jobs/nightly/backfill", data=WEEK).text
    assert "5 occurrences would run, 2 are left alone" in page
    row = re.search(r"<tr><td>[^\n]*2026-01-06 03:00[^\n]*", page)
    assert row is not None
    assert f'<a href="/runs/{run.id}">run #{run.id}</a>' in row[0]
    assert "queued" in row[0]


def test_the_preview_of_many_shows_the_first_ones(client: Client, nightly: None) -> None:
    page = client.post("/jobs/nightly/backfill", data={**WEEK, "from": "2025-01-01", "to": "2025-12-31"}).text
    assert "365 occurrences would run" in page
    assert page.count("data-zoned") == 200
    assert "and 165 more" in page


@pytest.mark.parametrize("do", ["preview", "start"])
@pytest.mark.parametrize(
    ("fields", "at", "sentence"),
    [
        ({"from": "soon"}, "from", "from is"),
        ({"from": ""}, "from", "from is"),
        ({"to": "2025-01-01"}, "to", "before from"),
        ({"from": "2999-01-01", "to": "2999-01-02"}, "from", "must be in the past"),
        ({"from": "1900-01-01"}, "from", "at most 10,000"),
        ({"parallel": "many"}, "parallel", "parallel is"),
        ({"parallel": "²"}, "parallel", "parallel is"),
    ],
)
def test_an_error_stands_at_its_field_and_keeps_what_was_typed(
    client: Client, nightly: None, do: str, fields: dict[str, str], at: str, sentence: str
) -> None:
    typed = {**WEEK, "withChildren": "on", **fields}
    answer = client.post("/jobs/nightly/backfill", data={**typed, "do": do})
    assert answer.status_code == 400
    assert sentence in answer.text[answer.text.index(f'id="{at}-wrong"') :].partition("</p>")[0]
    assert read_form(answer.text) == {**typed, "withChildren": ["on"]}


def test_what_has_a_run_already_is_refused_with_the_form(client: Client, nightly: None) -> None:
    start(client)
    answer = client.post("/jobs/nightly/backfill", data={**WEEK, "do": "start"})
    assert answer.status_code == 409
    assert "say force" in answer.text
    assert read_form(answer.text) == WEEK


def test_a_backfill_is_shown_with_its_progress_and_its_runs(
    client: Client, application: Application, nightly: None
) -> None:
    address = start(client, force="on")
    page = client.get(address).text
    assert "0 of 7 ended" in page
    assert '<progress max="7" value="0"' in page
    assert "7 queued" in page
    assert " data-live" in page
    assert "Mon 2026-01-05 00:00 +01:00" in page
    assert page.count(f'backfill <a href="{address}">') == 7
    run = runs.list_runs(application)[0]
    runs.kill_run(application, run.id)
    assert "1 of 7 ended: 1 killed" in client.get(address).text
    assert f'backfill <a href="{address}">' in client.get(f"/runs/{run.id}").text
    for place in ("/backfills", "/jobs/nightly"):
        assert "1 of 7 ended: 1 killed" in client.get(place).text


@pytest.mark.parametrize("how", ["cancel", "kill"])
def test_a_backfill_is_cancelled(client: Client, nightly: None, how: str) -> None:
    address = start(client)
    assert client.post(f"{address}/{how}").location == address
    page = client.get(address).text
    assert "cancelled" in page
    assert "7 of 7 ended: 7 killed" in page
    assert "<button" not in page.partition("<main")[2]
    assert " data-live" not in page
    assert client.post(f"{address}/{how}").status_code == 409


def test_a_long_backfill_has_pages(client: Client, application: Application, nightly: None) -> None:
    address = start(client, to="2026-03-31")
    page = client.get(address).text
    oldest = runs.list_runs(application, limit=1000)[-1].id
    assert f'href="/runs/{oldest}"' not in page
    older = re.search(rf'href="({address}\?before=\d+)"', page)
    assert older is not None
    assert f'href="/runs/{oldest}"' in client.get(older[1]).text


def test_the_backfill_of_a_deleted_job_stays_readable(
    client: Client, application: Application, nightly: None
) -> None:
    address = start(client)
    jobs.delete_job(application, "nightly")
    assert client.get(address).status_code == 200
    assert client.get("/backfills").status_code == 200


@pytest.mark.parametrize(
    "path", ["/backfills/99", "/backfills/4611686018427387904", "/backfills/99999999999999999999"]
)
def test_what_is_not_there_is_a_page_that_says_so(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "Not found" in answer.text


def test_numbers_in_addresses_do_no_harm(client: Client) -> None:
    for text in ("²", "-1", "1e3", "99999999999999999999", ""):
        for path in ("/backfills", "/runs"):
            assert client.get(f"{path}?before={text}").status_code == 200


def test_a_node_at_work_ends_it(leading_client: Client) -> None:
    form = {"name": "nightly", "command": "true", "kind": "schedule", "schedule": "0 3 * * *"}
    leading_client.post("/jobs/new", data=form)
    leading_client.post(
        "/jobs/new", data={"name": "report", "command": "true", "kind": "dependency", "parents": "nightly"}
    )
    address = start(leading_client, to="2026-01-06", withChildren="on")

    def page_of_the_end() -> str:
        shown = leading_client.get(address).text
        return "" if "data-live" in shown else shown

    page = wait_for("the backfill to end", page_of_the_end)
    assert "2 of 2 ended: 2 succeeded" in page
    assert re.search(r"The jobs after it</dt><dd>2 of 2 ended: 2 succeeded", page)
    assert re.search(r'after <a href="/runs/\d+">#\d+</a>, backfill <a', page)


def insert(application: Application, **fields: object) -> int:
    job = jobs.get_job(application, "nightly").job
    now = datetime(2026, 1, 5, tzinfo=UTC)
    row = {"job_id": job.id, "revision": 1, "trigger": Trigger.SCHEDULE, "scheduled_at": now, "created_at": now}
    with application.database.write() as connection:
        return run_rows.insert_run(connection, NewRun(**{**row, **fields}))  # type: ignore[arg-type]


def test_rows_say_what_was_special(client: Client, application: Application, nightly: None) -> None:
    first = insert(application)
    second = insert(application, note=f"took the place of run #{first} (overlap: replace)")
    for path in ("/runs", "/jobs/nightly", f"/runs/{second}"):
        assert (
            f'took the place of run <a href="/runs/{first}">#{first}</a> (overlap: replace)' in client.get(path).text
        )


@pytest.mark.parametrize(("count", "words"), [(48, "48 occurrences"), (None, "many occurrences")])
def test_a_row_for_several_occurrences_says_which(
    client: Client, application: Application, nightly: None, count: int | None, words: str
) -> None:
    insert(
        application,
        state=RunState.SKIPPED,
        reason=Reason.BLOCKED,
        message="skipped: it is <Sunday>",
        occurrences=count,
        scheduled_until=datetime(2026, 1, 7, tzinfo=UTC),
    )
    page = client.get("/jobs/nightly").text
    said = re.sub("<[^>]*>", "", page[page.index(words) :])
    assert said.startswith(
        f"{words} from 2026-01-05 00:00:00 UTC to 2026-01-07 00:00:00 UTC: skipped: it is &lt;Sunday&gt;"
    )


def test_a_job_says_when_it_comes_in_its_own_zone_too(
    client: Client, application: Application, nightly: None
) -> None:
    calendars.save_calendar(application, "plant", {"weekdays": ["monday"]})
    jobs.patch_job(application, "nightly", {"excludeCalendars": ["plant"]})
    page = client.get("/jobs/nightly").text
    assert "not on days in plant" in page
    assert "In Europe/Berlin" in page
    days = re.findall(r"data-zoned>(\w{3}) [^<]* 03:00 \+0[12]:00<", page)
    assert len(days) == 5
    assert "Mon" not in days
