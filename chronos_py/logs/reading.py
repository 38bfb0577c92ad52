"""Reading the output of an attempt, wherever it is at the moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chronos_py.logs.archive import LogArchive
from chronos_py.model.run import FINAL_ATTEMPT_STATES, Attempt
from chronos_py.pools import Pool, Stream

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A piece of a stream. ``complete``: nothing will follow ``next_offset``."""

    data: bytes
    next_offset: int
    complete: bool


class TaskLogs:
    """The streams of attempts: from the archive when they are there, else from the pool."""

    def __init__(self, archive: LogArchive, pool: Pool) -> None:
        self._archive = archive
        self._pool = pool

    def read(self, attempt: Attempt, stream: Stream, offset: int, limit: int) -> LogChunk:
        """A piece of a stream from byte ``offset``. Raises PoolUnavailable when a running task's pool is away."""
        size = self._archive.size(attempt.run_id, attempt.number, stream)
        if size is not None:
            data = self._archive.read(attempt.run_id, attempt.number, stream, offset, limit)
            return LogChunk(data, offset + len(data), complete=offset + len(data) >= size)
        over = attempt.state in FINAL_ATTEMPT_STATES
        if over or not attempt.handle or attempt.pool != self._pool.name:
            return LogChunk(b"", offset, complete=over)
        data = self._pool.logs(attempt.handle, stream, offset, limit)
        return LogChunk(data, offset + len(data), complete=False)

    def archive(self, attempt: Attempt, handle: str) -> None:
        """Keep both streams of an ended task. May be done again."""
        for stream in ("stdout", "stderr"):
            self._archive.store(attempt.run_id, attempt.number, stream, self._stream(handle, stream))

    def _stream(self, handle: str, stream: Stream) -> Iterator[bytes]:
        offset = 0
        while data := self._pool.logs(handle, stream, offset, _CHUNK):
            offset += len(data)
            yield data
