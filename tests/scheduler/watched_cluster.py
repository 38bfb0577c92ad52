"""A cluster with one leader, the model beside it, and what must be so at any time; test_stateful.py drives it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, invariant
from sqlalchemy import select

from chronos_py.health import Health
from chronos_py.logs import LogArchive, TaskLogs
from chronos_py.model.run import LIVE_ATTEMPT_STATES, RUN_TRANSITIONS, RunState, Trigger
from chronos_py.model.task import Task
from chronos_py.pools import Permit, PoolUnavailable
from chronos_py.services import Application
from chronos_py.store import leadership
from chronos_py.store.database import Database
from chronos_py.store.tables import AttemptRow, BackfillRow, JobRevisionRow, JobRow, RunRow, Table
from chronos_py.wake import Wake
from tests.scheduler.conftest import START, Leader, ManualClock, Term, elect
from tests.scheduler.model_of_jobs import FINAL, Backfill, Definition, Job, Place, Row, Run
from tests.scheduler.model_of_runs import Model
from tests.scheduler.scripted_pool import ScriptedPool

# Of a run that has ended: a backfill may take its occurrence, a person may overrule its failure and say why.
MAY_CHANGE = dict.fromkeys(("occurrence", "outcome", "note"))
LAUNCHES = 8  # what the launcher takes at a time


class FaultyPool(ScriptedPool):
    """Calls of submit may get ``stuck`` on the way; they arrive later."""

    def __init__(self) -> None:
        super().__init__()
        self.is_stuck = False
        self.stuck: list[Task] = []
        self.over: set[str] = set()

    def submit(self, task: Task, permit: Permit) -> str:
        if self.is_stuck:
            self.stuck.append(task)
            raise PoolUnavailable("the call hangs")
        return super().submit(task, permit)

    def end(self, name: str, exit_code: int | None, **details: object) -> None:
        self.over.add(name)
        super().end(name, exit_code, **details)


def document(definition: Definition) -> dict[str, Any]:
    return {
        "name": definition.name,
        "command": "true",
        "parents": list(definition.parents),
        "schedule": "" if definition.timetable is None else definition.timetable.text,
        "overlap": definition.overlap,
        "retries": definition.retries,
        "retryDelay": definition.retry_delay.total_seconds(),
        "softError": definition.soft_error,
        "disabled": definition.disabled,
    }


def reachable(transitions: Any, state: Any) -> set[Any]:
    """The states to which the table leads from ``state``, itself included."""
    found, pending = {state}, [state]
    while pending:
        for following in transitions[pending.pop()] - found:
            found.add(following)
            pending.append(following)
    return found


class WatchedCluster(RuleBasedStateMachine):
    """``open_url`` gives the URL of a migrated database without rows, for one example."""

    def __init__(self, open_url: Callable[[], AbstractContextManager[str]]) -> None:
        super().__init__()
        self._opened = open_url()
        self.database = Database(self._opened.__enter__())
        leadership.ensure_row(self.database)
        self.clock, self.pool = ManualClock(START), FaultyPool()
        logs = TaskLogs(LogArchive("memory://stateful"), self.pool)
        health = Health(self.clock)
        self.app = Application(
            self.database, self.clock, Wake(), health, logs, self.pool, Term(), "test:1", self.clock.now()
        )
        self.leader = elect(self.app, self.pool, "leader 1")
        self.deposed: list[Leader] = []
        self.model = Model(START)
        self.fills: list[Backfill] = []
        self.seen: dict[int, dict[str, Any]] = {}

    # What must be so at any time

    @invariant()
    def all_is_well(self) -> None:
        self.it_is_as_the_model_says()
        self.attempts_are_sound()
        self.what_is_counted_is_so()

    def it_is_as_the_model_says(self) -> None:
        with self.database.read() as connection:
            rows = connection.execute(select(*RunRow.__table__.columns).order_by(RunRow.id)).all()
        self.model.compare([
            Row(
                row.job_id, row.trigger, row.state, row.reason, row.scheduled_at, row.occurrences, row.attempts,
                row.not_before, row.backfill_id or 0, row.root_run_id or 0, row.parent_run_id or 0,
                row.starts_children, row.id,
            )
            for row in rows
        ])  # fmt: skip
        for row in rows:
            known = self.seen.get(row.id)
            if known is not None:
                assert row.state in reachable(RUN_TRANSITIONS, RunState(known["state"])), f"run {row.id}"
                if known["state"] in FINAL:
                    assert {**row._mapping, **MAY_CHANGE} == known, "a final state changed"
            self.seen[row.id] = {**row._mapping, **MAY_CHANGE}
        planned = Counter(
            (row.job_id, row.scheduled_at)
            for row in rows
            if row.trigger == Trigger.SCHEDULE and row.state != RunState.SKIPPED
        )
        assert not planned or max(planned.values()) == 1, "two runs for one occurrence"
        for job_id, due in self.model.owed:
            there = [row for row in rows if row.job_id == job_id and row.scheduled_at <= due]
            assert any(due <= (row.scheduled_until or row.scheduled_at) for row in there), f"nothing tells of {due}"

    def attempts_are_sound(self) -> None:
        assert len(self.pool.starts) == len(set(self.pool.starts)), "a task was started twice"
        with self.database.read() as connection:
            document = JobRevisionRow.document["retries"].as_integer()
            rows = connection.execute(
                select(*AttemptRow.__table__.columns, document.label("retries"))
                .join(RunRow, RunRow.id == AttemptRow.run_id)
                .join(
                    JobRevisionRow,
                    (JobRevisionRow.job_id == RunRow.job_id) & (JobRevisionRow.revision == AttemptRow.revision),
                )
                .order_by(AttemptRow.id)
            ).all()
        live = Counter(row.run_id for row in rows if row.state in LIVE_ATTEMPT_STATES)
        assert not live or max(live.values()) == 1, "two live attempts of one run"
        retries = {(row.run_id, row.number): row.retries for row in rows}
        for row in rows:
            assert row.number == 1 or row.number - 1 <= retries[row.run_id, row.number - 1], "tried too often"
            if row.state not in LIVE_ATTEMPT_STATES:
                assert row.task_name in self.pool.over, f"{row.task_name} is {row.state} and may still run"

    def what_is_counted_is_so(self) -> None:
        with self.database.read() as connection:
            kept = connection.execute(select(JobRow.id, JobRow.success_count, JobRow.error_count)).all()
            filled = connection.execute(select(BackfillRow.id, BackfillRow.finished_at)).all()
        for job_id, successes, errors in kept:
            states = Counter(run.state for run in self.model.runs if run.job.id == job_id)
            assert (successes, errors) == (
                states[RunState.SUCCEEDED], states[RunState.FAILED] + states[RunState.LOST],
            )  # fmt: skip
        for backfill_id, finished_at in filled:
            ours = [run for run in self.model.runs if run.backfill and run.backfill.id == backfill_id]
            assert (finished_at is not None) == all(run.is_final for run in ours), "a backfill's end is not noted"

    def close(self) -> None:
        for leader in (*self.deposed, self.leader):
            leader.launcher.stop()
        self.database.close()
        self._opened.__exit__(None, None, None)

    # Small things

    def _job(self, pick: int) -> Job:
        live = self.model.live_jobs()
        return live[pick % len(live)]

    def _running(self) -> list[Run]:
        return [run for run in self.model.live() if run.task and run.task.place is Place.RUNNING]

    def _name(self, run: Run) -> str:
        return f"chronos-test-{run.id}-{run.attempts}"

    def _end(self, run: Run, exit_code: int | None) -> None:
        assert run.task is not None
        self.pool.end(self._name(run), exit_code, finished_at=self.clock.now())
        run.task.place, run.task.exit_code, run.task.ended_at = Place.ENDED, exit_code, self.clock.now()

    def _note_started(self) -> None:
        """Another than the present leader may have launched what is intended."""
        for run in self.model.live():
            if run.task and run.task.place is Place.INTENDED and self._name(run) in self.pool.statuses:
                run.task.place = Place.RUNNING

    @contextmanager
    def _pool_trouble(self) -> Iterator[None]:
        try:
            yield
        except PoolUnavailable:
            assert self.pool.away or self.pool.lose_reply

    def _await_launches(self, leader: Leader) -> None:
        deadline = time.monotonic() + 60
        while leader.launcher.free() < LAUNCHES:
            assert time.monotonic() < deadline, "launches do not end"
            time.sleep(0.0002)  # between two looks at other threads; the deadline decides

    def _everything(self) -> dict[str, list[Any]]:
        with self.database.read() as connection:
            return {
                table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
                for table in Table.metadata.sorted_tables
            }
