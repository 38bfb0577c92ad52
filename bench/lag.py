"""How late a lone due job reaches the pool: scheduled time to the call of the pool, on an idle machine.

    .venv/bin/python bench/lag.py [--jobs 100] [--pool process]

Starts a server of its own in a temporary folder and defines jobs that are due one after another, half a second
apart. Prints milliseconds; the goal is p99 <= 100 ms.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.cluster.server import FINAL, ServerProcess, wait_for

GAP = timedelta(milliseconds=500)
GOAL_MS = 100.0


def measure(server: ServerProcess, count: int) -> list[float]:
    """Milliseconds from scheduled to launched, one per job, in order of size."""
    first = datetime.now(UTC) + timedelta(seconds=2 + count * 0.02)
    for number in range(count):
        due = (first + number * GAP).isoformat(timespec="milliseconds")
        server.define(name=f"lone-{number}", command="true", schedule=f"R1/{due}/PT1H")
    last = f"lone-{count - 1}"
    wait_for("the last job", lambda: [run for run in server.runs(last) if run["state"] in FINAL], count + 30)
    lags = []
    for number in range(count):
        (run,) = server.runs(f"lone-{number}")
        launched = datetime.fromisoformat(server.get(f"/api/runs/{run['id']}")["attempts"][0]["launchedAt"])
        lags.append((launched - datetime.fromisoformat(run["scheduledTime"])).total_seconds() * 1000)
    return sorted(lags)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--pool", default="process")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chronos-lag-") as folder:
        server = ServerProcess(Path(folder), "--pool", arguments.pool).start()
        try:
            server.wait_until_it_leads()
            lags = measure(server, arguments.jobs)
        finally:
            server.terminate()
    p99 = lags[max(0, -(-99 * len(lags) // 100) - 1)]
    print(f"{len(lags)} lone jobs, {arguments.pool} pool: lag p50 {lags[len(lags) // 2]:.1f} ms,", end=" ")
    print(f"p99 {p99:.1f} ms, max {lags[-1]:.1f} ms (goal: p99 <= {GOAL_MS:g} ms)")
    return 0 if p99 <= GOAL_MS else 1


if __name__ == "__main__":
    sys.exit(main())
