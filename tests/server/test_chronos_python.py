"""The published Python client of Chronos, unmodified, against a real server on both generations of the API."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import chronos
import pytest

from chronos_py.bootstrap import open_node
from chronos_py.config import Settings
from chronos_py.http import bind, create_wsgi_app
from tests.cluster.server import wait_for

CREDENTIALS = ("ann", "s:cr@t")
FIGURES = ("75thPercentile", "95thPercentile", "98thPercentile", "99thPercentile", "median", "mean")
NEVER_RAN = {"histogram": {**dict.fromkeys(FIGURES, 0.0), "count": 0}, "taskStatHistory": []}


def job(name: str = "myjob", **fields: Any) -> dict[str, Any]:
    document = {
        "name": name,
        "command": "echo 1",
        "owner": "",
        "disabled": False,
        "async": False,
        "schedule": "R0/2014-01-01T00:00:00Z/PT60M",
        **fields,
    }
    if "parents" in fields:
        del document["schedule"]
    return document


@pytest.fixture(params=[False, True], ids=["open", "with credentials"])
def address(request: pytest.FixtureRequest, settings: Settings) -> Iterator[str]:
    """A server at work; its host and port."""
    node = open_node(settings, "127.0.0.1:4400")
    node.start()
    server = bind("127.0.0.1:0")
    server.start(create_wsgi_app(node.application, ":".join(CREDENTIALS) if request.param else None))
    yield server.address
    node.stop()
    server.close()


@pytest.fixture(params=[None, "v1"])
def version(request: pytest.FixtureRequest) -> str | None:
    return request.param


@pytest.fixture
def client(address: str, version: str | None, request: pytest.FixtureRequest) -> Any:
    user, password = CREDENTIALS  # sent when they are asked for
    return chronos.connect(address, username=user, password=password, scheduler_api_version=version)


def names(client: Any) -> list[str]:
    return sorted(each["name"] for each in client.list())


def test_the_whole_of_it(client: Any) -> None:
    """One server for all: it takes longer to start than to be asked."""
    assert client.list() == []
    for name in ("myjob", "my job", "child"):
        parents = {"parents": ["myjob"]} if name == "child" else {}
        assert client.add(job(name, **parents)) is None
    assert names(client) == ["child", "my job", "myjob"]
    assert [each["name"] for each in client.search(name="JOB")] == ["my job", "myjob"]
    assert [each["name"] for each in client.search(name="my job", command="echo")] == ["my job"]
    assert client.search(command="nothing of it") == []
    _change(client)
    _watch(client)
    _run(client)
    _remove(client)


def _change(client: Any) -> None:
    (before,) = client.search(name="myjob")
    assert before["disabled"] is False
    assert client.update(job(disabled=True)) is None
    (after,) = client.search(name="myjob")
    assert after["disabled"] is True
    assert client.update({**after, "disabled": False}) is None
    (again,) = client.search(name="myjob")
    assert again == before


def _watch(client: Any) -> None:
    """The answers that the client's own tests hold to the letter."""
    lines = client.scheduler_graph().splitlines()
    nodes = [line for line in lines if line.startswith("node,")]
    assert sorted(nodes) == [f"node,{name},fresh,idle" for name in ("child", "my job", "myjob")]
    assert [line for line in lines if line not in nodes] == ["link,myjob,child"]
    assert client.job_stat("my job") == NEVER_RAN
    for figure in ("99th", "98th", "95th", "75th", "median", "mean"):
        found = getattr(client, f"scheduler_stat_{figure}")()
        assert sorted(found, key=lambda each: str(each["jobNameLabel"])) == [
            {"jobNameLabel": name, "time": 0.0} for name in ("child", "my job", "myjob")
        ]
    metrics = client.metrics()
    assert "version" in metrics
    assert "gauges" in metrics


