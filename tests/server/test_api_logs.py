"""Logs by byte offsets, through tasks that a real node really runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cluster.server import FINAL, wait_for
from tests.server.client import Client


def start(client: Client, command: str, **fields: Any) -> int:
    document = {"command": command, "retries": 0, **fields}
    assert client.put("/api/jobs/a", json=document).status_code == 201
    run_id: int = client.post("/api/jobs/a/runs").json["id"]
    return run_id


def ended(client: Client, run_id: int) -> dict[str, Any]:
    def look() -> Any:
        found = client.get(f"/api/runs/{run_id}").json
        return found if found["state"] in FINAL else None

    found: dict[str, Any] = wait_for(f"run {run_id} to end", look)
    return found


def read(client: Client, run_id: int, query: str = "") -> tuple[bytes, int, bool]:
    answer = client.get(f"/api/runs/{run_id}/logs?{query}")
    assert answer.status_code == 200, answer.data
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    return answer.data, int(answer.headers["X-Next-Offset"]), answer.headers["X-Log-Complete"] == "true"


@pytest.fixture
def client(leading_client: Client) -> Client:
    return leading_client


def test_streams_and_offsets(client: Client) -> None:
    run_id = start(client, r"printf '<b>\303\274\377\000end'; printf oops >&2; exit 3")
    run = ended(client, run_id)
    assert (run["state"], run["reason"], run["attempts"][0]["exitCode"]) == ("failed", "exit", 3)
    whole = b"<b>\xc3\xbc\xff\x00end"
    assert read(client, run_id) == (whole, len(whole), True)
    assert read(client, run_id, "stream=stderr") == (b"oops", 4, True)
    assert read(client, run_id, "offset=3&limit=2") == (b"\xc3\xbc", 5, False)
    assert read(client, run_id, f"offset={len(whole)}") == (b"", len(whole), True)
    assert read(client, run_id, "offset=1000") == (b"", 1000, True)
    assert read(client, run_id, "attempt=1") == (whole, len(whole), True)
    assert client.get(f"/api/runs/{run_id}/logs?attempt=2").status_code == 404


def test_the_end_of_a_stream(client: Client, tmp_path: Path) -> None:
    go = tmp_path / "go"
    run_id = start(client, f"printf 0123456789; while [ ! -e '{go}' ]; do sleep 0.05; done")
    wait_for("the output", lambda: read(client, run_id)[0])
    assert read(client, run_id, "offset=-4") == (b"6789", 10, False)
    go.touch()
    ended(client, run_id)
    answer = client.get(f"/api/runs/{run_id}/logs?offset=-4")
    assert (answer.data, answer.headers["X-Log-Offset"], answer.headers["X-Log-Size"]) == (b"6789", "6", "10")
    assert read(client, run_id, "offset=-400") == (b"0123456789", 10, True)
    assert read(client, run_id, "offset=-9&limit=3") == (b"789", 10, True)


def test_reading_on_while_the_task_runs(client: Client, tmp_path: Path) -> None:
    go = tmp_path / "go"
    run_id = start(client, f"echo one; while [ ! -e '{go}' ]; do sleep 0.05; done; echo two")
    data, offset, complete = wait_for("the first line", lambda: (found := read(client, run_id))[0] and found)
    assert (data, offset, complete) == (b"one\n", 4, False)
    assert client.get("/api/jobs/a").json["state"] == "running"
    go.touch()
    collected = b""

    def read_on() -> bool:
        nonlocal collected, offset
        more, offset, is_over = read(client, run_id, f"offset={offset}")
        collected += more
        return is_over

    wait_for("the end of the log", read_on)
    assert (collected, offset) == (b"two\n", 8)
    assert ended(client, run_id)["state"] == "succeeded"
    job = client.get("/api/jobs/a").json
    assert (job["state"], job["lastOutcome"], job["successCount"]) == ("idle", "success", 1)


def test_kill_a_running_task(client: Client) -> None:
    run_id = start(client, "echo begun; sleep 600")
    wait_for("the task to run", lambda: read(client, run_id)[0])
    answer = client.post(f"/api/runs/{run_id}/kill")
    assert (answer.status_code, answer.json["state"]) == (202, "running")
    run = ended(client, run_id)
    assert (run["state"], run["reason"]) == ("killed", "killed")
    assert read(client, run_id)[0] == b"begun\n"


def test_each_try_has_its_own_log(client: Client) -> None:
    run_id = start(client, "echo try $CHRONOS_ATTEMPT; exit 1", retries=1, retryDelay=0)
    assert [attempt["number"] for attempt in ended(client, run_id)["attempts"]] == [1, 2]
    assert read(client, run_id)[0] == read(client, run_id, "attempt=2")[0] == b"try 2\n"
    assert client.get(f"/api/runs/{run_id}/logs").headers["X-Log-Attempt"] == "2"
    assert read(client, run_id, "attempt=1")[0] == b"try 1\n"


def test_overrides_reach_the_task(client: Client) -> None:
    start(client, 'echo "$WORD"')
    body = {"arguments": ["and", "more"], "environment": {"WORD": "<hello>"}}
    run_id = client.post("/api/jobs/a/runs", json=body).json["id"]
    assert ended(client, run_id)["state"] == "succeeded"
    assert read(client, run_id)[0] == b"<hello> and more\n"


@pytest.mark.parametrize("prefix", ["/scheduler", "/v1/scheduler"])
def test_arguments_of_the_old_api_go_behind_the_line_as_they_are(client: Client, prefix: str) -> None:
    job = {"name": "old", "command": "printf '[%s]'", "schedule": "R0//PT1M", "retries": 0}
    assert client.post(f"{prefix}/iso8601", json=job).status_code == 204
    assert client.put(f"{prefix}/job/old?arguments=a%20%22b%20c%22%20d").status_code == 204
    run_id = client.get("/api/jobs/old/runs").json["runs"][0]["id"]
    assert ended(client, run_id)["state"] == "succeeded"
    assert read(client, run_id)[0] == b"[a][b c][d]"
