"""A leader whose term is over changes nothing: every write of every duty is refused with its old epoch.

Each case first lets a deposed leader act, which must leave every table as it was, and then one whose term goes on,
which shows that there was something to write.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import select, update

from chronos_py.errors import Deposed
from chronos_py.model.task import Task
from chronos_py.pools import PartlyUnavailable, Permit, PoolUnavailable, TaskState, TaskStatus
from chronos_py.services import Application, runs
from chronos_py.store.database import Database
from chronos_py.store.tables import LeadershipRow, Table
from tests.scheduler.conftest import Leader, elect
from tests.scheduler.scripted_pool import ScriptedPool
from tests.scheduler.test_messenger import ScriptedChannel, away, put

Act = Callable[[], Any]
Rows = dict[str, list[tuple[Any, ...]]]


class SlowPool(ScriptedPool):
    """A launch lasts until the test lets it go on; ``hidden`` tasks are not listed."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.hidden = ""

    def submit(self, task: Task, permit: Permit) -> str:
        assert self.may_go_on.wait(60)
        return super().submit(task, permit)

    def list(self) -> list[TaskStatus]:
        found = super().list()
        if self.hidden:
            raise PartlyUnavailable("The engine is away.", [each for each in found if each.name != self.hidden])
        return found


@pytest.fixture
def pool() -> SlowPool:
    return SlowPool()


@pytest.fixture
def slow(leader: Leader, pool: SlowPool) -> Slow:
    return Slow(leader, pool)


@dataclass
class Slow:
    """A leader and its pool."""

    leader: Leader
    pool: SlowPool

    @property
    def application(self) -> Application:
        return self.leader.application

    def start(self, **fields: Any) -> str:
        """The name of a task that runs."""
        self.leader.define("job", **fields)
        run = runs.run_now(self.application, "job")
        self.leader.dispatcher.step()
        self.leader.wait_for_launches()
        return f"chronos-test-{run.id}-1"

    def begin_launch(self) -> Act:
        """A launch that is under way; what lets it end."""
        self.pool.may_go_on.clear()
        self.leader.define("job")
        runs.run_now(self.application, "job")
        self.leader.dispatcher.step()

        def go_on() -> None:
            self.pool.may_go_on.set()
            self.leader.wait_for_launches()

        return go_on


def plan(slow: Slow) -> Act:
    slow.leader.define("job", schedule="R/2026-06-01T10:00:00Z/PT1H")
    slow.leader.clock.advance(hours=1)
    return slow.leader.planner.step


def commit_an_intent(slow: Slow) -> Act:
    slow.leader.define("job")
    runs.run_now(slow.application, "job")
    return slow.leader.dispatcher.step


def skip_what_is_overdue(slow: Slow) -> Act:
    slow.leader.define("job", schedule="R/2026-06-01T10:00:00Z/PT1H", startDeadline=60)
    slow.leader.clock.advance(hours=1)
    slow.leader.planner.step()
    slow.leader.clock.advance(minutes=2)
    return slow.leader.dispatcher.step


def note_that_a_task_has_begun(slow: Slow) -> Act:
    slow.pool.lose_reply = True
    slow.start()
    return slow.leader.watcher.step


def note_what_a_task_waits_for(slow: Slow) -> Act:
    name = slow.start()
    slow.pool.statuses[name] = replace(slow.pool.statuses[name], state=TaskState.WAITING, message="pulls its image")
    return slow.leader.watcher.step


def settle_a_success(slow: Slow) -> Act:
    name = slow.start()
    slow.leader.define("child", parents=["job"])
    slow.pool.end(name, 0)
    return slow.leader.watcher.step


def settle_a_failure_that_is_tried_again(slow: Slow) -> Act:
    slow.pool.end(slow.start(retries=1), 1)
    return slow.leader.watcher.step


def settle_a_failure_for_good(slow: Slow) -> Act:
    slow.pool.end(slow.start(retries=0, disableAfterFailures=1), 1)
    return slow.leader.watcher.step


