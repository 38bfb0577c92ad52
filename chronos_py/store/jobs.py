"""Jobs, their revisions and schedules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, case, delete, exists, func, insert, select, update
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import ColumnElement

from chronos_py.model.constraints import placement_of
from chronos_py.model.document import read_stored_definition
from chronos_py.model.job import Counters, Definition, Job, last_outcome
from chronos_py.model.labels import Labels
from chronos_py.model.run import FINAL_RUN_STATES
from chronos_py.model.standing import name_prefix, search_text
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
_NO_REPETITIONS = re.compile("R0+/")

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
        counters=_counters(row),
        created_at=row.created_at,
        updated_at=row.updated_at,
        next_run=row.next_run,
        repetitions_left=row.repetitions_left,
        anchored_at=row.defined_at,
    )


def find_job(connection: Connection, name: str, lock: bool = False) -> Job | None:
    """The job of that name. ``lock`` keeps it from being changed by others until the end of the transaction.

    Others may still insert runs of it: the planner holds its schedule, which who changes a job wants next.
    """
    statement = _live_jobs().where(JobRow.name == name)
    if lock:
        statement = statement.with_for_update(of=JobRow, key_share=True)
    row = connection.execute(statement).one_or_none()
    return None if row is None else _job(row)


def find_jobs(connection: Connection, names: Sequence[str], lock: bool = False) -> dict[str, Job]:
    """The jobs of those names that exist, by name. ``lock`` is that of :func:`find_job`, in the order of ids."""
    statement = _live_jobs().where(JobRow.name.in_(names))
    if lock:
        statement = statement.order_by(JobRow.id).with_for_update(of=JobRow, key_share=True)
    return {job.name: job for job in map(_job, connection.execute(statement))}


def stored_revisions(connection: Connection, names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """The ids and revisions of those jobs that exist, by name."""
    rows = connection.execute(
        select(JobRow.name, JobRow.id, JobRow.revision).where(JobRow.name.in_(names), JobRow.deleted_at.is_(None))
    )
    return {row.name: (row.id, row.revision) for row in rows}


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


def job_names(connection: Connection) -> list[str]:
    """The names of all jobs, in order."""
    names = select(JobRow.name).where(JobRow.deleted_at.is_(None)).order_by(JobRow.name)
    return list(connection.execute(names).scalars())


def count_jobs(connection: Connection) -> int:
    statement = select(func.count()).select_from(JobRow).where(JobRow.deleted_at.is_(None))
    return connection.execute(statement).scalar_one()


@dataclass(frozen=True, slots=True)
class CountedJob:
    """What is counted about a job, without its definition."""

    id: int
    name: str
    disabled: bool
    next_run: datetime | None
    counters: Counters


def counted_jobs(connection: Connection) -> list[CountedJob]:
    """Every live job, by name."""
    rows = connection.execute(
        select(
            JobRow.id,
            JobRow.name,
            JobRow.disabled,
            ScheduleRow.next_run,
            JobRow.success_count,
            JobRow.error_count,
            JobRow.errors_since_last_success,
            JobRow.last_success,
            JobRow.last_error,
        )
        .outerjoin_from(JobRow, ScheduleRow, ScheduleRow.job_id == JobRow.id)
        .where(JobRow.deleted_at.is_(None))
        .order_by(JobRow.name)
    )
    return [CountedJob(row.id, row.name, row.disabled, row.next_run, _counters(row)) for row in rows]


def _counters(row: Any) -> Counters:
    return Counters(
        success_count=row.success_count,
        error_count=row.error_count,
        errors_since_last_success=row.errors_since_last_success,
        last_success=row.last_success,
        last_error=row.last_error,
    )


def _stored_columns(definition: Definition, document: Mapping[str, Any]) -> dict[str, Any]:
    """The document, and what of it queries need as columns."""
    return {
        "name": definition.name,
        "document": dict(document),
        "disabled": definition.disabled,
        "overlap": definition.overlap.value,
        "max_concurrent": definition.concurrency.most,
        "placement": placement_of(definition.constraints),
        "owner": definition.owner,
        "name_prefix": name_prefix(definition.name),
        "search_text": search_text(definition.name, definition.command, definition.description, definition.owner),
    }


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job before it is there. ``counters`` are those that it brings from elsewhere."""

    definition: Definition
    document: Mapping[str, Any]
    counters: Counters = field(default_factory=Counters)


def insert_jobs(
    connection: Connection, new: Sequence[NewJob], author: str, now: datetime, note: str = ""
) -> dict[str, int]:
    """New jobs at revision 1; their ids by name. Raises IntegrityError when a name was taken meanwhile."""
    if not new:
        return {}
    rows = [
        {
            "revision": 1,
            "created_at": now,
            "updated_at": now,
            **_stored_columns(each.definition, each.document),
            **_counter_columns(each.counters),
        }
        for each in new
    ]
    found = connection.execute(insert(JobRow).returning(JobRow.name, JobRow.id), rows)
    ids = {row.name: row.id for row in found}
    _insert_revisions(connection, [(ids[each.definition.name], 1, each.document) for each in new], author, now, note)
    labels.add_labels(connection, {ids[each.definition.name]: each.definition.labels for each in new})
    return ids


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
    _insert_revisions(connection, [(job.id, revision, document)], author, now, note)
    if definition.labels != job.definition.labels:
        labels.set_labels(connection, job.id, definition.labels)


