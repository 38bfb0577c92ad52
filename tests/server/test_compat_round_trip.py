"""A job that an old client reads and writes back is the same job."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from chronos_py.bootstrap import open_node
from chronos_py.config import Settings
from chronos_py.http import create_wsgi_app
from tests.server.client import OWN_USER, Client, client_of
from tests.server.compat_strategies import DOCUMENTS, EXECUTED

PATHS = {True: "dependency", False: "iso8601"}


def save(client: Client, prefix: str, document: dict[str, Any]) -> None:
    answer = client.post(f"{prefix}/{PATHS['parents' in document]}", json=document)
    assert answer.status_code == 204, answer.json


def show(client: Client, prefix: str, name: str = "a") -> dict[str, Any]:
    document: dict[str, Any] = client.get(f"{prefix}/job/{name}").json
    return document


@pytest.mark.parametrize(
    "schedule",
    [
        "R/2020-01-31T09:00:00+01:00/P1M",
        "R5/2030-01-01T00:00:00Z/PT60M",
        "R//PT10M",
        "R1//PT2M",
        "R0//PT0M",
        "R0/2020-01-01T00:00:00Z/P1D",
        "0 3 * * *",
    ],
)
@pytest.mark.parametrize("disabled", [False, True])
def test_the_schedule_that_was_shown_restarts_nothing(
    client: Client, prefix: str, schedule: str, disabled: bool
) -> None:
    save(client, prefix, {"name": "a", "command": "true", "schedule": schedule, "disabled": disabled})
    before, shown = client.get("/api/jobs/a").json, show(client, prefix)
    save(client, prefix, shown)
    after = client.get("/api/jobs/a").json
    assert (after["schedule"], after["nextRun"], after["repetitionsLeft"]) == (
        schedule,
        before["nextRun"],
        before["repetitionsLeft"],
    )
    assert show(client, prefix) == shown


def test_every_shown_start_is_complete(client: Client, prefix: str) -> None:
    for disabled in (False, True):
        save(client, prefix, {"name": "a", "command": "true", "schedule": "R1//PT2M", "disabled": disabled})
        repetitions, start, period = show(client, prefix)["schedule"].split("/")
        assert (repetitions, period) == ("R1", "PT2M")
        assert datetime.fromisoformat(start).tzinfo == UTC
        assert start[-5:-1].startswith(".")


def test_an_open_start_is_shown_exactly(client: Client, prefix: str) -> None:
    """So that a start which was shown a while ago makes the same occurrences, and none of them runs twice."""
    save(client, prefix, {"name": "a", "command": "true", "schedule": "R//PT10M"})
    start = show(client, prefix)["schedule"].split("/")[1]
    assert datetime.fromisoformat(start) == datetime.fromisoformat(client.get("/api/jobs/a").json["nextRun"])


def test_a_changed_zone_is_a_changed_schedule(client: Client, prefix: str) -> None:
    document = {"name": "a", "command": "true", "schedule": "R/2030-01-01T09:00:00Z/P1D"}
    save(client, prefix, {**document, "scheduleTimeZone": "Europe/Berlin"})
    shown = show(client, prefix)
    assert shown["schedule"] == "R/2030-01-01T09:00:00.000+01:00/P1D"
    save(client, prefix, {**shown, "scheduleTimeZone": ""})
    assert client.get("/api/jobs/a").json["nextRun"] == "2030-01-01T08:00:00Z"
    assert show(client, prefix)["schedule"] == "R/2030-01-01T09:00:00.000+01:00/P1D"


def test_a_job_run_by_hand_stays_one(client: Client, prefix: str) -> None:
    client.put("/api/jobs/a", json={"command": "true"})
    shown = show(client, prefix)
    assert shown["schedule"].startswith("R0/20")
    assert "parents" not in shown
    save(client, prefix, {**shown, "retries": 5})
    job = client.get("/api/jobs/a").json
    assert ("schedule" in job, job["nextRun"], job["retries"]) == (False, None, 5)


def test_counters_come_with_the_body_or_stay(client: Client, prefix: str) -> None:
    document = {"name": "a", "command": "true", "schedule": "@daily"}
    counters = {
        "successCount": 5,
        "errorCount": "2",
        "errorsSinceLastSuccess": 1,
        "lastSuccess": "2016-11-17T00:54:09.777Z",
        "lastError": "2016-11-18T00:54:09.777Z",
    }
    save(client, prefix, {**document, **counters})
    expected = {**counters, "errorCount": 2}
    assert {name: show(client, prefix)[name] for name in counters} == expected
    save(client, prefix, {**document, "retries": 0})
    assert {name: show(client, prefix)[name] for name in counters} == expected
    save(client, prefix, {**document, "successCount": 6})
    assert {name: show(client, prefix)[name] for name in counters} == {**expected, "successCount": 6}
    unreadable = {"lastSuccess": "TODAY", "lastError": "", "errorCount": -3, "successCount": None}
    save(client, prefix, {**document, **unreadable})
    shown = show(client, prefix)
    assert (shown["lastSuccess"], shown["lastError"], shown["errorCount"], shown["successCount"]) == ("", "", 0, 0)


def test_uris_and_fetch_mirror_each_other(client: Client, prefix: str) -> None:
    document = {"name": "a", "command": "true", "schedule": "@daily"}
    mirrored = {"uri": "http://h/x", "extract": True, "executable": False, "cache": False}
    save(client, prefix, {**document, "uris": ["http://h/x"]})
    shown = show(client, prefix)
    assert (shown["uris"], shown["fetch"]) == (["http://h/x"], [mirrored])
    save(client, prefix, shown)
    kept = client.get("/api/jobs/a").json
    assert (kept["uris"], kept["fetch"]) == ([], [mirrored])  # once only: nothing is to be fetched twice
    assert show(client, prefix) == shown
    own = {"uri": "http://h/y", "executable": True, "output_file": "z"}
    save(client, prefix, {**document, "fetch": [own]})
    shown = show(client, prefix)
    assert (shown["uris"], shown["fetch"]) == (["http://h/y"], [{"extract": True, "cache": False, **own}])
    save(client, prefix, shown)
    assert show(client, prefix) == shown


def test_a_native_job_with_uris_and_fetch_keeps_both(client: Client, prefix: str) -> None:
    files = {"uris": ["http://h/a"], "fetch": [{"uri": "http://h/b", "extract": False}]}
    client.put("/api/jobs/a", json={"command": "true", "schedule": "@daily", **files})
    shown = show(client, prefix)
    assert (shown["uris"], [file["uri"] for file in shown["fetch"]]) == (["http://h/b", "http://h/a"],) * 2
    save(client, prefix, shown)
    assert show(client, prefix) == shown


def test_a_native_job_has_the_types_of_the_original(client: Client, prefix: str) -> None:
    """Strict clients give up the whole list for one field of another type."""
    job = {"command": "true", "schedule": "@daily", "maxCompletionTime": "PT0.5S", "epsilon": 60}
    client.put("/api/jobs/a", json=job)
    shown = show(client, prefix)
    assert (shown["maxCompletionTime"], shown.get("epsilon", "PT60S")) == (1, "PT60S")
    save(client, prefix, shown)
    assert show(client, prefix) == shown
    assert client.get("/api/jobs/a").json["maxCompletionTime"] == 1
    assert client.put("/api/jobs/a", json={**job, "ownerName": {"a": 1}}).status_code == 400


def test_the_default_epsilon_gets_no_meaning_by_being_shown(client: Client) -> None:
    save(client, "/scheduler", {"name": "a", "command": "true", "schedule": "@daily"})
    shown = show(client, "/scheduler")
    assert shown["epsilon"] == "PT60S"
    save(client, "/scheduler", shown)
    assert client.get("/api/jobs/a").json["startDeadline"] is None


def test_epsilon_is_the_start_deadline(client: Client, prefix: str) -> None:
    save(client, prefix, {"name": "a", "command": "true", "schedule": "@daily", "epsilon": "PT5M"})
    assert client.get("/api/jobs/a").json["startDeadline"] == "PT5M"
    shown = show(client, prefix)
    assert (shown["epsilon"], "startDeadline" in shown) == ("PT5M", False)
    save(client, prefix, {**shown, "epsilon": "PT10M"})
    assert client.get("/api/jobs/a").json["startDeadline"] == "PT10M"


def test_an_epsilon_of_nothing_skips_no_run_that_is_on_time(client: Client, prefix: str) -> None:
    """2.x planned ahead, so that a job ran on time whatever its epsilon; nothing can start in no time at all."""
    save(client, prefix, {"name": "a", "command": "true", "schedule": "@daily", "epsilon": "PT0S"})
    assert client.get("/api/jobs/a").json["startDeadline"] == "PT60S"
    shown = show(client, prefix)
    assert (shown["epsilon"], "startDeadline" in shown) == ("PT0S", False)
    save(client, prefix, {**shown, "epsilon": "PT10M"})
    assert client.get("/api/jobs/a").json["startDeadline"] == "PT10M"


def test_concurrent_is_an_overlap(client: Client, prefix: str) -> None:
    save(client, prefix, {"name": "a", "command": "true", "schedule": "@daily", "concurrent": True})
    assert client.get("/api/jobs/a").json["overlap"] == "allow"
    save(client, prefix, {**show(client, prefix), "concurrent": False})
    assert client.get("/api/jobs/a").json["overlap"] == "forbid-queue-one"
    client.patch("/api/jobs/a", json={"overlap": "forbid-skip"})
    shown = show(client, prefix)
    assert (shown["concurrent"], shown["overlap"]) == (False, "forbid-skip")
    save(client, prefix, shown)
    assert client.get("/api/jobs/a").json["overlap"] == "forbid-skip"
    save(client, prefix, {**shown, "concurrent": True})
    assert client.get("/api/jobs/a").json["overlap"] == "allow"
    client.patch("/api/jobs/a", json={"concurrent": None, "overlap": "allow"})
    assert show(client, prefix)["concurrent"] is True


def test_fields_that_nobody_knows_are_kept(client: Client, prefix: str) -> None:
    extra = {"gpus": 2, "startupTimeout": 600, "theirs": {"a": [1, None]}, "constraints": [["rack", "EQUALS", "1"]]}
    save(client, prefix, {"name": "a", "command": "true", "schedule": "@daily", **extra})
    shown = show(client, prefix)
    assert {name: shown[name] for name in extra} == extra
    save(client, prefix, shown)
    assert show(client, prefix) == shown


def test_a_native_job_survives_an_old_client(client: Client, prefix: str) -> None:
    native = {
        "command": "true",
        "schedule": "@daily",
        "retryDelay": "PT5M",
        "timeout": 60,
        "catchUp": "all",
        "startDeadline": 300,
        "container": {"image": "busybox:1", "network": "NONE", "volumes": [{"containerPath": "/d", "mode": "RO"}]},
    }
    before = client.put("/api/jobs/a", json=native).json
    save(client, prefix, show(client, prefix))
    after = client.get("/api/jobs/a").json
    for name in set(native) - {"container"}:
        assert after[name] == before[name], name
    assert {**after["container"], **before["container"]} == after["container"]


def test_pause_and_resume_with_the_shown_document(client: Client, prefix: str) -> None:
    save(client, prefix, {"name": "a", "command": "true", "schedule": "R3/2030-01-01T00:00:00Z/P1D"})
    next_run = client.get("/api/jobs/a").json["nextRun"]
    save(client, prefix, {**show(client, prefix), "disabled": True})
    assert client.get("/api/jobs/a").json["nextRun"] is None
    save(client, prefix, {**show(client, prefix), "disabled": False})
    job = client.get("/api/jobs/a").json
    assert (job["nextRun"], job["schedule"], job["repetitionsLeft"]) == (next_run, "R3/2030-01-01T00:00:00Z/P1D", 3)


@given(DOCUMENTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_document_survives_post_get_post_get(client: Client, prefix: str, document: dict[str, Any]) -> None:
    check_round_trip(client, prefix, document)


def check_round_trip(client: Client, prefix: str, document: dict[str, Any]) -> None:
    for parent in ("p", "q r", "s"):
        client.put(f"/api/jobs/{parent.replace(' ', '%20')}", json={"command": "true"})
    address = str(document["name"]).replace(" ", "%20").replace("#", "%23")
    save(client, prefix, document)
    shown = show(client, prefix, address)
    save(client, prefix, shown)
    assert show(client, prefix, address) == shown
    assert client.delete(f"{prefix}/job/{address}").status_code == 204


@pytest.fixture
def mesos_client(sqlite_template: Path, tmp_path: Path) -> Iterator[Client]:
    """A node whose tasks would run on Mesos; it does not lead, so it asks no master for anything."""
    shutil.copyfile(sqlite_template, tmp_path / "chronos.db")
    node = open_node(
        Settings(
            database_url=f"sqlite:///{tmp_path}/chronos.db",
            data_dir=str(tmp_path / "node"),
            pool="mesos",
            mesos_master="127.0.0.1:1",
        ),
        "127.0.0.1:4400",
    )
    yield client_of(create_wsgi_app(node.application))
    node.application.pool.close()
    node.application.database.close()


@given(EXECUTED)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_document_with_an_executor_survives_too(
    mesos_client: Client, prefix: str, document: dict[str, Any]
) -> None:
    check_round_trip(mesos_client, prefix, document)
    save(mesos_client, prefix, {**document, "name": "a"})
    shown = show(mesos_client, prefix)
    assert shown["executor"] == document["executor"]
    user = document["runAsUser"]
    assert shown["runAsUser"] == ("" if user in (None, "null") else str(user))


# What every field of the original may hold, each on its own: drawn documents might not meet one of them.
FIELDS: dict[str, list[Any]] = {
    "command": ["true", "bin/x --a 'b'"],
    "shell": [True, False],
    "executorFlags": ["", "x"],
    "taskInfoData": ["", "x"],
    "retries": [0, 7],
    "owner": ["", "a@example.org,b@example.org"],
    "ownerName": ["", "A"],
    "description": ["", "ü"],
    "successCount": [0, 3],
    "errorCount": [0, 3],
    "errorsSinceLastSuccess": [0, 3],
    "lastSuccess": ["", "2016-11-17T00:54:09.777Z"],
    "lastError": ["", "2016-11-17T00:54:09.777Z"],
    "cpus": [0.1, 2],
    "disk": [256, 1.5],
    "mem": [128, 512],
    "disabled": [False, True],
    "softError": [False, True],
    "dataProcessingJobType": [False, True],
    "fetch": [
        [],
        [{"uri": "http://h/x.sh", "executable": True, "cache": True, "extract": False, "output_file": "y"}],
    ],
    "environmentVariables": [[], [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]],
    "arguments": [[], ["a b", ""]],
    "highPriority": [False, True],
    "runAsUser": ["", OWN_USER],
    "concurrent": [False, True],
    "maxCompletionTime": [0, 60],
    "constraints": [[], [["rack", "EQUALS", "1"], ["hostname", "LIKE", "n[0-9]"], ["zone", "UNLIKE", "x"]]],
    "schedule": ["R5/2030-01-01T00:00:00.000Z/PT60M", "R/2030-01-01T00:00:00.000+02:00/P1M", "*/5 * * * *"],
    "scheduleTimeZone": ["", "UTC"],
    "container": [
        {
            "type": "MESOS",
            "image": "busybox:1",
            "network": "USER",
            "networkName": "n",
            "networkInfos": [
                {
                    "name": "n",
                    "protocol": "IPv6",
                    "labels": [{"key": "k", "value": "v"}],
                    "portMappings": [{"hostPort": "0", "containerPort": "80", "protocol": "tcp"}],
                }
            ],
            "volumes": [
                {"hostPath": "/h", "containerPath": "/c", "mode": "RO"},
                {
                    "containerPath": "/d",
                    "mode": "RW",
                    "external": {"name": "v", "provider": "dvdi", "options": [{"key": "size", "value": "10"}]},
                },
            ],
            "forcePullImage": True,
            "parameters": [{"key": "env", "value": "A=1"}],
        }
    ],
    "gpus": [0, 1],
    "theirs": [{"a": [1, {"b": "c"}]}],
}
ONLY_2: dict[str, list[Any]] = {"epsilon": ["PT60S", "PT15M", "PT90S"], "async": [False, True]}


def test_every_field_is_shown_as_it_was_sent(client: Client, prefix: str) -> None:
    fields = {**FIELDS, **(ONLY_2 if prefix == "/scheduler" else {})}
    for field, values in fields.items():
        for value in values:
            document = {"name": "a", "command": "true", "schedule": "R/2030-01-01T00:00:00.000Z/P1D", field: value}
            save(client, prefix, document)
            shown = show(client, prefix)
            expected = value
            if field == "container" and prefix == "/scheduler":
                expected = {**value, "type": "mesos"}
            assert shown[field] == expected, field
            save(client, prefix, shown)
            assert show(client, prefix) == shown, field
    assert client.delete(f"{prefix}/job/a").status_code == 204


def test_every_field_of_the_original_is_tried(client: Client) -> None:
    save(client, "/scheduler", {"name": "a", "command": "true", "schedule": "@daily"})
    save(client, "/scheduler", {"name": "b", "command": "true", "parents": ["a"], "container": {"image": "i"}})
    for name in "ab":
        known = {*FIELDS, *ONLY_2, "name", "executor", "uris", "parents"}
        assert show(client, "/scheduler", name).keys() <= known
