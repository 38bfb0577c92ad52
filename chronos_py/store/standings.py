"""How jobs stand, asked of the database: to count, find and sort them by it. Whole lists in a few statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, case, exists, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from chronos_py.model.run import RunState
from chronos_py.model.standing import LATE, LastRun, Sort, Standing, Tally, Wanted
from chronos_py.store import labels
from chronos_py.store.tables import AttemptRow, JobLabelRow, JobRow, RunRow, ScheduleRow

_BEGUN = (RunState.RUNNING, RunState.STARTING)
_RANKS = {standing: rank for rank, standing in enumerate(Standing)}
_IS_LIVE = JobRow.deleted_at.is_(None)


def _has_runs_in(states: Sequence[RunState]) -> ColumnElement[bool]:
    return JobRow.id.in_(select(RunRow.job_id).where(RunRow.state.in_(states)))


def _standing() -> ColumnElement[str]:
    """:func:`chronos_py.model.standing.standing_of` over the jobs."""
    return case(
        (_has_runs_in(_BEGUN), Standing.RUNNING.value),
        (_has_runs_in([RunState.QUEUED]), Standing.QUEUED.value),
        (_has_runs_in([RunState.WAITING_RETRY]), Standing.RETRYING.value),
        (JobRow.disabled, Standing.PAUSED.value),
        (JobRow.last_outcome == "failure", Standing.FAILED.value),
        (JobRow.last_outcome == "success", Standing.SUCCEEDED.value),
        else_=Standing.FRESH.value,
    )


def _is_late(now: datetime) -> ColumnElement[bool]:
    """The planner has not looked at an occurrence, or a run has not got its task, since LATE."""
    due = select(ScheduleRow.job_id).where(ScheduleRow.next_due <= now - LATE)
    waits = select(RunRow.job_id).where(RunRow.state == RunState.QUEUED, RunRow.not_before <= now - LATE)
    return or_(JobRow.id.in_(due), JobRow.id.in_(waits))


def _ran_in(pool: str) -> ColumnElement[bool]:
    return exists(
        select(AttemptRow.id)
        .join(RunRow, RunRow.id == AttemptRow.run_id)
        .where(RunRow.job_id == JobRow.id, AttemptRow.pool == pool)
    )


def _other_conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    """All conditions but those on how a job stands now."""
    found = [_IS_LIVE, *labels.conditions(wanted.labels)]
    if wanted.text:
        found.append(JobRow.search_text.contains(wanted.text.lower(), autoescape=True))
    if wanted.outcome:
        found.append(JobRow.last_outcome == wanted.outcome)
    if wanted.owner:
        found.append(JobRow.owner == wanted.owner)
    if wanted.pool:
        found.append(_ran_in(wanted.pool))
    if wanted.prefix is not None:
        found.append(JobRow.name_prefix == wanted.prefix)
    if wanted.without_label:
        found.append(JobRow.id.not_in(select(JobLabelRow.job_id).where(JobLabelRow.key == wanted.without_label)))
    return found


def _conditions(wanted: Wanted, now: datetime) -> list[ColumnElement[bool]]:
    found = _other_conditions(wanted)
    if wanted.standing is not None:
        found.append(_standing() == wanted.standing.value)
    if wanted.is_late:
        found.append(_is_late(now))
    return found


def count_by_standing(connection: Connection, wanted: Wanted, now: datetime) -> Tally:
    """Count the jobs that fit, however they stand."""
    standing = _standing().label("standing")
    rows = connection.execute(
        select(standing, func.count(), func.sum(case((_is_late(now), 1), else_=0)))
        .select_from(JobRow)
        .where(*_other_conditions(wanted))
        .group_by(standing)
    ).all()
    return Tally({Standing(word): count for word, count, _ in rows}, sum(int(late) for _, _, late in rows))


def count(connection: Connection, wanted: Wanted, now: datetime) -> int:
    return connection.execute(select(func.count()).select_from(JobRow).where(*_conditions(wanted, now))).scalar_one()


def names(
    connection: Connection,
    wanted: Wanted,
    now: datetime,
    sort: Sort = Sort.NAME,
    descending: bool = False,
    offset: int = 0,
    limit: int | None = None,
) -> list[str]:
    """The names of the jobs that fit, in that order; those that have nothing to be sorted by come last."""
    column = _sorted_by(sort)
    order = [column.is_(None), column.desc() if descending else column.asc()]
    statement = (
        select(JobRow.name)
        .outerjoin_from(JobRow, ScheduleRow, ScheduleRow.job_id == JobRow.id)
        .where(*_conditions(wanted, now))
        .order_by(*([order[1]] if sort is Sort.NAME else [*order, JobRow.name]))
        .offset(offset)
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())


def _sorted_by(sort: Sort) -> ColumnElement[Any]:
    ended = JobRow.success_count + JobRow.error_count
    last = case((JobRow.last_outcome == "failure", JobRow.last_error), else_=JobRow.last_success)
    columns: Mapping[Sort, ColumnElement[Any]] = {
        Sort.NAME: JobRow.name.expression,
        Sort.STATE: case(*((_standing() == standing.value, rank) for standing, rank in _RANKS.items())),
        Sort.LAST: last,
        Sort.NEXT: ScheduleRow.next_run.expression,
        Sort.RATE: case((ended > 0, JobRow.success_count * 1.0 / ended), else_=None),
        Sort.OWNER: func.nullif(func.lower(JobRow.owner), ""),
    }
    return columns[sort]


def late_names(connection: Connection, among: Sequence[str], now: datetime) -> set[str]:
    """Which of these jobs are late."""
    return set(
        connection.execute(select(JobRow.name).where(_IS_LIVE, JobRow.name.in_(among), _is_late(now))).scalars()
    )


def count_groups(connection: Connection, wanted: Wanted, now: datetime, key: str) -> dict[str | None, Tally]:
    """Tallies of the jobs that fit, by their value of the label ``key`` (None: they have none), by value.

    With ``key`` "" by the prefix of their names.
    """
    value: ColumnElement[Any] = JobLabelRow.value.expression if key else JobRow.name_prefix.expression
    statement: Select[Any] = select(
        value, _standing().label("standing"), func.count(), func.sum(case((_is_late(now), 1), else_=0))
    ).select_from(JobRow)
    if key:
        statement = statement.outerjoin(JobLabelRow, and_(JobLabelRow.job_id == JobRow.id, JobLabelRow.key == key))
    rows = connection.execute(
        statement.where(*_conditions(wanted, now)).group_by(value, "standing").order_by(value)
    ).all()
    found: dict[str | None, tuple[dict[Standing, int], int]] = {}
    for group, word, number, late in rows:
        counts, before = found.get(group, ({}, 0))
        found[group] = ({**counts, Standing(word): number}, before + int(late))
    return {group: Tally(counts, late) for group, (counts, late) in found.items()}


def last_runs(connection: Connection, job_ids: Sequence[int], most: int) -> dict[int, list[LastRun]]:
    """The last ``most`` runs of each job, newest first; reads no others, however long the histories are."""
    first = (
        select(RunRow.id).where(RunRow.job_id == JobRow.id).order_by(RunRow.id.desc()).limit(1).offset(most - 1)
    ).correlate(JobRow)
    inner = RunRow.__table__.alias("last")
    rows = connection.execute(
        select(inner.c.job_id, inner.c.id, inner.c.state, inner.c.started_at, inner.c.finished_at)
        .join_from(JobRow, inner, inner.c.job_id == JobRow.id)
        .where(JobRow.id.in_(job_ids), inner.c.id >= func.coalesce(first.scalar_subquery(), 0))
        .order_by(inner.c.job_id, inner.c.id.desc())
    )
    found: dict[int, list[LastRun]] = {job_id: [] for job_id in job_ids}
    for job_id, run_id, state, started_at, finished_at in rows:
        found[job_id].append(LastRun(run_id, RunState(state), started_at, finished_at))
    return found


def known_owners(connection: Connection, most: int) -> list[str]:
    """The owners that jobs have, the first so many."""
    statement = select(JobRow.owner).where(_IS_LIVE, JobRow.owner != "").distinct().order_by(JobRow.owner).limit(most)
    return list(connection.execute(statement).scalars())


def known_labels(connection: Connection, most: int) -> list[tuple[str, str]]:
    """The labels that jobs have, those of most jobs first."""
    statement = (
        select(JobLabelRow.key, JobLabelRow.value)
        .group_by(JobLabelRow.key, JobLabelRow.value)
        .order_by(func.count().desc(), JobLabelRow.key, JobLabelRow.value)
        .limit(most)
    )
    return [(key, value) for key, value in connection.execute(statement)]
