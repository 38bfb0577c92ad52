"""A row in every table of a schema that we know only by looking at it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Connection, DateTime, Float, Integer, MetaData, Table, insert, select

# What must mean something to the program; the rest is made up by type.
KNOWN: dict[str, Any] = {
    "document": {"name": "sample", "command": "true"},
    "name": "sample",
    "overlap": "allow",
    "trigger": "manual",
    "state": "succeeded",
    "reason": "",
    "kill_reason": "",
    "deleted_at": None,
}

Rows = dict[str, dict[str, Any]]


def _made_up(column: Column[Any]) -> Any:
    if column.name in KNOWN:
        return KNOWN[column.name]
    kind = column.type
    if isinstance(kind, JSON):
        return {"made": "up"}
    if isinstance(kind, Boolean):
        return True
    if isinstance(kind, Integer | Float):
        return 1
    if isinstance(kind, DateTime):
        return datetime(2026, 6, 1, 9, 30)
    return column.name[: getattr(kind, "length", None)]


def _tables(connection: Connection) -> list[Table]:
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != "alembic_version"]


def fill(connection: Connection) -> None:
    """Insert one row into every table that has none, the referred ones first; every id is 1."""
    for table in _tables(connection):
        if connection.execute(select(table)).first() is not None:
            continue
        connection.execute(insert(table).values({column.name: _made_up(column) for column in table.columns}))


def contents(connection: Connection) -> Rows:
    """The one row of every table that has one."""
    rows = {table.name: connection.execute(select(table)).mappings().one_or_none() for table in _tables(connection)}
    return {name: dict(row) for name, row in rows.items() if row is not None}
