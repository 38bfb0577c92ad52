"""The outbox: told in order, once, and forgotten later."""

from __future__ import annotations

from sqlalchemy import func, select

from chronos_py.store import outbox
from chronos_py.store.database import Database
from chronos_py.store.tables import OutboxRow
from tests.store.building import NOW, later


def test_what_others_must_be_told(database: Database) -> None:
    with database.write() as connection:
        for number in range(3):
            outbox.put(connection, f"topic {number}", {"number": number, "text": "ü"}, NOW)
        rows = outbox.undelivered(connection, 2)
        assert [(topic, payload) for _, topic, payload in rows] == [
            ("topic 0", {"number": 0, "text": "ü"}),
            ("topic 1", {"number": 1, "text": "ü"}),
        ]
        outbox.mark_delivered(connection, [row_id for row_id, _, _ in rows], later(1))
        outbox.mark_delivered(connection, [], later(1))
        (left,) = outbox.undelivered(connection, 10)
        assert left[1] == "topic 2"


def test_only_what_was_delivered_long_ago_is_forgotten(database: Database) -> None:
    with database.write() as connection:
        for _ in range(3):
            outbox.put(connection, "topic", {}, NOW)
        old, recent, waiting = (row_id for row_id, _, _ in outbox.undelivered(connection, 3))
        outbox.mark_delivered(connection, [old], later(1))
        outbox.mark_delivered(connection, [recent], later(60))
        outbox.prune(connection, later(60))
        assert [row_id for row_id, _, _ in outbox.undelivered(connection, 3)] == [waiting]
        assert connection.execute(select(func.count()).select_from(OutboxRow)).scalar_one() == 2


def test_every_channel_is_through_for_itself(database: Database) -> None:
    with database.write() as connection:
        for number in range(3):
            outbox.put(connection, "topic", {"number": number}, NOW)
        first, second, third = (message.id for message in outbox.waiting_for(connection, "mail", 10))
        outbox.note_progress(connection, "mail", [first], 2, finished=False)
        outbox.note_progress(connection, "mail", [first, second], 0, finished=True)
        outbox.note_progress(connection, "log", [first, third], 0, finished=True)
        outbox.settle(connection, [first, second, third], ["log", "mail"], later(1))
        assert [message.id for message in outbox.waiting_for(connection, "mail", 10)] == [third]
        assert [message.id for message in outbox.waiting_for(connection, "log", 10)] == [second]
        assert [message.id for message in outbox.waiting_for(connection, "new", 10)] == [second, third]
        assert [row_id for row_id, _, _ in outbox.undelivered(connection, 10)] == [second, third]
        outbox.prune(connection, later(2))  # the first is gone, and what was noted of it before
        outbox.note_progress(connection, "mail", [third], 1, finished=False)
        (left,) = outbox.waiting_for(connection, "mail", 10)
        assert (left.id, left.recipients_told, left.payload, left.created_at) == (third, 1, {"number": 2}, NOW)
