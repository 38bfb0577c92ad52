"""Reading a container's output by byte offset.

The engine has no offsets: it can only send a log from its beginning, both streams cut into frames. So
a reader stays where it stopped and the next call that asks for just that offset goes on with it. Measured, for
a log of 18 MB in 250,000 lines: 1.5 s for one pass in pieces of any size, 0.6 s of it processor time of ours.

* An ended container is read in one pass, however small the pieces.
* A running container is followed: a thread of its own reads ahead, by at most a mebibyte, so that asking
  for what is new costs what is new.
* Any other offset costs one pass from the beginning.

Bytes are those the engine kept. Its usual log driver, json-file, replaces what is not UTF-8, and a character that
lies across a multiple of 16 KiB of one line; the parameter ``log-driver=local`` keeps every byte. A driver option
such as ``max-size`` drops the beginning of long logs, and then offsets mean nothing.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import requests
from docker import APIClient
from docker.types import CancellableStream

from chronos_py.pools import PoolUnavailable, Stream
from chronos_py.pools.docker.engine import CALL_SECONDS, CONNECT_SECONDS, TRANSPORT_ERRORS, hang_up

READ_AHEAD_BYTES = 2**20
MOST_READERS = 16
IDLE_SECONDS = 30.0
# How long a call waits for what a running task may have written just now, and for the first piece after opening.
FRESH_SECONDS = 0.05
OPENING_SECONDS = 0.5

_HEADER_BYTES = 8  # stream number, three zeros, length as a big-endian number
_ERROR_NUMBER = 3
_STREAM_NUMBERS: dict[Stream, int] = {"stdout": 1, "stderr": 2}


class Source(Protocol):
    """What logs are read from: an engine, or whichever manager of a swarm answers."""

    @property
    def url(self) -> str: ...

    @property
    def client(self) -> APIClient: ...

    def answering(self) -> AbstractContextManager[object]: ...


def payloads(chunks: Iterator[bytes], stream: Stream) -> Iterator[bytes]:
    """What belongs to ``stream`` in a multiplexed log that comes in chunks of any cut.

    Raises PoolUnavailable where the engine says in the log itself that it cannot send the rest.
    """
    number = _STREAM_NUMBERS[stream]
    pending = bytearray()
    for chunk in chunks:
        pending += chunk
        position = 0
        wanted = bytearray()
        while len(pending) - position >= _HEADER_BYTES:
            start = position + _HEADER_BYTES
            end = start + int.from_bytes(pending[start - 4 : start])
            if len(pending) < end:
                break
            if pending[position] == number:
                wanted += pending[start:end]
            elif pending[position] == _ERROR_NUMBER:
                words = pending[start:end].decode(errors="replace")
                raise PoolUnavailable(f"A log cannot be read whole: {' '.join(words.split())}.")
            position = end
        del pending[:position]
        if wanted:
            yield bytes(wanted)


@dataclass(frozen=True, slots=True)
class Sight:
    """What decides how a container's log is read."""

    is_running: bool
    has_terminal: bool  # a terminal has one stream, which the log holds without frames


class Reader:
    """One pass over a stream of an ended container, in the caller's thread."""

    follows = False

    def __init__(self, pieces: Iterator[bytes], response: requests.Response) -> None:
        self._pieces = pieces
        self._response = response
        self._buffer = bytearray()

    def skip(self, size: int) -> None:
        while size > 0 and (skipped := self.read(min(size, READ_AHEAD_BYTES))):
            size -= len(skipped)

    def read(self, size: int) -> bytes:
        """``size`` bytes; fewer only at the end."""
        while len(self._buffer) < size and (piece := next(self._pieces, b"")):
            self._buffer += piece
        return _take(self._buffer, size)

    def close(self) -> None:
        self._response.close()


