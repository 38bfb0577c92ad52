"""kill -9 just before and just after the commits of a chain: no run twice, none lost, wherever it hits.

By default a fixed choice of points, of one crash and of two, the second while the next server recovers. With
CHRONOS_TEST_CRASH_POINTS=all every single point; with a number, 200 at most, so many random ones.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.cluster.conftest import ON_POSTGRES, ON_SQLITE
from tests.cluster.server import ANSWER_SECONDS, FINAL, ServerProcess, wait_for

ROOT = Path(__file__).parents[2]
CHAIN = {
    "extract": [],
    "clean": ["extract"],
    "sum": ["extract"],
    "load": ["clean", "sum"],
    "report": ["load", "sum"],
}
POINTS = 30  # about as many as the chain has
CHOSEN = os.environ.get("CHRONOS_TEST_CRASH_POINTS", "")


class CrashingServer(ServerProcess):
    """Dies at a chosen commit, once it is armed."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__(folder, "--lease-seconds", "2", "--pool", "process", *options)
        self.armed = folder / "armed"

    def start_to_die_at(self, point: int, how: str = "SIGKILL") -> None:
        crash = ("tests.cluster.crash_points", how, str(point), str(self.armed))
        command = [sys.executable, "-m", *crash, "server"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--listen", f"127.0.0.1:{self.port}", "--data-dir", str(self.folder), *self._options],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                env={key: value for key, value in os.environ.items() if not key.startswith("CHRONOS_")},
            )

    def is_dead(self) -> bool:
        assert self._process is not None
        return self._process.poll() is not None

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=ANSWER_SECONDS).status_code == 200
        except requests.RequestException:
            return False

    def wait_until_ready(self) -> None:
        wait_for("the server to be ready", self.is_ready)


class Rounds:
    """The chain, once a round, with crashes in between; what its tasks witness is told by round."""

    def __init__(self, server: CrashingServer) -> None:
        self.server = server
        self.crashes = 0
        self.roots: list[int] = []

    def define(self) -> None:
        witness = "$CHRONOS_SHARED_DIR/witness"
        for name, parents in CHAIN.items():
            says = f"echo $CHRONOS_ROOT_RUN_ID {name}"
            command = f"{says} begins >> {witness}; sleep 0.05; {says} ends >> {witness}"
            self.server.define(name=name, command=command, parents=parents, retries=0)

    def run(self, points: Sequence[int]) -> bool:
        """Run the chain through crashes at ``points``; False: it ended before the last of them came."""
        server = self.server
        for number, point in enumerate(points):
            server.start_to_die_at(point)
            if number == 0:
                server.wait_until_ready()
                server.armed.touch()
            wait_for("the server to be ready, or the crash", lambda: server.is_dead() or server.is_ready())
            self._ask_for_run()
            wait_for("a crash, or the end of the chain", lambda: server.is_dead() or self._is_over())
            if not server.is_dead():
                server.kill_9()  # or it might die at that point while it is looked at
                self._start_and_let_end(points)
                return False
            self.crashes += 1
        self._start_and_let_end(points)
        return True

    def _ask_for_run(self) -> None:
        """Start the chain, unless it is started: a crash may come before or after the request is committed."""
        try:
            if len(self.server.runs("extract")) == len(self.roots):
                self.server.run("extract")
        except requests.RequestException:
            wait_for("the crash", self.server.is_dead)

    def _start_and_let_end(self, points: Sequence[int]) -> None:
        self.server.armed.unlink()
        self.server.start()
        self._ask_for_run()
        wait_for(f"the chain to end after crashes at {points}", self._is_over)
        self.roots.append(self.server.runs("extract")[-1]["id"])
        self.check(points)
        self.server.kill_9()

    def _is_over(self) -> bool:
        try:
            ended = [run for run in self.server.runs("report") if run["state"] in FINAL]
        except requests.RequestException:
            return False
        return len(ended) > len(self.roots)

    def check(self, points: Sequence[int]) -> None:
        """Every job ran once in this round, after its parents: so say the database and the tasks."""
        root = self.roots[-1]
        for name in CHAIN:
            found: list[dict[str, Any]] = self.server.runs(name)
            told = [(run["state"], run["attemptCount"]) for run in found if run["rootRun"] == root]
            assert told == [("succeeded", 1)], f"{name} of run {root} after crashes at {points}: {told}"
        lines = (self.server.shared_dir / "witness").read_text().splitlines()
        ours = [line.split(" ", 1)[1] for line in lines if line.startswith(f"{root} ")]
        wanted = Counter(f"{name} {what}" for name in CHAIN for what in ("begins", "ends"))
        assert Counter(ours) == wanted, f"run {root} after crashes at {points}"
        for name, parents in CHAIN.items():
            assert all(ours.index(f"{parent} ends") < ours.index(f"{name} begins") for parent in parents), ours


@pytest.fixture(params=[ON_SQLITE, pytest.param(ON_POSTGRES, marks=pytest.mark.postgres)])
def rounds(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rounds]:
    options: tuple[str, ...] = ()
    if request.param == ON_POSTGRES:
        options = ("--database-url", request.getfixturevalue("postgres_database_url"))
    server = CrashingServer(tmp_path, *options)
    rounds = Rounds(server)
    server.start()
    rounds.define()
    server.kill_9()
    yield rounds
    server.terminate()


def chosen_points() -> Iterator[Sequence[int]]:
    chance = random.Random(4)
    if CHOSEN == "all":
        yield from ([point] for point in range(1, 2 * POINTS))
        return
    for number in range(int(CHOSEN or 12)):
        first = chance.randint(1, POINTS)
        yield [first] if number % 2 else [first, chance.randint(1, 8)]


@pytest.mark.timeout(7200 if CHOSEN else 900)
def test_no_run_is_doubled_or_lost_wherever_the_server_dies(rounds: Rounds) -> None:
    tried = 0
    for points in chosen_points():
        tried += 1
        if not rounds.run(points) and CHOSEN == "all":
            break
    print(f"{tried} rounds, {rounds.crashes} crashes, the last at {points}")
    assert rounds.crashes
