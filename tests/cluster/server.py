"""A real server as a process of its own, and a client of its API."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import requests

Value = TypeVar("Value")

CHRONOS = Path(sys.executable).with_name("chronos")
ANSWER_SECONDS = 60  # for a machine that is busy
FINAL = {"succeeded", "failed", "killed", "lost", "skipped"}


# Below those that the kernel gives to whoever asks for any, and that script/postgres takes.
PORTS = range(10_100, 15_000)
_GIVEN: set[int] = set()


def free_port() -> int:
    """One that nobody has, and that nobody gets before it is used, or while a server is away."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        if port in _GIVEN:
            continue
        _GIVEN.add(port)
        with socket.socket() as probe, contextlib.suppress(OSError):  # somebody has it
            probe.bind(("127.0.0.1", port))
            return port


def wait_for(what: str, look: Callable[[], Value | None], seconds: float = 60.0) -> Value:
    """What ``look`` finds as soon as it finds something; fails after ``seconds``, and a last look after those."""
    deadline = time.monotonic() + seconds
    while True:
        is_last = time.monotonic() > deadline
        found = look()
        if found:
            return found
        assert not is_last, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.02)  # between two looks at another process; the deadline decides


class ServerProcess:
    """``chronos server`` over a folder; may be killed and started again."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        port: int | None = None,
        tree: Path | None = None,
        host: str = "127.0.0.1",
        enter: Sequence[str] = (),
    ) -> None:
        """``tree`` is a folder with the package of another version, ``enter`` a command that runs it elsewhere."""
        self.folder = folder
        self.port = port or free_port()
        self._listen = f"{host}:{self.port}"
        self._enter = enter
        self.url = f"http://{self._listen}"
        self.log = folder / f"server-{self.port}.log"
        self._options = options
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith("CHRONOS_")}
        if tree is not None:
            self._environment["PYTHONPATH"] = str(tree)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> ServerProcess:
        command: list[str | Path] = [CHRONOS, "server", "--listen", self._listen, "--data-dir", self.folder]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._enter, *command, *self._options],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=self._environment,
            )
        wait_for(f"{self.url} to be ready\n{self.log.read_text()}", self._is_ready)
        return self

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the server ended:\n{self.log.read_text()}"
        try:
            return requests.get(f"{self.url}/readyz", timeout=ANSWER_SECONDS).status_code == 200
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
        return self.wait()

    def wait(self) -> int:
        """Until it has ended by itself; the exit status."""
        assert self._process is not None
        return self._process.wait(timeout=ANSWER_SECONDS)

    def get(self, path: str, **query: Any) -> Any:
        answer = requests.get(self.url + path, params=query, timeout=ANSWER_SECONDS)
        answer.raise_for_status()
        return answer.json()

    def define(self, **document: Any) -> None:
        answer = requests.put(f"{self.url}/api/jobs/{document['name']}", json=document, timeout=ANSWER_SECONDS)
        assert answer.status_code in (200, 201), answer.text

    def patch(self, job: str, **changes: Any) -> None:
        answer = requests.patch(f"{self.url}/api/jobs/{job}", json=changes, timeout=ANSWER_SECONDS)
        assert answer.status_code == 200, answer.text

    def problems(self) -> str:
        """What /readyz says."""
        return requests.get(f"{self.url}/readyz", timeout=ANSWER_SECONDS).text

    def run(self, job: str, **overrides: Any) -> int:
        answer = requests.post(f"{self.url}/api/jobs/{job}/runs", json=overrides, timeout=ANSWER_SECONDS)
        assert answer.status_code == 202, answer.text
        run_id: int = answer.json()["id"]
        return run_id

    def kill_run(self, run_id: int) -> None:
        answer = requests.post(f"{self.url}/api/runs/{run_id}/kill", timeout=ANSWER_SECONDS)
        assert answer.status_code == 202, answer.text

    def runs(self, job: str) -> list[dict[str, Any]]:
        """All of them, oldest first."""
        page = self.get(f"/api/jobs/{job}/runs", limit=500)
        found: list[dict[str, Any]] = page["runs"]
        while page["next"]:
            page = self.get(f"/api/jobs/{job}/runs", limit=500, cursor=page["next"])
            found += page["runs"]
        return found[::-1]

    def wait_for_end(self, run_id: int, seconds: float = 60.0) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            run: dict[str, Any] = self.get(f"/api/runs/{run_id}")
            return run if run["state"] in FINAL else None

        return wait_for(f"run {run_id} to end", ended, seconds)

    def output(self, run_id: int, stream: str = "stdout") -> str:
        url = f"{self.url}/api/runs/{run_id}/logs"
        return requests.get(url, params={"stream": stream}, timeout=ANSWER_SECONDS).text