def kill_what_runs_too_long(slow: Slow) -> Act:
    slow.start(timeout=1)
    slow.leader.watcher.step()
    slow.leader.clock.advance(minutes=1)
    return slow.leader.watcher.step


def note_that_the_pool_is_away(slow: Slow) -> Act:
    slow.start()
    slow.pool.away = "The engine does not answer."
    return slow.leader.watcher.step


def note_that_the_pool_is_back(slow: Slow) -> Act:
    step = note_that_the_pool_is_away(slow)
    with pytest.raises(PoolUnavailable):
        step()
    slow.pool.away = ""
    return step


def note_what_is_hidden(slow: Slow) -> Act:
    slow.pool.hidden = slow.start()
    return slow.leader.watcher.step


def note_that_an_outcome_is_awaited(slow: Slow) -> Act:
    slow.pool.end(slow.start(**{"async": True}), 0)
    return slow.leader.watcher.step


def note_a_message_that_was_sent(slow: Slow) -> Act:
    put(slow.leader, "job")
    return ScriptedChannel("mail").messenger(slow.leader).step


def note_how_far_a_message_came(slow: Slow) -> Act:
    put(slow.leader, "job")
    channel = ScriptedChannel("mail", ("a@x", "b@x"), failure=lambda who: away(who) if who == "b@x" else None)
    return lambda: channel.messenger(slow.leader).step()


STEPS = [
    plan,
    commit_an_intent,
    skip_what_is_overdue,
    note_that_a_task_has_begun,
    note_what_a_task_waits_for,
    settle_a_success,
    settle_a_failure_that_is_tried_again,
    settle_a_failure_for_good,
    kill_what_runs_too_long,
    note_that_the_pool_is_away,
    note_that_the_pool_is_back,
    note_what_is_hidden,
    note_that_an_outcome_is_awaited,
    note_a_message_that_was_sent,
    note_how_far_a_message_came,
]


def contents(database: Database) -> Rows:
    """Every row of every table."""
    with database.read() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in Table.metadata.sorted_tables
        }


def change_epoch(database: Database, by: int) -> None:
    with database.write() as connection:
        connection.execute(update(LeadershipRow).values(epoch=LeadershipRow.epoch + by))


@pytest.mark.parametrize("prepare", STEPS, ids=lambda prepare: prepare.__name__)
def test_a_deposed_leader_writes_nothing(slow: Slow, prepare: Callable[[Slow], Act]) -> None:
    act, database = prepare(slow), slow.leader.database
    change_epoch(database, 1)
    before = contents(database)
    with pytest.raises(Deposed):
        act()
    assert contents(database) == before
    change_epoch(database, -1)
    before = contents(database)
    try:
        act()
    except PoolUnavailable:
        assert prepare is note_that_the_pool_is_away
    slow.leader.wait_for_launches()
    assert contents(database) != before, "there was something to write"


@pytest.mark.parametrize("ends", ["launched", "refused", "lost"])
@pytest.mark.parametrize("is_deposed", [True, False])
def test_a_launch_that_ends_after_the_term(slow: Slow, ends: str, is_deposed: bool) -> None:
    go_on, database = slow.begin_launch(), slow.leader.database
    if ends == "refused":
        slow.pool.refuse["job"] = "no such image"
    if ends == "lost":
        slow.pool.lose["job"] = "the task vanished"
    change_epoch(database, int(is_deposed))
    before = contents(database)
    go_on()
    assert (contents(database) == before) == is_deposed


def test_a_next_leader_ends_what_the_deposed_one_left(slow: Slow) -> None:
    go_on = slow.begin_launch()
    follower = elect(slow.application, slow.pool, "second", dead="first")
    go_on()
    assert slow.leader.states("job") == ["starting"]
    follower.watcher.step()
    follower.wait_for_launches()
    assert slow.leader.states("job") == ["running"]
    assert len(slow.pool.starts) == 1
    follower.launcher.stop()
