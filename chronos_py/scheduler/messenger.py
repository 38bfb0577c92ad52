"""Tell others what was put into the outbox. So far the server's log is the only channel."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from chronos_py.scheduler.context import TermContext
from chronos_py.store import outbox

logger = logging.getLogger(__name__)

BATCH = 100
KEPT = timedelta(days=7)


class Messenger:
    """Delivers messages at least once, in order."""

    def __init__(self, term: TermContext) -> None:
        self._term = term

    def deliver(self) -> None:
        """Deliver what is waiting; forget what was delivered long ago. Raises Deposed, DatabaseUnavailable."""
        with self._term.read() as connection:
            waiting = outbox.undelivered(connection, BATCH)
        if not waiting:
            return
        for _, topic, payload in waiting:
            logger.warning("%s", _sentence(topic, payload))
        now = self._term.now()
        with self._term.lead() as connection:
            outbox.mark_delivered(connection, [message_id for message_id, _, _ in waiting], now)
            outbox.prune(connection, now - KEPT)


def _sentence(topic: str, payload: Mapping[str, Any]) -> str:
    if topic == "run_failed":
        attempts = payload["attempts"]
        times = "once" if attempts == 1 else f"{attempts} times"
        return f"Job {payload['job']} failed (run {payload['run']}, tried {times}): {payload['message']}"
    return f"{topic}: {dict(payload)}"
