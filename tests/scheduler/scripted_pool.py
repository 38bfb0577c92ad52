"""A pool that does what a test tells it, in memory.

A fake, for rules that need a pool to misbehave on cue or time to pass by hand: pools that vanish, replies that get
lost, timeouts. Real pools are tested in tests/pools, the whole path with them in tests/cluster.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from chronos_py.model.constraints import Attribute
from chronos_py.model.task import Task
from chronos_py.pools import (
    NO_EXECUTORS,
    Capacity,
    LaunchLost,
    LaunchRefused,
    Permit,
    PoolNode,
    PoolUnavailable,
    Stream,
    TaskState,
    TaskStatus,
)


@dataclass
class ScriptedPool:
    """``refuse`` and ``lose`` map a job's name to the words its launch ends with; ``away`` makes every call fail.

    ``outputs_of`` maps a task's name to what it wrote to its output file, ``attributes`` are those of its one node.
    """

    name: str = "scripted"
    refuse: dict[str, str] = field(default_factory=dict)
    lose: dict[str, str] = field(default_factory=dict)
    away: str = ""
    lose_reply: bool = False
    starts: list[str] = field(default_factory=list)
    tasks: dict[str, Task] = field(default_factory=dict)
    statuses: dict[str, TaskStatus] = field(default_factory=dict)
    outputs_of: dict[str, bytes] = field(default_factory=dict)
    attributes: dict[str, Attribute] = field(default_factory=dict)
    kills: list[tuple[str, float]] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def _reach(self) -> None:
        if self.away:
            raise PoolUnavailable(self.away)

    def objection(self, task: Task) -> str:
        return NO_EXECUTORS.format(task.executor, self.name) if task.executor else ""

    def submit(self, task: Task, permit: Permit) -> str:
        self._reach()
        permit()
        words = self.refuse.get(task.labels["chronos.job"])
        if words is not None:
            raise LaunchRefused(words)
        if task.labels["chronos.job"] in self.lose:
            raise LaunchLost(self.lose[task.labels["chronos.job"]])
        with self.lock:
            if task.name not in self.statuses:
                self.starts.append(task.name)
                self.tasks[task.name] = task
                self.statuses[task.name] = TaskStatus(task.name, f"handle of {task.name}", TaskState.RUNNING)
        if self.lose_reply:
            raise PoolUnavailable("the reply got lost")
        return f"handle of {task.name}"

    def recover(self, task: Task, permit: Permit) -> str:
        with self.lock:
            known = self.statuses.get(task.name)
            if known is not None and known.state is TaskState.CREATED:
                del self.statuses[task.name]
        return self.submit(task, permit)

    def kill(self, handle: str, grace_seconds: float) -> None:
        self._reach()
        self.kills.append((handle, grace_seconds))

    def list(self) -> list[TaskStatus]:
        self._reach()
        return list(self.statuses.values())

    def watch(self, stop: threading.Event) -> Iterator[str]:
        while not stop.wait(0.05):
            yield from ()

    def logs(self, handle: str, stream: Stream, offset: int, limit: int) -> bytes:
        return f"{stream} of {handle}\n".encode()[offset : offset + limit]

    def outputs(self, handle: str, limit: int) -> bytes:
        self._reach()
        return self.outputs_of.get(handle.removeprefix("handle of "), b"")[:limit]

    def capacity(self) -> Capacity:
        return Capacity()

    def nodes(self) -> Sequence[PoolNode]:
        self._reach()
        return [PoolNode("here", {"hostname": "here", **self.attributes})]

    def forget(self, handle: str) -> None:
        self.forgotten.append(handle)
        self.statuses = {name: status for name, status in self.statuses.items() if status.handle != handle}

    def close(self) -> None:
        """Nothing to let go of."""

    def end(self, name: str, exit_code: int | None, **details: object) -> None:
        """Let a task end; ``exit_code`` None: lost."""
        state = TaskState.LOST if exit_code is None else TaskState.EXITED
        self.statuses[name] = replace(self.statuses[name], state=state, exit_code=exit_code, **details)  # type: ignore[arg-type]
