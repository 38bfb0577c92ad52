"""Runs: decided, listed, ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, case, func, insert, literal, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from chronos_py.model.concurrency import rank
from chronos_py.model.overlap import Unfinished
from chronos_py.model.run import (
    FINAL_RUN_STATES,
    WAITING_RUN_STATES,
    Outcome,
    Overrides,
    Reason,
    Run,
    RunState,
    Trigger,
    states_before,
)
from chronos_py.store.tables import JobRow, RunRow, ScheduleRow

_UNFINISHED = sorted(set(RunState) - FINAL_RUN_STATES)


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to insert. ``occurrence`` is the slot of the schedule it stands for, None where it stands for none.

    ``root_run_id`` None: it starts its own wave. ``not_before`` None: it may start at once. A row of
    skipped occurrences has state SKIPPED.
    """

    job_id: int
    revision: int
    trigger: Trigger
    scheduled_at: datetime
    created_at: datetime
    state: RunState = RunState.QUEUED
    occurrence: datetime | None = None
    reason: Reason = Reason.NONE
    message: str = ""
    scheduled_until: datetime | None = None
    occurrences: int | None = 1
    high_priority: bool = False
    requested_by: str = ""
    overrides: Overrides = field(default_factory=Overrides)
    root_run_id: int | None = None
    parent_run_id: int | None = None
    backfill_id: int | None = None
    starts_children: bool = True
    not_before: datetime | None = None
    start_before: datetime | None = None
    note: str = ""
    priority: int = 0
    in_wave: bool = False
    interval_start: datetime | None = None
    parent_runs: tuple[int, ...] = ()


def _values(run: NewRun) -> dict[str, Any]:
    overrides = None
    if run.overrides != Overrides():
        arguments = run.overrides.arguments
        overrides = {
            "arguments": None if arguments is None else list(arguments),
            "environment": dict(run.overrides.environment),
        }
    return {
        "job_id": run.job_id,
        "revision": run.revision,
        "trigger": run.trigger.value,
        "state": run.state.value,
        "reason": run.reason.value,
        "message": run.message,
        "occurrence": run.occurrence,
        "scheduled_at": run.scheduled_at,
        "scheduled_until": run.scheduled_until,
        "occurrences": run.occurrences,
        "high_priority": run.high_priority,
        "not_before": run.not_before or run.created_at,
        "start_before": run.start_before,
        "requested_by": run.requested_by,
        "overrides": overrides,
        "root_run_id": run.root_run_id,
        "parent_run_id": run.parent_run_id,
        "backfill_id": run.backfill_id,
        "starts_children": run.starts_children,
        "note": run.note,
        "rank_at": rank(run.scheduled_at, run.priority, run.high_priority),
        "in_wave": run.in_wave,
        "interval_start": run.interval_start,
        "parent_runs": list(run.parent_runs) or None,
        "created_at": run.created_at,
        "finished_at": run.created_at if run.state in FINAL_RUN_STATES else None,
        "outcome": (Outcome.SUCCESS if run.state is RunState.SUCCEEDED else Outcome.NONE).value,
    }


def insert_runs(connection: Connection, runs: Sequence[NewRun]) -> None:
    """Insert runs; one whose occurrence has a row already is left out: at most one run per occurrence."""
    if runs:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(RunRow).on_conflict_do_nothing(index_elements=["job_id", "occurrence"])
        connection.execute(statement, [_values(run) for run in runs])


def taken_occurrences(connection: Connection, job_ids: Sequence[int]) -> dict[int, set[datetime]]:
    """The occurrences of these jobs that the planner has not looked at, and that have a run nevertheless."""
    rows = connection.execute(
        select(RunRow.job_id, RunRow.occurrence)
        .join(ScheduleRow, and_(ScheduleRow.job_id == RunRow.job_id, RunRow.occurrence >= ScheduleRow.next_due))
        .where(ScheduleRow.job_id.in_(job_ids))
    )
    taken: dict[int, set[datetime]] = {}
    for job_id, occurrence in rows:
        if occurrence is not None:
            taken.setdefault(job_id, set()).add(occurrence)
    return taken


def free_occurrences(connection: Connection, job_id: int, occurrences: Sequence[datetime]) -> None:
    """Let other runs stand for these occurrences; the rows that did so until now keep their scheduled time."""
    connection.execute(
        update(RunRow)
        .where(
            RunRow.job_id == job_id, RunRow.occurrence.in_(occurrences), RunRow.state.in_(sorted(FINAL_RUN_STATES))
        )
        .values(occurrence=None)
    )


def insert_run(connection: Connection, run: NewRun) -> int:
    """Insert one run that stands for no occurrence; its id."""
    return connection.execute(insert(RunRow).values(**_values(run)).returning(RunRow.id)).scalar_one()


