"""A leader that is stopped at a chosen commit of a launch, for three leases, and wakes when another has gone on."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.leading import let_lead, wait_until_over
from tests.cluster.server import ServerProcess, wait_for
from tests.cluster.test_crash_points import CrashingServer
from tests.pools.waiting import lines

pytestmark = pytest.mark.postgres

LEASE = 2.0
AFTER_THE_INTENT = 2  # what it would launch next, another has launched by then
BEFORE_IT_IS_NOTED = 3  # the task runs; the transaction holds its locks until PostgreSQL ends it


def is_stopped(server: ServerProcess) -> bool:
    return Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.parametrize("point", [AFTER_THE_INTENT, BEFORE_IT_IS_NOTED])
def test_a_launch_happens_once(
    start_server: Callable[..., ServerProcess], postgres_database_url: str, tmp_path: Path, point: int
) -> None:
    leader = CrashingServer(tmp_path, "--database-url", postgres_database_url)
    try:
        leader.start_to_die_at(point, "SIGSTOP")
        leader.wait_until_ready()
        leader.wait_until_it_leads()
        other = start_server("--pool", "process", "--database-url", postgres_database_url)
        other.define(name="once", command="echo begins >> $CHRONOS_SHARED_DIR/witness", retries=0)
        term = let_lead(leader, other)
        leader.armed.touch()
        run_id = other.run("once")
        wait_for("the leader to be stopped", lambda: is_stopped(leader))
        stopped_at = time.monotonic()
        other.wait_until_it_leads()
        run = other.wait_for_end(run_id)
        wait_for("three leases to pass", lambda: time.monotonic() > stopped_at + 3 * LEASE)
        leader.signal(signal.SIGCONT)
        wait_until_over(leader, term)
        assert other.get("/api/leader")["epoch"] > term
        assert (run["state"], len(run["attempts"])) == ("succeeded", 1)
        assert other.get(f"/api/runs/{run_id}") == run, "the first has changed something"
        assert lines(other.shared_dir / "witness") == ["begins"]
    finally:
        leader.terminate()
