"""The queue: which waiting runs may start now, and which have waited too long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import aliased

from chronos_py.model.concurrency import Contender, admit
from chronos_py.model.overlap import Overlap
from chronos_py.model.run import ACTIVE_RUN_STATES, WAITING_RUN_STATES, Reason, Run, RunState
from chronos_py.store import limits
from chronos_py.store.jobs import current_definitions
from chronos_py.store.runs import run_of, select_runs
from chronos_py.store.tables import BackfillRow, JobLimitRow, JobRow, RunRow

_WAITING = sorted(WAITING_RUN_STATES)
_ACTIVE = sorted(ACTIVE_RUN_STATES)
_HAS_TASK = [RunState.STARTING, RunState.RUNNING]


def backfill_rooms(connection: Connection) -> dict[int, int]:
    """How many more runs of each backfill that has not ended may begin."""
    begun = and_(RunRow.backfill_id == BackfillRow.id, RunRow.state.in_(_ACTIVE))
    rows = connection.execute(
        select(BackfillRow.id, (BackfillRow.parallel - func.count(RunRow.id)).label("room"))
        .outerjoin(RunRow, begun)
        .where(BackfillRow.finished_at.is_(None))
        .group_by(BackfillRow.id, BackfillRow.parallel)
    )
    return {row.id: row.room for row in rows}


def waiting_placements(connection: Connection, now: datetime) -> list[str]:
    """The placements, each once, of the jobs that have constraints and runs whose time has come."""
    rows = connection.execute(
        select(JobRow.placement)
        .join(RunRow, RunRow.job_id == JobRow.id)
        .where(RunRow.state.in_(_WAITING), RunRow.not_before <= now, JobRow.placement != "")
        .distinct()
    )
    return list(rows.scalars())


_NOW: BindParameter[datetime] = bindparam("now")


def _may_launch() -> ColumnElement[bool]:
    """Waiting runs (joined with their jobs) whose time has come and that nothing of their own job holds back.

    Jobs with an ``unplaceable`` placement are left out: no node of the pool would do for them now.
    """
    other = aliased(RunRow)
    # A retry belongs to a run that has begun: it waits for other begun runs' tasks, not for their retries.
    has_begun = or_(
        other.state.in_(_HAS_TASK),
        and_(other.state == RunState.WAITING_RETRY, RunRow.state == RunState.QUEUED),
    )
    # A backfill gives way: its runs wait for all others of their job, also for those that could start now. Not with a
    # retry: those wait for it already.
    is_queued_before = and_(
        RunRow.backfill_id.is_not(None),
        RunRow.state == RunState.QUEUED,
        other.backfill_id.is_(None),
        other.state == RunState.QUEUED,
        other.not_before <= _NOW,
    )
    is_of_same_backfill = and_(RunRow.backfill_id.is_not(None), other.backfill_id == RunRow.backfill_id)
    blocker = and_(
        other.job_id == RunRow.job_id,
        other.id != RunRow.id,
        or_(has_begun, is_queued_before),
        func.coalesce(is_of_same_backfill, False).is_(False),
    )
    active = aliased(RunRow)
    going_on = (
        select(func.count())
        .where(
            active.job_id == RunRow.job_id,
            active.id != RunRow.id,
            or_(
                active.state.in_(_HAS_TASK),
                and_(active.state == RunState.WAITING_RETRY, RunRow.state == RunState.QUEUED),
            ),
        )
        .correlate(RunRow)
        .scalar_subquery()
    )
    return and_(
        RunRow.state.in_(_WAITING),
        RunRow.not_before <= _NOW,
        or_(
            RunRow.backfill_id.is_(None),
            RunRow.backfill_id.in_(bindparam("open_backfills", expanding=True)),
            RunRow.state == RunState.WAITING_RETRY,  # it has its place in the backfill already
        ),
        or_(JobRow.overlap == Overlap.ALLOW, ~exists().where(blocker)),
        or_(JobRow.max_concurrent.is_(None), JobRow.max_concurrent > going_on),
        JobRow.placement.not_in(bindparam("unplaceable", expanding=True)),
    )


# Built once: that takes many times as long as it takes the database to answer.
_MAY_LAUNCH = _may_launch()
_SHARES_LIMITS = exists().where(JobLimitRow.job_id == RunRow.job_id)
_ORDER = (RunRow.backfill_id.is_not(None), func.coalesce(RunRow.rank_at, RunRow.scheduled_at), RunRow.id)
_ANY = select(RunRow.id).join(JobRow, JobRow.id == RunRow.job_id).where(_MAY_LAUNCH).limit(1)
_LAUNCHABLE = (
    select_runs()
    .where(_MAY_LAUNCH, or_(~_SHARES_LIMITS, RunRow.id.in_(bindparam("admitted", expanding=True))))
    .order_by(*_ORDER)
    .limit(bindparam("most"))
    .with_for_update(of=RunRow, skip_locked=True)
)


def _heads_of_jobs_with_limits() -> Select[int, int, datetime]:
    """The first ``most`` runs of each job with limits that nothing of its own job holds back."""
    place = func.row_number().over(partition_by=RunRow.job_id, order_by=_ORDER).label("place")
    rank_at = func.coalesce(RunRow.rank_at, RunRow.scheduled_at).label("rank_at")
    first = (
        select(RunRow.id, RunRow.job_id, rank_at, place)
        .join(JobRow, JobRow.id == RunRow.job_id)
        .where(_MAY_LAUNCH, _SHARES_LIMITS)
        .subquery()
    )
    heads = select(first.c.job_id, first.c.id, first.c.rank_at).where(first.c.place <= bindparam("most"))
    return heads.order_by(first.c.job_id, first.c.place)


_HEADS = _heads_of_jobs_with_limits()


def _parameters(now: datetime, rooms: Mapping[int, int], unplaceable: Sequence[str]) -> dict[str, Any]:
    open_backfills = [backfill_id for backfill_id, room in rooms.items() if room > 0]
    return {"now": now, "open_backfills": open_backfills, "unplaceable": list(unplaceable)}


def has_launchable(connection: Connection, now: datetime, unplaceable: Sequence[str] = ()) -> bool:
    """Whether :func:`launchable` would find something."""
    parameters = _parameters(now, backfill_rooms(connection), unplaceable)
    return connection.execute(_ANY, parameters).first() is not None


def launchable(
    connection: Connection, now: datetime, limit: int, rooms: Mapping[int, int], unplaceable: Sequence[str] = ()
) -> list[Run]:
    """Waiting runs that may be launched, in the order to do it: backfills last, then by their rank.

    Locked; a run that a person is just killing is left out. Of a backfill there may be more than
    :func:`backfill_rooms` gives it in ``rooms``: the caller counts. Of jobs that share limits only those come that
    :func:`chronos_py.model.concurrency.admit` lets begin now. Of jobs with an ``unplaceable`` placement none comes:
    they hold nobody up, and take nothing.
    """
    parameters = {**_parameters(now, rooms, unplaceable), "most": limit}
    admitted = _admitted(connection, parameters, limit)
    return [run_of(row) for row in connection.execute(_LAUNCHABLE, {**parameters, "admitted": admitted})]


def _admitted(connection: Connection, parameters: Mapping[str, Any], most: int) -> list[int]:
    """The runs of jobs with limits that may begin now."""
    waiting: dict[int, list[tuple[int, datetime]]] = {}
    for job_id, run_id, rank in connection.execute(_HEADS, parameters):
        waiting.setdefault(job_id, []).append((run_id, rank))
    if not waiting:
        return []
    going_on = count_with_task(connection, list(waiting))
    definitions = current_definitions(connection, waiting)
    contenders = []
    for job_id, queued in waiting.items():
        definition = definitions[job_id].definition
        ids = [run_id for run_id, _ in queued]
        together = ids if definition.overlap is Overlap.ALLOW else ids[:1]
        contenders.append(Contender(together, going_on.get(job_id, 0), queued[0][1], definition.concurrency))
    return admit(contenders, limits.free_units(connection), most)


def count_active(connection: Connection, job_ids: list[int]) -> dict[int, int]:
    """How many runs of each job have begun and not ended, pending retries included."""
    rows = connection.execute(
        select(RunRow.job_id, func.count().label("runs"))
        .where(RunRow.job_id.in_(job_ids), RunRow.state.in_(_ACTIVE))
        .group_by(RunRow.job_id)
    )
    return {row.job_id: row.runs for row in rows}


def count_with_task(connection: Connection, job_ids: list[int]) -> dict[int, int]:
    """How many runs of each job have a task."""
    rows = connection.execute(
        select(RunRow.job_id, func.count().label("runs"))
        .where(RunRow.job_id.in_(job_ids), RunRow.state.in_(_HAS_TASK))
        .group_by(RunRow.job_id)
    )
    return {row.job_id: row.runs for row in rows}


def next_change(connection: Connection, now: datetime) -> datetime | None:
    """When the next waiting run's time comes, or is over, if that is after ``now``."""
    waits = RunRow.state.in_(_WAITING)
    comes = select(func.min(RunRow.not_before)).where(waits, RunRow.not_before > now)
    is_over = select(func.min(RunRow.start_before)).where(RunRow.state == RunState.QUEUED, RunRow.start_before > now)
    times = [connection.execute(query).scalar_one() for query in (comes, is_over)]
    return min((time for time in times if time is not None), default=None)


def oldest_due(connection: Connection, now: datetime) -> datetime | None:
    """Since when the run that has waited longest could have started, whatever holds it back; None: none waits."""
    due = and_(RunRow.state.in_(_WAITING), RunRow.not_before <= now)
    return connection.execute(select(func.min(RunRow.not_before)).where(due)).scalar_one()


def has_overdue(connection: Connection, now: datetime) -> bool:
    """Whether :func:`skip_overdue` would find something."""
    return connection.execute(select(RunRow.id).where(_is_overdue(now)).limit(1)).first() is not None


def skip_overdue(connection: Connection, now: datetime, message: str) -> list[int]:
    """Skip what has not begun before its ``start_before``; the ids of the jobs that this concerns."""
    skipped = connection.execute(
        update(RunRow)
        .where(_is_overdue(now))
        .values(
            state=RunState.SKIPPED.value,
            reason=Reason.MISSED.value,
            message=message,
            start_before=None,
            finished_at=now,
        )
        .returning(RunRow.job_id)
    )
    return sorted(set(skipped.scalars()))


def _is_overdue(now: datetime) -> ColumnElement[bool]:
    return and_(RunRow.state == RunState.QUEUED, RunRow.start_before < now)
