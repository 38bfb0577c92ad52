"""Attempts: the intents of launches and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, insert, literal, or_, select, update

from chronos_py.model.document import read_stored_definition
from chronos_py.model.job import Definition
from chronos_py.model.outputs import parent_variables
from chronos_py.model.run import (
    FINAL_ATTEMPT_STATES,
    LIVE_ATTEMPT_STATES,
    Attempt,
    AttemptState,
    Reason,
    Run,
    attempt_states_before,
)
from chronos_py.store.runs import runs_by_id
from chronos_py.store.tables import AttemptRow, JobRevisionRow, JobRow, RunRow

_LIVE = sorted(LIVE_ATTEMPT_STATES)

_COLUMNS = (
    AttemptRow.id,
    AttemptRow.run_id,
    AttemptRow.number,
    AttemptRow.state,
    AttemptRow.task_name,
    AttemptRow.pool,
    AttemptRow.epoch,
    AttemptRow.revision,
    AttemptRow.handle,
    AttemptRow.node,
    AttemptRow.exit_code,
    AttemptRow.reason,
    AttemptRow.message,
    AttemptRow.created_at,
    AttemptRow.launched_at,
    AttemptRow.started_at,
    AttemptRow.finished_at,
    AttemptRow.kill_requested_at,
    AttemptRow.kill_reason,
    AttemptRow.kill_message,
    AttemptRow.unreachable_since,
    AttemptRow.recovered,
    AttemptRow.cpu_seconds,
    AttemptRow.max_memory_mb,
    AttemptRow.reported_status,
    AttemptRow.reported_at,
)


def attempt_of(row: Row[*tuple[Any, ...]]) -> Attempt:
    """The attempt in a row of :func:`select_attempts`."""
    values = {column.key: getattr(row, column.key) for column in _COLUMNS}
    values["state"] = AttemptState(row.state)
    values["reason"] = Reason(row.reason)
    values["kill_reason"] = Reason(row.kill_reason)
    return Attempt(**values)


def select_attempts() -> Select[*tuple[Any, ...]]:
    """Attempts, in the columns that :func:`attempt_of` reads."""
    return select(*_COLUMNS)


def insert_attempt(
    connection: Connection,
    run_id: int,
    number: int,
    revision: int,
    task_name: str,
    pool: str,
    epoch: int,
    now: datetime,
) -> Attempt:
    """Commit the intent to launch."""
    row = connection.execute(
        insert(AttemptRow)
        .values(
            run_id=run_id,
            number=number,
            state=AttemptState.STARTING.value,
            task_name=task_name,
            pool=pool,
            epoch=epoch,
            revision=revision,
            created_at=now,
        )
        .returning(*_COLUMNS)
    ).one()
    return attempt_of(row)


def attempts_of(connection: Connection, run_id: int) -> list[Attempt]:
    """The attempts of a run, first to last."""
    rows = connection.execute(select_attempts().where(AttemptRow.run_id == run_id).order_by(AttemptRow.number))
    return [attempt_of(row) for row in rows]


def find_attempt(connection: Connection, run_id: int, number: int) -> Attempt | None:
    row = connection.execute(
        select_attempts().where(AttemptRow.run_id == run_id, AttemptRow.number == number)
    ).one_or_none()
    return None if row is None else attempt_of(row)


@dataclass(frozen=True, slots=True)
class LiveAttempt:
    """An attempt that has not ended, with its run and the definition it was launched with.

    ``inherited`` are the variables that its task gets from the outputs of its parents.
    """

    attempt: Attempt
    run: Run
    definition: Definition
    inherited: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SettledTask:
    """A task whose attempt has ended. ``recovered``: a second leader had a hand in its launch."""

    name: str
    run_id: int
    number: int
    finished_at: datetime | None
    recovered: bool


def live_attempts(connection: Connection, pool: str) -> list[LiveAttempt]:
    """Every attempt of a pool that has not ended, oldest first."""
    rows = connection.execute(
        select_attempts()
        .add_columns(JobRevisionRow.document)
        .join_from(AttemptRow, RunRow, RunRow.id == AttemptRow.run_id)
        .join(
            JobRevisionRow,
            and_(JobRevisionRow.job_id == RunRow.job_id, JobRevisionRow.revision == AttemptRow.revision),
        )
        .where(AttemptRow.pool == pool, AttemptRow.state.in_(_LIVE))
        .order_by(AttemptRow.id)
    ).all()
    runs = runs_by_id(connection, {row.run_id for row in rows})
    inherited = inherited_variables(connection, runs.values())
    return [
        LiveAttempt(
            attempt_of(row), runs[row.run_id], read_stored_definition(row.document), inherited.get(row.run_id, {})
        )
        for row in rows
    ]


def inherited_variables(connection: Connection, runs: Iterable[Run]) -> dict[int, dict[str, str]]:
    """By run, the variables that its task gets from the outputs of its parents."""
    children = [run for run in runs if run.parent_runs]
    if not children:
        return {}
    parents = runs_by_id(connection, {parent for run in children for parent in run.parent_runs})
    inherited: dict[int, dict[str, str]] = {run.id: {} for run in children}
    for run in children:
        for parent in (parents[each] for each in run.parent_runs if each in parents):
            inherited[run.id] |= parent_variables(parent.job_name, parent.outputs)
    return inherited


def settled_tasks(connection: Connection, task_names: Sequence[str]) -> list[SettledTask]:
    """Which of these tasks belong to attempts that have ended."""
    rows = connection.execute(
        select(
            AttemptRow.task_name, AttemptRow.run_id, AttemptRow.number, AttemptRow.finished_at, AttemptRow.recovered
        ).where(AttemptRow.task_name.in_(task_names), AttemptRow.state.in_(sorted(FINAL_ATTEMPT_STATES)))
    )
    return [SettledTask(*row) for row in rows]


def count_live(connection: Connection, pool: str) -> int:
    return connection.execute(
        select(func.count()).select_from(AttemptRow).where(AttemptRow.pool == pool, AttemptRow.state.in_(_LIVE))
    ).scalar_one()


def mark_attempt_running(
    connection: Connection,
    attempt_id: int,
    handle: str,
    node: str,
    launched_at: datetime,
    started_at: datetime | None,
    recovered: bool,
) -> bool:
    """The pool has taken the task. False when the attempt had ended meanwhile."""
    return _move(
        connection,
        attempt_id,
        AttemptState.RUNNING,
        handle=handle,
        node=node,
        launched_at=func.coalesce(AttemptRow.launched_at, launched_at),
        started_at=started_at,
        recovered=or_(AttemptRow.recovered, literal(recovered)),
        unreachable_since=None,
    )


def note_running(
    connection: Connection, attempt_id: int, handle: str, node: str, started_at: datetime, recovered: bool
) -> None:
    """The pool's list shows the task running: note where and since when."""
    connection.execute(
        update(AttemptRow)
        .where(AttemptRow.id == attempt_id, AttemptRow.state.in_(_LIVE))
        .values(
            state=AttemptState.RUNNING.value,
            handle=handle,
            node=node,
            launched_at=func.coalesce(AttemptRow.launched_at, started_at),
            started_at=started_at,
            recovered=or_(AttemptRow.recovered, literal(recovered)),
        )
    )


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended."""

    state: AttemptState
    reason: Reason
    message: str
    finished_at: datetime
    exit_code: int | None = None
    started_at: datetime | None = None
    cpu_seconds: float | None = None
    max_memory_mb: float | None = None
    node: str = ""
    handle: str = ""
    recovered: bool = False
    outputs: Mapping[str, str] = field(default_factory=dict)
    output_warning: str = ""


def end_attempt(connection: Connection, attempt_id: int, ending: Ending) -> bool:
    """Settle an attempt, once: False when it had ended already."""
    return _move(
        connection,
        attempt_id,
        ending.state,
        reason=ending.reason.value,
        message=ending.message,
        finished_at=ending.finished_at,
        exit_code=ending.exit_code,
        started_at=func.coalesce(AttemptRow.started_at, ending.started_at),
        cpu_seconds=ending.cpu_seconds,
        max_memory_mb=ending.max_memory_mb,
        node=ending.node or AttemptRow.node,
        handle=ending.handle or AttemptRow.handle,
        recovered=or_(AttemptRow.recovered, literal(ending.recovered)),
        unreachable_since=None,
    )


def _move(connection: Connection, attempt_id: int, target: AttemptState, **values: Any) -> bool:
    moved = connection.execute(
        update(AttemptRow)
        .where(AttemptRow.id == attempt_id, AttemptRow.state.in_(sorted(attempt_states_before(target))))
        .values(state=target.value, **values)
    )
    return moved.rowcount == 1


def request_kill(connection: Connection, run_ids: Iterable[int], reason: Reason, message: str, now: datetime) -> None:
    """Ask the leader to kill the live attempts of these runs. The first request's reason stays."""
    connection.execute(
        update(AttemptRow)
        .where(
            AttemptRow.run_id.in_(list(run_ids)),
            AttemptRow.state.in_(_LIVE),
            AttemptRow.kill_requested_at.is_(None),
        )
        .values(kill_requested_at=now, kill_reason=reason.value, kill_message=message)
    )


