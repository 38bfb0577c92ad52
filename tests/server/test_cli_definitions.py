"""``chronos job history``, ``diff``, ``restore``, ``rename``, ``pause`` and ``resume`` against a real server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.server import CHRONOS, ServerProcess

Ask = Callable[..., str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("server"), "--pool", "process", "--http-credentials", "ann:secret")
    server.url = server.url.replace("://", "://ann:secret@")
    try:
        yield server.start()
    finally:
        server.terminate()


@pytest.fixture
def ask(server: ServerProcess) -> Ask:
    """A command's output; of one that fails with ``status``, what it said instead."""

    def run(*arguments: object, status: int = 0) -> str:
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "CHRONOS_SERVER": server.url}
        command = [CHRONOS, "job", *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == status, done
        assert "Traceback" not in done.stderr
        return done.stdout if status == 0 else done.stderr

    return run


@pytest.fixture
def define(ask: Ask, tmp_path: Path) -> Callable[..., None]:
    def apply(name: str, **fields: object) -> None:
        file = tmp_path / "job.json"
        file.write_text(json.dumps({"name": name, "command": "true", **fields}))
        ask("apply", file)

    return apply


def test_history_diff_and_going_back(ask: Ask, define: Callable[..., None]) -> None:
    define("nightly", command="one\ntwo\nthree", retries=5)
    assert "is the first one" in ask("diff", "nightly")
    define("nightly", command="one\n2\nthree", retries=5)
    define("nightly", command="one\n2\nthree", labels={"team": "etl"})
    lines = ask("history", "nightly").splitlines()
    assert [line.split()[0] for line in lines] == ["REVISION", "3", "2", "1"]
    assert "ann" in lines[1]
    assert "retries: 5 -> 2; labels.team: nothing -> etl" in lines[1]
    assert lines[3].rstrip().endswith("created")
    assert ask("diff", "nightly") == (
        "--- nightly revision 2\n+++ nightly revision 3\n@@ retries @@\n-5\n+2\n@@ labels.team @@\n+etl\n"
    )
    assert ask("diff", "nightly", 1, 2).splitlines()[2:] == ["@@ command @@", " one", "-two", "+2", " three"]
    assert [each["field"] for each in json.loads(ask("diff", "nightly", 1, "-o", "json"))] == [
        "command",
        "retries",
        "labels.team",
    ]
    assert "say the same" in ask("diff", "nightly", 2, 2)
    assert ask("restore", "nightly", 1) == "nightly: went back to revision 1, as revision 4\n"
    assert ask("restore", "nightly", 1) == "nightly: says what revision 1 says already\n"
    assert "went back to revision 1" in ask("history", "nightly", "--limit", 1)
    assert [each["revision"] for each in json.loads(ask("history", "nightly", "-o", "json"))] == [4, 3, 2, 1]
    assert ask("restore", "nightly", 9, status=1).startswith('chronos: Job "nightly" has no revision 9')
    assert "not found" in ask("history", "nobody", status=1)
    ask("restore", "nightly", 0, status=2)


def test_rename(ask: Ask, define: Callable[..., None]) -> None:
    define("old name")
    define("after", parents=["old name"])
    assert ask("rename", "old name", "better") == "old name: renamed to better\nafter: runs after better now\n"
    assert "After better" in ask("show", "after")
    assert "its parent old name was renamed to better" in ask("history", "after")
    assert "exists already" in ask("rename", "better", "after", status=1)
    assert "not allowed" in ask("rename", "better", "a/b", status=1)
    assert "not found" in ask("rename", "old name", "other", status=1)


def test_pause_and_resume(ask: Ask, define: Callable[..., None]) -> None:
    define("x-extract", labels={"group": "x", "tier": "1"}, schedule="@hourly")
    define("x-load", labels={"group": "x"}, parents=["x-extract"])
    assert ask("pause", "x-load") == "x-load: paused\n"
    assert ask("pause", "--label", "group=x") == "x-extract: paused\nx-load: was paused already\n"
    assert "paused" in ask("list", "--label", "group=x", "--label", "tier")
    assert "x-load" not in ask("list", "--label", "group=x", "--label", "tier")
    assert "Labels" in ask("show", "x-load")
    assert ask("resume", "--label", "group", "--catch-up") == "x-extract: resumed\nx-load: resumed\n"
    assert ask("resume", "x-load") == "x-load: was active already\n"
    assert '"nobody" not found' in ask("pause", "x-load", "nobody", status=1)
    assert "was active already" in ask("resume", "x-load")
    assert ask("pause", "--label", "group=y", status=1) == "chronos: no job has these labels.\n"
    assert "not allowed" in ask("pause", "--label", "gro up", status=1)
    for wrong in ((), ("x-load", "--label", "group"), ("--label", "a=1", "--label", "a=2")):
        ask("pause", *wrong, status=2)
