"""The form of a job: everything of it comes back, errors stand where they belong, the preview saves nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest

from chronos_py.model.document import DEFAULTS
from chronos_py.model.restrictions import WHEN
from chronos_py.services import Application, calendars, jobs, limits
from chronos_py.web.form.lines import blackout_line, date_line, read_blackouts, read_dates
from tests.server.client import OWN_USER, Client
from tests.server.html_form import read_form

# Every field of a document that belongs to a schedule, and one that nobody knows.
FULL: dict[str, Any] = {
    "name": "full",
    "description": "all of it",
    "command": "echo one\necho two",
    "arguments": ["a", "b c"],
    "environmentVariables": [{"name": "WHO", "value": "a=b"}],
    "container": {"image": "busybox:1", "network": "BRIDGE", "volumes": [{"containerPath": "/x", "mode": "RO"}]},
    "schedule": "0 3 * * *",
    "scheduleTimeZone": "Europe/Berlin",
    "disabled": True,
    "retries": 0,
    "retryDelay": "PT5M",
    "retryBackoff": {"factor": 1.5, "maximum": "PT1H", "jitter": 0.2},
    "retryOn": [75, "lost", 3, "launch_error"],
    "noRetryOn": ["memory", 255],
    "disableAfterFailures": 4,
    "startupTimeout": "PT2M",
    "maxConcurrent": 3,
    "concurrencyLimits": ["warehouse", {"name": "slots", "units": 2}],
    "priority": -5,
    "weight": 0.5,
    "dependencyMode": "sameWave",
    "triggerRule": "all_done",
    "overlap": "replace",
    "excludeCalendars": ["DE-BY", "plant"],
    "onlyCalendars": ["US"],
    "onBlockedDay": "previous",
    "blackouts": [
        {"start": "2026-12-24", "end": "2027-01-02", "reason": "holidays"},
        {"start": "2026-12-24T18:00", "end": "2026-12-24T20:00+01:00"},
        {"schedule": "0 22 * * *", "duration": "PT2H", "reason": "backup for all .. of it"},
        {"schedule": "R/2026-01-01T00:00:00Z/P7D", "duration": 1800},
        {"start": "2026-05-01", "end": "2026-05-02", "reason": "12:00 is not its end"},
        {"start": "2026-06-01", "end": "2026-06-02", "reason": "two\nlines", "ticket": 7},
    ],
    "startTime": "2026-01-01",
    "endTime": "2036-12-31T23:00+01:00",
    "jitter": "PT1M",
    "catchUp": "all",
    "catchUpLimit": 7,
    "startDeadline": 3600,
    "timeout": 60,
    "cpuTimeLimit": 30,
    "gracePeriod": 0,
    "cpus": 0.5,
    "mem": 64,
    "disk": 32,
    "highPriority": True,
    "softError": True,
    "runAsUser": OWN_USER,
    "owner": "ann@example.com",
    "ownerName": "Ann",
    "labels": {"team": "etl", "tier/of.x": "a=b c", "urgent": ""},
    "fetch": [{"uri": "http://127.0.0.1/tool.tgz", "cache": True}],
    "uris": [],
    "constraints": [["hostname", "LIKE", ".*"]],
    "executor": "",
    "executorFlags": "-v",
    "taskInfoData": "data",
    "async": True,
    "dataProcessingJobType": True,
    "rack": {"nobody": ["knows", "this"]},
}
TYPED = {"name": "job", "command": "echo typed", "kind": "schedule", "schedule": "0 3 * * *"}


@pytest.fixture(autouse=True)
def plant(application: Application) -> None:
    calendars.save_calendar(application, "plant", {"dates": ["2026-08-14"]})
    for name in ("warehouse", "slots"):
        limits.set_limit(application, name, 3)


def document_of(application: Application, name: str = "full") -> dict[str, Any]:
    return dict(jobs.get_job(application, name).job.document)


def details_around(page: str, text: str) -> str:
    """The opening tag of the innermost details element before ``text``."""
    return str(re.findall("<details[^>]*>", page[: page.index(text)])[-1])


def test_the_document_of_this_test_has_every_field() -> None:
    assert set(DEFAULTS) - set(FULL) == {"shell", "parents"}


def test_saving_an_untouched_form_changes_nothing(client: Client, application: Application) -> None:
    jobs.save_job(application, FULL)
    form = read_form(client.get("/jobs/full/edit").text)
    assert client.post("/jobs/full/edit", data=form).status_code == 303
    assert document_of(application) == FULL
    assert jobs.get_job(application, "full").job.revision == 1


def test_a_large_document_goes_through_its_form(client: Client, application: Application) -> None:
    command = "echo \u00e4\n" * 100_000  # what a browser sends of it is six times as long
    jobs.save_job(application, {"name": "large", "command": command})
    form = read_form(client.get("/jobs/large/edit").text)
    answer = client.post("/jobs/large/edit", data={**form, "description": "changed"})
    assert answer.status_code == 303
    definition = jobs.get_job(application, "large").job.definition
    assert (definition.description, definition.command.splitlines()) == ("changed", command.splitlines())


def test_a_cycle_of_parents_is_told_while_it_is_typed(client: Client, application: Application) -> None:
    jobs.save_job(application, {"name": "a", "command": "true"})
    jobs.save_job(application, {"name": "b", "command": "true", "parents": ["a"]})
    form = read_form(client.get("/jobs/a/edit").text)
    typed = {**form, "name": "renamed", "kind": "dependency", "parents": "b", "show": "check"}
    assert "a -> b -> a" in client.post("/jobs/a/edit", data=typed).json["problems"]["parents"]


def test_a_copy_says_the_same_under_another_name(client: Client, application: Application) -> None:
    jobs.save_job(application, FULL)
    for name in ("full-copy", "full-copy-2"):
        form = read_form(client.get("/jobs/new?copy=full").text)
        assert client.post("/jobs/new", data=form).status_code == 303
        assert document_of(application, name) == {**FULL, "name": name}


def test_emptied_fields_are_taken_out_of_the_document(client: Client, application: Application) -> None:
    jobs.save_job(application, FULL)
    form = read_form(client.get("/jobs/full/edit").text)
    emptied = (*WHEN, "catchUp", "catchUpLimit", "startDeadline", "overlap")
    client.post("/jobs/full/edit", data={**form, **dict.fromkeys(emptied, "")})
    assert document_of(application) == {field: value for field, value in FULL.items() if field not in emptied}


@pytest.mark.parametrize(
    "fields",
    [
        {"retryBackoff": 2},
        {"retryBackoff": 1.5},
        {"retryBackoff": {"factor": 3}},
        {"retryBackoff": {"maximum": 60}},
        {"retryBackoff": {"jitter": 0}},
        {"concurrencyLimits": [{"name": "slots"}, {"name": "warehouse", "units": 1, "why": "it is slow"}]},
        {"weight": 2.0, "priority": 0},
        {"triggerRule": "any_failure", "dependencyMode": "latest", "parents": ["parent"]},
    ],
)
def test_policies_stay_as_they_were_written(client: Client, application: Application, fields: dict[str, Any]) -> None:
    jobs.save_job(application, {"name": "parent", "command": "true"})
    document = {"name": "job", "command": "true", **fields}
    jobs.save_job(application, document)
    form = read_form(client.get("/jobs/job/edit").text)
    assert client.post("/jobs/job/edit", data=form).status_code == 303
    assert document_of(application, "job") == document
    assert jobs.get_job(application, "job").job.revision == 1
    assert client.post("/jobs/job/edit", data={**form, "description": "new"}).status_code == 303
    assert document_of(application, "job") == {**document, "description": "new"}


def test_policies_are_written_in_their_short_form_where_it_says_all(client: Client, application: Application) -> None:
    typed = {
        "retryBackoff.factor": "2",
        "retryOn": "75, launch error,\r\nTimeout",
        "concurrencyLimits": "slots\r\n\r\nwarehouse  2",
    }
    assert client.post("/jobs/new", data={**TYPED, **typed}).status_code == 303
    document = document_of(application, "job")
    assert document["retryBackoff"] == 2
    assert document["retryOn"] == [75, "launch_error", "timeout"]
    assert document["concurrencyLimits"] == ["slots", {"name": "warehouse", "units": 2}]
    form = read_form(client.get("/jobs/job/edit").text)
    client.post(
        "/jobs/job/edit", data={**form, "retryBackoff.maximum": "PT1H", "retryOn": "", "concurrencyLimits": ""}
    )
    document = document_of(application, "job")
    assert document["retryBackoff"] == {"factor": 2, "maximum": "PT1H"}
    assert not {"retryOn", "concurrencyLimits"} & set(document)


def test_calendars_stand_on_lines_or_between_commas(client: Client, application: Application) -> None:
    client.post("/jobs/new", data={**TYPED, "excludeCalendars": "DE, plant\r\n\r\n weekends ,"})
    assert document_of(application, "job")["excludeCalendars"] == ["DE", "plant", "weekends"]


def test_a_job_without_a_schedule_keeps_no_restrictions_of_it(client: Client, application: Application) -> None:
    form = {**TYPED, "kind": "manual", "excludeCalendars": "DE", "blackouts": "nonsense", "jitter": "5"}
    assert client.post("/jobs/new", data=form).status_code == 303
    assert set(document_of(application, "job")) == {"name", "command"}


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("excludeCalendars", "nowhere", "which is no calendar"),
        ("onlyCalendars", "DE\r\nMars", "which is no calendar"),
        ("onBlockedDay", "perhaps", "must be one of skip, next, previous"),
        ("blackouts", "2026-12-24 .. 2027-01-02\r\n\r\nsome day", "Line 3: blackouts is"),
        ("blackouts", "\r\n2026-12-24 .. tomorrow", "Line 2: blackouts[0].end is"),
        ("blackouts", "2026-12-24 .. 2026-12-01", "a later end"),
        ("blackouts", "0 22 * * * for ever", "blackouts[0].duration is"),
        ("blackouts", "0 99 * * * for PT2H", "Line 1: blackouts[0]."),
        ("blackouts", '{"start": ', "an object of JSON"),
        ("startTime", "soon", "an ISO 8601 time"),
        ("endTime", "2026-13-01", "an ISO 8601 time"),
        ("jitter", "much", "must be a duration"),
        ("jitter", "-1", "must be a duration"),
        ("catchUpLimit", "0", "a whole number from 1"),
        ("catchUpLimit", "few", "must be a number"),
        ("startDeadline", "never", "must be a duration"),
        ("retryBackoff.factor", "twice", "must be a number"),
        ("retryBackoff.factor", "0.5", "a number from 1 to 1000"),
        ("retryBackoff.maximum", "long", "must be a duration"),
        ("retryBackoff.jitter", "2", "from 0 to 1"),
        ("retryOn", "0", "retryOn contains 0"),
        ("noRetryOn", "75, sunday", "noRetryOn contains"),
        ("disableAfterFailures", "0", "a whole number from 1"),
        ("startupTimeout", "soon", "must be a duration"),
        ("maxConcurrent", "0", "a whole number from 1"),
        ("concurrencyLimits", "slots\r\n\r\nwarehouse many", "Line 3: concurrencyLimits is"),
        ("concurrencyLimits", "slots\r\nwarehouse 0", "Line 2: concurrencyLimits[1].units is 0"),
        ("concurrencyLimits", "slots\r\nnowhere", "nowhere"),
        ("priority", "5000", "a whole number from -1000"),
        ("weight", "0", "a number greater than 0"),
        ("triggerRule", "perhaps", "must be one of all_success"),
        ("environmentVariables.4.name", "1B", "environmentVariables[0].name"),
        ("container.volumes.0.containerPath", "data", "container.volumes[0].containerPath"),
        ("container.networkInfos.2.portMappings", "80:web", "portMappings[0].containerPort"),
        ("constraints.0.attribute", "", "three texts"),
        ("fetch.0.uri", "two words", "fetch[0].uri"),
        ("uris", "http://127.0.0.1/a\r\n\r\nhttp://127.0.0.1/", "Line 3: uris[1]"),
        ("container.image", "two words", "container.image"),
        ("cpuTimeLimit", "long", "must be a duration"),
        ("ownerName", "a\0b", "contains a NUL"),
    ],
)
def test_an_error_stands_at_its_field_and_keeps_what_was_typed(
    client: Client, application: Application, field: str, text: str, sentence: str
) -> None:
    more = {"constraints.0.value": "a"} if field.startswith("constraints") else {}
    answer = client.post("/jobs/new", data={**TYPED, **more, field: text})
    assert answer.status_code == 400
    page = answer.text.replace("&#34;", '"')
    assert sentence in page[page.index(f'id="{field}-wrong"') :].partition("</p>")[0]
    form = read_form(answer.text)
    assert form["command"] == "echo typed"
    assert (
        field in ("onBlockedDay", "triggerRule") or form[field] == text
    )  # a list has no place for what is not in it
    assert " open" in details_around(answer.text, f'id="{field}"')
    assert f'aria-describedby="{field}-wrong' in answer.text
    assert jobs.list_jobs(application) == []


def test_groups_are_folded_away_until_something_in_them_is_set(client: Client) -> None:
    page = client.get("/jobs/new").text
    assert re.findall(r'id="(group-\w+)"[^>]* open', page) == ["group-what", "group-when"]
    opened = client.post("/jobs/new", data={**TYPED, "schedule": "", "softError": "on", "retries": "7"}).text
    assert " open" in details_around(opened, 'id="retries"')
    assert " open" not in details_around(opened, 'id="retryOn"')
    assert "Retries: 7 · Its children run even if it fails" in opened


def test_the_preview_shows_times_in_the_zone_and_saves_nothing(client: Client, application: Application) -> None:
    form = {**TYPED, "scheduleTimeZone": "Asia/Tokyo", "excludeCalendars": "weekends", "preview": "on"}
    answer = client.post("/jobs/new", data={**form, "command": "", "retries": "wrong"})
    assert answer.status_code == 200
    assert "At 03:00 (Asia/Tokyo), not on days in weekends" in answer.text
    shown = re.findall(r"data-zoned>(\w{3}) \d{4}-\d\d-\d\d 03:00 \+09:00<", answer.text)
    assert len(shown) == 10
    assert not {"Sat", "Sun"} & set(shown)
    assert re.search(r"<li>[^<]* skipped[^<]*</li>", answer.text)
    assert read_form(answer.text)["excludeCalendars"] == "weekends"
    assert jobs.list_jobs(application) == []


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"schedule": "61 * * * *"}, "minute is"),
        ({"schedule": ""}, "schedule is empty"),
        ({"blackouts": "some day"}, "Line 1: blackouts is"),
        ({"excludeCalendars": "Mars"}, "which is no calendar"),
        ({"kind": "manual"}, "nothing to preview"),
    ],
)
def test_the_preview_says_what_is_wrong(client: Client, fields: dict[str, str], sentence: str) -> None:
    answer = client.post("/jobs/new", data={**TYPED, **fields, "preview": "on"})
    assert answer.status_code == 400
    assert answer.text.count(sentence) == 1
    if "schedule" not in fields and "kind" not in fields:
        assert "Mend what is marked" in answer.text
    assert read_form(answer.text)["command"] == "echo typed"


def test_two_labels_of_one_name_are_refused(client: Client, application: Application) -> None:
    rows = {"labels.0.key": "a", "labels.0.value": "1", "labels.5.key": "a", "labels.5.value": "2"}
    answer = client.post("/jobs/new", data={**TYPED, **rows})
    assert answer.status_code == 400
    assert "twice" in answer.text[answer.text.index('id="labels.5.key-wrong"') :].partition("</p>")[0]
    wrong = client.post("/jobs/new", data={**TYPED, "labels.0.key": "two words"})
    assert "labels has the key" in wrong.text[wrong.text.index('id="labels-wrong"') :].partition("</p>")[0]


def test_the_preview_of_an_edit_keeps_its_revision(client: Client, application: Application) -> None:
    jobs.save_job(application, FULL)
    form = read_form(client.get("/jobs/full/edit").text)
    answer = client.post("/jobs/full/edit", data={**form, "schedule": "H H * * *", "preview": "on"})
    assert answer.status_code == 200
    assert read_form(answer.text) == {**form, "schedule": "H H * * *"}
    assert document_of(application) == FULL


@pytest.mark.parametrize("blackout", FULL["blackouts"])
def test_a_blackout_is_read_from_its_line_again(blackout: dict[str, Any]) -> None:
    assert read_blackouts(blackout_line(blackout)) == [blackout]


@pytest.mark.parametrize("date", ["2026-12-24", {"date": "12-24", "name": "Eve"}, {"date": "12-24", "name": "a\nb"}])
def test_a_date_is_read_from_its_line_again(date: dict[str, Any] | str) -> None:
    assert read_dates(date_line(date)) == [date]