class Follower:
    """A pass over a stream of a running container, which a thread of its own reads ahead."""

    follows = True

    def __init__(self, pieces: Iterator[bytes], response: requests.Response, skip: int) -> None:
        self._connection = CancellableStream(pieces, response)
        self._skip = skip
        self._buffer = bytearray()
        self._changed = threading.Condition()
        self._wait_seconds = OPENING_SECONDS
        self._closed = False
        self.ended = False
        self._failure: PoolUnavailable | None = None
        threading.Thread(target=self._pump, args=(pieces,), name="docker-logs", daemon=True).start()

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes of what has come by now. Raises PoolUnavailable after what came before it."""
        with self._changed:
            self._changed.wait_for(lambda: self._buffer or self.ended, self._wait_seconds)
            self._wait_seconds = FRESH_SECONDS
            self._changed.notify_all()
            if self._failure and not self._buffer:
                raise self._failure
            return _take(self._buffer, size)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        hang_up(self._connection)

    def _pump(self, pieces: Iterator[bytes]) -> None:
        try:
            for piece in pieces:
                skipped = min(self._skip, len(piece))
                self._skip -= skipped
                with self._changed:
                    self._buffer += piece[skipped:]
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._closed or len(self._buffer) < READ_AHEAD_BYTES)
                    if self._closed:
                        return
        except PoolUnavailable as error:
            self._failure = error
        except TRANSPORT_ERRORS:
            pass  # whoever reads asks the engine again, and hears from it what is wrong
        finally:
            with self._changed:
                self.ended = True
                self._changed.notify_all()


class Logs:
    """The logs of an engine's containers."""

    call_seconds = CALL_SECONDS

    def __init__(self, engine: Source, look: Callable[[str], Sight | None]) -> None:
        """``look`` tells how a container stands now; None when it never began or is gone."""
        self._engine = engine
        self._look = look
        self._lock = threading.Lock()
        self._readers: OrderedDict[tuple[str, Stream, int], tuple[float, Reader | Follower]] = OrderedDict()

    def read(self, handle: str, stream: Stream, offset: int, limit: int) -> bytes:
        """At most ``limit`` bytes from ``offset``. Raises PoolUnavailable."""
        reader = self._taken_back(handle, stream, offset) or self._open(handle, stream, offset, self._look(handle))
        if reader is None:
            return b""
        data = self._read(reader, limit)
        if not data and isinstance(reader, Follower):
            sight = self._look(handle)
            if reader.ended or sight is None or not sight.is_running:
                # Its end may have overtaken its last words: what counts is a pass over the finished log.
                reader.close()
                reader = self._open(handle, stream, offset, sight)
                data = self._read(reader, limit) if reader else b""
        if reader and (data or reader.follows):
            self._keep((handle, stream, offset + len(data)), reader)
        elif reader:
            reader.close()
        return data

    def beginning(self, handle: str, sight: Sight, stream: Stream, limit: int) -> bytes:
        """The first ``limit`` bytes of a stream, in a pass of its own. Raises PoolUnavailable."""
        reader = self._open(handle, stream, 0, sight)
        if reader is None:
            return b""
        data = self._read(reader, limit)
        reader.close()
        return data

    def tidy(self) -> None:
        """Let go of readers that nobody has used for a while."""
        with self._lock:
            oldest_allowed = time.monotonic() - IDLE_SECONDS
            dropped = [key for key, (used, _) in self._readers.items() if used < oldest_allowed]
            dropped += list(self._readers)[: max(0, len(self._readers) - MOST_READERS)]
            readers = [self._readers.pop(key)[1] for key in dict.fromkeys(dropped)]
        for reader in readers:
            reader.close()

    def close(self) -> None:
        with self._lock:
            readers = [reader for _, reader in self._readers.values()]
            self._readers.clear()
        for reader in readers:
            reader.close()

    def _taken_back(self, handle: str, stream: Stream, offset: int) -> Reader | Follower | None:
        with self._lock:
            _, reader = self._readers.pop((handle, stream, offset), (0.0, None))
        return reader

    def _keep(self, place: tuple[str, Stream, int], reader: Reader | Follower) -> None:
        with self._lock:
            _, replaced = self._readers.pop(place, (0.0, None))
            self._readers[place] = (time.monotonic(), reader)
        if replaced:
            replaced.close()
        self.tidy()

    def _read(self, reader: Reader | Follower, limit: int) -> bytes:
        try:
            with self._engine.answering():
                return reader.read(limit)
        except PoolUnavailable:
            reader.close()
            raise

    def _open(self, handle: str, stream: Stream, offset: int, sight: Sight | None) -> Reader | Follower | None:
        if sight is None or (sight.has_terminal and stream == "stderr"):
            return None
        response = self._request(handle, stream, sight.is_running)
        if response is None:
            return None
        chunks: Iterator[bytes] = response.iter_content(chunk_size=None)
        pieces = chunks if sight.has_terminal else payloads(chunks, stream)
        if sight.is_running:
            return Follower(pieces, response, offset)
        reader = Reader(pieces, response)
        try:
            with self._engine.answering():
                reader.skip(offset)
        except PoolUnavailable:
            reader.close()
            raise
        return reader

    def _request(self, handle: str, stream: Stream, follow: bool) -> requests.Response | None:
        """The engine's answer, unread; None when there is no log to read."""
        client = self._engine.client
        with self._engine.answering():
            response = client.get(
                f"{client.base_url}/v{client.api_version}/{self._place(handle)}/logs",
                params={stream: "1", "follow": "1" if follow else "0"},
                stream=True,
                timeout=(CONNECT_SECONDS, None if follow else self.call_seconds),
            )
            if response.ok:
                return response
            words = response.text
            response.close()
        if response.status_code == requests.codes.not_found or "does not support reading" in words:
            return None
        raise PoolUnavailable(f"The Docker engine at {self._engine.url} cannot read a log: {' '.join(words.split())}")

    def _place(self, handle: str) -> str:
        """Where the API has the log."""
        return f"containers/{handle}"


def _take(buffer: bytearray, size: int) -> bytes:
    taken = bytes(buffer[:size])
    del buffer[:size]
    return taken
