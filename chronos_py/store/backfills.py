"""Backfills: runs for past occurrences, and how far they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, exists, func, insert, select, update

from chronos_py.model.backfill import StandingRun
from chronos_py.model.run import ACTIVE_RUN_STATES, FINAL_RUN_STATES, WAITING_RUN_STATES, Reason, RunState, Trigger
from chronos_py.store.tables import BackfillRow, JobRow, RunRow


@dataclass(frozen=True, slots=True)
class Backfill:
    """A backfill of a job's occurrences from ``first`` to ``last``, at most ``parallel`` runs at a time."""

    id: int
    job_id: int
    job_name: str
    first: datetime
    last: datetime
    parallel: int
    with_children: bool
    force: bool
    requested_by: str
    created_at: datetime
    cancelled_at: datetime | None
    cancelled_by: str
    finished_at: datetime | None


_GOES_ON = exists().where(RunRow.backfill_id == BackfillRow.id, RunRow.state.not_in(sorted(FINAL_RUN_STATES)))


def _backfills() -> Select[*tuple[Any, ...]]:
    return select(
        BackfillRow.id,
        BackfillRow.job_id,
        JobRow.name,
        BackfillRow.first,
        BackfillRow.last,
        BackfillRow.parallel,
        BackfillRow.with_children,
        BackfillRow.force,
        BackfillRow.requested_by,
        BackfillRow.created_at,
        BackfillRow.cancelled_at,
        BackfillRow.cancelled_by,
        BackfillRow.finished_at,
    ).join_from(BackfillRow, JobRow, JobRow.id == BackfillRow.job_id)


def insert_backfill(
    connection: Connection,
    job_id: int,
    first: datetime,
    last: datetime,
    parallel: int,
    with_children: bool,
    force: bool,
    requested_by: str,
    now: datetime,
) -> int:
    """A new backfill; its id."""
    return connection.execute(
        insert(BackfillRow)
        .values(
            job_id=job_id,
            first=first,
            last=last,
            parallel=parallel,
            with_children=with_children,
            force=force,
            requested_by=requested_by,
            created_at=now,
        )
        .returning(BackfillRow.id)
    ).scalar_one()


def find_backfill(connection: Connection, backfill_id: int, lock: bool = False) -> Backfill | None:
    """A backfill by id. ``lock`` keeps others from changing it until the end of the transaction."""
    statement = _backfills().where(BackfillRow.id == backfill_id)
    row = connection.execute(statement.with_for_update(of=BackfillRow) if lock else statement).one_or_none()
    return None if row is None else Backfill(*row)


def list_backfills(
    connection: Connection, job_id: int | None = None, before: int | None = None, limit: int = 50
) -> list[Backfill]:
    """Backfills, newest first, those with an id below ``before``."""
    statement = _backfills().order_by(BackfillRow.id.desc()).limit(limit)
    if job_id is not None:
        statement = statement.where(BackfillRow.job_id == job_id)
    if before is not None:
        statement = statement.where(BackfillRow.id < before)
    return [Backfill(*row) for row in connection.execute(statement)]


def count_runs(
    connection: Connection, backfill_ids: list[int]
) -> dict[int, tuple[Mapping[RunState, int], Mapping[RunState, int]]]:
    """How many runs each backfill has by state: those for its occurrences, and those that followed from them."""
    counts: dict[int, tuple[dict[RunState, int], dict[RunState, int]]] = {each: ({}, {}) for each in backfill_ids}
    # By its name: written twice, its parameter would make two expressions of it to PostgreSQL.
    follows = (RunRow.trigger != Trigger.BACKFILL).label("follows")
    rows = connection.execute(
        select(RunRow.backfill_id, follows, RunRow.state, func.count())
        .where(RunRow.backfill_id.in_(backfill_ids))
        .group_by(RunRow.backfill_id, follows, RunRow.state)
    )
    for backfill_id, is_child, state, count in rows:
        if backfill_id is not None:
            counts[backfill_id][bool(is_child)][RunState(state)] = count
    return dict(counts)


def standing_runs(
    connection: Connection, job_id: int, first: datetime, last: datetime
) -> dict[datetime, StandingRun]:
    """What stands for the times in [first, last] already: of several runs for one time the one that got farthest."""
    rows = connection.execute(
        select(RunRow.scheduled_at, RunRow.id, RunRow.state, RunRow.attempts)
        .where(RunRow.job_id == job_id, RunRow.scheduled_at >= first, RunRow.scheduled_at <= last)
        .order_by(RunRow.id)
    )
    found: dict[datetime, StandingRun] = {}
    for scheduled_at, run_id, state, attempts in rows:
        run = StandingRun(run_id, RunState(state), attempts > 0)
        known = found.get(scheduled_at)
        if known is None or _weight(run) >= _weight(known):
            found[scheduled_at] = run
    return found


def _weight(run: StandingRun) -> int:
    if run.state in WAITING_RUN_STATES or run.state in ACTIVE_RUN_STATES:
        return 2
    return 1 if run.has_begun else 0


def cancel(connection: Connection, backfill_id: int, by: str, message: str, now: datetime) -> None:
    """Begin nothing more of a backfill; what waits is ended. Who was the first to say so stays."""
    connection.execute(
        update(BackfillRow)
        .where(BackfillRow.id == backfill_id, BackfillRow.cancelled_at.is_(None))
        .values(cancelled_at=now, cancelled_by=by)
    )
    connection.execute(
        update(RunRow)
        .where(RunRow.backfill_id == backfill_id, RunRow.state.in_(sorted(WAITING_RUN_STATES)))
        .values(state=RunState.KILLED.value, reason=Reason.CANCELLED.value, message=message, finished_at=now)
    )


def note_end(connection: Connection, run_ids: Iterable[int], now: datetime) -> None:
    """Note which of the backfills that these runs belong to have no run left that has not ended."""
    belonging = select(RunRow.backfill_id).where(RunRow.id.in_(list(run_ids)), RunRow.backfill_id.is_not(None))
    for backfill_id in connection.execute(belonging.distinct()).scalars().all():
        finish_if_over(connection, backfill_id, now)


def finish_if_over(connection: Connection, backfill_id: int | None, now: datetime) -> None:
    """Note that a backfill has no run left that has not ended, if that is so."""
    is_over = and_(BackfillRow.id == backfill_id, BackfillRow.finished_at.is_(None), ~_GOES_ON)
    # Asked again once nobody else holds the row: who did may just have added a run, which would wait for ever.
    if connection.execute(select(BackfillRow.id).where(is_over).with_for_update()).first() is not None:
        connection.execute(update(BackfillRow).where(is_over).values(finished_at=now))


def note_more(connection: Connection, backfill_id: int | None) -> None:
    """A run was added to a backfill, which goes on then, also if it was over."""
    connection.execute(update(BackfillRow).where(BackfillRow.id == backfill_id, _GOES_ON).values(finished_at=None))


def is_cancelled(connection: Connection, backfill_id: int) -> bool:
    statement = select(BackfillRow.cancelled_at).where(BackfillRow.id == backfill_id)
    return connection.execute(statement).scalar_one() is not None


def active_runs(connection: Connection, backfill_id: int) -> list[int]:
    """The runs of a backfill whose task was launched and has not ended."""
    return list(
        connection.execute(
            select(RunRow.id).where(
                RunRow.backfill_id == backfill_id, RunRow.state.in_([RunState.STARTING, RunState.RUNNING])
            )
        ).scalars()
    )
