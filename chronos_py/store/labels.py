"""Labels of jobs, beside their documents, so that both databases can find jobs by them."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.sql.elements import ColumnElement

from chronos_py.model.labels import Labels
from chronos_py.store.tables import JobLabelRow, JobRow


def set_labels(connection: Connection, job_id: int, labels: Mapping[str, str]) -> None:
    """Replace the labels of a job."""
    connection.execute(delete(JobLabelRow).where(JobLabelRow.job_id == job_id))
    add_labels(connection, {job_id: labels})


def add_labels(connection: Connection, labels: Mapping[int, Mapping[str, str]]) -> None:
    """The labels of jobs that have none yet, by job id."""
    rows = [
        {"job_id": job_id, "key": key, "value": value}
        for job_id, of_job in labels.items()
        for key, value in of_job.items()
    ]
    if rows:
        connection.execute(insert(JobLabelRow), rows)


def conditions(wanted: Labels) -> list[ColumnElement[bool]]:
    """What holds for the rows of jobs that have all of these labels."""
    return [_has(key, value) for key, value in wanted]


def _has(key: str, value: str | None) -> ColumnElement[bool]:
    statement = select(JobLabelRow.job_id).where(JobLabelRow.key == key)
    if value is not None:
        statement = statement.where(JobLabelRow.value == value)
    return JobRow.id.in_(statement)
