"""The few texts that a pool keeps for all nodes of a cluster."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from chronos_py.store.database import Database
from chronos_py.store.tables import PoolStateRow


class PoolStateStore:
    """Texts by keys. ``get`` and ``set`` raise DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> str:
        """The text, "" when there is none."""
        with self._database.read() as connection:
            return connection.execute(select(PoolStateRow.value).where(PoolStateRow.key == key)).scalar() or ""

    def set(self, key: str, value: str) -> None:
        """Keep a text; "" forgets it."""
        with self._database.write() as connection:
            if not value:
                connection.execute(delete(PoolStateRow).where(PoolStateRow.key == key))
                return
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            statement = dialect.insert(PoolStateRow).values(key=key, value=value)
            connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_={"value": value}))
