"""End runs, whatever they do: at once where they wait, through the pool where they have a task."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from chronos_py.model.run import Reason
from chronos_py.store import attempts, runs


def end_or_kill(
    connection: Connection, run_ids: Iterable[int], reason: Reason, message: str, now: datetime, untried: str = ""
) -> list[int]:
    """End those of these runs that wait, ask the leader to kill the tasks of the others; the ids of the former.

    ``untried`` is the message of what waits, where that is another one. No row is locked first: the leader takes
    attempts before runs, this would be the other way round. So a run may begin in this moment, or its task fail and
    the run wait to be tried again; where both questions came too late for it, the second round finds it.
    """
    left = set(run_ids)
    ended: list[int] = []
    for _ in range(2):
        if left:
            ended += runs.end_waiting(connection, left, reason, untried or message, now)
            left.difference_update(ended)
        if left:
            attempts.request_kill(connection, left, reason, message, now)
    return ended
