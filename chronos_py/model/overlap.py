"""What happens when a job is due while an earlier run of it is still there."""

from __future__ import annotations

from enum import StrEnum


class Overlap(StrEnum):
    """The policy of a job (document field ``overlap``)."""

    FORBID_SKIP = "forbid-skip"  # skip the new run
    FORBID_QUEUE_ONE = "forbid-queue-one"  # let one wait, skip the others
    ALLOW = "allow"  # run them side by side


def skip_sentence(policy: Overlap, active: int, waiting: int) -> str | None:
    """Why a new run of the job must be skipped, or None when it may be queued.

    ``active`` counts the job's runs that have begun and not ended (a pending retry included), ``waiting``
    those that are queued.
    """
    if policy is Overlap.FORBID_SKIP and active + waiting > 0:
        return "skipped: an earlier run of this job had not ended (overlap: forbid-skip)"
    if policy is Overlap.FORBID_QUEUE_ONE and waiting > 0:
        return "skipped: a run of this job was waiting already (overlap: forbid-queue-one)"
    return None
