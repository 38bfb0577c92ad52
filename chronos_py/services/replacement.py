"""Overlap ``replace``: what has not ended makes room for the new run."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from chronos_py.model.run import Reason, RunState
from chronos_py.store import attempts, runs


def end_replaced(connection: Connection, job_id: int, scheduled_at: datetime, now: datetime) -> None:
    """End the runs of a job that have not ended, in favour of the one for ``scheduled_at`` that comes next.

    What runs is killed; the new run starts when the pool has confirmed that.
    """
    why = f"the run for {scheduled_at:%Y-%m-%d %H:%M:%S} UTC took its place (overlap: replace)"
    active = []
    for run in runs.unfinished_runs(connection, job_id):
        if run.backfill_id is not None:
            continue
        if run.state is RunState.QUEUED:
            runs.end_run(connection, run.id, RunState.SKIPPED, Reason.REPLACED, f"skipped: {why}", now)
        elif run.state is RunState.WAITING_RETRY:
            runs.end_run(connection, run.id, RunState.KILLED, Reason.REPLACED, f"not tried again: {why}", now)
        else:
            active.append(run.id)
    attempts.request_kill(connection, active, Reason.REPLACED, f"killed: {why}", now)
