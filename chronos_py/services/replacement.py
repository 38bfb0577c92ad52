"""Overlap ``replace``: what has not ended makes room for the new run."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from chronos_py.model.run import Reason, RunState
from chronos_py.services.ending import end_or_kill
from chronos_py.store import runs


def end_replaced(connection: Connection, job_id: int, scheduled_at: datetime, now: datetime) -> None:
    """End the runs of a job that have not ended, in favour of the one for ``scheduled_at`` that comes next.

    What runs is killed; the new run starts when the pool has confirmed that.
    """
    why = f"the run for {scheduled_at:%Y-%m-%d %H:%M:%S} UTC took its place (overlap: replace)"
    begun = []
    for run in runs.unfinished_runs(connection, job_id):
        if run.backfill_id is not None:
            continue
        is_queued = run.state is RunState.QUEUED
        skipped = (RunState.SKIPPED, Reason.REPLACED, f"skipped: {why}")
        if not (is_queued and runs.end_run(connection, run.id, *skipped, now)):  # or it begins in this moment
            begun.append(run.id)
    end_or_kill(connection, begun, Reason.REPLACED, f"killed: {why}", now, untried=f"not tried again: {why}")
