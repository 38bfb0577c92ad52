"""Retry or give up, and when."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from chronos_py.model.run import Reason

# What another try cannot mend is not tried again: a person, or a later run, said stop.
NEVER_RETRIED = frozenset({Reason.KILLED, Reason.DELETED, Reason.REPLACED, Reason.CANCELLED})
# ``failed`` in retryOn and noRetryOn: the task itself ended badly.
FAILURES = frozenset({Reason.EXIT, Reason.SIGNAL, Reason.MEMORY, Reason.CPU_TIME})
# The words that retryOn and noRetryOn take, beside exit codes.
RETRY_WORDS = (
    "failed",
    *(reason.value for reason in (Reason.LOST, Reason.TIMEOUT, Reason.LAUNCH_ERROR, *sorted(FAILURES))),
)
LONGEST_DELAY = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """A job's fields about retries. ``retries`` counts the tries after the first one.

    The wait before try n + 1 is ``delay * factor ** (n - 1)``, at most ``longest``, and up to ``jitter`` (a share of
    it, 0 to 1) more. ``on`` and ``never_on`` hold exit codes and words of RETRY_WORDS; an empty ``on`` means all.
    """

    retries: int = 2
    delay: timedelta = timedelta(seconds=60)
    factor: float = 1.0
    longest: timedelta = LONGEST_DELAY
    jitter: float = 0.0
    on: frozenset[int | str] = frozenset()
    never_on: frozenset[int | str] = frozenset()

    def allows(self, reason: Reason, exit_code: int | None) -> bool:
        """Whether an attempt that ended so may be tried again at all."""
        signs: set[int | str] = {reason.value}
        if reason in FAILURES:
            signs.add("failed")
        if exit_code is not None and reason in FAILURES:
            signs.add(exit_code)
        if reason in NEVER_RETRIED or signs & self.never_on:
            return False
        return not self.on or bool(signs & self.on)

    def wait_after(self, attempts_made: int, task_name: str) -> timedelta:
        """How long to wait after attempt number ``attempts_made``; the same on every node, by the task's name."""
        longest = min(self.longest, LONGEST_DELAY).total_seconds()
        seconds = self.delay.total_seconds()
        for _ in range(attempts_made - 1):
            if seconds >= longest or self.factor == 1.0:
                break
            seconds *= self.factor
        seconds = min(seconds, longest)
        digest = hashlib.sha256(task_name.encode()).digest()
        share = int.from_bytes(digest[:8]) / 2**64
        return timedelta(seconds=min(seconds * (1 + self.jitter * share), longest))


def next_attempt_at(
    policy: RetryPolicy,
    attempts_made: int,
    reason: Reason,
    exit_code: int | None,
    task_name: str,
    now: datetime,
) -> datetime | None:
    """When a run whose attempt number ``attempts_made`` just failed is tried again; None: it failed for good."""
    if attempts_made > policy.retries or not policy.allows(reason, exit_code):
        return None
    return now + policy.wait_after(attempts_made, task_name)
