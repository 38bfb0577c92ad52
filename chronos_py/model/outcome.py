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

# What shells and kernels mean by an exit code; with a signal it is 128 and its number.
_MEANINGS = {
    (Reason.EXIT, 126): "the shell may not execute the command",
    (Reason.EXIT, 127): "the shell did not find the command",
    (Reason.SIGNAL, 134): "the program gave up (abort)",
    (Reason.SIGNAL, 136): "the program made an arithmetic error",
    (Reason.SIGNAL, 137): "somebody else killed it, or the kernel for lack of memory on the machine",
    (Reason.SIGNAL, 139): "the program crashed (it used memory that it does not have)",
    (Reason.SIGNAL, 141): "nobody read its output any more",
    (Reason.SIGNAL, 143): "somebody else asked it to end",
}
_SIGNALS = ("SIGABRT", "SIGFPE", "SIGKILL", "SIGSEGV", "SIGPIPE", "SIGTERM")


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

    A task that ended by itself before anyone asked to kill it keeps its own outcome. ``cause`` "launch" means that it
    ended before it began, for the reason in ``message``: a launch that failed after the pool had taken it.
    """
    was_killed = kill_requested_at is not None and (finished_at is None or finished_at >= kill_requested_at)
    if was_killed and kill_reason is Reason.TIMEOUT:
        return Outcome(
            AttemptState.FAILED, Reason.TIMEOUT, kill_message or "killed: it ran longer than its timeout allows"
        )
    if was_killed:
        return Outcome(AttemptState.KILLED, kill_reason or Reason.KILLED, kill_message or "killed on request")
    if cause == "launch":
        return Outcome(AttemptState.FAILED, Reason.LAUNCH_ERROR, message)
    if exit_code is None:
        return Outcome(AttemptState.LOST, Reason.LOST, message or "the task vanished; how it ended is not known")
    if exit_code == 0 and not cause:
        return Outcome(AttemptState.SUCCEEDED, Reason.NONE, "")
    reason = _CAUSES.get(cause, Reason.EXIT)
    words = message or f"the command ended with exit status {exit_code}"
    return Outcome(AttemptState.FAILED, reason, _explained(words, reason, exit_code))


def _explained(words: str, reason: Reason, exit_code: int) -> str:
    """A pool's sentence, with what the exit code or the limit means where people often have to look it up."""
    if reason is Reason.MEMORY and "memory" not in words:
        return f"out of memory, {words}"
    meaning = _MEANINGS.get((reason, exit_code), "")
    return f"{words}: {meaning}" if meaning and words.endswith((str(exit_code), *_SIGNALS)) else words


def judge_report(status: int) -> Outcome:
    """How an attempt of an asynchronous job ended whose command ended well, by the status reported for it."""
    if status == 0:
        return Outcome(AttemptState.SUCCEEDED, Reason.NONE, "")
    return Outcome(AttemptState.FAILED, Reason.EXIT, f"reported as failed, with status {status}")
