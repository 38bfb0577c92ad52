"""The pool of tasks on a Docker Swarm: one service for each, with one task that Swarm never starts again.

``docker_url`` names the engines of the swarm's managers, with commas between them; whichever answers is asked.
Engines of workers may be named, too. They are asked for output, which managers may fail to get, and for what Swarm
does not keep: whether a task was killed for lack of memory, and when exactly its program began and ended.

Every node must have the shared folder (a network file system, at one path, seen by the servers as well), and the
images, or a registry that has them. What a task's fields become is told in :mod:`chronos_py.pools.swarm.service`, of
parameters in :mod:`chronos_py.pools.swarm.parameters`, how a task is launched once in ``docs/decisions``.

* The grace of a kill is the one that the task was launched with.
* Fetched files lie in the shared folder; see :mod:`chronos_py.pools.swarm.files`.
* Swarm has no events for the ends of tasks, so they are looked for twice a second.
"""

from __future__ import annotations

import builtins
import contextlib
import threading
from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import partial

from docker.errors import APIError, NotFound

from chronos_py.model.task import Task
from chronos_py.pools import (
    NO_EXECUTORS,
    Capacity,
    LaunchRefused,
    Permit,
    PoolNode,
    PoolOptions,
    PoolUnavailable,
    Stream,
    TaskState,
    TaskStatus,
)
from chronos_py.pools.docker import status as docker_status
from chronos_py.pools.docker.engine import Engine
from chronos_py.pools.docker.logs import Sight
from chronos_py.pools.docker.request import LABEL_TASK, Surroundings
from chronos_py.pools.docker.status import INIT_FAILURE_CODES, init_failure
from chronos_py.pools.docker.tls import tls_from
from chronos_py.pools.node_attributes import configured_attributes
from chronos_py.pools.shared_folder import shared_folder
from chronos_py.pools.swarm.calls import (
    Found,
    inspect_service,
    nodes_of,
    remove_service,
    running_tasks,
    services_of,
    tasks_of,
    tasks_of_service,
)
from chronos_py.pools.swarm.files import TaskFiles
from chronos_py.pools.swarm.launch import SwarmLaunch
from chronos_py.pools.swarm.logs import SwarmLogs
from chronos_py.pools.swarm.managers import Managers
from chronos_py.pools.swarm.nodes import capacity_of, has_majority, pool_nodes
from chronos_py.pools.swarm.service import is_killed, is_started, service_spec
from chronos_py.pools.swarm.status import container_of, own_task, status_of, with_doubt

LOOK_SECONDS = 0.5
INIT_FAILURE_BYTES = 1000
ATTEMPTS = 5  # to change a service that others change at the same time


