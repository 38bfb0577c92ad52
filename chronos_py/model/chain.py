"""Dependency chains: which graphs are legal and when a child is ready."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


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


def is_ready(parent_marks: Iterable[bool]) -> bool:
    """Whether a child may run: every parent has succeeded since the child last ran."""
    marks = list(parent_marks)
    return bool(marks) and all(marks)
