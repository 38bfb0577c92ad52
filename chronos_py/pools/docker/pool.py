"""The pool of containers on one Docker Engine.

A task is a container with the task's name. The engine refuses a second container of that name, but would start
an exited one again without a word; so a container is created by name, started by the id that its
creation returned, at most once, and kept until :meth:`DockerPool.forget`.

What a task's fields become:

* ``limits.cpus`` is a soft share of a busy processor, as in the original, where 0.1 is the default and no limit
  on an idle machine; the parameter ``cpus`` sets a hard limit. ``limits.memory_mb`` is a hard limit without swap.
  ``limits.cpu_seconds`` holds for each process of the task, in whole seconds. ``limits.disk_mb`` and
  ``limits.wall_seconds`` are not the engine's to keep: nobody holds the first, the leader's deadline the second.
* ``volumes``: a missing host folder is made by the engine; an external one is a named volume of its driver.
* ``network_infos``: the first one's name is the network of USER, the others are joined, labels are driver options.
* ``fetch``: see :mod:`chronos_py.pools.docker.sandbox`; a file of the server's machine only where the engine is, too.
* ``executor``: the engine has none, so the pool objects to it.
* ``parameters``: the table in :mod:`chronos_py.pools.docker.parameters`.

What stays uncertain, and is reported as :class:`LaunchLost` instead of being launched again: the engine writes
down that a program began a moment after it did. Measured: killed in between, it comes back and calls the
container never started, though its program ran. An engine with live-restore cannot always tell that it was away; then
what it does not remember to have created is taken for uncertain, too.
"""

from __future__ import annotations

import builtins
import contextlib
import math
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from docker.errors import APIError

from chronos_py.model.task import Task
from chronos_py.pools import (
    NO_EXECUTORS,
    Capacity,
    Permit,
    PoolNode,
    PoolOptions,
    PoolUnavailable,
    Stream,
    TaskState,
    TaskStatus,
)
from chronos_py.pools.docker.engine import Engine
from chronos_py.pools.docker.events import EventFeed
from chronos_py.pools.docker.launch import DockerLaunch
from chronos_py.pools.docker.logs import Logs, Sight
from chronos_py.pools.docker.outputs import OutputFiles
from chronos_py.pools.docker.request import LABEL_CLUSTER, LABEL_CPUS, LABEL_MEMORY, LABEL_TASK, Surroundings
from chronos_py.pools.docker.status import (
    INIT_FAILURE_CODES,
    Inspected,
    init_failure,
    is_running,
    lost,
    status_of,
    was_gone,
    was_started,
)
from chronos_py.pools.docker.tls import tls_from
from chronos_py.pools.node_attributes import attributes_of, configured_attributes
from chronos_py.pools.shared_folder import shared_folder

INIT_FAILURE_BYTES = 1000


@dataclass(frozen=True, slots=True)
class Known:
    """What need not be asked again of a task that was seen running or ended."""

    status: TaskStatus
    has_terminal: bool


