"""Reading the output of an attempt, wherever it is at the moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chronos_py.logs.archive import LogArchive
from chronos_py.model.run import FINAL_ATTEMPT_STATES, Attempt
from chronos_py.pools import Permit, Pool, Stream

_STREAMS: tuple[Stream, ...] = ("stdout", "stderr")
_CHUNK = 1 << 20
# What is passed over in looking for the end of a running task's stream: a quarter of a gibibyte.
_MOST_CHUNKS = 256


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A piece of a stream. ``complete``: nothing will follow ``next_offset``.

    ``size`` is that of the whole stream in bytes, where it is known; ``attempt`` 0: there is none yet.
    """

    data: bytes
    next_offset: int
    complete: bool
    size: int | None = None
    attempt: int = 0

    @property
    def offset(self) -> int:
        """Where the piece begins."""
        return self.next_offset - len(self.data)


class TaskLogs:
    """The streams of attempts: from the archive when they are there, else from the pool."""

    def __init__(self, archive: LogArchive, pool: Pool) -> None:
        self._archive = archive
        self._pool = pool

    def read(self, attempt: Attempt, stream: Stream, offset: int, limit: int) -> LogChunk:
        """A piece of a stream from byte ``offset``. Raises PoolUnavailable when only the pool has it, and is away."""
        size = self._archive.size(attempt.run_id, attempt.number, stream)
        if size is not None:
            data = self._archive.read(attempt.run_id, attempt.number, stream, offset, limit)
            return LogChunk(data, offset + len(data), offset + len(data) >= size, size)
        over = attempt.state in FINAL_ATTEMPT_STATES
        if not attempt.handle or attempt.pool != self._pool.name:
            return LogChunk(b"", offset, complete=over)
        # What ended may not be kept yet; a pool that has let it go has nothing more to say.
        data = self._pool.logs(attempt.handle, stream, offset, limit)
        return LogChunk(data, offset + len(data), complete=over and not data)

    def read_end(self, attempt: Attempt, stream: Stream, limit: int) -> LogChunk:
        """The last ``limit`` bytes of a stream as it is now; fewer where that is all. Raises PoolUnavailable.

        Of a running task's very long stream it may be an earlier piece, to be read on from.
        """
        size = self._archive.size(attempt.run_id, attempt.number, stream)
        if size is not None:
            return self.read(attempt, stream, max(size - limit, 0), limit)
        # Pools tell no sizes, and some read from the beginning anyway: what is passed over is not kept.
        kept, offset = b"", 0
        for _ in range(_MOST_CHUNKS):
            chunk = self.read(attempt, stream, offset, _CHUNK)
            kept, offset = (kept + chunk.data)[-limit:], chunk.next_offset
            if chunk.complete or not chunk.data:
                return LogChunk(kept, offset, chunk.complete, offset)
        return LogChunk(kept, offset, complete=False)

    def archive(self, run_id: int, number: int, handle: str, permit: Permit) -> None:
        """Keep both streams of an attempt's ended task. May be done again.

        ``permit`` is asked before each is kept: a later leader may have kept it, and let the task go, while this one
        waited for its machine. Raises OSError, PoolUnavailable, and what ``permit`` raises of ours.
        """
        for stream in _STREAMS:
            self._archive.store(run_id, number, stream, self._stream(handle, stream, permit))

    def is_archived(self, run_id: int, number: int) -> bool:
        """Whether both streams are kept. Raises OSError."""
        return all(self._archive.size(run_id, number, stream) is not None for stream in _STREAMS)

    def _stream(self, handle: str, stream: Stream, permit: Permit) -> Iterator[bytes]:
        offset = 0
        while data := self._pool.logs(handle, stream, offset, _CHUNK):
            offset += len(data)
            yield data
        permit()
