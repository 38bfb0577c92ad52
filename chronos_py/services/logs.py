"""Read what a task printed."""

from __future__ import annotations

from chronos_py.errors import NotFound
from chronos_py.logs import LogChunk
from chronos_py.pools import Stream
from chronos_py.services.application import Application
from chronos_py.services.runs import require_run
from chronos_py.store import attempts

LIMIT = 1 << 20


def read_log(
    app: Application,
    run_id: int,
    number: int | None = None,
    stream: Stream = "stdout",
    offset: int = 0,
    limit: int = LIMIT,
) -> LogChunk:
    """A piece of a stream of an attempt (the last one when ``number`` is None), from byte ``offset``.

    A run without any attempt yet has an empty, incomplete log; one that ended without has a complete one.
    Raises NotFound, and PoolUnavailable when a running task's pool is away.
    """
    with app.database.read() as connection:
        run = require_run(connection, run_id)
        attempt = attempts.find_attempt(connection, run_id, run.attempts if number is None else number)
    if attempt is None:
        if number is None:
            return LogChunk(b"", offset, complete=run.is_final)
        raise NotFound(f"Run {run_id} has no attempt {number}.")
    return app.logs.read(attempt, stream, max(offset, 0), max(1, min(limit, LIMIT)))
