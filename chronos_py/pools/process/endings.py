"""Learns at once when processes end, and reaps those that are our own children."""

from __future__ import annotations

import os
import queue
import select
import subprocess
import threading
from dataclasses import dataclass

from chronos_py.pools.process.documents import Identity
from chronos_py.pools.process.supervisor import is_alive


@dataclass(frozen=True, slots=True)
class Awaited:
    """A process whose end is awaited, and the task it works for."""

    task: str
    pid: int
    child: subprocess.Popen[bytes] | None = None


class Endings:
    """Waits for any number of processes, our children or not, and tells subscribers whose task it was.

    One thread, started with the first process, sleeps on one descriptor per process.
    """

    def __init__(self) -> None:
        self.closed = False
        self._guard = threading.Lock()
        self._awaited: dict[int, Awaited] = {}  # by descriptor
        self._pids: set[int] = set()
        self._subscribers: set[queue.SimpleQueue[str]] = set()
        self._poll = select.epoll()
        self._closing = os.eventfd(0, os.EFD_CLOEXEC)
        self._poll.register(self._closing, select.EPOLLIN)
        self._thread = threading.Thread(target=self._run, name="process-endings", daemon=True)

    def await_child(self, task: str, child: subprocess.Popen[bytes]) -> None:
        """Await and reap a process we started."""
        self._await(Awaited(task, child.pid, child))

    def await_stranger(self, task: str, process: Identity) -> None:
        """Await a process that somebody else started. Awaiting the same one again changes nothing."""
        if process["pid"] not in self._pids and is_alive(process):
            self._await(Awaited(task, process["pid"]))

    def subscribe(self) -> queue.SimpleQueue[str]:
        """A queue that gets the task of every process that ends from now on."""
        subscriber: queue.SimpleQueue[str] = queue.SimpleQueue()
        with self._guard:
            self._subscribers.add(subscriber)
        return subscriber

    def unsubscribe(self, subscriber: queue.SimpleQueue[str]) -> None:
        with self._guard:
            self._subscribers.discard(subscriber)

    def close(self) -> None:
        """Stop waiting. The processes go on."""
        with self._guard:
            if self.closed:
                return
            self.closed = True
            started = self._thread.ident is not None
            if started:
                os.eventfd_write(self._closing, 1)
        if started:
            self._thread.join()
        for descriptor in (*self._awaited, self._closing):
            os.close(descriptor)
        self._awaited.clear()
        self._poll.close()

    def _await(self, awaited: Awaited) -> None:
        with self._guard:
            if self.closed or awaited.pid in self._pids:
                return
            try:
                descriptor = os.pidfd_open(awaited.pid)
            except OSError:
                # It has ended, or descriptors are short: no hint then. A child of ours that nobody awaits is
                # reaped by the subprocess module when it starts the next one.
                return
            self._awaited[descriptor] = awaited
            self._pids.add(awaited.pid)
            self._poll.register(descriptor, select.EPOLLIN)
            if self._thread.ident is None:
                self._thread.start()

    def _run(self) -> None:
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._closing:
                    return
                self._ended(descriptor)

    def _ended(self, descriptor: int) -> None:
        with self._guard:
            awaited = self._awaited.pop(descriptor)
            self._poll.unregister(descriptor)
            os.close(descriptor)
            if awaited.child:
                awaited.child.wait()
            self._pids.discard(awaited.pid)
            for subscriber in self._subscribers:
                subscriber.put(awaited.task)
