"""What happens when a job is due while an earlier run of it is still there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Overlap(StrEnum):
    """The policy of a job (document field ``overlap``)."""

    FORBID_SKIP = "forbid-skip"  # skip the new run
    FORBID_QUEUE_ONE = "forbid-queue-one"  # let one wait, skip the others
    ALLOW = "allow"  # run them side by side
    REPLACE = "replace"  # kill the earlier run, then start the new one


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A job's runs that have not ended: ``active`` have begun (a pending retry included), ``waiting`` are queued.

    ``active_run`` and ``waiting_run`` are the numbers of the newest of each. Runs of a backfill are not counted: they
    give way, and no occurrence is skipped because of them. ``retrying`` of the active ones wait for their next try.
    """

    active: int = 0
    waiting: int = 0
    active_run: int | None = None
    waiting_run: int | None = None
    retrying: int = 0


@dataclass(frozen=True, slots=True)
class OverlapDecision:
    """``skip``: why the new run is skipped, None when it is queued; ``note``: what there is to tell of it then.

    ``replaces``: the runs that have not ended are ended first.
    """

    skip: str | None = None
    note: str = ""
    replaces: bool = False


def decide_overlap(policy: Overlap, unfinished: Unfinished) -> OverlapDecision:
    """What becomes of a new run of a job while ``unfinished`` ones are there."""
    newest = unfinished.active_run or unfinished.waiting_run
    if newest is None:
        return OverlapDecision()
    match policy:
        case Overlap.FORBID_SKIP:
            return OverlapDecision(f"skipped: run #{newest} of this job had not ended (overlap: {policy})")
        case Overlap.FORBID_QUEUE_ONE:
            if unfinished.waiting_run is not None:
                waiting = unfinished.waiting_run
                return OverlapDecision(f"skipped: run #{waiting} of this job was waiting already (overlap: {policy})")
            return OverlapDecision(note=f"waited for run #{newest} to end (overlap: {policy})")
        case Overlap.ALLOW:
            return OverlapDecision(note=f"began while run #{newest} had not ended (overlap: {policy})")
        case Overlap.REPLACE:
            return OverlapDecision(note=f"took the place of run #{newest} (overlap: {policy})", replaces=True)
