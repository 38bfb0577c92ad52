"""Every version of a definition: who wrote it, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from chronos_py.store.tables import JobRevisionRow


@dataclass(frozen=True, slots=True)
class StoredRevision:
    """A version of a job's document. ``note`` says why it came about, where it was no plain edit."""

    number: int
    document: Mapping[str, Any]
    author: str
    note: str
    created_at: datetime


# What the column can hold; no revision has a greater number.
_GREATEST = 2**31 - 1

_COLUMNS = (
    JobRevisionRow.revision,
    JobRevisionRow.document,
    JobRevisionRow.author,
    JobRevisionRow.note,
    JobRevisionRow.created_at,
)


def _revision(row: Row[Any]) -> StoredRevision:
    return StoredRevision(row.revision, row.document, row.author, row.note, row.created_at)


def list_revisions(connection: Connection, job_id: int, before: int | None, limit: int) -> list[StoredRevision]:
    """Revisions of a job, newest first, those before ``before``."""
    statement = select(*_COLUMNS).where(JobRevisionRow.job_id == job_id)
    if before is not None:
        statement = statement.where(JobRevisionRow.revision < min(before, _GREATEST))
    rows = connection.execute(statement.order_by(JobRevisionRow.revision.desc()).limit(limit))
    return [_revision(row) for row in rows]


def find_revision(connection: Connection, job_id: int, number: int) -> StoredRevision | None:
    if number > _GREATEST:
        return None
    statement = select(*_COLUMNS).where(JobRevisionRow.job_id == job_id, JobRevisionRow.revision == number)
    row = connection.execute(statement).one_or_none()
    return None if row is None else _revision(row)


def pause_began(connection: Connection, job_id: int, number: int) -> StoredRevision | None:
    """The revision that paused a job which is still paused in revision ``number``; None: it is not."""
    of_job = (JobRevisionRow.job_id == job_id, JobRevisionRow.revision <= number)
    is_paused = func.coalesce(JobRevisionRow.document["disabled"].as_boolean(), False)
    last_active = select(func.coalesce(func.max(JobRevisionRow.revision), 0)).where(*of_job, ~is_paused)
    statement = select(*_COLUMNS).where(*of_job, JobRevisionRow.revision > last_active.scalar_subquery())
    row = connection.execute(statement.order_by(JobRevisionRow.revision).limit(1)).one_or_none()
    return None if row is None else _revision(row)