_COLUMNS = (
    RunRow.id,
    RunRow.job_id,
    JobRow.name.label("job_name"),
    RunRow.trigger,
    RunRow.state,
    RunRow.scheduled_at,
    RunRow.created_at,
    RunRow.not_before,
    RunRow.revision,
    RunRow.attempts,
    RunRow.reason,
    RunRow.message,
    RunRow.scheduled_until,
    RunRow.occurrences,
    RunRow.high_priority,
    RunRow.started_at,
    RunRow.finished_at,
    RunRow.requested_by,
    RunRow.root_run_id,
    RunRow.parent_run_id,
    RunRow.backfill_id,
    RunRow.starts_children,
    RunRow.start_before,
    RunRow.note,
    RunRow.outcome,
    RunRow.in_wave,
    RunRow.interval_start,
    RunRow.parent_runs,
    RunRow.outputs,
    RunRow.overrides,
)


def select_runs() -> Select[*tuple[Any, ...]]:
    """Runs with the name of their job, in the columns that :func:`run_of` reads."""
    return select(*_COLUMNS).join_from(RunRow, JobRow, JobRow.id == RunRow.job_id)


def run_of(row: Row[*tuple[Any, ...]]) -> Run:
    """The run in a row of :func:`select_runs`."""
    stored = row.overrides or {}
    arguments = stored.get("arguments")
    return Run(
        id=row.id,
        job_id=row.job_id,
        job_name=row.job_name,
        trigger=Trigger(row.trigger),
        state=RunState(row.state),
        scheduled_at=row.scheduled_at,
        created_at=row.created_at,
        not_before=row.not_before,
        revision=row.revision,
        attempts=row.attempts,
        reason=Reason(row.reason),
        message=row.message,
        scheduled_until=row.scheduled_until,
        occurrences=row.occurrences,
        high_priority=row.high_priority,
        started_at=row.started_at,
        finished_at=row.finished_at,
        requested_by=row.requested_by,
        root_run_id=row.root_run_id,
        parent_run_id=row.parent_run_id,
        backfill_id=row.backfill_id,
        starts_children=row.starts_children,
        start_before=row.start_before,
        note=row.note,
        outcome=Outcome(row.outcome),
        in_wave=row.in_wave,
        interval_start=row.interval_start,
        parent_runs=tuple(row.parent_runs or ()),
        outputs=row.outputs or {},
        overrides=Overrides(None if arguments is None else tuple(arguments), stored.get("environment", {})),
    )


def find_run(connection: Connection, run_id: int, lock: bool = False) -> Run | None:
    """A run by id. ``lock`` keeps others from changing it until the end of the transaction."""
    statement = select_runs().where(RunRow.id == run_id)
    if lock:
        statement = statement.with_for_update(of=RunRow)
    row = connection.execute(statement).one_or_none()
    return None if row is None else run_of(row)


def runs_by_id(connection: Connection, run_ids: Iterable[int]) -> dict[int, Run]:
    """These runs, by id."""
    rows = connection.execute(select_runs().where(RunRow.id.in_(list(run_ids))))
    return {row.id: run_of(row) for row in rows}


def list_runs(
    connection: Connection,
    job_id: int | None = None,
    states: Iterable[RunState] = (),
    before: int | None = None,
    limit: int = 50,
    backfill_id: int | None = None,
) -> list[Run]:
    """Runs, newest first, those with an id below ``before``; of any state when ``states`` is empty."""
    statement = select_runs().order_by(RunRow.id.desc()).limit(limit)
    if job_id is not None:
        statement = statement.where(RunRow.job_id == job_id)
    if backfill_id is not None:
        statement = statement.where(RunRow.backfill_id == backfill_id)
    wanted = sorted(states)
    if wanted:
        statement = statement.where(RunRow.state.in_(wanted))
    if before is not None:
        statement = statement.where(RunRow.id < before)
    return [run_of(row) for row in connection.execute(statement)]


def unfinished_runs(connection: Connection, job_id: int, lock: bool = False) -> list[Run]:
    """The runs of a job that have not ended, oldest first."""
    statement = select_runs().where(RunRow.job_id == job_id, RunRow.state.in_(_UNFINISHED)).order_by(RunRow.id)
    if lock:
        statement = statement.with_for_update(of=RunRow)
    return [run_of(row) for row in connection.execute(statement)]


def count_unfinished(
    connection: Connection, job_ids: Sequence[int], with_backfills: bool = False
) -> dict[int, Unfinished]:
    """The runs of each job that have not ended; those of backfills do not count for what overlaps."""
    counts = dict.fromkeys(job_ids, Unfinished())
    waits = RunRow.state == RunState.QUEUED
    rows = connection.execute(
        select(
            RunRow.job_id,
            func.count().filter(~waits),
            func.count().filter(waits),
            func.max(RunRow.id).filter(~waits),
            func.max(RunRow.id).filter(waits),
            func.count().filter(RunRow.state == RunState.WAITING_RETRY),
        )
        .where(
            RunRow.job_id.in_(job_ids),
            RunRow.state.in_(_UNFINISHED),
            or_(RunRow.backfill_id.is_(None), literal(with_backfills)),
        )
        .group_by(RunRow.job_id)
    )
    for job_id, *values in rows:
        counts[job_id] = Unfinished(*values)
    return counts


