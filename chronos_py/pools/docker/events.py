"""The engine's event stream as hints that a task's status may have changed."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator
from typing import Any

from docker.errors import APIError
from docker.types import CancellableStream

from chronos_py.pools import PoolUnavailable
from chronos_py.pools.docker.engine import TRANSPORT_ERRORS, Engine, hang_up
from chronos_py.pools.docker.request import LABEL_CLUSTER, LABEL_TASK

LOOK_SECONDS = 0.5  # how often a watcher looks whether it shall stop
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
# A stream can die without a word (a cut cable, a restarted proxy): a silent one is opened anew.
LONGEST_SILENCE_SECONDS = 60.0

Event = dict[str, Any]

_ENDED = None


class EventFeed:
    """Names of tasks that something happened to, for as long as somebody listens."""

    def __init__(
        self,
        engine: Engine,
        cluster: str,
        names: Callable[[], list[str]],
        note_end: Callable[[str], None],
        stop: threading.Event,
        closed: threading.Event,
    ) -> None:
        """``names`` lists all tasks: those that may have changed while no stream was open.

        ``note_end`` gets the handle of a task that ended, before its name is yielded.
        """
        self._engine = engine
        self._cluster = cluster
        self._names = names
        self._note_end = note_end
        self._stop = stop
        self._closed = closed

    def listen(self) -> Generator[str]:
        """Yield until stopped or closed; every task once whenever a stream has been opened."""
        pause = FIRST_PAUSE_SECONDS
        while not self._is_over():
            try:
                stream = self._open()
                missed = self._names()
            except (PoolUnavailable, APIError):
                self._rest(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                with contextlib.closing(self._follow(stream)) as names:
                    yield from missed
                    yield from names
                pause = FIRST_PAUSE_SECONDS
                self._rest(pause)

    def _is_over(self) -> bool:
        return self._stop.is_set() or self._closed.is_set()

    def _rest(self, seconds: float) -> None:
        while seconds > 0 and not self._is_over():
            self._stop.wait(min(seconds, LOOK_SECONDS))
            seconds -= LOOK_SECONDS

    def _open(self) -> CancellableStream[Event]:
        filters = {
            "type": "container",
            "label": f"{LABEL_CLUSTER}={self._cluster}",
            "event": ["start", "die", "oom", "stop", "destroy"],
        }
        with self._engine.answering():
            return self._engine.client.events(filters=filters, decode=True)

    def _follow(self, stream: CancellableStream[Event]) -> Generator[str]:
        """Yield until the stream ends, falls silent or nobody wants it any more; then hang up.

        The stream blocks for as long as nothing happens, so a thread of its own reads it.
        """
        arrived: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        threading.Thread(target=_pump, args=(stream, arrived), name="docker-events", daemon=True).start()
        silence = 0.0
        try:
            while silence < LONGEST_SILENCE_SECONDS and not self._is_over():
                try:
                    event = arrived.get(timeout=LOOK_SECONDS)
                except queue.Empty:
                    silence += LOOK_SECONDS
                    continue
                if event is _ENDED:
                    return
                silence = 0.0
                if event["Action"] == "die":
                    self._note_end(event["Actor"]["ID"])
                yield event["Actor"]["Attributes"].get(LABEL_TASK, "")
        finally:
            hang_up(stream)


def _pump(stream: CancellableStream[Event], arrived: queue.SimpleQueue[Event | None]) -> None:
    try:
        for event in stream:
            arrived.put(event)
    except TRANSPORT_ERRORS:
        pass  # however it ended, whoever listens opens the next one
    finally:
        arrived.put(_ENDED)
