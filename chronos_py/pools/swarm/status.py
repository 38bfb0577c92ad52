"""From what Swarm says of a service, its task and the task's node to the task's status. Pure.

A task on a node that is down is *unknown*: it is reported as running, with words. Swarm never starts it again
elsewhere (its restart condition is none), and ends it when the node comes back, if it still runs. It is lost once
Swarm gives it up, after a day, or the node was removed from the swarm.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from chronos_py.pools import TaskState, TaskStatus
from chronos_py.pools.docker.engine import parse_time
from chronos_py.pools.docker.request import LABEL_TASK
from chronos_py.pools.docker.status import broke_in_the_start
from chronos_py.pools.swarm.calls import Found
from chronos_py.pools.swarm.files import Start
from chronos_py.pools.swarm.nodes import AWAY, host_name, state_of
from chronos_py.pools.swarm.once import was_not_run
from chronos_py.pools.swarm.service import is_killed, is_own, is_started

_ENDED = ("complete", "failed", "shutdown", "rejected", "orphaned", "remove")

NODE_REMOVED = "its node was removed from the swarm; how it ended is not known"
LOST_TRACK = (
    "its engine was killed as it began and lost track of it: it may have gone on, and how it ended is not known"
)
NO_SHARED_FOLDER = "the shared folder, which every node needs at the servers' path, cannot be written ({})"
NEVER_BEGAN = "launch"  # the cause of an end before the beginning
START_FAILED = "starting container failed"  # an engine's words for what may have begun all the same
# An engine that does not know any more what its runtime has. Measured: the program goes on, and nobody can end it.
_STILL_THERE = "id already in use"


def own_task(tasks: list[Found]) -> Found | None:
    """The one task of a service that was asked for; the first, should there ever be more."""
    own = [task for task in tasks if is_own(task)]
    return min(own, key=lambda task: str(task["CreatedAt"]), default=None)


def status_of(service: Found, task: Found | None, nodes: Mapping[str, Found]) -> TaskStatus:
    """The status by Swarm's own words. ``nodes`` are all of the swarm, by id."""
    name, handle = service["Spec"]["Labels"].get(LABEL_TASK, service["Spec"]["Name"]), service["ID"]
    if not is_started(service):
        return TaskStatus(name, handle, TaskState.CREATED)
    if task is None:
        if is_killed(service):
            return _never_began(name, handle, "it was killed before it began")
        return TaskStatus(name, handle, TaskState.WAITING)
    node = nodes.get(task.get("NodeID", ""))
    state, words = task["Status"]["State"], _words(task)
    node_name = host_name(node) if node else ""
    if state in _ENDED:
        return _ended(name, handle, task, node_name)
    if task.get("NodeID") and node is None:
        return TaskStatus(name, handle, TaskState.LOST, message=NODE_REMOVED, started_at=_time(task, "CreatedAt"))
    if node and state_of(node) in AWAY:
        words = f"unknown: its node {node_name} is {state_of(node)}, and how it goes on there can't be seen"
        started_at = _time(task["Status"], "Timestamp") if state == "running" else None
        return TaskStatus(name, handle, TaskState.RUNNING, message=words, started_at=started_at, node=node_name)
    if state == "running":
        started_at = _time(task["Status"], "Timestamp")
        return TaskStatus(name, handle, TaskState.RUNNING, started_at=started_at, node=node_name)
    message = f"waits for a node: {words}" if state == "pending" and words else ""
    return TaskStatus(name, handle, TaskState.WAITING, message=message, node=node_name)


def container_of(task: Found) -> str:
    """The id of the task's container; "" when it never had one."""
    return str((task["Status"].get("ContainerStatus") or {}).get("ContainerID", ""))


def with_doubt(status: TaskStatus, task: Found, start: Start, shared_dir: str) -> TaskStatus:
    """The status of a task that ended, by what its folder says of its start, too: it may have run, or not at all."""
    if status.cause == NEVER_BEGAN and START_FAILED in status.message:
        is_there = _STILL_THERE in status.message or broke_in_the_start(status.message, status.name)
        return _lost_track(status) if start.is_noted or is_there else status
    if not was_not_run(task, status.exit_code):
        return status
    if start.was_repeated:
        return _lost_track(status)
    if not start.is_noted:
        words = f"{f'on {status.node}: ' if status.node else ''}{NO_SHARED_FOLDER.format(shared_dir)}"
        return _never_began(status.name, status.handle, words, status.finished_at, status.node)
    return status  # the command's own exit code


def _lost_track(status: TaskStatus) -> TaskStatus:
    return replace(status, state=TaskState.LOST, exit_code=None, cause="", message=LOST_TRACK)


def _ended(name: str, handle: str, task: Found, node: str) -> TaskStatus:
    state = task["Status"]["State"]
    created_at, finished_at = _time(task, "CreatedAt"), _time(task["Status"], "Timestamp")
    if state in ("orphaned", "remove"):
        message = "it was removed"
        if state == "orphaned":
            message = f"its node {node} was away so long that Swarm gave it up" if node else NODE_REMOVED
        return TaskStatus(
            name, handle, TaskState.LOST, message=message, started_at=created_at, finished_at=finished_at, node=node
        )
    if not container_of(task) or START_FAILED in _words(task):
        where = f"on {node}: " if node else ""
        return _never_began(
            name, handle, f"{where}{_words(task) or 'it was ended before it began'}", finished_at, node
        )
    code = int(task["Status"]["ContainerStatus"].get("ExitCode", 0))
    cause, message = ("", "") if state == "complete" else _cause(task, code)
    return TaskStatus(
        name=name,
        handle=handle,
        state=TaskState.EXITED,
        exit_code=code,
        cause=cause,
        message=message,
        started_at=created_at,  # Swarm forgets when the container began
        finished_at=finished_at,
        node=node,
    )


def _never_began(
    name: str, handle: str, message: str, finished_at: datetime | None = None, node: str = ""
) -> TaskStatus:
    return TaskStatus(
        name, handle, TaskState.EXITED, cause=NEVER_BEGAN, message=message, finished_at=finished_at, node=node
    )


def _cause(task: Found, code: int) -> tuple[str, str]:
    """What ended a task, as far as Swarm tells: it does not say that it was for lack of memory."""
    words = _words(task)
    said = "" if words.startswith("task: non-zero exit") else words
    if code == 128 + signal.SIGXCPU and task["Spec"]["ContainerSpec"].get("Ulimits"):
        return "cpu_time", said or "killed: used more processor time than it may"
    if code == 128 + signal.SIGKILL and not said:
        limit = ((task["Spec"].get("Resources") or {}).get("Limits") or {}).get("MemoryBytes", 0) >> 20
        hint = f"; it may have been its memory limit of {limit} MB, as only its node's engine knows" if limit else ""
        return "signal", f"ended by SIGKILL{hint}"
    try:
        by_signal = f"ended by {signal.Signals(code - 128).name}"
    except ValueError:
        return "", said
    return "signal", said or by_signal


def _words(task: Found) -> str:
    return " ".join(str(task["Status"].get("Err") or "").split())


def _time(place: dict[str, Any], field: str) -> datetime | None:
    return parse_time(str(place.get(field) or ""))
