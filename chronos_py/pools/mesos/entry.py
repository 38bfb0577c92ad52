"""One task of the scheduler's: where it stands, and what Mesos said of it last."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from chronos_py.model.task import Task
from chronos_py.pools import Permit, TaskState, TaskStatus, Usage
from chronos_py.pools.mesos.status import Update, verdict

IN_DOUBT = "Mesos was told to launch it and has not answered; whether it does is asked of it"


class Phase(Enum):
    WAITING = "waiting"  # for an offer; Mesos knows nothing of it
    SENT = "sent"  # Mesos was, or is being, told to launch it
    OVER = "over"


@dataclass(slots=True)
class Entry:
    """A task. ``error`` is why it is not launched though it waits, until somebody asks for it again."""

    name: str
    task_id: str
    phase: Phase
    task: Task | None = None
    permit: Permit | None = None
    error: Exception | None = None
    reason: str = ""
    framework_id: str = ""
    agent_id: str = ""
    address: str = ""
    hostname: str = ""
    update: Update | None = None
    message: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    usage: Usage = field(default_factory=Usage)
    is_sending: bool = False  # Mesos was told to launch it, and nobody knows yet whether it has heard that
    offer_id: str = ""  # that it was sent to last
    sent_at: float = 0.0  # on the monotonic clock
    unacknowledged: list[Update] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    listed: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)

    @property
    def is_launched(self) -> bool:
        return self.phase is not Phase.WAITING and not self.is_sending

    @property
    def is_in_doubt(self) -> bool:
        return self.phase is Phase.SENT and self.is_sending

    @property
    def handle(self) -> str:
        return f"{self.task_id}@{self.framework_id}@{self.address}"

    def status(self) -> TaskStatus:
        if self.phase is Phase.WAITING:
            state = TaskState.CREATED if self.error else TaskState.WAITING
            return TaskStatus(self.name, self.handle, state, message=self.reason)
        if self.update is None:
            state = TaskState.LOST if self.phase is Phase.OVER else TaskState.WAITING
            message = IN_DOUBT if self.is_in_doubt else self.message
            return TaskStatus(
                self.name, self.handle, state, message=message, finished_at=self.finished_at, node=self.hostname
            )
        found = verdict(self.update)
        state = TaskState.LOST if self.phase is Phase.OVER and not _ends(found.state) else found.state
        return TaskStatus(
            name=self.name,
            handle=self.handle,
            state=state,
            exit_code=found.exit_code,
            cause=found.cause,
            message=self.message or found.message,
            started_at=self.started_at,
            finished_at=self.finished_at,
            node=self.hostname,
            usage=self.usage,
        )


@dataclass(frozen=True, slots=True)
class Agent:
    """Where an agent's tasks are found; ``address`` is host:port."""

    hostname: str
    address: str


def _ends(state: TaskState) -> bool:
    return state in (TaskState.EXITED, TaskState.LOST)


def task_id_of(handle: str) -> str:
    """The id in a handle; "" when the text is none."""
    parts = handle.rsplit("@", 2)
    return parts[0] if len(parts) == 3 else ""
