"""Bringing a database to this version, and refusing one that is ahead of it."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from chronos_py.errors import ConfigurationError
from chronos_py.store.database import Database

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
# Any number will do, as long as all nodes use the same: two that start at once migrate one after the other.
_ADVISORY_LOCK = 4400_2015


def _configuration(connection: Connection | None = None) -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    configuration.attributes["connection"] = connection
    return configuration


def newest_revision() -> str:
    """The revision that this version of the program works with."""
    head = ScriptDirectory.from_config(_configuration()).get_current_head()
    assert head is not None
    return head


def upgrade(database: Database, revision: str = "head") -> str:
    """Migrate to ``revision`` in one transaction; the revision that it is at then.

    Raises ConfigurationError for a database that a newer version has migrated.
    """
    with database.write() as connection:
        if database.dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        _refuse_newer(database, connection)
        command.upgrade(_configuration(connection), revision)
        return MigrationContext.configure(connection).get_current_revision() or ""


def _refuse_newer(database: Database, connection: Connection) -> None:
    current = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(_configuration()).walk_revisions()}
    if current is not None and current not in known:
        raise ConfigurationError(
            f"The database {database.shown_url} is at schema revision {current}, which is newer than this"
            f" version of chronos (it knows up to {newest_revision()}); start that version, or use another database."
        )
