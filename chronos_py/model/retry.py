"""Retry or give up."""

from __future__ import annotations

from datetime import datetime, timedelta

from chronos_py.model.run import Reason

# What another try cannot mend is not tried again: a person said stop.
NEVER_RETRIED = frozenset({Reason.KILLED, Reason.DELETED})


def next_attempt_at(
    attempts_made: int, retries: int, retry_delay: timedelta, reason: Reason, now: datetime
) -> datetime | None:
    """When a run whose attempt number ``attempts_made`` just failed is tried again; None: it failed for good.

    ``retries`` counts the tries after the first one.
    """
    if reason in NEVER_RETRIED or attempts_made > retries:
        return None
    return now + retry_delay
