"""The contract of a channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from chronos_py.errors import ChronosError
from chronos_py.notifications.notice import Notice


class NotDelivered(ChronosError):
    """A channel could not deliver, for the reason in the message. ``is_final``: another try would not help."""

    def __init__(self, message: str, is_final: bool) -> None:
        super().__init__(message)
        self.is_final = is_final


class Channel(Protocol):
    """A way by which notices reach somebody. A notice may come twice, never out of order."""

    name: str

    def recipients(self, notice: Notice) -> Sequence[str]:
        """Whom it tells, always the same for the same notice; [""] when it has one audience for all."""

    def send(self, notice: Notice, recipient: str) -> None:
        """Deliver, within some seconds. Raises NotDelivered."""
