"""Jobs, their revisions and schedules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, exists, func, insert, select, update
from sqlalchemy.sql.elements import ColumnElement

from chronos_py.model.document import read_stored_definition
from chronos_py.model.job import Counters, Definition, Job
from chronos_py.model.labels import Labels
from chronos_py.model.run import FINAL_RUN_STATES
from chronos_py.store import labels
from chronos_py.store.tables import (
    EdgeRow,
    JobCalendarRow,
    JobLabelRow,
    JobLimitRow,
    JobRevisionRow,
    JobRow,
    RunRow,
    ScheduleRow,
)

# Who pauses a job whose schedule has come to its end.
EXHAUSTED = "chronos: the schedule is exhausted"

_COLUMNS = (
    JobRow.id,
    JobRow.revision,
    JobRow.document,
    JobRow.success_count,
    JobRow.error_count,
    JobRow.errors_since_last_success,
    JobRow.last_success,
    JobRow.last_error,
    JobRow.created_at,
    JobRow.updated_at,
    ScheduleRow.next_run,
    ScheduleRow.repetitions_left,
    ScheduleRow.defined_at,
)


def _live_jobs() -> Select[Any]:
    return (
        select(*_COLUMNS)
        .outerjoin_from(JobRow, ScheduleRow, ScheduleRow.job_id == JobRow.id)
        .where(JobRow.deleted_at.is_(None))
    )


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        revision=row.revision,
        document=row.document,
        definition=read_stored_definition(row.document),
        counters=Counters(
            success_count=row.success_count,
            error_count=row.error_count,
            errors_since_last_success=row.errors_since_last_success,
            last_success=row.last_success,
            last_error=row.last_error,
        ),
        created_at=row.created_at,
        updated_at=row.updated_at,
        next_run=row.next_run,
        repetitions_left=row.repetitions_left,
        anchored_at=row.defined_at,
    )


def find_job(connection: Connection, name: str, lock: bool = False) -> Job | None:
    """The job of that name. ``lock`` keeps it from being changed by others until the end of the transaction."""
    statement = _live_jobs().where(JobRow.name == name)
    if lock:
        statement = statement.with_for_update(of=JobRow)
    row = connection.execute(statement).one_or_none()
    return None if row is None else _job(row)


def find_jobs(connection: Connection, names: Sequence[str], lock: bool = False) -> dict[str, Job]:
    """The jobs of those names that exist, by name. ``lock`` is that of :func:`find_job`, in the order of ids."""
    statement = _live_jobs().where(JobRow.name.in_(names))
    rows = connection.execute(statement.order_by(JobRow.id).with_for_update(of=JobRow) if lock else statement)
    return {job.name: job for job in map(_job, rows)}


def list_jobs(
    connection: Connection,
    text: str = "",
    disabled: bool | None = None,
    after: str = "",
    limit: int | None = None,
    wanted: Labels = (),
) -> list[Job]:
    """Jobs by name, those after ``after``. ``text``: a part of the name or the command, any case.

    ``wanted``: they have all of these labels.
    """
    statement = _live_jobs().order_by(JobRow.name)
    if text:
        statement = statement.where(
            _contains(JobRow.name, text) | _contains(JobRow.document["command"].as_string(), text)
        )
    if disabled is not None:
        statement = statement.where(JobRow.disabled == disabled)
    for condition in labels.conditions(wanted):
        statement = statement.where(condition)
    if after:
        statement = statement.where(JobRow.name > after)
    if limit is not None:
        statement = statement.limit(limit)
    return [_job(row) for row in connection.execute(statement)]


def _contains(column: Any, text: str) -> ColumnElement[bool]:
    return func.lower(column).contains(text.lower(), autoescape=True)


def count_jobs(connection: Connection) -> int:
    statement = select(func.count()).select_from(JobRow).where(JobRow.deleted_at.is_(None))
    return connection.execute(statement).scalar_one()


def _stored_columns(definition: Definition, document: Mapping[str, Any]) -> dict[str, Any]:
    """The document, and what of it queries need as columns."""
    return {
        "name": definition.name,
        "document": dict(document),
        "disabled": definition.disabled,
        "overlap": definition.overlap.value,
        "max_concurrent": definition.concurrency.most,
    }


def insert_job(
    connection: Connection,
    definition: Definition,
    document: Mapping[str, Any],
    author: str,
    now: datetime,
    note: str = "",
) -> int:
    """A new job at revision 1; its id. Raises IntegrityError when the name was taken meanwhile."""
    job_id = connection.execute(
        insert(JobRow)
        .values(revision=1, created_at=now, updated_at=now, **_stored_columns(definition, document))
        .returning(JobRow.id)
    ).scalar_one()
    _insert_revision(connection, job_id, 1, document, author, now, note)
    labels.set_labels(connection, job_id, definition.labels)
    return job_id


def update_job(
    connection: Connection,
    job: Job,
    definition: Definition,
    document: Mapping[str, Any],
    author: str,
    now: datetime,
    note: str = "",
) -> None:
    """The next revision of a job that the transaction has locked; ``note`` says why, where it is no plain edit."""
    revision = job.revision + 1
    connection.execute(
        update(JobRow)
        .where(JobRow.id == job.id)
        .values(revision=revision, updated_at=now, **_stored_columns(definition, document))
    )
    _insert_revision(connection, job.id, revision, document, author, now, note)
    if definition.labels != job.definition.labels:
        labels.set_labels(connection, job.id, definition.labels)


def _insert_revision(
    connection: Connection,
    job_id: int,
    revision: int,
    document: Mapping[str, Any],
    author: str,
    now: datetime,
    note: str = "",
) -> None:
    connection.execute(
        insert(JobRevisionRow).values(
            job_id=job_id, revision=revision, document=dict(document), author=author, note=note, created_at=now
        )
    )


def set_counters(connection: Connection, job_id: int, counters: Counters) -> None:
    """Overwrite what is counted about a job (a Chronos client may bring its old counters)."""
    connection.execute(
        update(JobRow)
        .where(JobRow.id == job_id)
        .values(
            success_count=counters.success_count,
            error_count=counters.error_count,
            errors_since_last_success=counters.errors_since_last_success,
            last_success=counters.last_success,
            last_error=counters.last_error,
        )
    )


def count_success(connection: Connection, job_id: int, now: datetime) -> None:
    connection.execute(
        update(JobRow)
        .where(JobRow.id == job_id)
        .values(success_count=JobRow.success_count + 1, errors_since_last_success=0, last_success=now)
    )


def count_error(connection: Connection, job_id: int, now: datetime) -> int:
    """Count a run that failed for good; how many have in a row."""
    return connection.execute(
        update(JobRow)
        .where(JobRow.id == job_id)
        .values(
            error_count=JobRow.error_count + 1,
            errors_since_last_success=JobRow.errors_since_last_success + 1,
            last_error=now,
        )
        .returning(JobRow.errors_since_last_success)
    ).scalar_one()


@dataclass(frozen=True, slots=True)
class CurrentDefinition:
    """A job's definition and its revision, by job id. ``deleted``: the job is gone."""

    revision: int
    definition: Definition
    document: Mapping[str, Any]
    deleted: bool


