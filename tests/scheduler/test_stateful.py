"""Whatever people do and whatever breaks, in whatever order: the leader does what the model says, and no harm."""

from __future__ import annotations

import functools
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import Engine, func, select

from chronos_py.errors import Conflict, Deposed, InvalidDefinition
from chronos_py.model.overlap import Overlap
from chronos_py.model.run import Reason, RunState
from chronos_py.scheduler.watcher import TOMBSTONE
from chronos_py.services import backfills, jobs, runs
from chronos_py.store.tables import AttemptRow
from tests.databases import postgres_database
from tests.scheduler.conftest import START, elect
from tests.scheduler.model_of_jobs import Backfill, Definition, Place, Timetable
from tests.scheduler.watched_cluster import WatchedCluster, document

FROM_0_20 = datetime(2026, 6, 1, 0, 20, tzinfo=UTC)
LONG_AGO = datetime(2026, 5, 1, tzinfo=UTC)
TIMETABLES = [
    Timetable("0 * * * *", LONG_AGO, timedelta(hours=1), owes_latest=False),
    Timetable("30 */2 * * *", LONG_AGO + timedelta(minutes=30), timedelta(hours=2), owes_latest=False),
    Timetable("R/2026-06-01T00:20:00Z/PT40M", FROM_0_20, timedelta(minutes=40), owes_latest=True),
]
NAMES = "abcde"

picks = st.integers(0, 50)
definitions = st.builds(
    Definition,
    name=st.sampled_from(NAMES),
    timetable=st.sampled_from([*TIMETABLES, None]),
    overlap=st.sampled_from(Overlap),
    retries=st.integers(0, 2),
    retry_delay=st.sampled_from([timedelta(0), timedelta(minutes=15)]),
    soft_error=st.booleans(),
)


