"""A pool that runs nothing: every task has succeeded as soon as it is launched. What is left is the scheduler.

    with null_pool() as environment:  # of servers that may be started with --pool null

It is found as a third party's pool would be: by an entry point, here of a package that is a folder on PYTHONPATH.
"""

from __future__ import annotations

import os
import queue
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from chronos_py.model.task import Task
from chronos_py.pools import Capacity, Permit, PoolNode, PoolOptions, Stream, TaskState, TaskStatus

WATCH_SECONDS = 0.5


class NullPool:
    """Ended tasks, in memory, until they are forgotten."""

    name = "null"

    def __init__(self) -> None:
        self._ended: dict[str, TaskStatus] = {}
        self._hints: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._closed = threading.Event()

    @classmethod
    def from_options(cls, options: PoolOptions) -> NullPool:
        return cls()

    def objection(self, task: Task) -> str:
        return ""

    def submit(self, task: Task, permit: Permit) -> str:
        permit()
        if task.name not in self._ended:
            now = datetime.now(UTC)
            ended = TaskStatus(task.name, task.name, TaskState.EXITED, exit_code=0, started_at=now, finished_at=now)
            self._ended[task.name] = ended
            self._hints.put(task.name)
        return task.name

    recover = submit

    def kill(self, handle: str, grace_seconds: float) -> None:
        return

    def list(self) -> list[TaskStatus]:
        return [*self._ended.values()]

    def watch(self, stop: threading.Event) -> Iterator[str]:
        while not stop.is_set() and not self._closed.is_set():
            try:
                yield self._hints.get(timeout=WATCH_SECONDS)
            except queue.Empty:
                continue

    def logs(self, handle: str, stream: Stream, offset: int, limit: int) -> bytes:
        return b""

    def outputs(self, handle: str, limit: int) -> bytes:
        return b""

    def capacity(self) -> Capacity:
        return Capacity()

    def nodes(self) -> Sequence[PoolNode]:
        return [PoolNode("null", {})]

    def forget(self, handle: str) -> None:
        self._ended.pop(handle, None)

    def close(self) -> None:
        self._closed.set()


@contextmanager
def null_pool() -> Iterator[None]:
    """Servers that are started meanwhile know the pool ``null``."""
    before = os.environ.get("PYTHONPATH")
    with tempfile.TemporaryDirectory(prefix="chronos-null-pool-") as name:
        package = Path(name) / "null_pool-1.dist-info"
        package.mkdir()
        (package / "METADATA").write_text("Metadata-Version: 2.1\nName: null-pool\nVersion: 1\n")
        (package / "entry_points.txt").write_text("[chronos_py.pools]\nnull = null_pool:NullPool\n")
        folders = [name, str(Path(__file__).resolve().parent), before]
        os.environ["PYTHONPATH"] = os.pathsep.join(folder for folder in folders if folder)
        try:
            yield
        finally:
            if before is None:
                del os.environ["PYTHONPATH"]
            else:
                os.environ["PYTHONPATH"] = before
