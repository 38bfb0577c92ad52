"""Runs by what people look for: of a job's name, a trigger, a time, a wave; and the tries of many of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select

from chronos_py.model.run import Attempt, Run, RunState, Trigger
from chronos_py.store.attempts import attempt_of, select_attempts
from chronos_py.store.runs import run_of, select_runs
from chronos_py.store.tables import AttemptRow, JobRevisionRow, JobRow, RunRow


@dataclass(frozen=True, slots=True)
class RunQuery:
    """What runs to find. Empty or None: any. ``since`` (inclusive) and ``until`` are about the time of creation.

    ``job`` is a part of the job's name, in any case; ``job_id`` a job.
    """

    states: Collection[RunState] = ()
    triggers: Collection[Trigger] = ()
    job: str = ""
    job_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


def find_runs(connection: Connection, query: RunQuery, before: int | None, limit: int) -> list[Run]:
    """Runs, newest first, those with an id below ``before``."""
    statement = select_runs().order_by(RunRow.id.desc()).limit(limit)
    if query.states:
        statement = statement.where(RunRow.state.in_(sorted(query.states)))
    if query.triggers:
        statement = statement.where(RunRow.trigger.in_(sorted(query.triggers)))
    if query.job_id is not None:
        statement = statement.where(RunRow.job_id == query.job_id)
    if query.job:
        named = select(JobRow.id).where(func.lower(JobRow.name).contains(query.job.lower(), autoescape=True))
        statement = statement.where(RunRow.job_id.in_(named))
    if query.since is not None:
        statement = statement.where(RunRow.created_at >= query.since)
    if query.until is not None:
        statement = statement.where(RunRow.created_at < query.until)
    if before is not None:
        statement = statement.where(RunRow.id < before)
    return [run_of(row) for row in connection.execute(statement)]


def wave_of(connection: Connection, root_run_id: int, limit: int) -> list[Run]:
    """The runs of a wave, oldest first."""
    in_wave = or_(RunRow.id == root_run_id, RunRow.root_run_id == root_run_id)
    statement = select_runs().where(in_wave).order_by(RunRow.id).limit(limit)
    return [run_of(row) for row in connection.execute(statement)]


def attempts_of_runs(connection: Connection, run_ids: Sequence[int]) -> dict[int, list[Attempt]]:
    """The attempts of each of these runs, first to last."""
    found: dict[int, list[Attempt]] = {run_id: [] for run_id in run_ids}
    statement = select_attempts().where(AttemptRow.run_id.in_(run_ids)).order_by(AttemptRow.id)
    for row in connection.execute(statement):
        found[row.run_id].append(attempt_of(row))
    return found


def document_of(connection: Connection, job_id: int, revision: int) -> dict[str, Any]:
    """A version of a job's document, also of a deleted job's."""
    statement = select(JobRevisionRow.document).where(
        JobRevisionRow.job_id == job_id, JobRevisionRow.revision == revision
    )
    document: dict[str, Any] = connection.execute(statement).scalar_one()
    return document


def deleted_jobs(connection: Connection, job_ids: Collection[int]) -> frozenset[int]:
    """Which of these jobs are deleted."""
    statement = select(JobRow.id).where(JobRow.id.in_(job_ids), JobRow.deleted_at.is_not(None))
    return frozenset(connection.execute(statement).scalars())
