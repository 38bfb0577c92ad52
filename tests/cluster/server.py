"""A real server as a process of its own, and a client of its API."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import requests

Value = TypeVar("Value")

CHRONOS = Path(sys.executable).with_name("chronos")
FINAL = {"succeeded", "failed", "killed", "lost", "skipped"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(what: str, look: Callable[[], Value | None], seconds: float = 30.0) -> Value:
    """What ``look`` finds as soon as it finds something; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)  # between two looks at another process; the deadline decides
    raise AssertionError(f"waited {seconds:g} s in vain for {what}")


class ServerProcess:
    """``chronos server`` over a folder; may be killed and started again."""

    def __init__(self, folder: Path, *options: str, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"server-{self.port}.log"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> ServerProcess:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [CHRONOS, "server", "--listen", f"127.0.0.1:{self.port}", "--data-dir", self.folder, *self._options],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={key: value for key, value in os.environ.items() if not key.startswith("CHRONOS_")},
            )
        wait_for(f"{self.url} to be ready\n{self.log.read_text()}", self._is_ready)
        return self

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the server ended:\n{self.log.read_text()}"
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def wait_until_it_leads(self) -> None:
        wait_for("this node to lead", lambda: self.get("/api/leader")["isLeader"])

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill_9(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @property
    def shared_dir(self) -> Path:
        """What tasks see as $CHRONOS_SHARED_DIR."""
        return self.folder / "shared"

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def terminate(self) -> int:
        """SIGTERM, also to one that is stopped; the exit status."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
        return self._process.wait(timeout=30)

    def get(self, path: str, **query: Any) -> Any:
        answer = requests.get(self.url + path, params=query, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def define(self, **document: Any) -> None:
        answer = requests.put(f"{self.url}/api/jobs/{document['name']}", json=document, timeout=10)
        assert answer.status_code in (200, 201), answer.text

    def run(self, job: str, **overrides: Any) -> int:
        answer = requests.post(f"{self.url}/api/jobs/{job}/runs", json=overrides, timeout=10)
        assert answer.status_code == 202, answer.text
        run_id: int = answer.json()["id"]
        return run_id

    def kill_run(self, run_id: int) -> None:
        answer = requests.post(f"{self.url}/api/runs/{run_id}/kill", timeout=10)
        assert answer.status_code == 202, answer.text

    def runs(self, job: str) -> list[dict[str, Any]]:
        """Oldest first."""
        found: list[dict[str, Any]] = self.get(f"/api/jobs/{job}/runs", limit=200)["runs"]
        return list(reversed(found))

    def wait_for_end(self, run_id: int, seconds: float = 60.0) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            run: dict[str, Any] = self.get(f"/api/runs/{run_id}")
            return run if run["state"] in FINAL else None

        return wait_for(f"run {run_id} to end", ended, seconds)

    def output(self, run_id: int, stream: str = "stdout") -> str:
        return requests.get(f"{self.url}/api/runs/{run_id}/logs", params={"stream": stream}, timeout=10).text
