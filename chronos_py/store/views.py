"""Views of the list of jobs that people keep by name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from chronos_py.store.tables import SavedViewRow


@dataclass(frozen=True, slots=True)
class SavedView:
    """A name, and the query of an address. ``updated_at`` is aware UTC."""

    name: str
    query: str
    author: str
    updated_at: datetime


def list_views(connection: Connection) -> list[SavedView]:
    """All of them, by name."""
    statement = select(SavedViewRow.name, SavedViewRow.query, SavedViewRow.author, SavedViewRow.updated_at).order_by(
        SavedViewRow.name
    )
    return [SavedView(*row) for row in connection.execute(statement)]


def put_view(connection: Connection, view: SavedView) -> None:
    """Keep a view, in the place of one of the same name."""
    delete_view(connection, view.name)
    connection.execute(
        insert(SavedViewRow).values(name=view.name, query=view.query, author=view.author, updated_at=view.updated_at)
    )


def delete_view(connection: Connection, name: str) -> bool:
    """Whether there was one."""
    return connection.execute(delete(SavedViewRow).where(SavedViewRow.name == name)).rowcount == 1
