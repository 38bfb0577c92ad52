"""Jobs of a Chronos are taken over whole, or not at all."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from chronos_py.compat.zones import java_zone
from chronos_py.errors import InvalidDefinition
from chronos_py.model.job import Job
from chronos_py.services import Application
from chronos_py.services.importing import Candidate, import_jobs
from chronos_py.services.jobs import delete_job, list_jobs, save_job
from tests.server.client import OWN_USER, Answer, Client

DATA = Path(__file__).with_name("data")
VERSIONS = ("2.4", "2.5", "3.0")
PATH = "/api/imports/chronos"
COUNTERS = ("successCount", "errorCount", "errorsSinceLastSuccess", "lastSuccess", "lastError")


def listing(version: str) -> list[dict[str, Any]]:
    """What that version of Chronos answered. Its jobs say root, which not everybody who runs the tests may become."""
    found: list[dict[str, Any]] = json.loads((DATA / f"chronos-{version}.json").read_text())
    return [{**job, "runAsUser": OWN_USER} for job in found]


def bring(client: Client, jobs: Any, **options: Any) -> Answer:
    return client.post(PATH, json={"jobs": jobs, **options})


def scheduled(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "command": "true", "schedule": "R/2030-01-01T00:00:00.000Z/P1D", **fields}


def problems(client: Client, jobs: Any) -> dict[str, str]:
    """What speaks against an import, which then changes nothing whether it is a dry one or not."""
    before = client.get("/api/jobs").json
    dry = bring(client, jobs, dryRun=True)
    assert dry.status_code == 200, dry.data
    refused = bring(client, jobs)
    assert (refused.status_code, refused.content_type) == (400, "application/problem+json")
    assert refused.json["detail"].startswith("Nothing was imported.")
    assert client.get("/api/jobs").json == before
    found = {each["name"]: each["reason"] for each in dry.json["problems"]}
    for name, reason in found.items():
        assert name in refused.json["detail"]
        assert reason in refused.json["detail"]
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_saved_is_shown_again(client: Client, version: str) -> None:
    jobs = listing(version)
    answer = bring(client, jobs)
    assert answer.status_code == 200, answer.json
    assert answer.json["problems"] == []
    prefix = "/v1/scheduler" if version == "3.0" else "/scheduler"
    shown = {job["name"]: job for job in client.get(f"{prefix}/jobs").json}
    assert shown.keys() == {job["name"] for job in jobs}
    for job in jobs:
        # What these say is settled at the import, and told in a note.
        settled = {"schedule", "scheduleTimeZone", "maxCompletionTime"} - (
            {"schedule", "scheduleTimeZone"} if _is_exact(job) else set()
        )
        if "container" in job:
            assert {**shown[job["name"]]["container"], **job["container"]} == shown[job["name"]]["container"]
        for field in job.keys() - settled - {"container"}:
            assert shown[job["name"]][field] == job[field], (job["name"], field)


def _is_exact(job: dict[str, Any]) -> bool:
    return job["name"] not in {"pst.report", "lmt-run", "cron job", "endless", "soon", "no-offset", "overdue"}


def test_parents_come_first(client: Client) -> None:
    jobs = listing("2.4")
    found = [job["name"] for job in bring(client, jobs[::-1]).json["jobs"]]
    for job in jobs:
        for parent in job.get("parents", ()):
            assert found.index(parent) < found.index(job["name"])
    edges = {(edge["parent"], edge["child"]) for edge in client.get("/api/graph").json["edges"]}
    assert edges == {(parent, job["name"]) for job in jobs for parent in job.get("parents", ())}


def test_counters_and_repetitions_are_kept(client: Client) -> None:
    bring(client, listing("2.4"))
    job = client.get("/api/jobs/service%20instance").json
    assert [job[name] for name in COUNTERS] == [
        41,
        2,
        0,
        "2026-11-20T02:00:31.204000Z",
        "2026-10-02T02:00:09.871000Z",
    ]
    quarterly = client.get("/api/jobs/quarterly").json
    assert (quarterly["repetitionsLeft"], quarterly["nextRun"]) == (7, "2030-01-28T06:30:00Z")
    assert client.get("/api/jobs/tmp-2016%20%231").json["nextRun"] is None
    assert client.get("/api/jobs/service%20instance").json["startDeadline"] == "PT15M"


def test_the_notes_say_what_changes(client: Client) -> None:
    answers = [bring(client, listing(version), dryRun=True).json for version in VERSIONS]
    notes = {job["name"]: " ".join(job["notes"]) for answer in answers for job in answer["jobs"] if job["notes"]}
    expected = {
        "quarterly": "on day 28",
        "pst.report": "America/Los_Angeles",
        "lmt-run": "UTC",
        "half hour": "behind the command",
        "endless": "runs once",
        "soon": "begins with the import",
        "no-offset": "has no offset",
        "overdue": "is overdue",
        "service instance": "runs no images",
        "load": "runs no images",
    }
    assert notes.keys() == expected.keys()
    for name, words in expected.items():
        assert words in notes[name]


def test_a_dry_run_tells_the_same_and_changes_nothing(client: Client) -> None:
    jobs = [job for job in listing("3.0") if job["name"] != "soon"]
    dry = bring(client, jobs, dryRun=True)
    assert client.get("/api/jobs").json["jobs"] == []
    done = bring(client, jobs)
    assert dry.json["jobs"][0].keys() == done.json["jobs"][0].keys()
    later = [{**job, "nextRun": None} for job in dry.json["jobs"]]
    assert later == [{**job, "nextRun": None} for job in done.json["jobs"]]
    extract = next(job for job in done.json["jobs"] if job["name"] == "extract")
    assert extract == {
        "name": "extract",
        "change": "created",
        "kind": "schedule",
        "description": extract["description"],
        "disabled": False,
        "nextRun": "2030-01-01T03:00:00Z",
        "parents": [],
        "notes": [],
    }
    assert extract["description"].startswith("Every day")
    history = client.get("/api/jobs/extract/revisions").json["revisions"]
    assert [each["note"] for each in history] == ["imported from Chronos"]


@pytest.mark.parametrize("version", VERSIONS)
def test_twice_is_once(client: Client, version: str) -> None:
    jobs = listing(version)
    bring(client, jobs)
    client.put("/v1/scheduler/job/success/extract")
    before = client.get("/api/jobs").json
    again = bring(client, jobs)
    assert again.status_code == 200, again.json
    assert {job["change"] for job in again.json["jobs"]} == {"unchanged"}
    assert client.get("/api/jobs").json == before


def test_the_rest_of_a_listing_joins_what_is_here(client: Client) -> None:
    jobs = listing("2.4")
    bring(client, jobs[:3])
    answer = bring(client, jobs)
    assert {job["name"]: job["change"] for job in answer.json["jobs"]} == {
        job["name"]: "unchanged" if number < 3 else "created" for number, job in enumerate(jobs)
    }


@pytest.mark.parametrize(
    ("schedule", "moved"),
    [
        ("R/2030-01-01T03:00:00.000Z/P1D", "R/2030-02-11T03:00:00.000Z/P1D"),
        ("R9/2030-01-01T03:00:00.000Z/PT7H", "R8/2030-01-01T10:00:00.000Z/PT7H"),
        ("R/2030-01-31T03:00:00.000Z/P1M", "R/2030-02-28T03:00:00.000Z/P1M"),
    ],
)
def test_a_chronos_that_went_on_meanwhile_has_the_same_schedule(client: Client, schedule: str, moved: str) -> None:
    bring(client, [scheduled("a", schedule=schedule)])
    before = client.get("/api/jobs/a").json
    for text in (moved, schedule):
        answer = bring(client, [scheduled("a", schedule=text)])
        assert answer.json["jobs"][0]["change"] == "unchanged", answer.json
    assert client.get("/api/jobs/a").json == before


@pytest.mark.parametrize(
    "schedule",
    [
        "R/2030-01-01T03:30:00.000Z/P1D",
        "R/2030-01-02T03:00:00.000Z/P2D",
        "R5/2030-01-02T03:00:00.000Z/P1D",
        "R//P1D",
        "0 3 * * *",
    ],
)
def test_another_schedule_is_another_job(client: Client, schedule: str) -> None:
    bring(client, [scheduled("a", schedule="R/2030-01-01T03:00:00.000Z/P1D")])
    assert "differs in schedule" in problems(client, [scheduled("a", schedule=schedule)])["a"]


def test_a_job_that_is_here_and_differs(client: Client) -> None:
    client.put("/api/jobs/a", json={"command": "false", "retries": 2, "schedule": "R/2030-01-01T00:00:00.000Z/P1D"})
    found = problems(client, [scheduled("a"), scheduled("b")])
    assert list(found) == ["a"]
    assert "differs in command" in found["a"]


def test_all_problems_are_told_at_once(client: Client) -> None:
    jobs = [
        scheduled("good"),
        scheduled("a/b"),
        scheduled("new"),
        scheduled("twice"),
        scheduled("twice", command="false"),
        scheduled("unreadable", schedule="every day"),
        scheduled("old", schedule="R/1969-01-01T00:00:00Z/P1D"),
        scheduled("offset", scheduleTimeZone="GMT+5:30"),
        {"name": "ghost", "command": "true", "parents": ["nobody"]},
        {"name": "c1", "command": "true", "parents": ["c3"]},
        {"name": "c2", "command": "true", "parents": ["c1"]},
        {"name": "c3", "command": "true", "parents": ["c2"]},
        {"name": "below", "command": "true", "parents": ["c1"]},
        {"name": "self", "command": "true", "parents": ["self"]},
        {"name": "neither", "command": "true"},
        scheduled("kind", container={"type": "LXC", "image": "x"}),
        scheduled("both", uris=["http://h/a"], fetch=[{"uri": "http://h/b"}]),
        {"command": "true"},
        scheduled("empty", command=""),
        scheduled("executor", executor="/usr/bin/own"),
        {"name": "one", "command": "true", "parents": "good"},
    ]
    found = problems(client, jobs)
    words = {
        "a/b": "not allowed",
        "new": "not allowed",
        "twice": "two jobs",
        "unreadable": "every day",
        "old": "1970",
        "offset": "GMT+5:30",
        "ghost": '"nobody", which is not found',
        "self": "self -> self",
        "neither": "neither a schedule nor parents",
        "kind": "LXC",
        "both": "both uri",
        "": "place 18",
        "empty": "command is empty",
        "one": "parents is",
        "executor": "no custom executors",
    }
    cycle = found.keys() & {"c1", "c2", "c3"}
    assert len(cycle) == 1
    assert "cycle" in found[cycle.pop()]
    assert found.keys() - {"c1", "c2", "c3"} == words.keys()
    for name, word in words.items():
        assert word in found[name], name


def test_the_parents_may_be_here_already(client: Client) -> None:
    client.put("/api/jobs/nobody", json={"command": "true"})
    assert bring(client, [{"name": "child", "command": "true", "parents": ["nobody"]}]).status_code == 200


def test_starts_without_an_offset_may_get_a_zone(client: Client) -> None:
    bring(client, listing("3.0"), timeZone="Europe/Berlin")
    job = client.get("/api/jobs/no-offset").json
    assert (job["scheduleTimeZone"], job["nextRun"]) == ("Europe/Berlin", "2030-07-01T07:00:00Z")
    assert client.get("/api/jobs/extract").json["scheduleTimeZone"] == ""


def test_an_overdue_job_is_due_at_once(client: Client) -> None:
    bring(client, listing("3.0"))
    job = client.get("/api/jobs/overdue").json
    assert datetime.fromisoformat(job["nextRun"]) <= datetime.fromisoformat(job["createdAt"])
    assert job["schedule"] == "R/2026-01-01T00:00:00.000Z/P1D"


def test_a_job_that_is_too_late_for_its_epsilon_does_not_promise_to_run(client: Client) -> None:
    job = {"name": "late", "command": "true", "schedule": "R/2020-01-01T00:00:00.000Z/P1Y", "epsilon": "PT1S"}
    answer = client.post("/api/imports/chronos", json={"jobs": [job]})
    assert "overdue by more than its epsilon" in answer.json["jobs"][0]["notes"][-1]


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("PST", "America/Los_Angeles"),
        ("EST", "America/New_York"),
        ("BST", "Asia/Dhaka"),
        ("GMT", "GMT"),
        ("GMT+2", "Etc/GMT-2"),
        ("GMT-11:00", "Etc/GMT+11"),
        ("GMT+0", "UTC"),
        ("LMT", "UTC"),
        ("europe/nowhere", "UTC"),
    ],
)
def test_zones(name: str, zone: str) -> None:
    assert java_zone(name) == zone


@pytest.mark.parametrize("name", ["GMT+05:30", "GMT+13"])
def test_an_offset_that_no_zone_has(name: str) -> None:
    with pytest.raises(InvalidDefinition, match="scheduleTimeZone"):
        java_zone(name)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "jobs"),
        ({"jobs": None}, "jobs"),
        ({"jobs": "a"}, "jobs"),
        ({"jobs": [1]}, "jobs"),
        ({"jobs": [], "timeZone": "Mars"}, "timeZone"),
        ({"jobs": [], "timeZone": 1}, "timeZone"),
        ({"jobs": [], "dryRun": "yes"}, "dryRun"),
        ({"jobs": [], "dryrun": True}, "dryrun"),
    ],
)
def test_what_is_no_listing(client: Client, body: dict[str, Any], field: str) -> None:
    answer = client.post(PATH, json=body)
    assert (answer.status_code, answer.json["field"]) == (400, field)


def test_a_whole_chronos_fits(client: Client) -> None:
    """Larger than any other body may be; a chain, which has to be made in its order."""
    jobs = [scheduled("0", description="x" * 3000)]
    jobs += [
        {"name": str(number), "command": "true", "parents": [str(number - 1)], "description": "x" * 3000}
        for number in range(1, 400)
    ]
    assert len(json.dumps(jobs)) > 1 << 20
    assert len(bring(client, jobs[::-1]).json["jobs"]) == 400
    too_large = client.post(PATH, data=b" " * (15 << 20) + b"{}")
    assert (too_large.status_code, too_large.json["status"]) == (413, 413)


def test_many_jobs_are_few_statements(client: Client, application: Application) -> None:
    jobs = [scheduled(f"job{number}", successCount=number) for number in range(200)]
    jobs += [{"name": f"child{number}", "command": "true", "parents": [f"job{number}"]} for number in range(200)]
    statements: list[str] = []
    event.listen(
        application.database.engine, "before_cursor_execute", lambda *given: statements.append(given[2]), named=False
    )
    assert bring(client, jobs).status_code == 200
    assert len(statements) < 50, statements
    assert client.get("/scheduler/job/job199").json["successCount"] == 199
    assert "link,job199,child199" in client.get("/scheduler/graph/csv").text


def test_what_is_changed_meanwhile_is_looked_at_again(application: Application) -> None:
    """Between deciding and writing, somebody deletes the parent of a job to come."""
    save_job(application, scheduled("parent"))
    looks: list[str] = []

    def read(present: Job | None) -> Candidate:
        if len(looks) == 1:
            delete_job(application, "parent")
        looks.append("again")
        return Candidate({"name": "child", "command": "true", "parents": ["parent"]})

    assert import_jobs(application, {"child": read}).problems == []
    found = import_jobs(application, {"child": read}, apply=True)
    assert [problem.reason for problem in found.problems] == [
        'parents contains "parent", which is not found; create that job first.'
    ]
    assert list_jobs(application) == []


def test_a_job_that_is_created_meanwhile_is_seen(application: Application) -> None:
    def read(present: Job | None) -> Candidate:
        if present is None:
            save_job(application, scheduled("one"))
        return Candidate(scheduled("one"))

    found = import_jobs(application, {"one": read}, apply=True)
    assert [(each.definition.name, each.change) for each in found.jobs] == [("one", "unchanged")]


def test_an_image_that_this_server_cannot_run_is_noted(client: Client) -> None:
    images = {"plain": "", "image": "busybox"}
    jobs = [scheduled(name, container={"type": "docker", "image": image}) for name, image in images.items()]
    taken = {job["name"]: job["notes"] for job in bring(client, jobs, dryRun=True).json["jobs"]}
    assert taken["plain"] == []
    assert "this server runs no images, so its runs will fail" in taken["image"][0]
