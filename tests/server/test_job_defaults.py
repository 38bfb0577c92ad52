"""Defaults that a server is given: written into a document when it is saved, by whichever way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chronos_py.errors import ConfigurationError
from chronos_py.http import create_wsgi_app
from chronos_py.model.document import DEFAULTS
from chronos_py.services import Application, jobs
from chronos_py.services.defaults import JobDefaults
from tests.server.client import OWN_NUMBER, OWN_USER, Client, client_of

GIVEN = JobDefaults(
    cpus=0.5, memory_mb=64, disk_mb=32, user=OWN_USER, retry_seconds=5, disable_after_failures=3, epsilon="PT90S"
)
FILLED = {"cpus": 0.5, "mem": 64, "disk": 32, "runAsUser": OWN_USER, "retryDelay": 5, "disableAfterFailures": 3}


@pytest.fixture
def given(application: Application) -> Application:
    return replace(application, defaults=GIVEN)


@pytest.fixture
def its_client(given: Application) -> Client:
    return client_of(create_wsgi_app(given))


def filled(document: dict[str, Any]) -> dict[str, Any]:
    return {name: document.get(name) for name in FILLED}


def test_by_every_way_in(given: Application, its_client: Client) -> None:
    its_client.put("/api/jobs/native", json={"command": "true"})
    its_client.post(
        "/v1/scheduler/iso8601", json={"name": "old", "command": "true", "schedule": "R/2100-01-01T00:00:00Z/P1D"}
    )
    jobs.save_jobs(given, [{"name": "many", "command": "true"}])
    for name in ("native", "old", "many"):
        assert filled(its_client.get(f"/api/jobs/{name}").json) == FILLED, name
    shown = its_client.get("/scheduler/job/old").json
    assert (shown["cpus"], shown["mem"], shown["disk"], shown["runAsUser"]) == (0.5, 64, 32, OWN_USER)


def test_what_is_said_stays(its_client: Client) -> None:
    said = {"cpus": 1, "mem": 1, "disk": 1, "runAsUser": OWN_NUMBER, "retryDelay": 0, "disableAfterFailures": 9}
    its_client.put("/api/jobs/a", json={"command": "true", **said})
    assert filled(its_client.get("/api/jobs/a").json) == said


def test_null_and_empty_mean_the_default(its_client: Client) -> None:
    its_client.put("/api/jobs/a", json={"command": "true", "cpus": None, "runAsUser": ""})
    assert filled(its_client.get("/api/jobs/a").json) == FILLED
    its_client.patch("/api/jobs/a", json={"cpus": 2})
    assert its_client.get("/api/jobs/a").json["cpus"] == 2
    its_client.patch("/api/jobs/a", json={"cpus": None})
    assert its_client.get("/api/jobs/a").json["cpus"] == 0.5


def test_the_same_document_again_changes_nothing(its_client: Client, client: Client) -> None:
    its_client.put("/api/jobs/a", json={"command": "true"})
    assert its_client.put("/api/jobs/a", json={"command": "true"}).json["revision"] == 1
    # Another server, other settings: what was saved means the same there, until it is saved there.
    assert filled(client.get("/api/jobs/a").json) == FILLED
    assert client.patch("/api/jobs/a", json={"description": "x"}).json["cpus"] == 0.5
    assert client.put("/api/jobs/a", json={"command": "true"}).json["cpus"] == 0.1


def test_a_server_without_such_settings_writes_nothing(client: Client, application: Application) -> None:
    client.put("/api/jobs/a", json={"command": "true"})
    assert set(jobs.get_job(application, "a").job.document) == {"name", "command"}


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"cpus": 0}, "cpus"),
        ({"memory_mb": -1}, "mem"),
        ({"retry_seconds": -1}, "retryDelay"),
        ({"user": "\0"}, "runAsUser"),
    ],
)
def test_what_no_job_may_have(values: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigurationError, match=f"The default for jobs cannot be used: {word} is"):
        JobDefaults(**values)


def test_what_a_form_shows_as_defaults() -> None:
    assert filled(GIVEN.document()) == FILLED
    assert JobDefaults().document() == DEFAULTS
