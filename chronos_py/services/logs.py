"""Read what a task printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from chronos_py.errors import NotFound
from chronos_py.logs import LogChunk
from chronos_py.model.run import Attempt, Run
from chronos_py.pools import Stream as Stream
from chronos_py.services.application import Application
from chronos_py.services.runs import require_run
from chronos_py.store import attempts

LIMIT = 1 << 20
# One search looks at so much, and tells so many places.
_SEARCHED = 32 << 20
_MOST_FOUND = 10_000
# Colours and the like, which may stand within a word; in lower case, as all that is searched.
_ESCAPES = rb"(?:\x1b\[[0-9:;<=>?]*[ -/]*[@-~])*"
_LONGEST_ESCAPES = 256


@dataclass(frozen=True, slots=True)
class Found:
    """The byte offsets of a text in a stream. The search goes on from ``next_offset``, unless ``complete``."""

    offsets: list[int]
    next_offset: int
    complete: bool


def read_log(
    app: Application,
    run_id: int,
    number: int | None = None,
    stream: Stream = "stdout",
    offset: int = 0,
    limit: int = LIMIT,
) -> LogChunk:
    """A piece of a stream of an attempt (the last one when ``number`` is None), from byte ``offset``.

    A negative offset counts from the end: so many bytes of it. A run without any attempt yet has an empty,
    incomplete log; one that ended without has a complete one. Raises NotFound, and PoolUnavailable when only the pool
    has it, and is away.
    """
    run, attempt = _find(app, run_id, number)
    limit = max(1, min(limit, LIMIT))
    if attempt is None:
        return LogChunk(b"", max(offset, 0), run.is_final)
    if offset < 0:
        chunk = app.logs.read_end(attempt, stream, min(-offset, limit))
    else:
        chunk = app.logs.read(attempt, stream, offset, limit)
    return replace(chunk, attempt=attempt.number)


def whole_log(app: Application, run_id: int, number: int | None = None, stream: Stream = "stdout") -> Iterator[bytes]:
    """Everything that a stream has now, piece by piece. The first piece raises as :func:`read_log`."""
    _, attempt = _find(app, run_id, number)
    offset, complete = 0, attempt is None
    while attempt is not None and not complete:
        chunk = app.logs.read(attempt, stream, offset, LIMIT)
        yield chunk.data
        offset, complete = chunk.next_offset, chunk.complete or not chunk.data


def search_log(
    app: Application, run_id: int, text: str, number: int | None = None, stream: Stream = "stdout", offset: int = 0
) -> Found:
    """Where a text is in a stream from byte ``offset`` on; A to Z in any case, and whatever colours are within it.

    Raises as :func:`read_log`.

    Bounded in what it looks at and what it finds, so that a search in a long log takes several calls.
    """
    _, attempt = _find(app, run_id, number)
    wanted = text.encode().lower()
    found: list[int] = []
    if attempt is None or not wanted:
        return Found(found, offset, complete=True)
    plain = re.compile(re.escape(wanted))
    coloured = re.compile(_ESCAPES.join(re.escape(wanted[place : place + 1]) for place in range(len(wanted))))
    end, last = offset + _SEARCHED, 0
    while offset < end:
        chunk = app.logs.read(attempt, stream, offset, LIMIT)
        data = chunk.data.lower()
        for match in (coloured if b"\x1b" in data else plain).finditer(data):
            found.append(offset + match.start())
            last = offset + match.end()
            if len(found) == _MOST_FOUND:
                return Found(found, last, complete=False)
        # A match may lie across two pieces: the next one begins before this one's end, but after its last match.
        longest = len(wanted) - 1
        if b"\x1b" in data[-longest - _LONGEST_ESCAPES :]:
            longest += _LONGEST_ESCAPES
        kept = min(longest, len(data), chunk.next_offset - last)
        if chunk.complete or len(chunk.data) <= kept:
            return Found(found, chunk.next_offset - kept, complete=True)
        offset = chunk.next_offset - kept
    return Found(found, offset, complete=False)


def _find(app: Application, run_id: int, number: int | None) -> tuple[Run, Attempt | None]:
    """The run and its attempt; None when it has no last one yet. Raises NotFound."""
    with app.database.read() as connection:
        run = require_run(connection, run_id)
        attempt = attempts.find_attempt(connection, run_id, run.attempts if number is None else number)
    if attempt is None and number is not None:
        raise NotFound(f"Run {run_id} has no attempt {number}.")
    return run, attempt
