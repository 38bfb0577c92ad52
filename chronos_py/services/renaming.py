"""Give a job another name: its history, its edges and all that is counted about it stay."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from chronos_py.errors import Conflict
from chronos_py.model.document import read_definition
from chronos_py.model.job import Job
from chronos_py.model.reader import shown
from chronos_py.services.scheduling import schedule_job
from chronos_py.store import chains, jobs


def rename_job(connection: Connection, job: Job, name: str, author: str, now: datetime) -> Job:
    """The job under its new name, in a transaction that has locked the definitions and the job.

    The jobs that run after it name it anew, each in a revision that says why. H in a cron expression and jitter are
    drawn from the name, so they change with it. Raises Conflict when the name is taken.
    """
    if jobs.find_job(connection, name) is not None:
        raise Conflict(
            f"Job {shown(name)} exists already, so {shown(job.name)} cannot be renamed to it; choose another name."
        )
    document = {**job.document, "name": name}
    definition = read_definition(document)
    jobs.update_job(connection, job, definition, document, author, now, f"renamed from {job.name}")
    schedule_job(connection, job.id, definition, job, now)
    for child in chains.children_of(connection, job.id):
        _name_parent_anew(connection, child, job.name, name, author, now)
    renamed = jobs.find_job(connection, name, lock=True)
    assert renamed is not None
    return renamed


def _name_parent_anew(connection: Connection, child: str, old: str, new: str, author: str, now: datetime) -> None:
    job = jobs.find_job(connection, child, lock=True)
    assert job is not None
    parents = [new if parent == old else parent for parent in job.definition.parents]
    document = {**job.document, "parents": parents}
    note = f"its parent {old} was renamed to {new}"
    jobs.update_job(connection, job, read_definition(document), document, author, now, note)
