"""What others must be told: written in the transaction that decided it, delivered afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from chronos_py.store.tables import OutboxRow


def put(connection: Connection, topic: str, payload: Mapping[str, Any], now: datetime) -> None:
    connection.execute(insert(OutboxRow).values(topic=topic, payload=dict(payload), created_at=now))


def undelivered(connection: Connection, limit: int) -> list[tuple[int, str, dict[str, Any]]]:
    """The oldest ``(id, topic, payload)`` that nobody has been told."""
    rows = connection.execute(
        select(OutboxRow.id, OutboxRow.topic, OutboxRow.payload)
        .where(OutboxRow.delivered_at.is_(None))
        .order_by(OutboxRow.id)
        .limit(limit)
    )
    return [(row.id, row.topic, row.payload) for row in rows]


def mark_delivered(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    connection.execute(update(OutboxRow).where(OutboxRow.id.in_(ids)).values(delivered_at=now))


def prune(connection: Connection, delivered_before: datetime) -> None:
    connection.execute(delete(OutboxRow).where(OutboxRow.delivered_at < delivered_before))