def current_definitions(connection: Connection, job_ids: Iterable[int]) -> dict[int, CurrentDefinition]:
    """The present definitions of these jobs, deleted ones included."""
    rows = connection.execute(
        select(JobRow.id, JobRow.revision, JobRow.document, JobRow.deleted_at).where(JobRow.id.in_(list(job_ids)))
    )
    return {
        row.id: CurrentDefinition(
            row.revision, read_stored_definition(row.document), row.document, row.deleted_at is not None
        )
        for row in rows
    }


def disable_exhausted(connection: Connection, job_id: int, now: datetime) -> bool:
    """Disable a job whose schedule has no repetitions left and of which nothing runs any more."""
    unfinished = exists().where(RunRow.job_id == job_id, RunRow.state.not_in(sorted(FINAL_RUN_STATES)))
    exhausted = connection.execute(
        select(ScheduleRow.job_id).where(ScheduleRow.job_id == job_id, ScheduleRow.repetitions_left == 0, ~unfinished)
    ).first()
    if exhausted is None:
        return False
    return disable(connection, job_id, EXHAUSTED, now)


def disable(connection: Connection, job_id: int, author: str, now: datetime) -> bool:
    """Disable a job by a revision of its own; False when it is disabled, or deleted, already."""
    current = current_definitions(connection, [job_id])[job_id]
    if current.definition.disabled or current.deleted:
        return False
    document = {**current.document, "disabled": True}
    revision = current.revision + 1
    connection.execute(
        update(JobRow)
        .where(JobRow.id == job_id)
        .values(revision=revision, updated_at=now, disabled=True, document=document)
    )
    connection.execute(update(ScheduleRow).where(ScheduleRow.job_id == job_id).values(next_due=None, next_run=None))
    _insert_revision(connection, job_id, revision, document, author, now)
    return True


def mark_deleted(connection: Connection, job_id: int, now: datetime) -> None:
    """Take the job out of every listing; its runs stay readable."""
    connection.execute(delete(ScheduleRow).where(ScheduleRow.job_id == job_id))
    connection.execute(delete(JobCalendarRow).where(JobCalendarRow.job_id == job_id))
    connection.execute(delete(JobLimitRow).where(JobLimitRow.job_id == job_id))
    connection.execute(delete(JobLabelRow).where(JobLabelRow.job_id == job_id))
    connection.execute(delete(EdgeRow).where((EdgeRow.parent_id == job_id) | (EdgeRow.child_id == job_id)))
    connection.execute(update(JobRow).where(JobRow.id == job_id).values(deleted_at=now))


def last_states(connection: Connection, job_ids: Sequence[int], count: int) -> dict[int, list[tuple[int, str]]]:
    """The last ``count`` runs of each job as ``(run id, state)``, newest first."""
    ranked = (
        select(
            RunRow.job_id,
            RunRow.id,
            RunRow.state,
            func.row_number().over(partition_by=RunRow.job_id, order_by=RunRow.id.desc()).label("rank"),
        )
        .where(RunRow.job_id.in_(job_ids))
        .subquery()
    )
    states: dict[int, list[tuple[int, str]]] = {job_id: [] for job_id in job_ids}
    rows = connection.execute(
        select(ranked.c.job_id, ranked.c.id, ranked.c.state)
        .where(ranked.c.rank <= count)
        .order_by(ranked.c.job_id, ranked.c.rank)
    )
    for job_id, run_id, state in rows:
        states[job_id].append((run_id, state))
    return states
