"""``chronos preview``, ``calendar``, ``backfill``, ``backfills`` and ``cancel-backfill`` against a real server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.server import CHRONOS, ServerProcess, wait_for


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("server")
    server = ServerProcess(folder, "--pool", "process")
    try:
        server.start()
        server.wait_until_it_leads()
        server.define(name="load", command="echo $CHRONOS_SCHEDULED_TIME", schedule="R/2026-01-01T03:00:00Z/P1D")
        server.define(name="after", command="true", parents=["load"])
        server.define(name="broken", command="false", schedule="R/2026-01-01T03:00:00Z/P1D", retries=0)
        server.define(name="slow", command="sleep 600", schedule="R/2026-01-01T03:00:00Z/P1D")
        yield server
    finally:
        server.terminate()


def chronos(server: ServerProcess, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "CHRONOS_SERVER": server.url}
    return subprocess.run(
        [CHRONOS, *map(str, arguments)], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def output(server: ServerProcess, *arguments: object) -> str:
    done = chronos(server, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_preview(server: ServerProcess) -> None:
    lines = output(
        server,
        *("preview", "0 3 * * *", "--zone", "Europe/Berlin", "--count", 2, "--from", "2026-12-24T12:00:00Z"),
        *("--exclude-calendar", "DE", "--exclude-calendar", "weekends", "--jitter", "PT5M"),
    ).splitlines()
    assert "(Europe/Berlin), not on days in DE or weekends" in lines[0]
    assert lines[1:3] == ["  2026-12-28T03:00:00+01:00", "  2026-12-29T03:00:00+01:00"]
    assert lines[3].startswith("note: 2026-12-25 03:00 to 2026-12-27 03:00: 3 are skipped")
    assert lines[4].startswith("note: Each run starts up to 300 s after its time")
    assert json.loads(output(server, "preview", "@daily", "-o", "json"))["notes"] == []
    assert "no more" in output(server, "preview", "@daily", "--end-time", "2020-01-01")


def test_calendars(server: ServerProcess, tmp_path: Path) -> None:
    file = tmp_path / "closing.json"
    file.write_text(json.dumps({"name": "closing", "description": "Nobody here", "dates": ["2026-12-24"]}))
    assert output(server, "calendar", "apply", file) == "closing: created\n"
    assert output(server, "calendar", "apply", file) == "closing: saved\n"
    assert "Nobody here" in output(server, "calendar", "list")
    assert "2026-12-24" in output(server, "calendar", "show", "closing", "--year", 2026)
    assert "Epiphany" in output(server, "calendar", "show", "DE-BY", "--year", 2026)
    assert output(server, "calendar", "delete", "closing") == "closing: deleted\n"
    for words in ("{", "[]", '{"name": ""}'):
        file.write_text(words)
        refused = chronos(server, "calendar", "apply", file)
        assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)


def test_a_backfill_and_its_progress(server: ServerProcess) -> None:
    plan = output(server, "backfill", "load", "--from", "2026-02-01", "--to", "2026-02-02", "--dry-run")
    assert plan.splitlines() == [
        "would run  2026-02-01T03:00:00Z",
        "would run  2026-02-02T03:00:00Z",
        "load: 2 would run, 0 left out",
    ]
    done = output(
        server, "backfill", "load", "--from", "2026-02-01", "--to", "2026-02-02", "--with-children", "--wait"
    )
    assert "of 2 runs, 1 at a time" in done
    assert "2 of 2 ended: 2 children succeeded, 2 succeeded" in done
    assert "left out   2026-02-01T03:00:00Z" in output(
        server, "backfill", "load", "--from", "2026-02-01", "--to", "2026-02-03", "--dry-run"
    )
    again = chronos(server, "backfill", "load", "--from", "2026-02-01", "--to", "2026-02-02")
    assert again.returncode == 1
    assert "say force" in again.stderr
    forced = ("backfill", "load", "--from", "2026-02-01", "--to", "2026-02-02", "--force", "--parallel", 2, "--wait")
    assert json.loads(output(server, *forced, "-o", "json"))["state"] == "succeeded"
    assert "succeeded" in output(server, "backfills", "load")


def test_a_backfill_that_fails_exits_1(server: ServerProcess) -> None:
    failed = chronos(server, "backfill", "broken", "--from", "2026-02-01", "--to", "2026-02-01", "--wait")
    assert failed.returncode == 1
    assert "1 of 1 ended: 1 failed" in failed.stdout
    assert failed.stderr == ""


def test_a_backfill_is_cancelled_and_killed(server: ServerProcess) -> None:
    asked = ("backfill", "slow", "--from", "2026-02-01", "--to", "2026-02-05", "-o", "json")
    backfill = json.loads(output(server, *asked))["id"]
    assert "cancelled" in output(server, "cancel-backfill", backfill, "--kill")
    assert "slow" in output(server, "backfills")
    wait_for("the kill", lambda: server.get(f"/api/backfills/{backfill}")["state"] == "cancelled")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("backfill", "nobody", "--from", "2026-02-01", "--to", "2026-02-01"), '"nobody" not found'),
        (("backfill", "after", "--from", "2026-02-01", "--to", "2026-02-01"), "head of its chain (load)"),
        (("backfill", "load", "--from", "soon", "--to", "2026-02-01"), 'from is "soon"'),
        (("cancel-backfill", 9999), "not found"),
        (("calendar", "show", "nowhere"), "not found"),
        (("calendar", "delete", "DE"), "built in"),
        (("preview", "0 25 * * *"), "25"),
        (("preview", "@daily", "--exclude-calendar", "nowhere"), '"nowhere"'),
    ],
)
def test_mistakes_are_one_line(server: ServerProcess, arguments: tuple[object, ...], words: str) -> None:
    done = chronos(server, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("chronos: ")
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr
