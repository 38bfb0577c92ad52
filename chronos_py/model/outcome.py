"""From what a pool reports of an ended task to how its attempt ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chronos_py.model.run import AttemptState, Reason

_CAUSES = {
    "memory": Reason.MEMORY,
    "cpu_time": Reason.CPU_TIME,
    "wall_time": Reason.TIMEOUT,
    "signal": Reason.SIGNAL,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """State, reason and the sentence for people."""

    state: AttemptState
    reason: Reason
    message: str


def judge(
    exit_code: int | None,
    cause: str,
    message: str,
    finished_at: datetime | None,
    kill_requested_at: datetime | None,
    kill_reason: Reason,
    kill_message: str = "",
) -> Outcome:
    """How an attempt ended whose task is over. ``exit_code`` None: nobody will ever know.

    A task that ended by itself before anyone asked to kill it keeps its own outcome.
    """
    was_killed = kill_requested_at is not None and (finished_at is None or finished_at >= kill_requested_at)
    if was_killed and kill_reason is Reason.TIMEOUT:
        return Outcome(
            AttemptState.FAILED, Reason.TIMEOUT, kill_message or "killed: it ran longer than its timeout allows"
        )
    if was_killed:
        return Outcome(AttemptState.KILLED, kill_reason or Reason.KILLED, kill_message or "killed on request")
    if exit_code is None:
        return Outcome(AttemptState.LOST, Reason.LOST, message or "the task vanished; how it ended is not known")
    if exit_code == 0 and not cause:
        return Outcome(AttemptState.SUCCEEDED, Reason.NONE, "")
    reason = _CAUSES.get(cause, Reason.EXIT)
    return Outcome(AttemptState.FAILED, reason, message or f"the command ended with exit status {exit_code}")
