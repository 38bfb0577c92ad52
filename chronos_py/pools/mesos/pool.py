"""The pool of tasks on Apache Mesos: this scheduler as a framework, over the v1 HTTP scheduler API.

``mesos_master`` says where the masters are: ``zk://host:port,host:port/mesos``, or ``http://host:port``, several with
commas. What a task's fields become is told in :mod:`chronos_py.pools.mesos.task_info`, how a task is launched once,
and when updates are acknowledged, in ``docs/decisions``; setting it up in ``docs/mesos.md``.

* Only the leader's calls subscribe; logs, nodes and capacity are asked of masters and agents directly.
* A task whose agent cannot be reached stays listed as running, with a message that says so, until Mesos knows better.
* What a task used is what its agent said last, while it ran: see :mod:`chronos_py.pools.mesos.usage`.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Generator, Sequence
from pathlib import Path

from chronos_py.model.task import Task
from chronos_py.pools import (
    Capacity,
    LaunchRefused,
    LaunchWaits,
    Permit,
    PoolNode,
    PoolOptions,
    PoolState,
    PoolUnavailable,
    Stream,
    TaskState,
    TaskStatus,
)
from chronos_py.pools.mesos import task_info as mesos_task_info
from chronos_py.pools.mesos.agents import capacity_of, pool_nodes, read_agents
from chronos_py.pools.mesos.book import Book
from chronos_py.pools.mesos.entry import IN_DOUBT, Entry, Phase
from chronos_py.pools.mesos.http import Caller
from chronos_py.pools.mesos.sandbox import is_regular_file, read_sandbox
from chronos_py.pools.mesos.session import FRAMEWORK_ID, Session
from chronos_py.pools.mesos.settings import read_settings
from chronos_py.pools.mesos.task_info import OUTPUT_FILE, Surroundings
from chronos_py.pools.node_attributes import configured_attributes

logger = logging.getLogger(__name__)

LAUNCH_SECONDS = 3.0
WATCH_SECONDS = 0.5


class MesosPool:
    """Runs tasks on a Mesos cluster."""

    name = "mesos"

    def __init__(self, options: PoolOptions) -> None:
        """Reaches for nothing. Raises PoolUnavailable when a setting is wrong."""
        settings = read_settings(options.extra)
        self._attributes = configured_attributes(options.attributes)
        surroundings = Surroundings(
            cluster=options.cluster,
            shared_dir=options.shared_dir.absolute(),
            default_image=options.docker_image,
            mounts_shared=options.shared_dir.absolute() != (options.data_dir / "shared").absolute(),
            attributes=self._attributes,
        )
        self._state: PoolState = options.state or FileState(options.data_dir)
        self._book = Book(options.cluster)
        self._caller = Caller(settings.credentials)
        self._session = Session(settings, surroundings, self._caller, self._book, self._state)
        self._closed = threading.Event()

    @classmethod
    def from_options(cls, options: PoolOptions) -> MesosPool:
        return cls(options)

    def objection(self, task: Task) -> str:
        return mesos_task_info.objection(task)

    def submit(self, task: Task, permit: Permit) -> str:
        """Waits a few seconds for an offer. A task that none fits waits on; see LaunchWaits."""
        self._refuse_impossible(task)
        self._session.ready()
        entry = self._book.by_name(task.name)
        if entry is not None and entry.is_launched:
            return entry.handle
        permit()
        return self._await_launch(self._book.wait(task, permit), LAUNCH_SECONDS)

    def recover(self, task: Task, permit: Permit) -> str:
        """What Mesos knows of is adopted. What waits, waits on: without asking for it again it would not."""
        self._refuse_impossible(task)
        self._session.ready()
        entry = self._book.by_name(task.name) or self._book.take_past(task.name)
        if entry is not None and entry.is_launched:
            return entry.handle
        if entry is not None and entry.is_in_doubt:
            raise LaunchWaits(IN_DOUBT)
        try:
            permit()
        except LaunchRefused:
            if entry is not None:
                self._book.drop(entry)
            raise
        is_new = entry is None or entry.error is not None
        return self._await_launch(self._book.wait(task, permit), LAUNCH_SECONDS if is_new else 0)

    def kill(self, handle: str, grace_seconds: float) -> None:
        placing = self._session.ready()
        entry = self._book.by_handle(handle)
        if entry is None or entry.phase is Phase.OVER or self._book.withdraw(entry):
            return
        if entry.update is not None and entry.update.state == "TASK_UNKNOWN":
            self._book.take_as_lost(entry)  # nobody is there to be asked to end it
            return
        placing.kill(entry, grace_seconds)

    def list(self) -> list[TaskStatus]:
        """From memory, which every update of Mesos and every new subscription corrects."""
        placing = self._session.ready()
        statuses, committed = self._book.statuses()
        placing.acknowledge_later(committed)
        return statuses

    def watch(self, stop: threading.Event) -> Generator[str]:
        """As long as somebody watches, the subscription is kept; then it is given up."""
        hints = self._book.subscribe_hints()
        self._session.hold()
        try:
            while not stop.is_set() and not self._closed.is_set():
                with contextlib.suppress(queue.Empty):
                    yield hints.get(timeout=WATCH_SECONDS)
        finally:
            self._book.unsubscribe_hints(hints)
            self._session.release()

    def logs(self, handle: str, stream: Stream, offset: int, limit: int) -> bytes:
        """From the agent's sandbox. The executor's own words are in ``stderr``, too, where there is an executor."""
        if self._book.is_forgotten(handle):
            return b""
        return read_sandbox(self._caller, self._located(handle), stream, offset, limit)

    def outputs(self, handle: str, limit: int) -> bytes:
        if self._book.is_forgotten(handle):
            return b""
        handle = self._located(handle)
        if not is_regular_file(self._caller, handle, OUTPUT_FILE):
            return b""
        return read_sandbox(self._caller, handle, OUTPUT_FILE, 0, limit)

    def capacity(self) -> Capacity:
        return capacity_of(self.nodes())

    def nodes(self) -> Sequence[PoolNode]:
        """The agents that the master knows, for one call to it."""
        return pool_nodes(self._session.ask_master({"type": "GET_AGENTS"}), self._attributes)

    def forget(self, handle: str) -> None:
        """Only now does Mesos learn that the task's end is known: until then it tells it again."""
        placing = self._session.ready()
        entry = self._book.by_handle(handle)
        if entry is not None:
            placing.acknowledge_later(self._book.forget(entry))

    def close(self) -> None:
        self._closed.set()
        self._session.close()

    def teardown(self) -> str:
        """End the framework in Mesos for good, and all its tasks; the id that it had. Raises PoolUnavailable."""
        framework_id = self._state.get(FRAMEWORK_ID)
        if not framework_id:
            raise PoolUnavailable("This cluster has no framework in Mesos; there is nothing to tear down.")
        self._session.teardown(framework_id)
        self._state.set(FRAMEWORK_ID, "")
        return framework_id

    # ---------------------------------------------------------------------------------------------------

    def _refuse_impossible(self, task: Task) -> None:
        why = self.objection(task)
        if why:
            raise LaunchRefused(why)

    def _located(self, handle: str) -> str:
        """With the address of the agent: one that was away when its task was taken over had none then."""
        entry = self._book.by_handle(handle)
        if entry is None or not entry.agent_id or not handle.endswith("@"):
            return handle
        if not entry.address:
            self._book.locate(read_agents(self._session.ask_master({"type": "GET_AGENTS"})))
        if not entry.address and entry.status().state is not TaskState.LOST:
            raise PoolUnavailable("The Mesos agent that has the task's output cannot be reached.")
        return entry.handle

    def _await_launch(self, entry: Entry, seconds: float) -> str:
        with self._book.changed:
            self._book.changed.wait_for(lambda: entry.is_launched or entry.error is not None, seconds)
            if entry.is_launched:
                return entry.handle
            error, reason = entry.error, IN_DOUBT if entry.is_in_doubt else entry.reason
        if isinstance(error, LaunchRefused):
            self._book.drop(entry)
        if error is not None:
            raise error
        raise LaunchWaits(reason or "waiting for an offer of Mesos")


class FileState:
    """Keeps texts in files of one machine, where a cluster of several nodes keeps them in its database."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> str:
        try:
            return (self._folder / key).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise PoolUnavailable(f"{self._folder / key} cannot be read: {error.strerror}.") from error

    def set(self, key: str, value: str) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            partial = self._folder / f"{key}.partial"
            partial.write_text(value, encoding="utf-8")
            partial.replace(self._folder / key)
        except OSError as error:
            raise PoolUnavailable(f"{self._folder / key} cannot be written: {error.strerror}.") from error
