"""What operators and monitors of the original ask: metrics, levels of logging, info; and the rarer writes."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from chronos_py.services import Application, jobs, runs
from tests.server.client import Client

PARENT = {"name": "up", "command": "true", "schedule": "R/2030-01-01T00:00:00Z/P1D"}


@pytest.fixture(autouse=True)
def chain(client: Client) -> None:
    assert client.post("/v1/scheduler/iso8601", json=PARENT).status_code == 204
    child = {"name": "down", "command": "true", "parents": ["up"]}
    assert client.post("/v1/scheduler/dependency", json=child).status_code == 204


def test_mark_successful(client: Client, prefix: str, application: Application) -> None:
    answer = client.put(f"{prefix}/job/success/up")
    assert (answer.status_code, answer.get_data(as_text=True)) == (200, "marked job up as successful: true")
    assert answer.content_type == "application/json"
    job = client.get(f"{prefix}/job/up").json
    assert (job["successCount"], job["errorsSinceLastSuccess"]) == (1, 0)
    assert job["lastSuccess"].endswith("Z")
    (child,) = runs.list_runs(application, "down")
    (run,) = runs.list_runs(application, "up")
    assert (child.state, child.parent_run_id) == ("queued", run.id)
    assert (run.state, run.outcome, run.message) == ("succeeded", "success", "marked successful without running")
    assert job["schedule"] == "R/2030-01-01T00:00:00.000Z/P1D"


def test_mark_nobody_successful(client: Client, prefix: str) -> None:
    answer = client.put(f"{prefix}/job/success/nobody")
    assert (answer.status_code, answer.get_data(as_text=True)) == (200, "marked job nobody as successful: false")


def test_clear_the_queue(client: Client, prefix: str, application: Application) -> None:
    for name in ("up", "down"):
        client.put(f"{prefix}/job/{name}")
    answer = client.delete(f"{prefix}/task/all")
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert [run.state for run in runs.list_runs(application)] == ["killed", "killed"]
    assert jobs.get_job(application, "up").waiting == 0


def test_the_metrics_of_the_original(client: Client) -> None:
    client.put("/v1/scheduler/job/success/up")
    client.put("/v1/scheduler/job/up")
    answer = client.get("/metrics")
    assert answer.content_type == "application/json"
    assert b"\n" not in answer.get_data()
    found = answer.json
    assert list(found) == ["version", "gauges", "counters", "histograms", "meters", "timers"]
    assert found["counters"]["jobs.run.success.up"] == {"count": 1}
    assert found["counters"]["jobs.run.failure.down"] == {"count": 0}
    assert found["gauges"]["org.apache.mesos.chronos.scheduler.jobs.TaskManager.queueSize"] == {"value": 2}
    assert found["gauges"]["org.apache.mesos.chronos.scheduler.jobs.TaskManager.highQueueSize"] == {"value": 0}
    names = {"count", "max", "mean", "min", "p50", "p75", "p95", "p98", "p99", "p999", "stddev"}
    assert set(found["histograms"]["jobs.run.time.up"]) == names
    assert "\n" in client.get("/metrics?pretty=true").get_data(as_text=True)


@pytest.mark.parametrize(
    "accept", ["text/plain", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"]
)
def test_metrics_for_prometheus(client: Client, accept: str) -> None:
    client.put("/v1/scheduler/job/success/up")
    answer = client.get("/metrics", headers={"Accept": accept})
    assert answer.content_type.split(";")[0] == accept.split(";")[0]
    parse = openmetrics.text_string_to_metric_families if "open" in accept else text_string_to_metric_families
    families = {family.name: family for family in parse(answer.get_data(as_text=True))}
    values = {
        sample.labels.get("job"): sample.value
        for sample in families["chronos_job_successes"].samples
        if sample.name == "chronos_job_successes_total"
    }
    assert values == {"up": 1.0, "down": 0.0}
    assert families["chronos_jobs"].samples[0].value == 2


@pytest.mark.parametrize("accept", ["application/json", "*/*", "application/json, text/plain"])
def test_everyone_else_gets_json(client: Client, accept: str) -> None:
    assert client.get("/metrics", headers={"Accept": accept}).json["version"]


def test_info(client: Client, prefix: str) -> None:
    found = client.get(f"{prefix}/info").json
    parts = ["mail_config", "zookeeper_config", "mesos_config", "chronos_configuration"]
    assert list(found) == ["version", "leader", "frameworkId", *parts]


@pytest.fixture
def levels() -> Iterator[None]:
    """Levels as they were before."""
    kept = {name: logging.getLogger(name).level for name in ("", "chronos_py.services.tasks")}
    yield
    for name, level in kept.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("levels")
def test_levels_of_logging(client: Client) -> None:
    page = client.get("/logging", headers={"Accept": "text/html"})
    assert "chronos_py.services.tasks" in page.get_data(as_text=True)
    form = {"logger": "chronos_py.services.tasks", "level": "debug"}
    assert client.post("/logging", data=form, headers={"Accept": "text/html"}).status_code == 200
    assert logging.getLogger("chronos_py.services.tasks").level == logging.DEBUG
    answer = client.post("/logging", json={"logger": "ROOT", "level": "WARN"})
    assert {"logger": "ROOT", "level": "WARNING"} in answer.json["loggers"]
    assert {"logger": "chronos_py.services.tasks", "level": "DEBUG"} in answer.json["loggers"]
    assert client.post("/logging", json={"logger": "chronos_py.services.tasks", "level": ""}).status_code == 200
    assert logging.getLogger("chronos_py.services.tasks").level == logging.NOTSET


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"logger": "nobody.knows", "level": "INFO"}, "not found"),
        ({"logger": "ROOT", "level": "loud"}, "level is"),
        ({"logger": "ROOT"}, "level is"),
        ({"level": "INFO"}, "not found"),
        ({"logger": 5, "level": 7}, "not found"),
    ],
)
def test_wrong_levels(client: Client, body: dict[str, object], words: str) -> None:
    before = logging.root.level
    answer = client.post("/logging", json=body)
    assert (answer.status_code, logging.root.level) == (400, before)
    assert words in answer.json["message"]