def _run(client: Any) -> None:
    assert client.run("myjob") is None
    wait_for("the child to succeed", lambda: client.search(name="child")[0]["successCount"] == 1)
    assert client.search(name="myjob")[0]["successCount"] == 1
    found = client.job_stat("myjob")
    assert found["histogram"]["count"] == 1
    (task,) = found["taskStatHistory"]
    assert (task["jobName"], task["status"]) == ("myjob", "Success")
    assert task["taskId"].startswith("ct:")
    assert any(each["jobNameLabel"] == "myjob" and each["time"] > 0 for each in client.scheduler_stat_99th())
    client.add(job("long", command="sleep 60"))
    assert client.run("long") is None
    wait_for("it to run", lambda: "running" in _state(client, "long"))
    assert client.delete_tasks("long") is None
    wait_for("its end", lambda: _state(client, "long") == "idle")
    assert client.search(name="long")[0]["errorCount"] == 0


def _state(client: Any, name: str) -> str:
    (line,) = [line for line in client.scheduler_graph().splitlines() if line.startswith(f"node,{name},")]
    return str(line.split(",")[3])


def _remove(client: Any) -> None:
    assert client.delete_tasks("my job") is None
    for name in ("child", "my job", "long", "myjob"):
        assert client.delete(name) is None
    assert client.list() == []
    assert client.scheduler_stat_mean() == []


@pytest.fixture
def silent_client(request: pytest.FixtureRequest, settings: Settings, version: str | None) -> Iterator[Any]:
    """A client of an open server that runs nothing."""
    node = open_node(settings, "127.0.0.1:4400")
    server = bind("127.0.0.1:0")
    server.start(create_wsgi_app(node.application))
    yield chronos.connect(["127.0.0.1:1", server.address], scheduler_api_version=version)
    server.close()
    node.application.pool.close()
    node.application.database.close()


@pytest.mark.parametrize(
    ("method", "arguments", "words"),
    [
        ("add", job(schedule="every day"), "every day"),
        ("update", job(schedule="R/2014-01-01/1D"), "1D"),
        ("add", job(parents=["nobody"]), "nobody"),
        ("run", "nobody", "not found"),
        ("delete", "nobody", "not found"),
        ("delete_tasks", "nobody", "not found"),
        ("job_stat", "nobody", "not found"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refusals(
    silent_client: Any, caplog: pytest.LogCaptureFixture, method: str, arguments: Any, words: str
) -> None:
    """The first server of the list is away, so the second one is asked; its sentence goes to the client's log."""
    with caplog.at_level(logging.ERROR, "chronos"), pytest.raises(chronos.ChronosAPIError, match="No remaining"):
        getattr(silent_client, method)(arguments)
    assert words in caplog.messages[-1]
    assert silent_client.list() == []


def test_what_a_folder_of_files_holds_is_what_is_listed(silent_client: Any) -> None:
    """The client's script for that compares each field of a file with the listed one, and updates what differs."""
    file = job(
        schedule="R7/2030-01-01T00:00:00.000Z/PT60M",
        scheduleTimeZone="Europe/Berlin",
        epsilon="PT15M",
        retries=3,
        cpus=0.5,
        mem=512,
        disk=10,
        environmentVariables=[{"name": "A", "value": "1"}],
        arguments=["x"],
        constraints=[["hostname", "EQUALS", "n1"]],
        description="d",
    )
    silent_client.add(file)
    (listed,) = silent_client.list()
    start = "R7/2030-01-01T00:00:00.000+01:00/PT60M"  # the zone's own offset: the one thing that is told otherwise
    assert {name: listed[name] for name in file if name in listed} == {
        **{name: value for name, value in file.items() if name in listed},
        "schedule": start,
    }
    assert file.keys() - listed.keys() == set()


def test_a_wrong_password(settings: Settings, version: str | None) -> None:
    node = open_node(settings, "127.0.0.1:4400")
    server = bind("127.0.0.1:0")
    server.start(create_wsgi_app(node.application, ":".join(CREDENTIALS)))
    try:
        for user, password in ((None, None), ("ann", "guess")):
            client = chronos.connect(server.address, username=user, password=password, scheduler_api_version=version)
            with pytest.raises(chronos.ChronosAPIError):
                client.list()
            with pytest.raises(chronos.ChronosAPIError):
                client.add(job())
    finally:
        server.close()
        node.application.pool.close()
        node.application.database.close()