class DockerPool:
    """Runs tasks as containers. Any number of pools may share an engine; each sees its cluster's tasks only."""

    name = "docker"

    def __init__(self, engine: Engine, options: PoolOptions) -> None:
        """Raises PoolUnavailable when the shared folder cannot be made."""
        self._engine = engine
        self._attributes = configured_attributes(options.attributes)
        self._client = engine.client
        self._cluster = options.cluster
        around = Surroundings(
            cluster=options.cluster,
            shared_dir=shared_folder(options),
            default_image=options.docker_image,
            host_name=engine.host_name,
            has_init=engine.has_init,
        )
        self._outputs = OutputFiles(engine)
        self._launch = DockerLaunch(engine, self._outputs, around, options.data_dir)
        self._logs = Logs(engine, self._look)
        self._known: dict[str, Known] = {}  # by handle
        self._lock = threading.Lock()
        self._being_stopped: set[tuple[str, int]] = set()
        self._closed = threading.Event()

    @classmethod
    def from_options(cls, options: PoolOptions) -> DockerPool:
        return cls(Engine(options.docker_url, tls_from(options.extra)), options)

    def objection(self, task: Task) -> str:
        return NO_EXECUTORS.format(task.executor, self.name) if task.executor else ""

    def submit(self, task: Task, permit: Permit) -> str:
        return self._launch.submit(task, permit)

    def recover(self, task: Task, permit: Permit) -> str:
        return self._launch.recover(task, permit)

    def kill(self, handle: str, grace_seconds: float) -> None:
        """The engine does the waiting (in whole seconds, rounded up), and goes on with it should this process die."""
        found = self._engine.inspect(handle)
        if found is None or not is_running(found["State"]["Status"]):
            return
        order = (handle, math.ceil(grace_seconds))
        with self._lock:
            if order in self._being_stopped:
                return
            self._being_stopped.add(order)
        threading.Thread(target=self._stop, args=order, name="docker-stop", daemon=True).start()

    def list(self) -> list[TaskStatus]:
        """One call for all, and one more for each task seen for the first time running, and ended."""
        self._logs.tidy()
        known: dict[str, Known] = {}
        statuses = []
        for summary in self._summaries():
            handle = summary["Id"]
            if summary["State"] == "created":
                status = TaskStatus(
                    summary["Labels"][LABEL_TASK], handle, TaskState.CREATED, node=self._engine.host_name
                )
            else:
                entry = self._refresh(handle, is_running(summary["State"]))
                if entry is None:
                    continue  # removed since the engine wrote its list
                status = entry.status
                known[handle] = entry
            statuses.append(status)
        with self._lock:
            noted = {
                handle: entry for handle, entry in self._known.items() if handle in known and entry.status.is_final
            }
            self._known = known | noted
        return statuses

    def watch(self, stop: threading.Event) -> Generator[str]:
        feed = EventFeed(self._engine, self._cluster, self._names, self._note_end, stop, self._closed)
        return feed.listen()

    def logs(self, handle: str, stream: Stream, offset: int, limit: int) -> bytes:
        """What it costs is told in :mod:`chronos_py.pools.docker.logs`. A terminal's output is all ``stdout``."""
        return self._logs.read(handle, stream, offset, limit)

    def outputs(self, handle: str, limit: int) -> bytes:
        """What it costs, and which containers have none, is told in :mod:`chronos_py.pools.docker.outputs`."""
        return self._outputs.read(handle, limit)

    def capacity(self) -> Capacity:
        """Free is what this cluster's running tasks have not reserved; other users of the engine don't count."""
        running = self._summaries(status="running")
        return Capacity(
            cpus_total=self._engine.cpus,
            cpus_free=self._engine.cpus - _sum_of(running, LABEL_CPUS),
            memory_total_mb=self._engine.memory_mb,
            memory_free_mb=self._engine.memory_mb - _sum_of(running, LABEL_MEMORY),
        )

    def nodes(self) -> Sequence[PoolNode]:
        """The engine's machine. Its labels (``name=value``) are attributes beside os, arch, storage and so on."""
        capacity = self.capacity()
        facts = self._engine.facts()
        pairs = (label.partition("=") for label in facts.get("Labels") or [])
        found = {
            "os": str(facts.get("OSType", "")),
            "arch": str(facts.get("Architecture", "")),
            "storage": str(facts.get("Driver", "")),
            "kernel": str(facts.get("KernelVersion", "")),
            "system": str(facts.get("OperatingSystem", "")),
            **{name: value for name, _, value in pairs},
        }
        return [
            PoolNode(
                name=self._engine.host_name,
                attributes=attributes_of(self._engine.host_name, found, self._attributes),
                cpus_total=capacity.cpus_total,
                cpus_free=capacity.cpus_free,
                memory_total_mb=capacity.memory_total_mb,
                memory_free_mb=capacity.memory_free_mb,
                engine=f"Docker Engine {facts.get('ServerVersion', '')}".strip(),
            )
        ]

    def forget(self, handle: str) -> None:
        """A running task is left alone."""
        # It may be gone, be going, or run; and what the engine fails to remove now stays in the list.
        with self._engine.answering(), contextlib.suppress(APIError):
            self._client.remove_container(handle, v=True)

    # What a pool of several engines asks each of its own. All raise PoolUnavailable.

    def find(self, name: str) -> str:
        """The handle of a task by its name; "" for none."""
        return self._launch.find(name)

    def has(self, handle: str) -> bool:
        return self._engine.inspect(handle) is not None

    def refuse_if_removed(self, name: str) -> None:
        """Raises LaunchLost when a task of that name began here and was removed since."""
        self._launch.refuse_if_removed(name)

    def require_answer(self) -> None:
        """Raises PoolUnavailable within a few seconds when the engine does not answer."""
        self._engine.ping()

    def close(self) -> None:
        self._closed.set()
        self._logs.close()
        self._engine.close()

    # ---------------------------------------------------------------------------------------------------

    def _summaries(self, **filters: str) -> builtins.list[dict[str, Any]]:
        self._engine.ping()  # one that hangs is known to within seconds; a call may take minutes
        with self._engine.answering():
            found: builtins.list[dict[str, Any]] = self._client.containers(
                all=True, filters={"label": f"{LABEL_CLUSTER}={self._cluster}", **filters}
            )
        return found

    def _names(self) -> builtins.list[str]:
        return [summary["Labels"][LABEL_TASK] for summary in self._summaries()]

    def _note_end(self, handle: str) -> None:
        """Make sure that the next list shows the end that the engine has announced.

        Its list runs a few milliseconds behind its events, an inspection does not.
        """
        with contextlib.suppress(PoolUnavailable):
            found = self._engine.inspect(handle)
            if found:
                entry = self._entry_for(found)
                with self._lock:
                    self._known[handle] = entry

    def _refresh(self, handle: str, runs: bool) -> Known | None:
        """What is known of a begun task, asked anew only when that may have changed."""
        entry = self._known.get(handle)
        if entry and (entry.status.is_final or runs):
            return entry
        found = self._engine.inspect(handle)
        return self._entry_for(found) if found else None

    def _entry_for(self, found: Inspected) -> Known:
        status = status_of(found, self._engine.host_name)
        if was_gone(status, self._engine):
            status = lost(status)
        has_terminal = bool(found["Config"]["Tty"])
        if found["HostConfig"]["Init"] and status.exit_code in INIT_FAILURE_CODES:
            words = self._logs.beginning(status.handle, Sight(False, has_terminal), "stderr", INIT_FAILURE_BYTES)
            status = replace(status, message=init_failure(words) or status.message)
        return Known(status, has_terminal)

    def _look(self, handle: str) -> Sight | None:
        entry = self._known.get(handle)
        if entry and entry.status.is_final:
            return Sight(False, entry.has_terminal)
        found = self._engine.inspect(handle)
        if found is None or not was_started(found):
            return None
        return Sight(is_running(found["State"]["Status"]), bool(found["Config"]["Tty"]))

    def _stop(self, handle: str, grace_seconds: int) -> None:
        try:
            # Whoever wants the task dead asks again when it does not die.
            with contextlib.suppress(PoolUnavailable, APIError), self._engine.answering():
                self._client.stop(handle, timeout=grace_seconds)
        finally:
            with self._lock:
                self._being_stopped.discard((handle, grace_seconds))


def _sum_of(summaries: builtins.list[dict[str, Any]], label: str) -> float:
    return sum(float(summary["Labels"].get(label, 0)) for summary in summaries)
