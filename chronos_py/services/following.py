"""What follows from the end of a run: the runs of the jobs after it.

Called in the transaction that records the end, so that a crash in between loses no child and runs none twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from chronos_py.model.chain import DependencyMode, Mark, is_moved_by, is_ready
from chronos_py.model.overlap import OverlapDecision, decide_overlap
from chronos_py.model.run import Outcome, Reason, Run, RunState, Trigger
from chronos_py.services.replacement import end_replaced
from chronos_py.store import backfills, chains, jobs, runs
from chronos_py.store.jobs import CurrentDefinition
from chronos_py.store.runs import NewRun


@dataclass(frozen=True, slots=True)
class _Ready:
    """A child that may run, and the marks of its parents that say so."""

    job_id: int
    current: CurrentDefinition
    marks: Sequence[Mark]


def follow(connection: Connection, run: Run, outcome: Outcome, now: datetime) -> bool:
    """Make the runs of the children that are ready now that ``run`` has ended with ``outcome``.

    Whether a task has to be killed, because a child's new run takes the place of an old one.
    """
    if not run.starts_children or outcome is Outcome.NONE:
        return False
    ready = _ready_in_wave(connection, run, outcome) if run.in_wave else _ready_by_mode(connection, run, outcome)
    if not ready:
        return False
    unfinished = runs.count_unfinished(connection, [child.job_id for child in ready])
    has_to_kill = False
    for child in ready:
        overlap = OverlapDecision()
        if not run.in_wave:  # every wave of a backfill goes through, whatever else the child does
            overlap = decide_overlap(child.current.definition.overlap, unfinished[child.job_id])
        if overlap.replaces and not child.current.definition.disabled:
            end_replaced(connection, child.job_id, run.scheduled_at, now)
            has_to_kill = True
        runs.insert_run(connection, _child_run(child, run, overlap, now))
    return has_to_kill


def _child_run(child: _Ready, parent: Run, overlap: OverlapDecision, now: datetime) -> NewRun:
    definition = child.current.definition
    state, reason, message = RunState.QUEUED, Reason.NONE, ""
    if definition.disabled:
        state, reason, message = RunState.SKIPPED, Reason.DISABLED, "skipped: the job is paused"
    elif overlap.skip is not None:
        state, reason, message = RunState.SKIPPED, Reason.OVERLAP, overlap.skip
    return NewRun(
        job_id=child.job_id,
        revision=child.current.revision,
        trigger=Trigger.DEPENDENCY,
        scheduled_at=parent.scheduled_at,
        created_at=now,
        state=state,
        reason=reason,
        message=message,
        high_priority=definition.high_priority,
        priority=definition.concurrency.priority,
        root_run_id=parent.root_run_id or parent.id,
        parent_run_id=parent.id,
        parent_runs=tuple(mark.success or mark.failure or 0 for mark in child.marks if mark.succeeded or mark.failed),
        backfill_id=parent.backfill_id,
        in_wave=parent.in_wave,
        interval_start=parent.interval_start,
        note=overlap.note,
    )


def _ready_by_mode(connection: Connection, run: Run, outcome: Outcome) -> list[_Ready]:
    """The children that are ready by their own ``dependencyMode``; what they run on is consumed."""
    child_ids = chains.lock_children(connection, run.job_id)
    if not child_ids:
        return []
    chains.mark(connection, run.job_id, run.id, outcome is Outcome.SUCCESS)
    definitions = jobs.current_definitions(connection, child_ids)
    by_mode: dict[DependencyMode, list[int]] = {mode: [] for mode in DependencyMode}
    for child_id in child_ids:
        by_mode[definitions[child_id].definition.dependency_mode].append(child_id)
    same_wave = by_mode[DependencyMode.SAME_WAVE]
    marks = chains.latest_marks(connection, by_mode[DependencyMode.LATEST])
    marks |= chains.marks_at(connection, same_wave, run.scheduled_at) if same_wave else {}
    ready = _ready(child_ids, definitions, marks, outcome)
    chains.consume(connection, [child.job_id for child in ready])
    return ready


def _ready(
    child_ids: Iterable[int],
    definitions: Mapping[int, CurrentDefinition],
    marks: Mapping[int, Sequence[Mark]],
    outcome: Outcome,
) -> list[_Ready]:
    """Those of the children that ``outcome``, of one of their parents, lets begin."""
    rules = {child_id: definitions[child_id].definition.trigger_rule for child_id in child_ids}
    return [
        _Ready(child_id, definitions[child_id], marks[child_id])
        for child_id, rule in rules.items()
        if is_moved_by(rule, outcome is Outcome.SUCCESS) and is_ready(marks[child_id], rule)
    ]


def _ready_in_wave(connection: Connection, run: Run, outcome: Outcome) -> list[_Ready]:
    """The children that are ready in the wave of ``run`` and have no run in it, but one that failed.

    One that has succeeded in it already is passed through: those after it may have failed.
    """
    root_run_id = run.root_run_id or run.id
    root = runs.find_run(connection, root_run_id)
    if root is None or (run.backfill_id is not None and backfills.is_cancelled(connection, run.backfill_id)):
        return []
    found: list[_Ready] = []
    pending, seen = [run.job_id], set[int]()
    while pending:
        child_ids = [each for each in chains.lock_children(connection, pending.pop()) if each not in seen]
        if not child_ids:
            continue
        seen.update(child_ids)
        definitions = jobs.current_definitions(connection, child_ids)
        marks = chains.marks_in_wave(connection, child_ids, root.job_id, root_run_id)
        outcomes = chains.outcomes_in_wave(connection, child_ids, root_run_id)
        for child in _ready(child_ids, definitions, marks, outcome):
            if Outcome.SUCCESS in outcomes[child.job_id]:
                pending.append(child.job_id)
            elif Outcome.NONE not in outcomes[child.job_id]:
                found.append(child)
    return found
