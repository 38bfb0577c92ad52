"""Runs per second through the whole scheduler, of one node and of three over one real PostgreSQL.

    .venv/bin/python bench/throughput.py [--rounds 5] [--runs 600] [--nodes 3]

Tasks run in a pool that does nothing (``null_pool.py``), so that this is what planning, dispatching, watching and
settling cost. Two loads: *planned*, jobs that are due so often within a second or two, and *asked for*, runs that
clients order through the API of all nodes in turn. Rounds with one node and with several take turns on one server.
Prints the medians of both and their ratio (goal 1.0: nodes beside the leader take nothing away).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from statistics import median

import requests
from sqlalchemy import Engine, create_engine, text

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.null_pool import null_pool
from tests.cluster.server import ServerProcess, wait_for
from tests.databases import postgres_database, private_postgres

ROUNDS, RUNS, NODES = 5, 600, 3
JOBS = 10
CLIENTS = 4
GOAL = 1.0
ENDED = text("SELECT count(*) FROM runs WHERE state = 'succeeded'")
SECONDS = text("SELECT extract(epoch FROM max(finished_at) - min(created_at)) FROM runs WHERE state = 'succeeded'")

Load = Callable[[Sequence[ServerProcess], int], None]


def plan(servers: Sequence[ServerProcess], runs: int) -> None:
    """So many occurrences of a few jobs, due faster than they can run."""
    for number in range(JOBS):
        schedule = f"R{runs // JOBS}//PT0.02S"
        servers[0].define(name=f"planned-{number}", command="true", schedule=schedule, overlap="allow", catchUp="all")


def ask(servers: Sequence[ServerProcess], runs: int) -> None:
    """So many runs that are asked for at all nodes in turn."""
    servers[0].define(name="asked", command="true", overlap="allow")
    sessions = [(server.url, requests.Session()) for server in servers for _ in range(CLIENTS)]

    def order(target: tuple[str, requests.Session]) -> None:
        url, session = target
        session.post(f"{url}/api/jobs/asked/runs", json={}, timeout=30).raise_for_status()

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(order, (target for _, target in zip(range(runs), cycle(sessions), strict=False))))


def rate(engine: Engine, folder: Path, nodes: int, runs: int, load: Load) -> float:
    """Runs per second, from the first that was made to the end of the last."""
    with postgres_database(engine) as url:
        options = ("--pool", "null", "--database-url", url, "--max-running", "1000")
        servers = [ServerProcess(folder, *options) for _ in range(nodes)]
        database = create_engine(url)
        try:
            servers[0].start().wait_until_it_leads()
            for server in servers[1:]:
                server.start()
            load(servers, runs)
            with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                wait_for("all runs to end", lambda: connection.execute(ENDED).scalar_one() >= runs, 300)
                return runs / float(connection.execute(SECONDS).scalar_one())
        finally:
            for server in servers:
                server.terminate()
            database.dispose()


def measure(engine: Engine, folder: Path, rounds: int, runs: int, nodes: int) -> bool:
    """Whether both loads reach the goal."""
    good = True
    for name, load in (("planned", plan), ("asked for through the API", ask)):
        alone: list[float] = []
        together: list[float] = []
        for _ in range(rounds):
            alone.append(rate(engine, folder, 1, runs, load))
            together.append(rate(engine, folder, nodes, runs, load))
        ratio = median(together) / median(alone)
        good &= ratio >= GOAL
        print(f"{runs} runs {name}, {rounds} rounds, null pool (load average {os.getloadavg()[0]:.1f})")
        for count, rates in ((1, alone), (nodes, together)):
            spread = f"{min(rates):.0f} to {max(rates):.0f}/s"
            print(f"  nodes: {count}, median {median(rates):.0f}/s, {spread}")
        print(f"  ratio {ratio:.2f} (goal >= {GOAL})", flush=True)
    return good


def run(rounds: int, runs: int, nodes: int) -> bool:
    """Measure over a PostgreSQL of its own; whether both loads reach the goal."""
    with (
        tempfile.TemporaryDirectory(prefix="chronos-throughput-") as name,
        private_postgres() as postgres,
        null_pool(),
    ):
        engine = create_engine(postgres.url, isolation_level="AUTOCOMMIT")
        try:
            return measure(engine, Path(name), rounds, runs, nodes)
        finally:
            engine.dispose()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--nodes", type=int, default=NODES)
    arguments = parser.parse_args()
    return 0 if run(arguments.rounds, arguments.runs, arguments.nodes) else 1


if __name__ == "__main__":
    sys.exit(main())
