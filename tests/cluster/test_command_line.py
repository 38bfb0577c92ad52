"""The command line against a real server, and what it says when something is wrong."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cluster.server import CHRONOS, ServerProcess, free_port

ROOT = Path(__file__).parents[2]


def chronos(*arguments: object, server: ServerProcess | None = None) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    if server is not None:
        environment["CHRONOS_SERVER"] = server.url
    return subprocess.run(
        [CHRONOS, *map(str, arguments)], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The error of a command that failed as it should: one line, exit status 1."""
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


def test_apply_run_and_read(server: ServerProcess, tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    folder.mkdir()
    (folder / "a_child.json").write_text(json.dumps({"name": "child", "command": "true", "parents": ["parent"]}))
    (folder / "b_parent.json").write_text(json.dumps([{"name": "parent", "command": "echo $1 $WHO", "retries": 0}]))
    done = chronos("job", "apply", folder, server=server)
    assert done.stdout == "parent: created\nchild: created\n", done.stderr
    assert chronos("job", "apply", folder, server=server).stdout == "parent: unchanged\nchild: unchanged\n"
    done = chronos("job", "run", "parent", "-e", "WHO=ann", "--wait", server=server)
    assert done.returncode == 0, done.stderr
    assert "succeeded" in done.stdout
    assert chronos("logs", "-f", "1", server=server).stdout.strip() == "ann"
    listed = json.loads(chronos("job", "list", "-o", "json", server=server).stdout)
    assert [job["name"] for job in listed] == ["child", "parent"]
    assert "parent" in chronos("runs", server=server).stdout
    assert json.loads(chronos("job", "show", "parent", "-o", "json", server=server).stdout)["retries"] == 0
    assert "child" in one_line(chronos("job", "delete", "parent", server=server))
    assert chronos("job", "delete", "parent", "--children", "detach", server=server).returncode == 0


def test_apply_is_all_or_nothing(server: ServerProcess, tmp_path: Path) -> None:
    file = tmp_path / "jobs.json"
    file.write_text(json.dumps([{"name": "good", "command": "true"}, {"name": "bad", "command": "x", "retries": -1}]))
    assert "retries is -1" in one_line(chronos("job", "apply", file, server=server))
    assert json.loads(chronos("job", "list", "-o", "json", server=server).stdout) == []


def test_a_failing_run_is_waited_for_with_exit_status_1(server: ServerProcess) -> None:
    server.define(name="broken", command="exit 3", retries=0)
    done = chronos("job", "run", "broken", "--wait", server=server)
    assert done.returncode == 1
    assert "failed" in done.stdout


def test_mistakes_are_one_line(server: ServerProcess, tmp_path: Path) -> None:
    assert "not found" in one_line(chronos("job", "show", "nobody", server=server))
    assert "not found" in one_line(chronos("logs", "99", server=server))
    assert "no server answers" in one_line(chronos("runs", "--server", f"http://127.0.0.1:{free_port()}"))
    (tmp_path / "bad.json").write_text("{")
    assert "is not JSON" in one_line(chronos("job", "apply", tmp_path / "bad.json", server=server))


def test_a_server_that_cannot_start_says_why_in_one_line(server: ServerProcess, tmp_path: Path) -> None:
    def start(*options: object) -> str:
        return one_line(chronos("server", "--data-dir", tmp_path / "other", *options))

    assert "in use already" in start("--listen", f"127.0.0.1:{server.port}")
    assert "--insecure" in start("--listen", "0.0.0.0:0")
    nowhere = f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/nothing"
    assert "cannot be used" in start("--listen", "127.0.0.1:0", "--database-url", nowhere)
    assert "neither SQLite nor PostgreSQL" in start("--listen", "127.0.0.1:0", "--database-url", "mysql://x/y")
    assert "not installed" in start("--listen", "127.0.0.1:0", "--pool", "moon")
    assert "needs --zk-hosts" in start("--listen", "127.0.0.1:0", "--election", "zookeeper")


@pytest.mark.docker
def test_an_engine_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    options = ("--data-dir", tmp_path, "--listen", "127.0.0.1:0", "--pool", "docker")
    line = one_line(chronos("server", *options, "--docker-url", f"unix://{tmp_path}/nothing.sock"))
    assert "--pool docker" in line


@pytest.mark.docker
@pytest.mark.parametrize("pool", ["process", "docker"])
def test_the_demo_succeeds_once(pool: str) -> None:
    done = subprocess.run(
        [ROOT / "script" / "demo", "--once", "--pool", pool],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The sample chain succeeded." in done.stdout
