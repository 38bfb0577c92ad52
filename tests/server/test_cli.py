"""The command line against a real server, beyond the main path."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cluster.server import CHRONOS, ServerProcess, wait_for

Command = Callable[..., "subprocess.CompletedProcess[str]"]

PASSWORD = "s:cr@t"
PASSWORD_IN_URL = "s%3Acr%40t"
# Its first try does not end before somebody follows it.
TWO_TRIES = (
    "echo begin $CHRONOS_ATTEMPT; until [ -e {followed} ]; do sleep 0.1; done;"
    " echo end $CHRONOS_ATTEMPT; [ $CHRONOS_ATTEMPT -ge 2 ]"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with the process pool that asks everyone for a password; its URL holds it."""
    folder = tmp_path_factory.mktemp("server")
    server = ServerProcess(folder, "--pool", "process", "--http-credentials", f"ann:{PASSWORD}")
    server.url = server.url.replace("://", f"://ann:{PASSWORD_IN_URL}@")
    try:
        yield server.start()
    finally:
        server.terminate()


def chronos(*arguments: object, url: str = "") -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"} | ({"CHRONOS_SERVER": url} if url else {})
    return subprocess.run(
        [CHRONOS, *map(str, arguments)], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def ask(server: ServerProcess) -> Command:
    return lambda *arguments: chronos(*arguments, url=server.url)


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """What a command that failed as it should said: one line, exit status 1."""
    assert done.returncode == 1, done
    assert done.stderr.startswith("chronos: ")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def define(ask: Command, folder: Path, **document: object) -> None:
    file = folder / "job.json"
    file.write_text(json.dumps(document))
    done = ask("job", "apply", file)
    assert done.returncode == 0, done.stderr


def run_id_of(done: subprocess.CompletedProcess[str]) -> str:
    """``7`` from "name: run 7 queued"."""
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[2]


def test_the_wrong_password_is_refused_and_not_repeated(server: ServerProcess) -> None:
    open_url = f"http://127.0.0.1:{server.port}"
    assert "password" in error_of(chronos("runs", url=open_url))
    line = error_of(chronos("runs", "--server", open_url.replace("://", "://ann:guess@")))
    assert "guess" not in line


def test_following_goes_through_all_tries_to_the_end_of_the_run(
    server: ServerProcess, ask: Command, tmp_path: Path
) -> None:
    sign = tmp_path / "followed"
    define(ask, tmp_path, name="second_try", command=TWO_TRIES.format(followed=sign), retries=3, retryDelay=0.5)
    run = run_id_of(ask("job", "run", "second_try"))
    follower = subprocess.Popen(
        [CHRONOS, "logs", "-f", run, "--server", server.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert follower.stdout is not None
    assert follower.stdout.readline() == "begin 1\n"
    sign.touch()
    output, errors = follower.communicate(timeout=60)
    assert (follower.returncode, output, errors) == (0, "end 1\nbegin 2\nend 2\n", "--- try 2\n")
    assert json.loads(ask("run", run, "-o", "json").stdout)["state"] == "succeeded"
    assert ask("logs", run).stdout == "begin 2\nend 2\n"
    assert ask("logs", run, "--attempt", "1").stdout == "begin 1\nend 1\n"
    assert ask("logs", "-f", run, "--attempt", "1").stdout == "begin 1\nend 1\n"
    assert "no attempt 3" in error_of(ask("logs", run, "--attempt", "3"))


def test_streams_are_kept_apart(ask: Command, tmp_path: Path) -> None:
    define(ask, tmp_path, name="two_streams", command="echo out; echo err >&2")
    run = run_id_of(ask("job", "run", "two_streams", "--wait"))
    assert ask("logs", run).stdout == "out\n"
    assert ask("logs", "-f", run, "--stream", "stderr").stdout == "err\n"


def test_a_job_and_a_run_are_shown_to_people_and_to_programs(ask: Command, tmp_path: Path) -> None:
    define(ask, tmp_path, name="shown", command="echo [1]\nexit 3", retries=0, schedule="R/2100-01-01T00:00:00Z/P1D")
    run = run_id_of(ask("job", "run", "shown"))
    ask("logs", "-f", run)
    page = ask("job", "show", "shown").stdout
    assert "echo [1]" in page
    assert "Every day" in page
    assert f"{run} failed" in page
    page = ask("run", run).stdout
    assert "exited with code 3" in page
    assert "process" in page
    assert json.loads(ask("job", "show", "shown", "-o", "json").stdout)["errorCount"] == 1
    assert json.loads(ask("run", run, "-o", "json").stdout)["attempts"][0]["exitCode"] == 3
    assert [each["id"] for each in json.loads(ask("runs", "shown", "-o", "json").stdout)] == [int(run)]


def test_a_run_is_killed(ask: Command, tmp_path: Path) -> None:
    define(ask, tmp_path, name="long", command="echo started; sleep 600", gracePeriod=1)
    run = run_id_of(ask("job", "run", "long"))
    wait_for("its first line", lambda: ask("logs", run).stdout)
    assert ask("kill", run).returncode == 0
    assert ask("logs", "-f", run).stdout == "started\n"
    assert [each["id"] for each in json.loads(ask("runs", "long", "--state", "killed", "-o", "json").stdout)] == [
        int(run)
    ]
    assert "has ended already" in error_of(ask("kill", run))


def test_arguments_and_variables_of_one_run(ask: Command, tmp_path: Path) -> None:
    define(ask, tmp_path, name="told", command="echo $WHO")
    run = run_id_of(ask("job", "run", "told", "-e", "WHO=a=b", "--argument", "x", "--argument", "y", "--wait"))
    assert ask("logs", run).stdout == "a=b x y\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * 100_000, "nested too deep"),
        (b'"text"', "must hold a job"),
        (b'[{"command": "true"}]', "each with a name"),
        (b'{"name": "a", "command": "true", "schedule": "sometimes"}', "sometimes"),
        (b'{"name": "a", "command": "true", "parents": ["nobody"]}', "nobody"),
        (b'{"name": "a", "command": "true", "retries": NaN}', "cannot be asked"),
    ],
)
def test_a_bad_file_is_one_line_and_stores_nothing(ask: Command, tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "bad.json").write_bytes(content)
    assert words in error_of(ask("job", "apply", tmp_path))
    assert "not found" in error_of(ask("job", "show", "a"))


def test_an_empty_folder_has_no_jobs(ask: Command, tmp_path: Path) -> None:
    assert "no *.json file" in error_of(ask("job", "apply", tmp_path))


@pytest.mark.parametrize("name", ["", "..", "nobody", "a/b", "é", b"\xff"])
def test_a_job_that_there_is_not(ask: Command, name: str | bytes) -> None:
    text = name.decode(errors="surrogateescape") if isinstance(name, bytes) else name
    assert error_of(ask("job", "delete", text))


class _Website(BaseHTTPRequestHandler):
    """Some other server."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<h1>Welcome</h1>")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to say."""


def test_a_server_of_another_kind_is_one_line() -> None:
    website = ThreadingHTTPServer(("127.0.0.1", 0), _Website)
    thread = threading.Thread(target=website.serve_forever, args=(0.01,))
    thread.start()
    try:
        line = error_of(chronos("job", "list", url=f"http://127.0.0.1:{website.server_port}"))
    finally:
        website.shutdown()
        thread.join()
        website.server_close()
    assert "not like a Chronos-py server" in line


def test_a_database_of_a_newer_version_is_refused_in_one_line(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'chronos.db'}"
    done = chronos("db", "upgrade", "--database-url", url)
    assert done.returncode == 0, done.stderr
    assert "schema revision" in done.stdout
    connection = sqlite3.connect(tmp_path / "chronos.db")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("UPDATE compatibility SET works_with = '9998'")
    connection.close()
    assert "newer than this version" in error_of(chronos("db", "upgrade", "--database-url", url))
    options = ("--listen", "127.0.0.1:0", "--data-dir", tmp_path, "--pool", "process", "--database-url", url)
    assert "newer than this version" in error_of(chronos("server", *options))


def test_a_server_that_hangs_up_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        line = error_of(chronos("runs", url=f"http://127.0.0.1:{listener.getsockname()[1]}"))
        thread.join()
    assert "no server answers" in line
