"""The timeline without JavaScript: a day of bars, parts of it, a month, and the same as a table."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from chronos_py.model.run import RunState
from chronos_py.services import Application, runs
from chronos_py.store.tables import AttemptRow, JobRow, RunRow
from tests.server.web import define, text_of

HOUR = timedelta(hours=1)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def put_runs(application: Application, job: str, *found: dict[str, Any]) -> list[int]:
    """Runs as they may have been, with a try each."""
    ids = []
    with application.database.write() as connection:
        job_id = connection.execute(select(JobRow.id).where(JobRow.name == job)).scalar_one()
        for values in found:
            start = values.get("started_at")
            usual = {
                "job_id": job_id,
                "trigger": "manual",
                "state": "succeeded",
                "scheduled_at": start or values.get("scheduled_at"),
                "not_before": NOON,
                "revision": 1,
                "attempts": 1 if start else 0,
                "created_at": start or NOON,
            }
            run_id = connection.execute(insert(RunRow).values(usual | values).returning(RunRow.id)).scalar_one()
            ids.append(run_id)
            if start:
                connection.execute(
                    insert(AttemptRow).values(
                        run_id=run_id,
                        number=1,
                        state="succeeded",
                        task_name=f"task-{run_id}",
                        pool="process",
                        epoch=1,
                        revision=1,
                        created_at=start,
                        started_at=start,
                        finished_at=values.get("finished_at"),
                    )
                )
    return ids


def took(hour: float, hours: float = 0.5, **values: Any) -> dict[str, Any]:
    start = NOON.replace(hour=0) + hour * HOUR
    return {"started_at": start, "finished_at": start + hours * HOUR, **values}


def names(page: str) -> list[str]:
    return re.findall(r'<a class="job" href="/jobs/[^"]*"[^>]*>([^<]*)<', page)


def test_a_day_shows_what_ran(client: FlaskClient, application: Application) -> None:
    for name in ("load", "report", "idle"):
        define(application, name)
    first, second = put_runs(application, "load", took(6, 2), took(9, state="failed"))
    put_runs(application, "report", took(-30))
    page = client.get("/timeline?day=2026-03-10").text
    assert names(page) == ["load"]
    assert (
        f'<a href="/runs/{first}" tabindex="-1"><rect class="run state-succeeded" x="25.0%" width="8.333%">' in page
    )
    assert f"Run {second}, failed, 09:00" in page
    assert "2 began, 0 planned. Most at once: 1 within 5 min from 06:00." in page
    assert names(client.get("/timeline?day=2026-03-08").text) == ["report"]


def test_days_are_those_of_the_viewer(client: FlaskClient, application: Application) -> None:
    define(application, "late")
    put_runs(application, "late", took(23.5))
    assert names(client.get("/timeline?day=2026-03-11&zone=Europe/Berlin").text) == ["late"]
    assert names(client.get("/timeline?day=2026-03-10&zone=Europe/Berlin").text) == []
    client.set_cookie("zone", "Europe/Berlin", path="/timeline")
    assert "00:30" in client.get("/timeline?day=2026-03-11").text


def test_what_is_planned_is_shown(client: FlaskClient, application: Application) -> None:
    define(application, "nightly", schedule="0 0 * * *")
    define(application, "often", schedule="R//PT1S")
    define(application, "paused", schedule="0 0 * * *", disabled=True)
    define(application, "by hand")
    later = datetime.now(UTC).date() + timedelta(days=2)  # tomorrow may have come before the page has
    page = client.get(f"/timeline?day={later}").text
    assert names(page) == ["nightly", "often"]
    assert "Planned for 00:00" in page
    assert "86,400 runs planned from 00:00 to 23:59" in page
    assert "0 began, 86,401 planned. Most at once: 301 within 5 min from 00:00." in page


def test_a_part_of_the_day(client: FlaskClient, application: Application) -> None:
    define(application, "load")
    define(application, "report")
    put_runs(application, "load", took(6.5))
    put_runs(application, "report", took(15))
    page = client.get("/timeline?day=2026-03-10&from=06:00&hours=3").text
    assert names(page) == ["load"]
    assert 'x="16.667%"' in page
    assert "/timeline?day=2026-03-10&amp;from=03%3A00&amp;hours=3" in page.replace("&amp;zone=UTC", "")
    assert "earlier" in page


def test_jobs_are_filtered_and_paged(
    client: FlaskClient, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chronos_py.web.timeline.page.PAGE", 2)
    for number in range(5):
        define(
            application, f"job-{number}", owner=f"owner-{number % 2}@example.com", labels={"team": str(number % 3)}
        )
        put_runs(application, f"job-{number}", took(number))
    day = "/timeline?day=2026-03-10"
    first = client.get(day).text
    assert names(first) == ["job-0", "job-1"]
    following = re.search(r'href="([^"]*after=[^"]*)">Next page', first)
    assert following is not None
    assert names(client.get(following[1].replace("&amp;", "&")).text) == ["job-2", "job-3"]
    assert names(client.get(f"{day}&q=B-3").text) == ["job-3"]
    assert names(client.get(f"{day}&owner=OWNER-1").text) == ["job-1", "job-3"]
    assert names(client.get(f"{day}&label=team=1").text) == ["job-1", "job-4"]
    assert "2 began" in client.get(f"{day}&label=team=1").text
    assert "No job that fits" in client.get(f"{day}&q=nowhere").text


def test_many_runs_are_drawn_as_bands(client: FlaskClient, application: Application) -> None:
    define(application, "busy")
    put_runs(application, "busy", *(took(3 + number / 60, 0.001) for number in range(100)))
    page = client.get("/timeline?day=2026-03-10").text
    assert "100 runs from 03:00 to 04:40: 100 succeeded" in page
    assert page.count('<rect class="run state-') < 10  # those of the legend
    assert "from=03%3A00&amp;hours=1" in page


def test_what_never_began_is_shown_at_its_time(client: FlaskClient, application: Application) -> None:
    define(application, "skipping")
    at = NOON.replace(hour=3)
    put_runs(
        application, "skipping", {"state": "skipped", "scheduled_at": at, "finished_at": NOON, "message": "too late"}
    )
    page = client.get("/timeline?day=2026-03-10").text
    assert '<rect class="never state-skipped short" x="12.5%"' in page
    assert "skipped, for 03:00: too late" in page


def test_what_runs_on_is_seen_until_now(client: FlaskClient, application: Application) -> None:
    define(application, "endless")
    run = runs.run_now(application, "endless")
    now = datetime.now(UTC)
    with application.database.write() as connection:
        began = now - timedelta(days=9)
        connection.execute(
            update(RunRow)
            .where(RunRow.id == run.id)
            .values(state=RunState.RUNNING.value, started_at=began, created_at=began)
        )
    page = client.get("/timeline").text  # of today, whichever day it is by then
    assert names(page) == ["endless"]
    assert "running, " in page
    assert 'class="now"' in page


def test_tries_are_parts_of_a_bar(client: FlaskClient, application: Application) -> None:
    define(application, "retried")
    [run_id] = put_runs(application, "retried", took(6, 2, attempts=2))
    with application.database.write() as connection:
        connection.execute(
            insert(AttemptRow).values(
                run_id=run_id, number=2, state="failed", task_name="another", pool="process", epoch=1, revision=1,
                created_at=NOON, started_at=NOON.replace(hour=7), finished_at=NOON.replace(hour=8),
            )
        )  # fmt: skip
    page = client.get("/timeline?day=2026-03-10").text
    assert f"Run {run_id}, try 2, failed, 1 h" in page
    assert page.count('class="attempt') == 2


def test_the_same_as_a_table(client: FlaskClient, application: Application) -> None:
    define(application, "load", schedule="0 5 * * *")
    put_runs(application, "load", took(6))
    page = client.get("/timeline?day=2026-03-10&table=1").text
    assert "<rect" not in page
    assert "Tue 2026-03-10 06:00" in text_of(page)


def test_a_month_counts_days(client: FlaskClient, application: Application) -> None:
    define(application, "load")
    put_runs(application, "load", took(6), took(7), took(8, state="failed"), took(23.8, 0.5, state="killed"))
    page = client.get("/timeline?month=2026-03").text
    cells = {
        cell[0]: text_of(cell[1])
        for cell in re.findall(r'<td><a href="/timeline\?day=2026-03-(\d+)[^"]*">(.*?)</a>', page, re.S)
    }
    assert len(cells) == 31
    assert cells["10"].endswith("✕ 1 failed ✓ 2 succeeded ")
    assert cells["11"].endswith("■ 1 killed ")
    assert "March 2026" in page
    # In New York the day is not over yet.
    assert "■ 1" not in text_of(client.get("/timeline?month=2026-03&zone=America/New_York").text).split("11 March")[1]


def test_a_month_counts_what_is_planned(client: FlaskClient, application: Application) -> None:
    define(application, "hourly", schedule="0 * * * *")
    following = (datetime.now(UTC).date().replace(day=1) + timedelta(days=64)).replace(day=1)
    page = text_of(client.get(f"/timeline?month={following:%Y-%m}").text)
    assert page.count("24 planned") >= 28


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("day=2026-02-30", "day"),
        ("day=tomorrow", "day"),
        ("day=9999-12-31", "day"),
        ("month=13", "month"),
        ("zone=Mars/Base", "not a known time zone"),
        ("zone=../etc", "not a known time zone"),
        ("label==x", "label"),
    ],
)
def test_what_is_no_day_is_refused_in_words(client: FlaskClient, query: str, says: str) -> None:
    answer = client.get(f"/timeline?{query}")
    assert answer.status_code == 400
    assert says in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "query", ["hours=7", "hours=99999999999999999999", "from=99:99&hours=3", "after=zzz", "zone=&day="]
)
def test_odd_addresses_do_no_harm(client: FlaskClient, query: str) -> None:
    assert client.get(f"/timeline?{query}").status_code == 200


def test_names_stay_text(client: FlaskClient, application: Application) -> None:
    define(application, "evil")
    put_runs(application, "evil", took(6))
    with application.database.write() as connection:
        connection.execute(update(JobRow).values(name="<script>alert(1)</script>"))
    page = client.get("/timeline?day=2026-03-10").text
    assert "<script>alert" not in page
    assert names(page) == ["&lt;script&gt;alert(1)&lt;/script&gt;"]
