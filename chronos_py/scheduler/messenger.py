"""Tell others what was put into the outbox, by one channel."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from chronos_py.notifications import Channel, NotDelivered, Notice
from chronos_py.scheduler.context import TermContext
from chronos_py.store import outbox
from chronos_py.store.outbox import Message

logger = logging.getLogger(__name__)

BATCH = 100
KEPT = timedelta(days=7)
_DELAYS = [timedelta(seconds=seconds) for seconds in (5, 15, 30, 60, 120, 300)]


class Messenger:
    """Delivers by one channel, at least once and in order; each channel has a messenger and a thread of its own.

    What cannot be delivered is tried again with growing delays and holds up what comes after it in this channel only,
    until it is ``patience`` old. ``channels`` are the names of all that have to be through with a message before it
    counts as delivered.
    """

    def __init__(
        self,
        term: TermContext,
        channel: Channel,
        channels: Sequence[str],
        patience: timedelta,
        is_over: Callable[[], bool],
    ) -> None:
        self.name = f"messenger ({channel.name})"
        self._part = f"notifications by {channel.name}"
        self._term = term
        self._channel = channel
        self._channels = channels
        self._patience = patience
        self._is_over = is_over
        self._failures = 0
        self._next_try: datetime | None = None

    def step(self) -> datetime | None:
        """Deliver what is waiting; when to try again what failed. Raises Deposed, DatabaseUnavailable."""
        now = self._term.now()
        # A clock that was set back must not stretch the wait.
        if self._next_try is not None and now < self._next_try <= now + _DELAYS[-1]:
            return self._next_try
        with self._term.read() as connection:
            waiting = outbox.waiting_for(connection, self._channel.name, BATCH)
        through: list[int] = []
        for message in waiting:
            if self._is_over() or not self._deliver(message, through):
                break
        else:
            self._next_try = None
        self._finish(through)
        return self._next_try if len(waiting) < BATCH or self._next_try else self._term.now()

    def _deliver(self, message: Message, through: list[int]) -> bool:
        """Whether the channel is through with the message, be it given up."""
        notice = Notice(message.id, message.topic, message.payload, message.created_at)
        recipients = self._channel.recipients(notice)
        for told in range(message.recipients_told, len(recipients)):
            try:
                self._channel.send(notice, recipients[told])
            except NotDelivered as error:
                if not self._give_up(notice, error):
                    self._finish(through)
                    self._note(message.id, told)
                    return False
            else:
                self._succeed()
            if self._is_over():
                self._note(message.id, told + 1)
                return False
        through.append(message.id)
        if recipients and self._channel.name != "log":  # what has left is noted at once: it must not go out twice
            self._finish(through)
        return True

    def _note(self, message_id: int, told: int) -> None:
        with self._term.lead() as connection:
            outbox.note_progress(connection, self._channel.name, [message_id], told, finished=False)

    def _finish(self, through: list[int]) -> None:
        if not through:
            return
        now = self._term.now()
        with self._term.lead() as connection:
            outbox.note_progress(connection, self._channel.name, through, 0, finished=True)
            outbox.settle(connection, through, self._channels, now)
            outbox.prune(connection, now - KEPT)
        through.clear()

    def _succeed(self) -> None:
        self._failures = 0
        if self._term.health.clear(self._part):
            logger.info("Notifications by %s are delivered again.", self._channel.name)

    def _give_up(self, notice: Notice, error: NotDelivered) -> bool:
        """Whether that was the last try."""
        now = self._term.now()
        if error.is_final or now - notice.decided_at > self._patience:
            sentence = f"A notification by {self._channel.name} was given up ({notice.sentence()}): {error}"
            logger.error("%s", sentence)
            self._report(sentence)
            self._failures = 0
            return True
        self._next_try = now + _DELAYS[min(self._failures, len(_DELAYS) - 1)]
        self._failures += 1
        if self._report(f"Notifications by {self._channel.name} are held up: {error}"):
            logger.error("Notifications by %s are held up, and tried again: %s", self._channel.name, error)
        return False

    def _report(self, sentence: str) -> bool:
        return self._term.health.report(self._part, sentence, hinders=False)
