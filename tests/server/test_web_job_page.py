"""The page of a job: what it is, how long it takes, what happened, and how it came to be as it is."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chronos_py.model.document import read_definition
from chronos_py.model.job import Counters
from chronos_py.model.run import Attempt, AttemptState, Run, RunState, Trigger
from chronos_py.model.statistics import RunTimes
from chronos_py.services import Application, runs
from chronos_py.web.form.fields import CHOICES
from chronos_py.web.jobs.words import sentence, success_rate
from chronos_py.web.runs.drawings import TREND_HEIGHT, WIDTH, draw_runs, draw_trend
from tests.cluster.server import FINAL, wait_for
from tests.server.client import Client
from tests.server.web import define, text_of

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
EVIL = "<script>alert(1)</script>"


def second(number: float) -> datetime:
    return NOW + timedelta(seconds=number)


def ended(number: int, took: float, state: RunState = RunState.SUCCEEDED) -> Run:
    return Run(
        id=number,
        job_id=1,
        job_name="job",
        trigger=Trigger.SCHEDULE,
        state=state,
        scheduled_at=NOW,
        created_at=NOW,
        not_before=NOW,
        revision=1,
        attempts=1,
        started_at=second(1),
        finished_at=second(1 + took),
    )


def attempt(number: int, state: AttemptState, start: float, end: float | None) -> Attempt:
    return Attempt(
        id=number,
        run_id=1,
        number=number,
        state=state,
        task_name=f"t{number}",
        pool="process",
        epoch=1,
        revision=1,
        started_at=second(start),
        finished_at=None if end is None else second(end),
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"command": "true"}, "Runs true, only when somebody asks for it."),
        (
            {"command": "a\nb\nc", "schedule": "0 3 * * 1-5", "scheduleTimeZone": "Europe/Berlin"},
            "Runs a and 2 more lines, at 03:00, Monday through Friday (Europe/Berlin).",
        ),
        ({"command": "true", "parents": ["x"]}, "Runs true, after x."),
        (
            {"command": "true", "parents": ["x", "y", "z"], "triggerRule": "any_success"},
            "Runs true, after x, y and z, as soon as one has succeeded.",
        ),
        (
            {"command": "true", "parents": list("uvwxyz"), "container": {"type": "DOCKER", "image": "python:3.12"}},
            "Runs true in python:3.12, after u, v, w, x and 2 more, when all have succeeded.",
        ),
        ({"command": "curl https://a:pw@h/", "runAsUser": "etl"}, "Runs curl https://a:••••••@h/ as etl, only when"),
        ({"command": f"echo {EVIL}"}, "Runs echo &lt;script&gt;"),
        ({"command": "x" * 200}, f"Runs {'x' * 89}…, only"),
    ],
)
def test_one_sentence_says_what_a_job_is(fields: dict[str, Any], words: str) -> None:
    said = text_of(str(sentence(read_definition({"name": "job", **fields}), CHOICES["triggerRule"])))
    assert said.startswith(words)


@pytest.mark.parametrize(
    ("successes", "errors", "words"),
    [(0, 0, ""), (3, 0, "100% of 3 runs"), (0, 2, "0% of 2 runs"), (1, 2, "33.3% of 3 runs"), (9999, 1, "99.9% of")],
)
def test_the_share_of_successes(successes: int, errors: int, words: str) -> None:
    assert success_rate(Counters(successes, errors)).startswith(words)
    assert bool(success_rate(Counters(successes, errors))) is bool(words)


def test_the_trend_goes_from_left_to_right_and_cuts_off_outliers() -> None:
    found = [
        ended(3, 4),
        ended(2, 100, RunState.FAILED),
        ended(1, 2),
        Run(**{**_values(ended(4, 1)), "started_at": None}),
    ]
    trend = draw_trend(found, RunTimes([2.0, 4.0], 2))
    assert trend is not None
    assert [(bar.run.id, bar.height, bar.is_cut) for bar in trend.bars] == [
        (1, round(2 / 12 * TREND_HEIGHT, 1), False),
        (2, TREND_HEIGHT, True),
        (3, round(4 / 12 * TREND_HEIGHT, 1), False),
    ]
    assert trend.top == 12.0
    assert trend.lines == {"median": round(3 / 12 * TREND_HEIGHT, 1), "p95": round(4 / 12 * TREND_HEIGHT, 1)}
    assert draw_trend([], RunTimes()) is None
    only_failures = draw_trend([ended(1, 0, RunState.FAILED)], RunTimes())
    assert only_failures is not None
    assert (only_failures.lines, only_failures.bars[0].height) == ({}, 2)


def _values(run: Run) -> dict[str, Any]:
    return {name: getattr(run, name) for name in run.__slots__}


def test_a_run_is_drawn_attempt_by_attempt() -> None:
    tries = [attempt(1, AttemptState.FAILED, 2, 4), attempt(2, AttemptState.RUNNING, 8, None)]
    run = Run(**{**_values(ended(1, 0)), "finished_at": None, "state": RunState.RUNNING})
    pieces = draw_runs([run, ended(2, 5)], {1: tries, 2: []}, second(10))
    assert [(piece.state, piece.x, piece.width) for piece in pieces[1]] == [
        ("waits", 0, 200),
        ("failed", 200, 200),
        ("waits", 400, 400),
        ("running", 800, 200),
    ]
    assert pieces[2] == []
    short = draw_runs([run], {1: [attempt(1, AttemptState.SUCCEEDED, 1000, 1000)]}, second(1000))[1]
    assert all(piece.x + piece.width <= WIDTH for piece in short)
    assert short[-1].width == 6


def test_the_page_shows_figures_and_history_of_real_runs(leading_client: Client) -> None:
    client = leading_client
    command = 'test "$MODE" = bad && exit 3; echo fine'
    client.put("/api/jobs/job", json={"command": command, "retries": 1, "retryDelay": 0, "description": EVIL})
    client.put("/api/jobs/job", json={"command": command, "retries": 1, "retryDelay": 0, "owner": "a@b.example"})

    def run(**body: Any) -> int:
        run_id: int = client.post("/api/jobs/job/runs", json=body).json["id"]
        wait_for("the end", lambda: client.get(f"/api/runs/{run_id}").json["state"] in FINAL)
        return run_id

    good, bad = run(), run(environment={"MODE": "bad"})
    page = client.get("/jobs/job").text
    words = text_of(page)
    assert "50.0% of 2 runs" in words
    assert "Duration of the last 2 ended runs" in words
    assert "half take at most" in words
    assert "2 tries: exited with code 3" in words
    assert re.findall(r'<th scope="row"><a href="/runs/(\d+)">', page) == [str(bad), str(good)]
    assert page.count('class="gantt"') == 2
    assert len(re.findall(r'<rect class="run state-failed" x="[^"]*" y="0"', page)) == 2  # the bar of each try
    assert "description: <script>" not in page
    assert "owner: nothing -&gt; a@b.example" in page
    assert " style=" not in page
    only = client.get("/jobs/job?state=failed").text
    assert re.findall(r'<th scope="row"><a href="/runs/(\d+)">', only) == [str(bad)]
    assert "No run fits" in client.get("/jobs/job?trigger=backfill").text


def test_the_history_has_pages(client: Client, application: Application) -> None:
    define(application, "job", overlap="allow")
    ids = [runs.run_now(application, "job").id for _ in range(27)]
    first = client.get("/jobs/job?trigger=manual").text
    assert re.findall(r'<th scope="row"><a href="/runs/(\d+)">', first) == [str(each) for each in reversed(ids[2:])]
    older = re.search(r'href="([^"#]*)#history">Older<', first)
    assert older is not None
    second_page = client.get(older[1].replace("&amp;", "&")).text
    assert re.findall(r'<th scope="row"><a href="/runs/(\d+)">', second_page) == [str(ids[1]), str(ids[0])]
    assert 'href="/jobs/job?trigger=manual#history">Newest' in second_page


def test_a_job_that_never_ran_says_what_to_do(client: Client, application: Application) -> None:
    define(application, "job", schedule="0 3 * * *")
    page = text_of(client.get("/jobs/job").text)
    assert "It has not run yet. Press Force run" in page
    assert "no run has ended yet" in page
    assert "Next five runs" in page
    assert "Duration" not in page


def test_its_chain_is_drawn_where_it_has_one(client: Client, application: Application) -> None:
    define(application, "first")
    define(application, "second", parents=["first"])
    define(application, "alone")
    page = client.get("/jobs/first").text
    assert "Its chain" in page
    assert 'data-name="second"' in page
    assert "Its chain" not in client.get("/jobs/alone").text


def test_deleting_names_what_depends_on_it(client: Client, application: Application) -> None:
    define(application, "first")
    define(application, "second", parents=["first"])
    define(application, "third", parents=["first"])
    runs.run_now(application, "first")
    page = text_of(client.get("/jobs/first/delete").text)
    assert "2 jobs run after it: second, third" in page
    assert "1 of its runs have not ended; they will be killed" in page
    assert client.get("/jobs/nothing/delete").status_code == 404
