"""A job that is due every second, and the check that each of its occurrences ran exactly once."""

from __future__ import annotations

from tests.cluster.server import ServerProcess, wait_for
from tests.pools.waiting import lines

TICK = {
    "name": "tick",
    "command": "echo $CHRONOS_SCHEDULED_TIME >> $CHRONOS_SHARED_DIR/witness",
    "schedule": "R//PT1S",
    "overlap": "allow",
    "catchUp": "all",
}


def each_occurrence_ran_once(server: ServerProcess) -> None:
    """All that were due ran, none of them twice."""
    witness = server.shared_dir / "witness"
    seen = len(lines(witness))
    wait_for("more launches", lambda: len(lines(witness)) > seen + 2)
    server.patch("tick", disabled=True)
    wait_for("the last run to end", lambda: all(run["finishedAt"] for run in server.runs("tick")))
    runs = [run for run in server.runs("tick") if run["state"] != "skipped"]
    assert {run["state"] for run in runs} == {"succeeded"}
    times = lines(witness)
    assert len(times) == len(set(times)), "an occurrence ran twice"
    seconds = sorted({int(run["scheduledTime"][17:19]) + 60 * int(run["scheduledTime"][14:16]) for run in runs})
    assert len(runs) == len(times)
    assert seconds[-1] - seconds[0] + 1 == len(runs) or seconds[-1] - seconds[0] > 3000, "an occurrence is missing"