def count_by_state(connection: Connection) -> dict[RunState, int]:
    """How many runs have not ended, by state."""
    rows = connection.execute(
        select(RunRow.state, func.count()).where(RunRow.state.in_(_UNFINISHED)).group_by(RunRow.state)
    )
    return {RunState(state): count for state, count in rows}


def count_waiting(connection: Connection, high_priority: bool) -> int:
    """How many runs of that priority wait to start."""
    waits = RunRow.state.in_(sorted(WAITING_RUN_STATES)) & (RunRow.high_priority == high_priority)
    return connection.execute(select(func.count()).select_from(RunRow).where(waits)).scalar_one()


def start_run(connection: Connection, run_id: int, number: int, revision: int) -> bool:
    """A waiting run gets its attempt ``number``; False when it waits no longer."""
    return _move(
        connection,
        run_id,
        RunState.STARTING,
        attempts=number,
        revision=revision,
        reason="",
        message="",
        start_before=None,
    )


def mark_run_running(connection: Connection, run_id: int, now: datetime) -> bool:
    """The pool runs a task of the run. ``started_at`` is that of its first attempt."""
    return _move(connection, run_id, RunState.RUNNING, started_at=func.coalesce(RunRow.started_at, now))


def end_run(
    connection: Connection,
    run_id: int,
    state: RunState,
    reason: Reason,
    message: str,
    now: datetime,
    outcome: Outcome = Outcome.NONE,
) -> bool:
    """End a run; False when it has ended already."""
    return _move(
        connection,
        run_id,
        state,
        reason=reason.value,
        message=message,
        start_before=None,
        finished_at=now,
        outcome=outcome.value,
    )


def keep_outputs(connection: Connection, run_id: int, outputs: Mapping[str, str], warning: str) -> None:
    """Keep what the task of a run wrote for its children, and a sentence about what of it could not be taken."""
    values: dict[str, Any] = {"outputs": dict(outputs)}
    if warning:
        values["note"] = case((RunRow.note == "", warning), else_=RunRow.note + "; " + warning)
    connection.execute(update(RunRow).where(RunRow.id == run_id).values(**values))


def overrule(connection: Connection, run_id: int, note: str) -> None:
    """Let a run that ended otherwise count as successful; ``note`` says who said so, and why."""
    connection.execute(update(RunRow).where(RunRow.id == run_id).values(outcome=Outcome.SUCCESS.value, note=note))


def end_waiting(
    connection: Connection, run_ids: Iterable[int], reason: Reason, message: str, now: datetime
) -> list[int]:
    """Kill those of these runs of which nothing runs; their ids."""
    outcome = Outcome.FAILURE if reason is Reason.KILLED else Outcome.NONE
    ended = connection.execute(
        update(RunRow)
        .where(RunRow.id.in_(list(run_ids)), RunRow.state.in_(sorted(WAITING_RUN_STATES)))
        .values(
            state=RunState.KILLED.value,
            reason=reason.value,
            message=message,
            outcome=outcome.value,
            start_before=None,
            finished_at=now,
        )
        .returning(RunRow.id)
    )
    return list(ended.scalars())


def skip_queued(
    connection: Connection, job_id: int, triggers: Iterable[Trigger], message: str, now: datetime
) -> list[int]:
    """Skip the runs of a job that is paused which have not begun; their ids.

    Takes no lock on runs that have begun: who ends one holds it, and waits for its job.
    """
    skipped = connection.execute(
        update(RunRow)
        .where(RunRow.job_id == job_id, RunRow.state == RunState.QUEUED, RunRow.trigger.in_(list(triggers)))
        .values(
            state=RunState.SKIPPED.value,
            reason=Reason.DISABLED.value,
            message=message,
            start_before=None,
            finished_at=now,
        )
        .returning(RunRow.id)
    )
    return list(skipped.scalars())


def success_in_wave(connection: Connection, job_id: int, root_run_id: int) -> int | None:
    """A run of a job that counts as successful in a wave; None: there is none."""
    in_wave = or_(RunRow.root_run_id == root_run_id, RunRow.id == root_run_id)
    statement = select(func.max(RunRow.id)).where(RunRow.job_id == job_id, in_wave, RunRow.outcome == Outcome.SUCCESS)
    return connection.execute(statement).scalar_one()


def await_retry(connection: Connection, run_id: int, at: datetime, reason: Reason, message: str) -> bool:
    """The run's attempt failed; the next one starts at ``at``."""
    return _move(connection, run_id, RunState.WAITING_RETRY, not_before=at, reason=reason.value, message=message)


def _move(connection: Connection, run_id: int, target: RunState, **values: Any) -> bool:
    moved = connection.execute(
        update(RunRow)
        .where(RunRow.id == run_id, RunRow.state.in_(sorted(states_before(target))))
        .values(state=target.value, **values)
    )
    return moved.rowcount == 1
