"""Run times, history and progress, as old clients read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from chronos_py.model.task_id import format_task_id
from chronos_py.store.database import Database
from chronos_py.store.tables import AttemptRow, RunRow
from tests.server.client import Client

START = datetime(2016, 11, 17, 0, 54, 9, 777000, tzinfo=UTC)
FIGURES = ("75thPercentile", "95thPercentile", "98thPercentile", "99thPercentile", "median", "mean")
NEVER_RAN = {"histogram": {**dict.fromkeys(FIGURES, 0.0), "count": 0}, "taskStatHistory": []}


def define(client: Client, name: str, **fields: Any) -> None:
    document = {"name": name, "command": "true", "schedule": "R0/2030-01-01T00:00:00Z/PT1H", **fields}
    assert client.post("/v1/scheduler/iso8601", json=document).status_code == 204


@pytest.fixture(autouse=True)
def jobs(client: Client) -> None:
    define(client, "fresh")
    define(client, "old one", dataProcessingJobType=True, arguments=["a", "b;c"])


@pytest.fixture
def history(database: Database) -> list[datetime]:
    """Seven runs of "old one" that took 1 to 7 seconds, one more that failed and one that runs; their launches."""
    launches = [START + timedelta(hours=number) for number in range(9)]
    with database.write() as connection:
        for number, launched_at in enumerate(launches, 1):
            state = {8: "failed", 9: "running"}.get(number, "succeeded")
            ended_at = None if state == "running" else launched_at + timedelta(seconds=number)
            run_id = connection.execute(
                insert(RunRow)
                .values(
                    job_id=2, trigger="schedule", state=state, scheduled_at=launched_at, not_before=launched_at,
                    revision=1, attempts=1, created_at=launched_at, started_at=launched_at, finished_at=ended_at,
                )
                .returning(RunRow.id)
            ).scalar_one()  # fmt: skip
            connection.execute(
                insert(AttemptRow).values(
                    run_id=run_id, number=1, state=state, task_name=f"t{number}", pool="process", epoch=1, revision=1,
                    node="agent-1", created_at=launched_at, started_at=launched_at, finished_at=ended_at,
                )
            )  # fmt: skip
    return launches


def test_a_job_that_never_ran(client: Client, prefix: str) -> None:
    answer = client.get(f"{prefix}/job/stat/fresh")
    assert (answer.status_code, answer.json) == (200, NEVER_RAN)
    assert list(answer.json["histogram"]) == [*FIGURES[:4], "median", "mean", "count"]


def test_percentiles_and_history(client: Client, prefix: str, history: list[datetime]) -> None:
    found = client.get(f"{prefix}/job/stat/old%20one").json
    assert found["histogram"] == {
        "75thPercentile": 6000.0,
        "95thPercentile": 7000.0,
        "98thPercentile": 7000.0,
        "99thPercentile": 7000.0,
        "median": 4000.0,
        "mean": 4000.0,
        "count": 7,
    }
    rows = found["taskStatHistory"]
    assert [row["status"] for row in rows] == ["Running", "Fail", "Success", "Success", "Success"]
    assert rows[1] == {
        "taskId": format_task_id(history[7], 1, "old one", "a b;c"),
        "jobName": "old one",
        "slaveId": "agent-1",
        "startTime": "11/17/16 07:54:09",
        "endTime": "11/17/16 07:54:17",
        "duration": "8s",
        "status": "Fail",
    }
    assert (rows[0]["endTime"], rows[0]["duration"]) == ("N/A", "N/A")


@pytest.mark.parametrize(
    ("figure", "seconds"), [("99thPercentile", 7.0), ("75thPercentile", 6.0), ("median", 4.0), ("count", 7.0)]
)
def test_stats_of_all_jobs(client: Client, prefix: str, history: list[datetime], figure: str, seconds: float) -> None:
    assert history
    answer = client.get(f"{prefix}/stats/{figure}")
    assert answer.json == [{"jobNameLabel": "old one", "time": seconds}, {"jobNameLabel": "fresh", "time": 0.0}]


def test_stats_of_an_unknown_figure(client: Client, prefix: str) -> None:
    answer = client.get(f"{prefix}/stats/42ndPercentile")
    assert (answer.status_code, answer.json) == (200, [])


def test_what_runs_has_begun_before_the_pool_tells_when(
    client: Client, prefix: str, history: list[datetime], database: Database
) -> None:
    with database.write() as connection:
        running = AttemptRow.state == "running"
        connection.execute(update(AttemptRow).where(running).values(started_at=None, launched_at=history[8]))
    [newest, *_] = client.get(f"{prefix}/job/stat/old%20one").json["taskStatHistory"]
    assert (newest["status"], newest["startTime"], newest["endTime"]) == ("Running", "11/17/16 08:54:09", "N/A")


def test_progress(client: Client, prefix: str, history: list[datetime]) -> None:
    task = format_task_id(history[8], 1, "old one", "a b")
    address = f"{prefix}/job/old%20one/task/{task.replace(' ', '%20')}/progress"
    for more in (3, "4"):
        answer = client.post(address, json={"numAdditionalElementsProcessed": more})
        assert (answer.status_code, answer.get_data()) == (204, b"")
    assert client.post(address, json={}).status_code == 204
    assert client.post(address).status_code == 204
    rows = client.get(f"{prefix}/job/stat/old%20one").json["taskStatHistory"]
    assert [row.get("numElementsProcessed") for row in rows] == [7, None, None, None, None]


@pytest.mark.parametrize(
    ("job", "task", "more", "words"),
    [
        ("old%20one", "nonsense", 1, "not the id of a task"),
        ("old%20one", "ct:1479344049777:0:old%20one:", -1, "not negative"),
        ("old%20one", "ct:1479344049777:0:old%20one:", "many", "whole number"),
        ("old%20one", "ct:1:0:old%20one:", 1, "not found"),
        ("old%20one", "ct:1479344049777:0:fresh:", 1, "not found"),
        ("fresh", "ct:1479344049777:0:fresh:", 1, "dataProcessingJobType"),
        ("nobody", "ct:1479344049777:0:nobody:", 1, "not found"),
    ],
)
def test_wrong_progress(
    client: Client, prefix: str, history: list[datetime], job: str, task: str, more: object, words: str
) -> None:
    assert history
    body = {"numAdditionalElementsProcessed": more}
    answer = client.post(f"{prefix}/job/{job}/task/{task}/progress", json=body)
    assert answer.status_code == 400
    assert words in answer.json["message"]


def test_an_outcome_for_a_job_that_takes_none(
    client: Client, prefix: str, history: list[datetime], caplog: pytest.LogCaptureFixture
) -> None:
    """Answered as by the original, so that a command that reports at its end goes on; but its exit status counts."""
    task = format_task_id(history[8], 1, "old one", "").replace(" ", "%20")
    before = client.get(f"{prefix}/job/stat/old%20one").json
    assert client.put(f"{prefix}/task/{task}", json={"statusCode": 1}).status_code == 204
    assert "is not asynchronous" in caplog.text
    assert client.get(f"{prefix}/job/stat/old%20one").json == before
    assert client.put(f"{prefix}/task/ct:1:0:x:", json={"statusCode": 0}).status_code == 204
    for status in ("0", "-1", 1.0):
        assert client.put(f"{prefix}/task/ct:1:0:x:", json={"statusCode": status}).status_code == 204
    for status in ("", "0x", "٣", 0.5, None, True, [0]):
        assert client.put(f"{prefix}/task/ct:1:0:x:", json={"statusCode": status}).status_code == 400
    assert client.put(f"{prefix}/task/ct:1:0:x:", json={}).status_code == 400
    assert client.put(f"{prefix}/task/x", json={"statusCode": 0}).status_code == 400