class Cluster(WatchedCluster):
    """What may happen, in any order."""

    # People

    @initialize(wanted=st.lists(definitions, min_size=2, max_size=4, unique_by=lambda each: each.name), pick=picks)
    def define_some(self, wanted: list[Definition], pick: int) -> None:
        for number, definition in enumerate(wanted):
            self.save(definition, number > 0, [pick], pick % 2 == 0)

    @rule(
        definition=definitions,
        is_child=st.booleans(),
        parents=st.lists(picks, min_size=1, max_size=2),
        old=st.booleans(),
    )
    def save(self, definition: Definition, is_child: bool, parents: list[int], old: bool) -> None:
        """Define a job or change it; ``old``: keep its schedule."""
        live = self.model.live_jobs()
        known = self.model.job(definition.name)
        if old and known is not None:
            definition = replace(definition, timetable=known.definition.timetable, parents=known.definition.parents)
        elif is_child and live:
            names = tuple(dict.fromkeys(live[pick % len(live)].definition.name for pick in parents))
            definition = replace(definition, timetable=None, parents=names)
        if self.model.makes_cycle(definition):
            with pytest.raises(InvalidDefinition):
                jobs.save_job(self.app, document(definition))
            return
        jobs.save_job(self.app, document(definition))
        self.model.save(definition)

    @precondition(lambda self: self.model.live_jobs())
    @rule(pick=picks, disabled=st.booleans())
    def pause_or_resume(self, pick: int, disabled: bool) -> None:
        job = self._job(pick)
        jobs.patch_job(self.app, job.definition.name, {"disabled": disabled})
        self.model.save(replace(job.definition, disabled=disabled))

    @precondition(lambda self: len(self.model.live_jobs()) > 2)
    @rule(pick=picks, children=st.sampled_from(["refuse", "detach", "convert"]))
    def delete(self, pick: int, children: Any) -> None:
        job = self._job(pick)
        if children == "refuse" and self.model.children(job):
            with pytest.raises(Conflict):
                jobs.delete_job(self.app, job.definition.name)
            return
        jobs.delete_job(self.app, job.definition.name, children=children)
        self.model.delete(job, children == "convert")

    @precondition(lambda self: self.model.live_jobs())
    @rule(pick=picks, with_children=st.booleans())
    def force(self, pick: int, with_children: bool) -> None:
        job = self._job(pick)
        runs.run_now(self.app, job.definition.name, with_children=with_children)
        self.model.force(job, with_children)

    @precondition(lambda self: self.model.runs)
    @rule(pick=picks, from_failure=st.booleans())
    def rerun(self, pick: int, from_failure: bool) -> None:
        run = self.model.runs[pick % len(self.model.runs)]
        assume(not run.job.deleted)
        if not run.is_final:
            with pytest.raises(Conflict):
                runs.rerun(self.app, run.id)
            return
        runs.rerun(self.app, run.id, from_failure=from_failure)
        self.model.rerun(run, from_failure)

    @precondition(lambda self: any(run.is_final and not run.has_succeeded for run in self.model.runs))
    @rule(pick=picks)
    def mark_successful(self, pick: int) -> None:
        failed = [run for run in self.model.runs if run.is_final and not run.has_succeeded]
        run = failed[pick % len(failed)]
        if any(other.job is run.job and other.has_succeeded for other in self.model.wave_of(run)):
            with pytest.raises(Conflict):
                runs.mark_successful(self.app, run.id)
            return
        runs.mark_successful(self.app, run.id)
        self.model.overrule(run)

    @precondition(lambda self: any(not run.is_final for run in self.model.runs))
    @rule(pick=picks)
    def kill(self, pick: int) -> None:
        unfinished = [run for run in self.model.runs if not run.is_final]
        run = unfinished[pick % len(unfinished)]
        runs.kill_run(self.app, run.id)
        self.model.kill(run, Reason.KILLED)

    @precondition(lambda self: any(job.definition.timetable for job in self.model.live_jobs()))
    @rule(pick=picks, ago=st.integers(1, 5), hours=st.integers(1, 4), parallel=st.integers(1, 2), force=st.booleans())
    def backfill(self, pick: int, ago: int, hours: int, parallel: int, force: bool) -> None:
        scheduled = [job for job in self.model.live_jobs() if job.definition.timetable]
        job, first = scheduled[pick % len(scheduled)], self.clock.now() - timedelta(hours=ago)
        last = first + timedelta(hours=hours)
        times = self.model.occurrences_to_fill(job, first, last, force)
        asked = (job.definition.name, first.isoformat(), last.isoformat(), parallel, pick % 3 > 0, force)
        if not times:
            with pytest.raises(InvalidDefinition if times is None else Conflict):
                backfills.start_backfill(self.app, *asked)
            return
        view = backfills.start_backfill(self.app, *asked)
        self.fills.append(Backfill(view.backfill.id, job, parallel))
        self.model.backfill(self.fills[-1], times, with_children=pick % 3 > 0)

    @precondition(lambda self: self.fills)
    @rule(pick=picks, kill=st.booleans())
    def cancel_backfill(self, pick: int, kill: bool) -> None:
        fill = self.fills[pick % len(self.fills)]
        is_over = all(run.is_final for run in self.model.runs if run.backfill is fill)
        if is_over or (fill.cancelled and not kill):
            with pytest.raises(Conflict):
                backfills.cancel_backfill(self.app, fill.id, kill=kill)
            return
        backfills.cancel_backfill(self.app, fill.id, kill=kill)
        self.model.cancel(fill, kill)

    # Tasks and the pool

    @precondition(lambda self: self._running())
    @rule(pick=picks, exit_code=st.sampled_from([0, 0, 0, 1, None]))
    def end_task(self, pick: int, exit_code: int | None) -> None:
        """A task ends; None: the pool has lost it."""
        running = self._running()
        self._end(running[pick % len(running)], exit_code)

    @precondition(lambda self: any(run.state is RunState.RUNNING for run in self._running()))
    @rule(pick=picks)
    def vanish(self, pick: int) -> None:
        """Somebody removes a task from the pool."""
        known = [run for run in self._running() if run.state is RunState.RUNNING]
        run = known[pick % len(known)]
        name = self._name(run)
        assume(all(task.name != name for task in self.pool.stuck))  # nothing would keep its name any more
        self.pool.over.add(name)
        del self.pool.statuses[name]
        assert run.task is not None
        run.task.place = Place.VANISHED

    @rule(away=st.booleans(), lose_reply=st.booleans())
    def change_reach(self, away: bool, lose_reply: bool) -> None:
        self.pool.away = "no route" if away else ""
        self.pool.lose_reply = lose_reply

    @rule()
    def pool_answers(self) -> None:
        self.change_reach(False, False)

    @precondition(lambda self: self.pool.stuck and not self.pool.away)
    @rule(pick=picks)
    def stuck_call_arrives(self, pick: int) -> None:
        """A leader that was paused in the middle of a launch wakes, long after it lost its term."""
        task = self.pool.stuck.pop(pick % len(self.pool.stuck))
        with self._pool_trouble():
            self.pool.submit(task, lambda: None)
        self._note_started()

    # Time and the leader

    @rule(minutes=st.sampled_from([5, 20, 60, 150]))
    def advance(self, minutes: int) -> None:
        self.clock.advance(minutes=minutes)
        self.model.now = self.clock.now()
        if self.clock.now() - START > TOMBSTONE:
            self.pool.stuck.clear()  # names are kept for a day, so long may a call be late

    @rule()
    def plan(self) -> None:
        self.leader.planner.step()
        self.model.plan()

    @rule()
    def dispatch(self) -> None:
        with self.database.read() as connection:
            before = connection.execute(select(func.max(AttemptRow.id))).scalar_one() or 0
        self.leader.dispatcher.step()
        self._await_launches(self.leader)
        by_id = {run.id: run for run in self.model.runs}
        with self.database.read() as connection:
            made = select(AttemptRow.run_id).where(AttemptRow.id > before).order_by(AttemptRow.id)
            started = [by_id[run_id] for run_id in connection.execute(made).scalars()]
        for run in started:
            assert self.model.may_start(run), f"run {run.id} must wait"
            self.model.start(run)
        for run in started:
            if not self.pool.away and not self.pool.is_stuck:
                self.model.launch(run, not self.pool.lose_reply)
        left = [run.row() for run in self.model.runs if self.model.may_start(run)]
        assert started or not left, f"could start: {left}"

    @rule()
    def watch(self) -> None:
        with self._pool_trouble():
            self.leader.watcher.step()
        self._await_launches(self.leader)
        if not self.pool.away:
            self.model.watch(not self.pool.lose_reply, not self.pool.is_stuck)

    @rule()
    def turn(self) -> None:
        self.plan()
        self.it_is_as_the_model_says()
        self.dispatch()
        self.watch()

    @precondition(lambda self: self.model.live() and len(self.deposed) < 5)
    @rule()
    def another_leads(self) -> None:
        """Another node takes over; the one before does not know yet."""
        number = self.leader.epoch
        self.deposed.append(self.leader)
        self.leader = elect(self.app, self.pool, f"leader {number + 1}", dead=f"leader {number}")

    @precondition(lambda self: len(self.deposed) < 5)
    @rule(in_watch=st.booleans())
    def leader_is_paused_while_it_launches(self, in_watch: bool) -> None:
        self.pool.is_stuck = True
        if in_watch:
            self.watch()
        else:
            self.dispatch()
        self.pool.is_stuck = False
        self.another_leads()

    @precondition(lambda self: self.deposed)
    @rule(pick=picks)
    def deposed_leader_wakes(self, pick: int) -> None:
        """Whatever it does changes nothing; a launch that it had in doubt it may make, under the same name."""
        leader, before = self.deposed[pick % len(self.deposed)], self._everything()
        for step in (leader.planner.step, leader.dispatcher.step, leader.watcher.step):
            with self._pool_trouble():
                try:
                    step()
                except Deposed:
                    continue
        self._await_launches(leader)
        assert self._everything() == before, "a deposed leader wrote"
        self._note_started()

    def teardown(self) -> None:
        try:
            if sys.exception() is None:
                self._come_to_rest()
        finally:
            self.close()

    def _come_to_rest(self) -> None:
        """When all faults are healed and all tasks end, everything does: nothing waits for ever."""
        self.pool_answers()
        for _ in range(60):
            self.turn()
            self.all_is_well()
            if all(run.is_final for run in self.model.runs):
                return
            for run in self._running():
                self._end(run, 0)
            self.watch()
            self.all_is_well()
            if not any(self.model.may_start(run) for run in self.model.runs):
                self.advance(15)
        raise AssertionError(f"waits for ever: {[run.row() for run in self.model.runs if not run.is_final]}")


EXAMPLES = int(os.environ.get("CHRONOS_TEST_EXAMPLES", "0"))  # for a long run; 0: as many as fit into every run


def check(open_url: Callable[[], AbstractContextManager[str]], examples: int, steps: int) -> None:
    run_state_machine_as_test(
        cast(type[RuleBasedStateMachine], functools.partial(Cluster, open_url)),
        settings=settings(
            max_examples=EXAMPLES or examples,
            stateful_step_count=steps,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(7200 if EXAMPLES else 600)
def test_any_order_of_events_on_sqlite(sqlite_template: Path) -> None:
    @contextmanager
    def open_url() -> Iterator[str]:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "chronos.db"
            shutil.copyfile(sqlite_template, file)
            yield f"sqlite:///{file}"

    check(open_url, examples=50, steps=40)


@pytest.mark.postgres
@pytest.mark.timeout(7200 if EXAMPLES else 600)
def test_any_order_of_events_on_postgres(postgres_engine: Engine, postgres_template: str) -> None:
    check(functools.partial(postgres_database, postgres_engine, postgres_template), examples=8, steps=30)
