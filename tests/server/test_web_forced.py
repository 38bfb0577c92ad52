"""Forcing a run with other arguments, variables and times, and what the page of a job says of its policies."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from chronos_py.services import Application, limits, runs
from tests.server.client import Client
from tests.server.web import define, newest, text_of

TYPED = {"arguments": "--day\r\ntwo words", "environment": "WHO=a=b", "scheduledTime": "", "withChildren": "on"}


def test_force_run_stays_one_click(client: Client, application: Application) -> None:
    define(application, "job")
    page = client.get("/jobs/job").text
    assert re.search(
        '<form method="post" action="/jobs/job/run"><input type="hidden"[^>]*><button [^>]*>Force run<', page
    )
    assert '<details class="ask" data-dialog><summary>' in page
    client.post("/jobs/job/run")
    run = newest(application, "job")
    assert (run.overrides.arguments, run.overrides.environment, run.starts_children) == (None, {}, True)


def test_a_run_is_forced_with_what_was_typed(client: Client, application: Application) -> None:
    define(application, "job", schedule="0 3 * * *", scheduleTimeZone="Asia/Tokyo")
    answer = client.post(
        "/jobs/job/run-with", data={**TYPED, "scheduledTime": "2026-05-04T03:00", "withChildren": ""}
    )
    run = newest(application, "job")
    assert (answer.status_code, answer.location) == (303, f"/runs/{run.id}")
    assert run.scheduled_at == datetime(2026, 5, 3, 18, tzinfo=UTC)
    assert run.overrides.arguments == ("--day", "two words")
    assert run.overrides.environment == {"WHO": "a=b"}
    assert not run.starts_children
    page = client.get(answer.location).text
    assert "forced with arguments --day two words" in text_of(page)
    assert "<code>WHO=a=b</code>" in page


def test_an_offset_counts_more_than_the_zone_of_the_job(client: Client, application: Application) -> None:
    define(application, "job", schedule="0 3 * * *", scheduleTimeZone="Asia/Tokyo")
    client.post("/jobs/job/run-with", data={"scheduledTime": "2026-05-04T03:00+02:00", "withChildren": "on"})
    run = newest(application, "job")
    assert run.scheduled_at == datetime(2026, 5, 4, 1, tzinfo=UTC)
    assert (run.overrides.arguments, run.starts_children) == (None, True)


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("scheduledTime", "soon", 'scheduledTime is "soon" but must be a time'),
        ("scheduledTime", "2026-02-30", "in UTC where it has no offset"),
        ("environment", "A=1\r\n\r\nno sign", "Line 3: environment has the line"),
        ("environment", "A=1\r\n1B=2", "Line 2: environment has the variable"),
        ("environment", "A=1\0", "NUL character"),
        ("arguments", "a\0b", "NUL character"),
    ],
)
def test_what_is_wrong_is_told_and_what_was_typed_is_kept(
    client: Client, application: Application, field: str, text: str, sentence: str
) -> None:
    define(application, "job")
    answer = client.post(
        "/jobs/job/run-with", data={**TYPED, "arguments": "--typed", "withChildren": "", field: text}
    )
    assert answer.status_code == 400
    page = answer.text.replace("&#34;", '"')
    assert sentence in page[page.index(f'id="{field}-wrong"') :].partition("</p>")[0]
    assert '<details class="ask" data-dialog open>' in page
    assert field == "arguments" or "--typed" in page
    assert 'name="withChildren" value="on">' in page  # still not checked
    assert "data-live" not in page
    assert runs.list_runs(application, "job") == []


def test_a_run_of_no_job_is_not_found(client: Client) -> None:
    assert client.post("/jobs/nobody/run-with", data=TYPED).status_code == 404


def test_the_page_of_a_job_says_what_its_newest_run_waits_for(client: Client, application: Application) -> None:
    define(application, "job")
    first = runs.run_now(application, "job")
    second = runs.run_now(application, "job")
    page = text_of(client.get("/jobs/job").text)
    assert f"Run #{second.id} waits for run #{first.id} of this job, which goes first." in page
    for run in (first, second):
        runs.kill_run(application, run.id)
    assert "waits for" not in client.get("/jobs/job").text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"retries": 0}, "Retries none"),
        (
            {"retries": 5, "retryDelay": 10, "retryBackoff": {"factor": 2, "maximum": "PT1H", "jitter": 0.2}},
            "5, 10 s after a failure, each wait 2 times the one before up to 1 h, with up to 20% more",
        ),
        (
            {"retryOn": [75, 3, "launch_error"], "noRetryOn": ["memory"]},
            "only after exit code 3, exit code 75, launch error; not after memory",
        ),
        ({"retryDelay": 0, "noRetryOn": ["exit"]}, "Retries 2, at once; not after exit"),
        ({"disableAfterFailures": 3}, "Paused after 3 failed runs in a row"),
        ({"maxConcurrent": 2, "overlap": "allow"}, "At a time at most 2 runs"),
        ({"concurrencyLimits": ["a", {"name": "b", "units": 2}]}, "Limits a, b (2 units)"),
        ({"priority": -3, "weight": 0.5}, "Priority -3Weight 0.5"),
        ({"parents": ["p"], "triggerRule": "any_failure"}, "p; it runs as soon as one has failed for good"),
        ({"parents": ["p"], "dependencyMode": "sameWave"}, "their runs for the same scheduled time"),
    ],
)
def test_policies_that_are_not_the_default_are_facts(
    client: Client, application: Application, fields: dict[str, Any], words: str
) -> None:
    for name in ("a", "b"):
        limits.set_limit(application, name, 3)
    define(application, "p")
    define(application, "job", **fields)
    page = client.get("/jobs/job").text
    assert words in text_of(page.replace("</dt>", "</dt> "))
    plain = client.get("/jobs/p").text
    for label in ("Retries", "Paused after", "At a time", "Limits", "Priority", "Weight"):
        assert f"<dt>{label}" not in plain
