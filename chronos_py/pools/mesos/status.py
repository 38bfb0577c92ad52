"""What the states of Mesos' tasks mean here, as a table."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from chronos_py.pools import TaskState


class Meaning(Enum):
    """What a state says of a task."""

    UNDER_WAY = "under way"  # accepted, and no more is known than that
    RUNNING = "running"
    DOUBTFUL = "doubtful"  # nobody can say now whether it runs; it may come back
    EXITED = "exited"  # over; the message has its exit status
    KILLED = "killed"  # over, by a kill
    REFUSED = "refused"  # over, and it never began
    GONE = "gone"  # over, and nobody will know how it ended


MEANINGS = {
    "TASK_STAGING": Meaning.UNDER_WAY,
    "TASK_STARTING": Meaning.UNDER_WAY,
    "TASK_RUNNING": Meaning.RUNNING,
    "TASK_KILLING": Meaning.RUNNING,
    "TASK_FINISHED": Meaning.EXITED,
    "TASK_FAILED": Meaning.EXITED,
    "TASK_KILLED": Meaning.KILLED,
    "TASK_ERROR": Meaning.REFUSED,
    "TASK_DROPPED": Meaning.REFUSED,
    "TASK_LOST": Meaning.GONE,
    "TASK_GONE": Meaning.GONE,
    "TASK_GONE_BY_OPERATOR": Meaning.GONE,
    "TASK_UNREACHABLE": Meaning.DOUBTFUL,
    "TASK_UNKNOWN": Meaning.DOUBTFUL,
}
FINAL = frozenset({Meaning.EXITED, Meaning.KILLED, Meaning.REFUSED, Meaning.GONE})

_NEVER_BEGAN = frozenset({"REASON_CONTAINER_LAUNCH_FAILED", "REASON_TASK_INVALID", "REASON_TASK_UNAUTHORIZED"})
_CAUSES = {
    "REASON_CONTAINER_LIMITATION_MEMORY": "memory",
    "REASON_MAX_COMPLETION_TIME_REACHED": "wall_time",
}
_WORDS = {
    "TASK_ERROR": "Mesos refused the task",
    "TASK_DROPPED": "Mesos could not launch the task",
    "TASK_LOST": "Mesos lost the task",
    "TASK_GONE": "the task is gone from its agent; how it ended is not known",
    "TASK_GONE_BY_OPERATOR": "its agent was declared gone by an operator; how the task ended is not known",
    "TASK_KILLED": "the task was killed in Mesos",
    "TASK_UNREACHABLE": "its agent cannot be reached; whether the task still runs is not known",
    "TASK_UNKNOWN": "the Mesos master does not know the task or its agent; whether it still runs is not known",
}
_STATUS = re.compile(r"(?:Command|Container) exited with status (\d+)")
_SIGNAL = re.compile(r"(?:Command|Container) terminated with signal ([A-Za-z ]+)")
_SIGNALS = {words: number for number in signal.valid_signals() if (words := signal.strsignal(number))}


@dataclass(frozen=True, slots=True)
class Update:
    """One status update. ``uuid`` "": it is the master's own word, and must not be acknowledged."""

    task_id: str
    state: str
    uuid: str = ""
    agent_id: str = ""
    reason: str = ""
    message: str = ""
    source: str = ""
    at: datetime | None = None
    executor_id: str = ""

    @property
    def meaning(self) -> Meaning:
        """A state of a later Mesos that nobody knows here is doubtful: it ends nothing."""
        return MEANINGS.get(self.state, Meaning.DOUBTFUL)

    @property
    def is_final(self) -> bool:
        return self.meaning in FINAL

    @property
    def is_reconciliation(self) -> bool:
        return self.reason == "REASON_RECONCILIATION"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an update says in the words of the contract of pools."""

    state: TaskState
    exit_code: int | None = None
    cause: str = ""
    message: str = ""


def read_update(status: dict[str, Any]) -> Update | None:
    """A TaskStatus of Mesos; None when it has no task or state. Unknown fields are left aside."""
    task_id, state = _value(status, "task_id"), status.get("state")
    if not task_id or not isinstance(state, str):
        return None
    return Update(
        task_id=task_id,
        state=state,
        uuid=str(status.get("uuid") or ""),
        agent_id=_value(status, "agent_id"),
        reason=str(status.get("reason") or ""),
        message=str(status.get("message") or ""),
        source=str(status.get("source") or ""),
        at=_time(status.get("timestamp")),
        executor_id=_value(status, "executor_id"),
    )


def _time(seconds: object) -> datetime | None:
    """A custom executor sets it as it likes."""
    try:
        return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int | float) else None
    except (OverflowError, OSError, ValueError):
        return None


def _value(found: dict[str, Any], name: str) -> str:
    inner = found.get(name)
    return str(inner.get("value") or "") if isinstance(inner, dict) else ""


def verdict(update: Update) -> Verdict:
    """The state, exit code, cause and sentence of an update."""
    match update.meaning:
        case Meaning.UNDER_WAY:
            return Verdict(TaskState.WAITING, message="Mesos is preparing it on its agent")
        case Meaning.RUNNING:
            return Verdict(TaskState.RUNNING)
        case Meaning.DOUBTFUL:
            return Verdict(TaskState.RUNNING, message=_sentence(update))
        case Meaning.GONE:
            return Verdict(TaskState.LOST, message=_sentence(update))
        case Meaning.REFUSED:
            return Verdict(TaskState.EXITED, cause="launch", message=_sentence(update))
    code = exit_code(update.message)
    if update.meaning is Meaning.KILLED:
        return Verdict(TaskState.EXITED, 137 if code is None else code, "signal", _sentence(update))
    if update.state == "TASK_FINISHED":
        return Verdict(TaskState.EXITED, 0)
    if update.reason in _NEVER_BEGAN:
        return Verdict(TaskState.EXITED, cause="launch", message=_sentence(update))
    cause = _CAUSES.get(update.reason, "")
    if code is None and cause == "memory":
        code = 137
    if code is None:  # the executor is gone, and the exit status with it
        return Verdict(TaskState.LOST, message=_sentence(update))
    if not cause and code > 128 and _SIGNAL.search(update.message):
        cause = "signal"
    plain = not update.reason and not cause
    return Verdict(TaskState.EXITED, code, cause, f"exit status {code}" if plain else _sentence(update))


def exit_code(message: str) -> int | None:
    """The exit status, which Mesos tells in words only; 128 and the signal's number for a signal."""
    found = _STATUS.search(message)
    if found:
        return int(found[1])
    found = _SIGNAL.search(message)
    number = _SIGNALS.get(found[1].strip()) if found else None
    return None if number is None else 128 + number


def _sentence(update: Update) -> str:
    """Mesos' own message and reason, after what the state means."""
    words = _WORDS.get(update.state, "" if update.state in MEANINGS else f"Mesos says {update.state}")
    said = ": ".join(filter(None, (words, update.message)))
    reason = update.reason.removeprefix("REASON_")
    return f"{said} ({update.state}, {reason})" if reason else f"{said} ({update.state})"
