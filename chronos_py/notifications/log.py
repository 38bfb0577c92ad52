"""The server's log as a channel."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from chronos_py.notifications.notice import Notice

logger = logging.getLogger(__name__)


class LogChannel:
    """Always there; never fails."""

    name = "log"

    def recipients(self, notice: Notice) -> Sequence[str]:
        return ("",)

    def send(self, notice: Notice, recipient: str) -> None:
        logger.warning("%s", notice.sentence())
