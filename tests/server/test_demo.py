"""The demo beside its success: what it refuses, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cluster.server import wait_for

DEMO = Path(__file__).parents[2] / "script" / "demo"


def demo(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [DEMO, *options],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):  # by somebody else: as good
            taken.bind(("127.0.0.1", 4400))
            taken.listen()
        done = demo("--pool", "process")
    assert done.returncode == 1
    assert done.stderr.startswith("chronos: 127.0.0.1:4400 is in use already"), done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_it_cannot_do_is_one_line() -> None:
    for options, words in ((("--twice",), "unknown option --twice"), (("--once", "--pool", "moon"), '"moon"')):
        done = demo(*options)
        assert done.returncode == 1
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.timeout(400)
def test_it_uses_a_server_of_its_own_whatever_the_environment_says() -> None:
    done = demo(
        "--once",
        "--pool",
        "process",
        CHRONOS_DATABASE_URL="sqlite:////nonexistent/chronos.db",
        CHRONOS_SERVER="http://127.0.0.1:1",
        CHRONOS_HTTP_CREDENTIALS="ann:secret",
        http_proxy="http://127.0.0.1:1",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The sample chain succeeded." in done.stdout
    assert "1980 orders of 150 customers" in done.stdout


def processes_of(session: int) -> list[str]:
    """The commands that run in a session."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # ended meanwhile
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append((folder / "cmdline").read_text().replace("\0", " "))
    return found


@pytest.mark.timeout(400)
def test_an_interrupted_demo_takes_everything_with_it(tmp_path: Path) -> None:
    printed = tmp_path / "printed"
    with printed.open("wb") as output:
        process = subprocess.Popen(
            [DEMO, "--once", "--pool", "process"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_for("the chain to be awaited", lambda: "Waiting for" in printed.read_text(), seconds=240)
        folders = {
            word for command in processes_of(process.pid) for word in command.split() if "chronos-demo." in word
        }
        assert folders
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) == 130
        wait_for("all that it started to end", lambda: processes_of(process.pid) == [])
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert [folder for folder in folders if Path(folder).exists()] == []
    assert "Traceback" not in printed.read_text()