class SwarmPool:
    """Runs tasks as services. Any number of pools may share a swarm; each sees its cluster's tasks only."""

    name = "swarm"

    def __init__(self, managers: Managers, options: PoolOptions) -> None:
        """Raises PoolUnavailable when the shared folder cannot be made."""
        self._managers = managers
        self._cluster = options.cluster
        self._attributes = configured_attributes(options.attributes)
        self._around = Surroundings(
            cluster=options.cluster,
            shared_dir=shared_folder(options),
            default_image=options.docker_image,
            host_name="",
            has_init=managers.has_init,
        )
        self._files = TaskFiles(self._around.shared_dir, options.cluster)
        self._launch = SwarmLaunch(managers, self._files, self._around, options.data_dir, self._attributes)
        self._logs = SwarmLogs(managers, self._look)
        self._lock = threading.Lock()
        self._ended: dict[str, TaskStatus] = {}  # by handle
        self._terminals: set[str] = set()
        self._was_away: dict[str, str] = {}  # nodes' names, by handle
        self._closed = threading.Event()

    @classmethod
    def from_options(cls, options: PoolOptions) -> SwarmPool:
        urls = [url.strip() for url in options.docker_url.split(",") if url.strip()]
        return cls(Managers(urls, partial(Engine, tls=tls_from(options.extra))), options)

    def objection(self, task: Task) -> str:
        if task.executor:
            return NO_EXECUTORS.format(task.executor, self.name)
        try:
            service_spec(task, self._around, [], None)
        except LaunchRefused as refusal:
            return str(refusal)
        return ""

    def submit(self, task: Task, permit: Permit) -> str:
        return self._launch.submit(task, permit)

    def recover(self, task: Task, permit: Permit) -> str:
        return self._launch.recover(task, permit)

    def kill(self, handle: str, grace_seconds: float) -> None:
        """The grace is that of the task's launch, whatever is asked for: Swarm knows no other."""
        for _ in range(ATTEMPTS):
            found = self._inspect(handle)
            if found is None or not is_started(found) or is_killed(found):
                return
            status = status_of(found, own_task(self._tasks_of(handle)), {})
            if status.state is TaskState.EXITED or self._launch.replace_by_nothing(found):
                return
        raise PoolUnavailable(f"The service {handle!r} is changed again and again by somebody else.")

    def list(self) -> list[TaskStatus]:
        """A few calls for all, and one or two more for each task that is seen ended for the first time."""
        self._logs.tidy()
        self._managers.require_answer()
        services = self._managers.ask(partial(services_of, cluster=self._cluster))
        tasks = self._managers.ask(partial(tasks_of, cluster=self._cluster))
        nodes = {node["ID"]: node for node in self._all_nodes()}
        by_service: dict[str, builtins.list[Found]] = {}
        for task in tasks:
            by_service.setdefault(task["ServiceID"], []).append(task)
        statuses = [self._status(service, by_service.get(service["ID"], []), nodes) for service in services]
        with self._lock:
            handles = {status.handle for status in statuses}
            self._ended = {handle: status for handle, status in self._ended.items() if handle in handles}
            self._was_away = {handle: node for handle, node in self._was_away.items() if handle in handles}
            self._terminals &= handles
        self._logs.keep_only(handles)
        return statuses

    def watch(self, stop: threading.Event) -> Generator[str]:
        """Swarm tells of services, not of their tasks: so this compares what it says of those, at intervals."""
        seen: dict[str, tuple[str, str]] = {}
        while not stop.is_set() and not self._closed.is_set():
            with contextlib.suppress(PoolUnavailable, APIError):
                tasks = self._managers.ask(partial(tasks_of, cluster=self._cluster))
                now = {task["ID"]: (_task_name(task), str(task["Status"]["State"])) for task in tasks}
                changed = set(now.items()) ^ set(seen.items())
                seen = now
                yield from {name for _, (name, _) in changed if name}
            stop.wait(LOOK_SECONDS)

    def logs(self, handle: str, stream: Stream, offset: int, limit: int) -> bytes:
        """What it costs is told in :mod:`chronos_py.pools.docker.logs`. A terminal's output is all ``stdout``."""
        return self._logs.read(handle, stream, offset, limit)

    def outputs(self, handle: str, limit: int) -> bytes:
        found = self._inspect(handle)
        return self._files.read_outputs(found["Spec"]["Name"], limit) if found else b""

    def capacity(self) -> Capacity:
        """Of the nodes that take tasks; free is what no task of any service has reserved."""
        return capacity_of(self.nodes())

    def nodes(self) -> Sequence[PoolNode]:
        """All nodes of the swarm, for three calls. Labels of the swarm stand above those of the engines."""
        self._managers.require_answer()
        nodes = self._all_nodes()
        tasks = self._managers.ask(running_tasks)
        return sorted(pool_nodes(nodes, tasks, self._attributes).values(), key=lambda node: node.name)

    def forget(self, handle: str) -> None:
        """A running task is left alone."""
        found = self._inspect(handle)
        if found is None:
            return
        if not is_started(found):
            if not self._launch.replace_by_nothing(found):
                return  # somebody started it just now
        elif handle not in self._ended and not status_of(found, own_task(self._tasks_of(handle)), {}).is_final:
            return
        with self._managers.answering() as client, contextlib.suppress(NotFound):
            remove_service(client, handle)
        self._files.remove(found["Spec"]["Name"])

    def close(self) -> None:
        self._closed.set()
        self._logs.close()
        self._managers.close()

    # ---------------------------------------------------------------------------------------------------

    def _inspect(self, handle: str) -> Found | None:
        return self._managers.ask(partial(inspect_service, service=handle))

    def _tasks_of(self, handle: str) -> builtins.list[Found]:
        return self._managers.ask(partial(tasks_of_service, service=handle))

    def _all_nodes(self) -> builtins.list[Found]:
        """Raises PoolUnavailable when the manager may not know how things stand."""
        nodes = self._managers.ask(nodes_of)
        if not has_majority(nodes):
            raise PoolUnavailable(f"The swarm manager at {self._managers.url} has lost most of the other managers.")
        return nodes

    def _status(self, service: Found, tasks: builtins.list[Found], nodes: dict[str, Found]) -> TaskStatus:
        handle = service["ID"]
        with self._lock:
            ended = self._ended.get(handle)
        if ended:
            return ended
        task = own_task(tasks)
        status = status_of(service, task, nodes)
        if task and task["Spec"]["ContainerSpec"].get("TTY"):
            self._terminals.add(handle)
        if not status.is_final:
            if status.state is TaskState.RUNNING and status.message:
                self._was_away[handle] = status.node
            return status
        if task and status.exit_code is not None:
            status = self._with_what_its_node_knows(status, task)
        if task and status.state is TaskState.EXITED and status.exit_code != 0:
            status = with_doubt(status, task, self._files.start_of(status.name), str(self._around.shared_dir))
        if handle in self._was_away and status.exit_code:
            away = f"its node {self._was_away[handle]} had been away, and Swarm ends what ran there"
            status = replace(status, message=f"{status.message or f'exit status {status.exit_code}'}; {away}")
        with self._lock:
            self._ended[handle] = status
        return status

    def _with_what_its_node_knows(self, status: TaskStatus, task: Found) -> TaskStatus:
        """The status of a task that ended, exact to the time and the limit where the engine of its node was named."""
        engine = self._managers.engine_of(task.get("NodeID", ""))
        with contextlib.suppress(PoolUnavailable, APIError):
            found = engine.inspect(container_of(task)) if engine else None
            if found and docker_status.was_started(found) and found["State"]["Status"] == "exited":
                known = docker_status.status_of(found, status.node)
                known = docker_status.lost(known) if engine and docker_status.was_gone(known, engine) else known
                status = replace(known, name=status.name, handle=status.handle)
        if status.exit_code in INIT_FAILURE_CODES and task["Spec"]["ContainerSpec"].get("Init"):
            with contextlib.suppress(PoolUnavailable):
                sight = Sight(False, status.handle in self._terminals)
                words = self._logs.beginning(status.handle, sight, "stderr", INIT_FAILURE_BYTES)
                status = replace(status, message=init_failure(words) or status.message)
        return status

    def _look(self, handle: str) -> Sight | None:
        with self._lock:
            has_ended = handle in self._ended
        if has_ended:
            return Sight(False, handle in self._terminals)
        task = own_task(self._tasks_of(handle))
        if task is None or not container_of(task):
            return None
        return Sight(task["Status"]["State"] == "running", bool(task["Spec"]["ContainerSpec"].get("TTY")))


def _task_name(task: Found) -> str:
    return str((task["Spec"]["ContainerSpec"].get("Labels") or {}).get(LABEL_TASK, ""))
