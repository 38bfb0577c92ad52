"""What others must be told: written in the transaction that decided it, delivered afterwards.

Every channel keeps for itself which messages it is through with, not the last one: messages may be committed in
another order than they were numbered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from chronos_py.store.tables import OutboxDeliveryRow, OutboxRow


@dataclass(frozen=True, slots=True)
class Message:
    """Something that others must be told, and how many recipients a channel has told already."""

    id: int
    topic: str
    payload: dict[str, Any]
    created_at: datetime
    recipients_told: int


def put(connection: Connection, topic: str, payload: Mapping[str, Any], now: datetime) -> None:
    connection.execute(insert(OutboxRow).values(topic=topic, payload=dict(payload), created_at=now))


def undelivered(connection: Connection, limit: int) -> list[tuple[int, str, dict[str, Any]]]:
    """The oldest ``(id, topic, payload)`` that some channel has not finished."""
    rows = connection.execute(
        select(OutboxRow.id, OutboxRow.topic, OutboxRow.payload)
        .where(OutboxRow.delivered_at.is_(None))
        .order_by(OutboxRow.id)
        .limit(limit)
    )
    return [(row.id, row.topic, row.payload) for row in rows]


def waiting_for(connection: Connection, channel: str, limit: int) -> list[Message]:
    """The oldest messages that ``channel`` is not through with."""
    its_own = and_(OutboxDeliveryRow.message_id == OutboxRow.id, OutboxDeliveryRow.channel == channel)
    rows = connection.execute(
        select(
            OutboxRow.id,
            OutboxRow.topic,
            OutboxRow.payload,
            OutboxRow.created_at,
            func.coalesce(OutboxDeliveryRow.recipients_told, 0).label("recipients_told"),
        )
        .outerjoin_from(OutboxRow, OutboxDeliveryRow, its_own)
        .where(OutboxRow.delivered_at.is_(None), OutboxDeliveryRow.finished.is_not(True))
        .order_by(OutboxRow.id)
        .limit(limit)
    )
    return [Message(*row) for row in rows]


def note_progress(
    connection: Connection, channel: str, message_ids: Sequence[int], recipients_told: int, finished: bool
) -> None:
    """How far ``channel`` has come with these messages."""
    its_own = and_(OutboxDeliveryRow.message_id.in_(message_ids), OutboxDeliveryRow.channel == channel)
    known = set(connection.scalars(select(OutboxDeliveryRow.message_id).where(its_own)))
    values = {"recipients_told": recipients_told, "finished": finished}
    if known:
        connection.execute(update(OutboxDeliveryRow).where(its_own).values(**values))
    new = [message_id for message_id in message_ids if message_id not in known]
    if new:
        rows = [{"message_id": message_id, "channel": channel, **values} for message_id in new]
        connection.execute(insert(OutboxDeliveryRow), rows)


def settle(connection: Connection, message_ids: Sequence[int], channels: Sequence[str], now: datetime) -> None:
    """Call delivered those of these messages that all of ``channels`` are through with."""
    through = connection.scalars(
        select(OutboxDeliveryRow.message_id)
        .where(
            OutboxDeliveryRow.message_id.in_(message_ids),
            OutboxDeliveryRow.channel.in_(channels),
            OutboxDeliveryRow.finished,
        )
        .group_by(OutboxDeliveryRow.message_id)
        .having(func.count() == len(channels))
    ).all()
    mark_delivered(connection, through, now)


def mark_delivered(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    connection.execute(delete(OutboxDeliveryRow).where(OutboxDeliveryRow.message_id.in_(ids)))
    connection.execute(update(OutboxRow).where(OutboxRow.id.in_(ids)).values(delivered_at=now))


def prune(connection: Connection, delivered_before: datetime) -> None:
    connection.execute(delete(OutboxRow).where(OutboxRow.delivered_at < delivered_before))
