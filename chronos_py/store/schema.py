"""Bringing a database to this version, beside nodes of an older one, and refusing one that is too far ahead.

Every migration says in ``works_with`` the oldest revision whose program may go on working after it. What that comes
to is written into the database, for an older program does not have the newer migrations.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, delete, insert, inspect, select, text
from sqlalchemy.exc import OperationalError

from chronos_py.errors import ConfigurationError
from chronos_py.store.database import Database
from chronos_py.store.nodes import PresentNode, present_nodes
from chronos_py.store.tables import CompatibilityRow

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
# Any number will do, as long as all nodes use the same: two that start at once migrate one after the other.
_ADVISORY_LOCK = 4400_2015
# All who want a table queue up behind a migration that waits for it: it gives up before a lease runs out.
_LOCK_SECONDS = 3


def _configuration(connection: Connection | None = None) -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    configuration.attributes["connection"] = connection
    return configuration


class _Line:
    """The revisions that this version of the program knows, the oldest first, and what works with each."""

    def __init__(self, folder: Path) -> None:
        scripts = list(ScriptDirectory(str(folder)).walk_revisions())[::-1]
        self.revisions = [script.revision for script in scripts]
        self._places = {revision: place for place, revision in enumerate(self.revisions)}
        self._works_with = [getattr(script.module, "works_with", script.revision) for script in scripts]

    def knows(self, revision: str) -> bool:
        return revision in self._places

    def oldest_for(self, revision: str) -> str:
        """The oldest revision whose program works with a schema at ``revision``."""
        declared = self._works_with[: self._places[revision] + 1]
        return max(declared, key=self._places.__getitem__)

    def is_older(self, revision: str, other: str) -> bool:
        """Whether ``revision`` comes before ``other``; one that this program does not know comes after all."""
        return self._places.get(revision, len(self.revisions)) < self._places[other]


@lru_cache
def _line(folder: Path) -> _Line:
    return _Line(folder)


def newest_revision() -> str:
    """The revision that this version of the program works with."""
    return _line(MIGRATIONS).revisions[-1]


def current_revision(connection: Connection) -> str:
    """The revision that the database is at, "" for one without tables."""
    return MigrationContext.configure(connection).get_current_revision() or ""


def upgrade(database: Database, revision: str = "head") -> str:
    """Migrate to ``revision`` in one transaction; the revision that it is at then.

    A database that a newer version has migrated is left as it is. Raises ConfigurationError where this version cannot
    work with that, or where nodes that are there could not work any more after the migration.
    """
    with database.write() as connection:
        if database.dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        current = current_revision(connection)
        refusal = misfit(connection)
        if refusal is not None:
            raise ConfigurationError(f"The database {database.shown_url} is {refusal}")
        line = _line(MIGRATIONS)
        target = newest_revision() if revision == "head" else revision
        if current and not line.is_older(current, target):
            return current
        if current:
            _refuse_over_older_nodes(connection, line, current, target)
        _migrate(database, connection, target)
        return target


def misfit(connection: Connection) -> str | None:
    """Why this version cannot work with the schema, as the end of a sentence; None when it can."""
    line, current = _line(MIGRATIONS), current_revision(connection)
    if not current or line.knows(current):
        return None
    works_with = ""
    if inspect(connection).has_table(CompatibilityRow.__tablename__):
        works_with = connection.execute(select(CompatibilityRow.works_with)).scalar() or ""
    if line.knows(works_with):
        return None
    return (
        f"at schema revision {current}, which is newer than this version of chronos can work with (it knows up to"
        f" {newest_revision()}); start a newer version, or use another database."
    )


def _refuse_over_older_nodes(connection: Connection, line: _Line, current: str, target: str) -> None:
    oldest = line.oldest_for(target)
    for node in present_nodes(connection):
        if line.is_older(node.schema_revision or current, oldest):
            raise ConfigurationError(_in_the_way(node, target))


def _in_the_way(node: PresentNode, target: str) -> str:
    return (
        f"The node at {node.address} runs version {node.version}, which could not work any more once the database is"
        f" migrated to {target}; stop it first (one that was killed counts as there for half a minute), or upgrade by"
        " way of the version in between."
    )


def _migrate(database: Database, connection: Connection, target: str) -> None:
    if database.dialect == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
    try:
        command.upgrade(_configuration(connection), target)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != "55P03":  # lock_not_available
            raise
        raise ConfigurationError(
            f"The database {database.shown_url} cannot be migrated to {target} now: another transaction, such as a"
            " backup, uses a table; start again when it is over."
        ) from error
    if inspect(connection).has_table(CompatibilityRow.__tablename__):
        connection.execute(delete(CompatibilityRow))
        connection.execute(insert(CompatibilityRow).values(id=1, works_with=_line(MIGRATIONS).oldest_for(target)))
