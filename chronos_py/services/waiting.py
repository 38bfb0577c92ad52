"""What a waiting run waits for, in words."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from chronos_py.model.constraints import are_met
from chronos_py.model.job import Definition
from chronos_py.model.overlap import Overlap
from chronos_py.model.run import WAITING_RUN_STATES, Run, RunState
from chronos_py.pools import Pool, PoolUnavailable
from chronos_py.services.application import Application
from chronos_py.store import jobs, limits, queue, runs

_HAVE_TASK = (RunState.STARTING, RunState.RUNNING)


def what_it_waits_for(app: Application, run: Run) -> str:
    """One sentence without a full stop, "" for a run that does not wait."""
    if run.state not in WAITING_RUN_STATES:
        return ""
    now = app.clock.now()
    if run.not_before > now:
        return f"its next try at {_at(run.not_before)}" if run.attempts else f"its start at {_at(run.not_before)}"
    with app.database.read() as connection:
        definition = jobs.current_definitions(connection, [run.job_id])[run.job_id].definition
        reason = _own_runs(connection, run, definition, now) or _backfill(connection, run)
    # In no transaction: a pool may take longer to answer than PostgreSQL lets one rest.
    reason = reason or _node(app.pool, definition)
    if not reason and definition.concurrency.limits:
        with app.database.read() as connection:
            reason = _limits(connection, definition)
    return reason or "room in the pool, and for the leader to start it"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _own_runs(connection: Connection, run: Run, definition: Definition, now: datetime) -> str:
    """Other runs of its own job."""
    others = [each for each in runs.unfinished_runs(connection, run.job_id) if each.id != run.id]
    begun = [
        each
        for each in others
        if each.state in _HAVE_TASK or (each.state is RunState.WAITING_RETRY and run.state is RunState.QUEUED)
    ]
    if definition.overlap is Overlap.ALLOW:
        most = definition.concurrency.most
        if most is not None and len(begun) >= most:
            return f"one of the {len(begun)} runs of this job to end (maxConcurrent: {most})"
        return ""
    outside = [each for each in begun if run.backfill_id is None or each.backfill_id != run.backfill_id]
    if outside:
        return f"run #{outside[-1].id} of this job to end (overlap: {definition.overlap})"
    queued = [each for each in others if each.state is RunState.QUEUED and each.backfill_id is None]
    before = [each for each in queued if each.not_before <= now and (run.backfill_id is not None or each.id < run.id)]
    return f"run #{before[0].id} of this job, which goes first" if before else ""


def _backfill(connection: Connection, run: Run) -> str:
    if run.backfill_id is None or run.state is not RunState.QUEUED:
        return ""
    room = queue.backfill_rooms(connection).get(run.backfill_id, 0)
    return "" if room > 0 else f"its turn in backfill #{run.backfill_id}"


def _node(pool: Pool, definition: Definition) -> str:
    """A node that meets its constraints."""
    constraints = definition.constraints
    if not constraints:
        return ""
    wanted = f"a node with {' and '.join(map(str, constraints))}"
    try:
        nodes = pool.nodes()
    except PoolUnavailable as error:
        return f"{wanted}, and the pool does not tell its nodes: {str(error).rstrip('.')}"
    meeting = [node for node in nodes if are_met(constraints, node.attributes)]
    if any(not node.is_away for node in meeting):
        return ""
    if meeting:
        return f"{wanted}: {' and '.join(node.name for node in meeting)} cannot be reached"
    return f"{wanted}: none of {len(nodes)} has {'it' if len(constraints) == 1 else 'them all'}"


def _limits(connection: Connection, definition: Definition) -> str:
    wanted = definition.concurrency.limits
    for limit in limits.list_limits(connection) if wanted else ():
        if limit.name in wanted:
            units = wanted[limit.name]
            need = f", and it needs {units}" if units > 1 else ""
            if limit.taken + units > limit.units:
                return f"limit {limit.name}: {limit.taken} of {limit.units} are taken{need}"
    return f"its turn at {', '.join(wanted)}" if wanted else ""
