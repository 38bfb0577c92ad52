"""The contract between the leader and the place where tasks run.

A pool knows images, resources and volumes; it knows nothing of jobs or SQL. Pools are found by the entry
point group ``chronos_py.pools``, so a third party can add one: the entry point is a class with a
``from_options(options: PoolOptions)`` class method that returns a :class:`Pool`.

How "at most one launch per attempt" is kept (measured on real engines: they refuse a duplicate *name*,
but start an exited container again without complaint):

* a task is created by its deterministic name and started by the identity that its creation returned;
* the caller commits its intent before :meth:`Pool.submit` and passes ``permit``, which raises when the
  caller's term is over; a pool calls it right before it creates and right before it starts;
* a new leader calls :meth:`Pool.recover` for an intent it inherits: a task that was ever started is
  adopted, one that was created but never started is destroyed first, so that a late start of the old
  leader finds nothing, and only then launched anew under the same name;
* a finished task keeps its name until :meth:`Pool.forget`;
* what a task fetches is downloaded before its name is taken, or put into what was created and not started; a
  recovered launch fetches it anew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Literal, Protocol

from chronos_py.errors import ChronosError
from chronos_py.model.constraints import Attribute
from chronos_py.model.task import Task

Stream = Literal["stdout", "stderr"]
Permit = Callable[[], None]

AWAY = "away"  # the state of a node that no task can be sent to before it is back

NO_EXECUTORS = 'executor is "{}", but the {} pool has no custom executors; leave it empty.'


class TaskState(Enum):
    """What the pool sees of a task."""

    CREATED = "created"  # its name is taken, its payload never began
    WAITING = "waiting"  # it was launched, and the pool has not begun it yet, for the reason in the message
    RUNNING = "running"
    EXITED = "exited"  # final, with an exit code
    LOST = "lost"  # final, and nobody will ever know the exit code (machine rebooted, supervisor shot)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a finished task used, as far as the pool could tell."""

    cpu_seconds: float | None = None
    max_memory_mb: float | None = None


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """One line of the pool's truth.

    ``cause`` says which limit or signal ended the task, when it was not its own exit:
    ``"memory"``, ``"cpu_time"``, ``"wall_time"``, ``"signal"`` or "". ``"launch"``, without an exit code: the engine
    took the task and then could not start it. ``message`` is one sentence in plain words (the engine's own where it
    has one). Times are aware UTC.
    """

    name: str
    handle: str
    state: TaskState
    exit_code: int | None = None
    cause: str = ""
    message: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    node: str = ""
    usage: Usage = Usage()

    @property
    def is_final(self) -> bool:
        return self.state in (TaskState.EXITED, TaskState.LOST)


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the pool can still take and what it has in all. None: the pool does not know or does not limit."""

    slots_free: int | None = None
    cpus_total: float | None = None
    cpus_free: float | None = None
    memory_total_mb: float | None = None
    memory_free_mb: float | None = None


@dataclass(frozen=True, slots=True)
class PoolNode:
    """A machine of the pool. ``attributes`` always have ``hostname``; constraints are held against them.

    ``state`` is ``"ready"``, :data:`AWAY`, or the engine's own word for why it takes no tasks; ``engine`` says in
    words what runs there. None: the pool does not know.
    """

    name: str
    attributes: Mapping[str, Attribute]
    state: str = "ready"
    cpus_total: float | None = None
    cpus_free: float | None = None
    memory_total_mb: float | None = None
    memory_free_mb: float | None = None
    engine: str = ""

    @property
    def is_away(self) -> bool:
        return self.state == AWAY


class PoolState(Protocol):
    """A few texts that a pool keeps for all nodes of the cluster, such as who it is to an engine of its own."""

    def get(self, key: str) -> str:
        """The text, "" when there is none. Raises DatabaseUnavailable."""

    def set(self, key: str, value: str) -> None:
        """Keep a text. Raises DatabaseUnavailable."""


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """What a node tells its pool when it makes it.

    ``data_dir`` is private to the node's pool; ``shared_dir`` is the folder every task of the cluster sees as
    ``$CHRONOS_SHARED_DIR``. ``cluster`` marks the tasks of this scheduler, so that two schedulers may share
    an engine without seeing each other's tasks. ``attributes`` are those of the pool's nodes beside what the engine
    says of them, as :func:`chronos_py.model.constraints.read_attributes` reads them. ``state`` is what the cluster
    keeps for the pool; None: a pool that needs to keep something does it in ``data_dir``.
    """

    cluster: str
    data_dir: Path
    shared_dir: Path
    docker_url: str = ""
    docker_image: str = "busybox:1"
    extra: dict[str, str] = field(default_factory=dict)
    attributes: str = ""
    state: PoolState | None = None


class PoolUnavailable(ChronosError):
    """The pool cannot be reached. Nobody knows whether the call took effect; the tasks are *unknown*, not failed."""


class PartlyUnavailable(PoolUnavailable):
    """A part of the pool cannot be reached. What is not among ``statuses`` may be there: it is unknown, not gone."""

    def __init__(self, message: str, statuses: Sequence[TaskStatus]) -> None:
        super().__init__(message)
        self.statuses = statuses


class LaunchRefused(ChronosError):
    """The pool will not run this task, for the reason in the message. It is certain that nothing was started."""


class LaunchWaits(ChronosError):
    """This node's pool holds the task until there is room for it; the message says what it waits for.

    It is listed as WAITING until then. No other node knows of it: a new leader has to launch it.
    """


class LaunchLost(ChronosError):
    """The task was, or may have been, started, and nobody will know how it ended. It must not be launched again."""


class Pool(Protocol):
    """Where tasks run. All methods are thread-safe and may raise :class:`PoolUnavailable`."""

    name: str

    def objection(self, task: Task) -> str:
        """Why this pool can never run such a task, in a sentence that names the field; "" when it may be able to.

        Asked when a job is saved, with a task that has no name yet. Reaches for nothing, so it never fails.
        """

    def submit(self, task: Task, permit: Permit) -> str:
        """Launch ``task`` once and return its handle.

        Idempotent by ``task.name``: when the name is taken already nothing is started and the handle of the
        existing task is returned. Raises :class:`LaunchRefused` when the task can't be started at all,
        :class:`LaunchLost` when the pool broke in the middle of the start, :class:`LaunchWaits` when it has no room
        yet, and whatever ``permit`` raises.
        """

    def recover(self, task: Task, permit: Permit) -> str:
        """Bring an inherited intent to an end: adopt the task if it was ever started, else launch it.

        Same errors as :meth:`submit`, and :class:`LaunchLost` when it was, or may have been, started without
        leaving anything to adopt.
        """

    def kill(self, handle: str, grace_seconds: float) -> None:
        """Ask the task to end: politely, and after ``grace_seconds`` for good. Returns at once.

        Killing an ended or vanished task does nothing. That it ended is only known from :meth:`list`.
        """

    def list(self) -> list[TaskStatus]:
        """Every task of this cluster that the pool still has a name for: the truth.

        Raises :class:`PartlyUnavailable`, with those that it can see, when some may be hidden from it.
        """

    def watch(self, stop: threading.Event) -> Iterator[str]:
        """Yield names of tasks whose status may have changed, until ``stop`` is set: a hint, never the truth.

        May block up to a second at a time; may miss events; ends by itself when the pool is closed.
        """

    def logs(self, handle: str, stream: Stream, offset: int, limit: int) -> bytes:
        """At most ``limit`` bytes of a stream of a running or ended task, from byte ``offset``.

        b"" when there is no more, for now or for ever.
        """

    def outputs(self, handle: str, limit: int) -> bytes:
        """The first ``limit`` bytes of what an ended task wrote to the file that its CHRONOS_OUTPUT_FILE names.

        The pool sets that variable, whatever the task's environment says. b"" when the task wrote nothing, left
        something else than a regular file there, or is unknown. Called before :meth:`forget`.
        """

    def capacity(self) -> Capacity:
        """What is free now."""

    def nodes(self) -> Sequence[PoolNode]:
        """The machines that tasks may run on now, by name. Costs a call to the engine at most."""

    def forget(self, handle: str) -> None:
        """Free the name and everything kept of an ended task. Forgetting a vanished task does nothing."""

    def close(self) -> None:
        """Let go of connections and threads. Tasks go on."""


class PoolFactory(Protocol):
    """What an entry point of the group ``chronos_py.pools`` refers to."""

    @classmethod
    def from_options(cls, options: PoolOptions) -> Pool:
        """Connect. Raises :class:`PoolUnavailable` in one sentence when the pool cannot be reached."""