def _insert_revisions(
    connection: Connection,
    revisions: Sequence[tuple[int, int, Mapping[str, Any]]],
    author: str,
    now: datetime,
    note: str = "",
) -> None:
    """Versions of jobs: of which job, their numbers and documents."""
    connection.execute(
        insert(JobRevisionRow),
        [
            {
                "job_id": job_id,
                "revision": revision,
                "document": dict(document),
                "author": author,
                "note": note,
                "created_at": now,
            }
            for job_id, revision, document in revisions
        ],
    )


def set_counters(connection: Connection, job_id: int, counters: Counters) -> None:
    """Overwrite what is counted about a job (a Chronos client may bring its old counters)."""
    connection.execute(update(JobRow).where(JobRow.id == job_id).values(**_counter_columns(counters)))


def _counter_columns(counters: Counters) -> dict[str, Any]:
    return {
        "success_count": counters.success_count,
        "error_count": counters.error_count,
        "errors_since_last_success": counters.errors_since_last_success,
        "last_success": counters.last_success,
        "last_error": counters.last_error,
        "last_outcome": last_outcome(counters),
    }


def count_success(connection: Connection, job_id: int, now: datetime) -> None:
    connection.execute(
        update(JobRow)
        .where(JobRow.id == job_id)
        .values(
            success_count=JobRow.success_count + 1,
            errors_since_last_success=0,
            last_success=now,
            last_outcome=case((JobRow.last_error >= now, "failure"), else_="success"),
        )
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
            last_outcome=case((JobRow.last_success > now, "success"), else_="failure"),
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
    """Disable a job whose schedule has no repetitions left and of which nothing runs any more.

    One that never had any (``R0/...``) is only run by hand, and stays as it is.
    """
    unfinished = exists().where(RunRow.job_id == job_id, RunRow.state.not_in(sorted(FINAL_RUN_STATES)))
    exhausted = connection.execute(
        select(ScheduleRow.expression).where(
            ScheduleRow.job_id == job_id, ScheduleRow.repetitions_left == 0, ~unfinished
        )
    ).first()
    if exhausted is None or _NO_REPETITIONS.match(exhausted.expression):
        return False
    return disable(connection, job_id, EXHAUSTED, now)


def disable(connection: Connection, job_id: int, author: str, now: datetime) -> bool:
    """Disable a job by a revision of its own; False when it is disabled, or deleted, already."""
    # It may be edited in this moment: then the revision after that one.
    connection.execute(select(JobRow.id).where(JobRow.id == job_id).with_for_update(key_share=True))
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
    _insert_revisions(connection, [(job_id, revision, document)], author, now)
    return True


def mark_deleted(connection: Connection, job_id: int, now: datetime) -> None:
    """Take the job out of every listing; its runs stay readable."""
    connection.execute(delete(ScheduleRow).where(ScheduleRow.job_id == job_id))
    connection.execute(delete(JobCalendarRow).where(JobCalendarRow.job_id == job_id))
    connection.execute(delete(JobLimitRow).where(JobLimitRow.job_id == job_id))
    connection.execute(delete(JobLabelRow).where(JobLabelRow.job_id == job_id))
    connection.execute(delete(EdgeRow).where((EdgeRow.parent_id == job_id) | (EdgeRow.child_id == job_id)))
    connection.execute(update(JobRow).where(JobRow.id == job_id).values(deleted_at=now))


def deleted_document(connection: Connection, name: str) -> tuple[dict[str, Any], datetime] | None:
    """The document that the last deleted job of that name had, and when it was deleted; None where there was none."""
    row = connection.execute(
        select(JobRow.document, JobRow.deleted_at)
        .where(JobRow.name == name, JobRow.deleted_at.is_not(None))
        .order_by(JobRow.deleted_at.desc(), JobRow.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def changed_only_at(connection: Connection, moment: datetime) -> dict[str, dict[str, Any]]:
    """The jobs that were changed just then and not since: by name, the document that each had before."""
    now, before = aliased(JobRevisionRow), aliased(JobRevisionRow)
    rows = connection.execute(
        select(JobRow.name, before.document)
        .join(now, and_(now.job_id == JobRow.id, now.revision == JobRow.revision))
        .join(before, and_(before.job_id == JobRow.id, before.revision == JobRow.revision - 1))
        .where(JobRow.deleted_at.is_(None), JobRow.updated_at == moment, now.created_at == moment)
        .order_by(JobRow.name)
    )
    return {row[0]: row[1] for row in rows}


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
