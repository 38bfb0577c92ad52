"""Dependency chains: which graphs are legal and when a child is ready."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class TriggerRule(StrEnum):
    """What a child waits for (document field ``triggerRule``)."""

    ALL_SUCCESS = "all_success"  # every parent has succeeded
    ALL_DONE = "all_done"  # every parent has ended, however
    ANY_SUCCESS = "any_success"  # one parent has succeeded
    ANY_FAILURE = "any_failure"  # one parent has failed for good


class DependencyMode(StrEnum):
    """Which runs of its parents count for a child (document field ``dependencyMode``)."""

    LATEST = "latest"  # those since the child last ran
    SAME_WAVE = "sameWave"  # those that stand for the same scheduled time


@dataclass(frozen=True, slots=True)
class Mark:
    """The runs of a parent that succeeded and failed, as far as a child has not run on them yet."""

    success: int | None = None
    failure: int | None = None

    @property
    def succeeded(self) -> bool:
        return self.success is not None

    @property
    def failed(self) -> bool:
        return self.failure is not None


def is_moved_by(rule: TriggerRule, succeeded: bool) -> bool:
    """Whether a child may begin because a parent succeeded, or failed: what older marks say is not enough."""
    match rule:
        case TriggerRule.ALL_SUCCESS | TriggerRule.ANY_SUCCESS:
            return succeeded
        case TriggerRule.ANY_FAILURE:
            return not succeeded
        case TriggerRule.ALL_DONE:
            return True


def is_ready(marks: Iterable[Mark], rule: TriggerRule = TriggerRule.ALL_SUCCESS) -> bool:
    """Whether a child whose parents bear these marks may run."""
    marks = list(marks)
    if not marks:
        return False
    match rule:
        case TriggerRule.ALL_SUCCESS:
            return all(mark.succeeded for mark in marks)
        case TriggerRule.ALL_DONE:
            return all(mark.succeeded or mark.failed for mark in marks)
        case TriggerRule.ANY_SUCCESS:
            return any(mark.succeeded for mark in marks)
        case TriggerRule.ANY_FAILURE:
            return any(mark.failed for mark in marks)


def find_cycle(parents_of: Mapping[str, Iterable[str]], child: str) -> list[str] | None:
    """The path of a cycle through ``child``, as ``[child, ..., child]`` in the direction parent -> child; else None.

    ``parents_of`` maps each job to its parents, with the edges wanted for ``child`` already in it.
    Linear in the number of edges above ``child``; no recursion, so a chain of any length is fine.
    """
    below: dict[str, str] = {}  # ancestor -> the job below it through which we came
    pending = [child]
    while pending:
        job = pending.pop()
        for parent in parents_of.get(job, ()):
            if parent == child:
                path = [child, job]
                while path[-1] != child:
                    path.append(below[path[-1]])
                return path
            if parent not in below:
                below[parent] = job
                pending.append(parent)
    return None


def parents_first(parents_of: Mapping[str, Iterable[str]]) -> list[str]:
    """The jobs of ``parents_of`` in an order in which each comes after those of its parents that are in it too.

    Jobs in a cycle, and those below it, come last.
    """
    waiting = {job: set(parents) & parents_of.keys() for job, parents in parents_of.items()}
    ordered: list[str] = []
    while waiting:
        ready = [job for job, parents in waiting.items() if not parents & waiting.keys()] or list(waiting)
        for job in ready:
            del waiting[job]
        ordered += ready
    return ordered


def connected(names: Iterable[str], edges: Iterable[tuple[str, str]]) -> list[list[str]]:
    """The parts of a graph that no edge connects, the largest first, each with its nodes by name."""
    near: dict[str, list[str]] = {name: [] for name in sorted(set(names))}
    for parent, child in edges:
        near[parent].append(child)
        near[child].append(parent)
    parts, seen = [], set()
    for name in near:
        if name in seen:
            continue
        seen.add(name)
        part = [name]
        for each in part:  # grows while it is walked along
            for other in near[each]:
                if other not in seen:
                    seen.add(other)
                    part.append(other)
        parts.append(sorted(part))
    return sorted(parts, key=lambda part: (-len(part), part[0]))
