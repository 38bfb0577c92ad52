"""Take back that a job was deleted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from chronos_py.errors import Conflict, InvalidDefinition, NotFound
from chronos_py.model.document import read_definition
from chronos_py.model.reader import shown
from chronos_py.services.application import Application
from chronos_py.services.jobs import require_job, save_job, store_definition
from chronos_py.store import chains, jobs


def restore_job(app: Application, name: str, author: str = "") -> list[str]:
    """Create a deleted job again with the last document it had; a new job of that name, with a history of its own.

    The jobs that ran after it do so again, unless somebody changed them since; the answer names them. Raises NotFound
    where no such job was deleted, Conflict where the name is taken, InvalidDefinition where something that the
    document names, such as a parent, is gone too.
    """
    with app.database.read() as connection:
        if jobs.find_job(connection, name) is not None:
            raise Conflict(f"Job {shown(name)} exists already; the deleted one cannot come back under its name.")
        deleted = jobs.deleted_document(connection, name)
    if deleted is None:
        raise NotFound(f"No deleted job {shown(name)} was found.")
    document, deleted_at = deleted
    save_job(app, document, author, 0, note="restored after it was deleted")
    with app.database.write() as connection:
        chains.lock_definitions(connection)
        names = _attach(connection, name, deleted_at, author, app.clock.now())
    app.wake.all()
    return names


def _attach(connection: Connection, name: str, deleted_at: datetime, author: str, now: datetime) -> list[str]:
    """Give the jobs that lost their parent ``name`` at that time the document back that they had."""
    attached = []
    for child_name, document in jobs.changed_only_at(connection, deleted_at).items():
        if name not in document.get("parents", ()):
            continue
        child = require_job(connection, child_name, lock=True)
        note = f"runs after {name} again, which was restored"
        try:
            store_definition(connection, child, read_definition(document), document, author, now, note)
        except InvalidDefinition:  # another thing that it names is gone meanwhile: it stays as it is
            continue
        attached.append(child_name)
    return attached