def find_task(
    connection: Connection, job_name: str, number: int, first: datetime, before: datetime
) -> tuple[Attempt, Definition] | None:
    """The newest attempt of that number of a live job that was committed in that time, with its definition."""
    row = connection.execute(
        select_attempts()
        .add_columns(JobRevisionRow.document)
        .join_from(AttemptRow, RunRow, RunRow.id == AttemptRow.run_id)
        .join(JobRow, and_(JobRow.id == RunRow.job_id, JobRow.deleted_at.is_(None)))
        .join(
            JobRevisionRow,
            and_(JobRevisionRow.job_id == RunRow.job_id, JobRevisionRow.revision == AttemptRow.revision),
        )
        .where(
            AttemptRow.created_at >= first,
            AttemptRow.created_at < before,
            AttemptRow.number == number,
            JobRow.name == job_name,
        )
        .order_by(AttemptRow.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else (attempt_of(row), read_stored_definition(row.document))


def report_status(connection: Connection, attempt_id: int, status: int, now: datetime) -> bool:
    """Note how the task of an asynchronous job says that it ended. False: it has ended, or said so, already."""
    noted = connection.execute(
        update(AttemptRow)
        .where(AttemptRow.id == attempt_id, AttemptRow.state.in_(_LIVE), AttemptRow.reported_status.is_(None))
        .values(reported_status=status, reported_at=now)
    )
    return noted.rowcount == 1


def count_elements(connection: Connection, attempt_id: int, more: int) -> None:
    """Add to what the task of a data processing job says it has processed."""
    connection.execute(
        update(AttemptRow)
        .where(AttemptRow.id == attempt_id)
        .values(elements_processed=func.coalesce(AttemptRow.elements_processed, 0) + more)
    )


def note_waiting(connection: Connection, attempt_ids: Iterable[int], message: str) -> None:
    """Say of attempts that have not ended what they wait for."""
    connection.execute(
        update(AttemptRow)
        .where(AttemptRow.id.in_(list(attempt_ids)), AttemptRow.state.in_(_LIVE))
        .values(message=message)
    )


def is_unwanted(connection: Connection, attempt_id: int) -> bool:
    """Whether somebody asked to kill an attempt, or something that is no failure of its own."""
    return connection.execute(
        select(AttemptRow.kill_reason.not_in(["", Reason.TIMEOUT.value])).where(AttemptRow.id == attempt_id)
    ).scalar_one()


def mark_unreachable(connection: Connection, pool: str, now: datetime) -> None:
    """The pool does not answer: what its running tasks do is unknown."""
    connection.execute(
        update(AttemptRow)
        .where(AttemptRow.pool == pool, AttemptRow.state.in_(_LIVE), AttemptRow.unreachable_since.is_(None))
        .values(unreachable_since=now)
    )


def mark_reachable(connection: Connection, pool: str) -> None:
    """The pool answers again."""
    connection.execute(
        update(AttemptRow)
        .where(AttemptRow.pool == pool, AttemptRow.state.in_(_LIVE), AttemptRow.unreachable_since.is_not(None))
        .values(unreachable_since=None)
    )
