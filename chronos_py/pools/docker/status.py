"""From what the engine says of a container to a task's status."""

from __future__ import annotations

import contextlib
import re
import signal
from datetime import datetime, timedelta
from typing import Any

from chronos_py.pools import TaskState, TaskStatus
from chronos_py.pools.docker.engine import Engine, parse_time
from chronos_py.pools.docker.request import LABEL_TASK

Inspected = dict[str, Any]  # the answer to GET /containers/{id}/json

# The engine's exit code for a container that was gone when the engine came back.
GONE_EXIT_CODE = 255
# An engine that comes back notes the end of what it lost just before it makes its bridge network anew.
RETURN_SPAN = timedelta(seconds=5)

# The engine lost its own runtime in the middle of a start. Measured: with such words the payload may have run.
_BROKEN_START = re.compile(
    r"unavailable|transport|ttrpc|\bEOF\b|connection (error|refused|reset)|context (canceled|deadline)|closed",
    re.IGNORECASE,
)
# What the init process writes when it cannot begin the program; all else of the task worked.
_INIT_FAILURE = re.compile(rb"\[FATAL tini \(\d+\)\] exec (.+) failed: (.+)")
INIT_FAILURE_CODES = (126, 127)
_RUNNING = ("running", "paused", "restarting")


def is_running(state: str) -> bool:
    return state in _RUNNING


def was_started(inspected: Inspected) -> bool:
    """Whether the engine itself says that the container's program ever began."""
    return parse_time(inspected["State"]["StartedAt"]) is not None


def broke_in_the_start(words: str, name: str) -> bool:
    """Whether a failed start of the task ``name`` with these words may have run the payload all the same."""
    return _BROKEN_START.search(words.replace(name, "")) is not None


def status_of(inspected: Inspected, node: str) -> TaskStatus:
    """The status of a container, but for LOST, which takes more than its own words: see :func:`lost`."""
    state = inspected["State"]
    name = inspected["Config"]["Labels"].get(LABEL_TASK, inspected["Name"].lstrip("/"))
    started_at = parse_time(state["StartedAt"])
    if is_running(state["Status"]):
        return TaskStatus(name, inspected["Id"], TaskState.RUNNING, started_at=started_at, node=node)
    if started_at is None:
        message = " ".join(state["Error"].split())
        return TaskStatus(name, inspected["Id"], TaskState.CREATED, message=message, node=node)
    cause, message = _cause(inspected)
    return TaskStatus(
        name=name,
        handle=inspected["Id"],
        state=TaskState.EXITED,
        exit_code=state["ExitCode"],
        cause=cause,
        message=message,
        started_at=started_at,
        finished_at=_finished_at(state, started_at),
        node=node,
    )


def init_failure(error_output: bytes) -> str:
    """Why the init process could not begin the program; "" when that is not what it wrote."""
    match = _INIT_FAILURE.match(error_output)
    if match is None:
        return ""
    program, reason = (part.decode(errors="replace") for part in match.groups())
    return f"the program {program!r} cannot be run: {reason}"


def was_gone(status: TaskStatus, engine: Engine) -> bool:
    """Whether the engine only noted an end because it came back and the task was not there any more.

    Asks the engine, and raises PoolUnavailable, only where the exit code looks like it.
    """
    if status.exit_code != GONE_EXIT_CODE or status.finished_at is None:
        return False
    up_since = engine.up_since()
    return up_since is not None and timedelta(0) <= up_since - status.finished_at <= RETURN_SPAN


def lost(status: TaskStatus) -> TaskStatus:
    """The status of a task that was gone when the engine came back."""
    return TaskStatus(
        name=status.name,
        handle=status.handle,
        state=TaskState.LOST,
        message="the engine came back without it: its machine went down, or its supervisor was killed",
        started_at=status.started_at,
        finished_at=status.finished_at,
        node=status.node,
    )


def _finished_at(state: dict[str, Any], started_at: datetime) -> datetime:
    # The engine notes a start a moment after it: a very short program seems to end before it began.
    return max(parse_time(state["FinishedAt"]) or started_at, started_at)


def _cause(inspected: Inspected) -> tuple[str, str]:
    """Which limit or signal ended the task, and that in plain words; the engine's own where it has any."""
    state, limits = inspected["State"], inspected["HostConfig"]
    code = state["ExitCode"]
    words = " ".join(state["Error"].split())
    if state["OOMKilled"] and code != 0:
        limit = f", limit {limits['Memory'] // 2**20} MB" if limits.get("Memory") else ""
        return "memory", words or f"killed by the kernel: out of memory{limit}"
    cpu_seconds = next((each["Soft"] for each in limits.get("Ulimits") or () if each["Name"] == "cpu"), None)
    if cpu_seconds is not None and code == 128 + signal.SIGXCPU:
        return "cpu_time", words or f"killed: used more than {cpu_seconds} s of processor time"
    name = _signal_name(code)
    if name:
        return "signal", words or f"ended by {name}"
    return "", words


def _signal_name(exit_code: int) -> str:
    """The signal an exit code stands for by convention; the engine makes no difference between the two."""
    with contextlib.suppress(ValueError):
        return signal.Signals(exit_code - 128).name
    return ""
