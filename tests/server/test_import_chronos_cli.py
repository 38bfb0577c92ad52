"""``chronos import-chronos`` over real sockets."""

from __future__ import annotations

import json
import os
import pwd
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from flask import Flask

from chronos_py.bootstrap import open_node
from chronos_py.config import Settings
from chronos_py.http import bind, create_wsgi_app
from tests.server.client import Client, client_of
from tests.server.test_cli import Command, chronos, error_of
from tests.server.test_import_chronos import listing

CREDENTIALS = "ann:s:cr@t"


@contextmanager
def served(wsgi: Flask) -> Iterator[str]:
    """The URL of an application on a socket."""
    server = bind("127.0.0.1:0")
    server.start(wsgi)
    try:
        yield f"http://{server.address}"
    finally:
        server.close()


@pytest.fixture
def ask(wsgi: Flask) -> Iterator[Command]:
    """The command line, talking to the server that imports."""
    with served(wsgi) as url:
        yield lambda *arguments: chronos(*arguments, url=url)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Callable[[str | None], Flask]]:
    """Another server, with or without credentials."""
    node = open_node(Settings(data_dir=str(tmp_path / "source"), pool="process"), "127.0.0.1:4400")
    yield lambda credentials: create_wsgi_app(node.application, credentials)
    node.application.pool.close()
    node.application.database.close()


def fill(wsgi: Flask, version: str = "2.4") -> Client:
    client = client_of(wsgi)
    assert client.post("/api/imports/chronos", json={"jobs": listing(version)}).status_code == 200
    return client


def test_from_a_file(ask: Command, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "jobs.json"
    file.write_text(json.dumps(listing("2.4")))
    rehearsed = ask("import-chronos", file)
    assert rehearsed.returncode == 0, rehearsed.stderr
    lines = rehearsed.stdout.splitlines()
    assert lines[0].split() == ["JOB", "IMPORT", "KIND", "WHEN", "NEXT", "RUN", "PARENTS"]
    assert lines[-1] == "6 jobs would be created, 0 unchanged; say --apply to do it"
    assert "note: quarterly: it comes on day 28" in rehearsed.stdout
    report = next(line for line in lines if line.startswith("report"))
    assert report.split()[:3] == ["report", "new", "dependency"]
    assert report.rstrip().endswith("service instance")
    assert client.get("/api/jobs").json["jobs"] == []
    done = ask("import-chronos", file, "--apply")
    assert done.stdout.splitlines()[-1] == "6 jobs created, 0 unchanged"
    assert len(client.get("/api/jobs").json["jobs"]) == 6
    again = ask("import-chronos", file, "--apply")
    assert again.stdout.splitlines()[-1] == "0 jobs created, 6 unchanged"


def test_from_another_server(ask: Command, client: Client, source: Callable[[str | None], Flask]) -> None:
    """With its credentials, by an option or in the URL; what it shows is then shown here."""
    wsgi = source(CREDENTIALS)
    fill(source(None))
    with served(wsgi) as url:
        assert "--user" in error_of(ask("import-chronos", url))
        wrong = error_of(ask("import-chronos", url, "--user", "ann:guess"))
        assert "guess" not in wrong
        in_url = ask("import-chronos", url.replace("://", "://ann:s%3Acr%40t@"), "-o", "json")
        assert [job["change"] for job in json.loads(in_url.stdout)["jobs"]] == ["created"] * 6
        done = ask("import-chronos", url, "--user", CREDENTIALS, "--apply")
        assert done.returncode == 0, done.stderr
        again = ask("import-chronos", url, "--user", CREDENTIALS, "--apply", "--prefix", "/scheduler")
        assert "0 jobs created, 6 unchanged" in again.stdout, again.stderr
    theirs = client_of(source(None))
    for prefix in ("/scheduler", "/v1/scheduler"):
        assert client.get(f"{prefix}/jobs").json == theirs.get(f"{prefix}/jobs").json
        assert client.get(f"{prefix}/graph/csv").data == theirs.get(f"{prefix}/graph/csv").data


def test_problems_are_listed_and_nothing_is_done(ask: Command, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "jobs.json"
    jobs = [*listing("2.4"), {"name": "ghost", "command": "true", "parents": ["nobody"]}, {"name": "a/b"}]
    file.write_text(json.dumps(jobs))
    done = ask("import-chronos", file, "--apply")
    assert done.returncode == 1
    *problems, last = done.stderr.splitlines()
    assert [line.split(":")[:2] for line in problems] == [["problem", " a/b"], ["problem", " ghost"]]
    assert last == "chronos: nothing was imported: 2 problems."
    assert client.get("/api/jobs").json["jobs"] == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"\xff\xfe[", "is not JSON"),
        (b'{"jobs": []}', "must hold a list of jobs"),
        (b'["a"]', "jobs"),
        (b'[{"name": "a", "mem": NaN}]', "is not JSON: it contains NaN"),
        (b'[{"name": "a", "mem": 1e400}]', "is not JSON: it contains 1e400"),
    ],
)
def test_a_file_that_is_no_listing(ask: Command, tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "jobs.json"
    file.write_bytes(content)
    assert words in error_of(ask("import-chronos", file, "--apply"))
    assert "cannot be read" in error_of(ask("import-chronos", tmp_path / "none.json"))


def test_a_chronos_that_does_not_answer(ask: Command) -> None:
    said = error_of(ask("import-chronos", "http://127.0.0.1:1"))
    assert said.strip() == "chronos: no server answers at http://127.0.0.1:1; is a Chronos there?"


class _Older(BaseHTTPRequestHandler):
    """A Chronos 2: pages for what it does not know, its API without v1, behind a path."""

    def do_GET(self) -> None:
        is_known = self.path == "/service/chronos/scheduler/jobs"
        body = json.dumps(listing("2.5")).encode() if is_known else b"<title>Error 404</title>"
        self.send_response(200 if is_known else 404)
        self.send_header("Content-Type", "application/json" if is_known else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to say."""


@pytest.fixture
def older() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Older)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_older_chronos_behind_a_path(ask: Command, client: Client, older: str) -> None:
    done = ask("import-chronos", f"{older}/service/chronos", "--apply")
    assert "4 jobs created" in done.stdout, done.stderr
    assert client.get("/api/jobs/pst.report").json["scheduleTimeZone"] == "America/Los_Angeles"
    line = error_of(ask("import-chronos", older))
    assert "/v1/scheduler/jobs answers 404" in line
    assert "/scheduler/jobs answers 404" in line
    assert "no server answers" in error_of(ask("import-chronos", "http://127.0.0.1:1"))


def test_jobs_of_root_on_a_server_that_is_not(
    ask: Command, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [{"name": "one", "command": "true", "schedule": "R/2030-01-01T00:00:00Z/P1D", "runAsUser": "root"}]
    file = tmp_path / "jobs.json"
    file.write_text(json.dumps(jobs))
    monkeypatch.setattr(os, "geteuid", lambda: pwd.getpwnam("nobody").pw_uid)
    refused = ask("import-chronos", file)
    assert refused.returncode == 1
    assert 'problem: one: runAsUser is "root", but the server runs as "nobody"' in refused.stderr
    assert "hint: with --own-user" in refused.stderr
    assert "1 job created" in ask("import-chronos", file, "--own-user", "--apply").stdout
    assert client.get("/scheduler/job/one").json["runAsUser"] == ""
