"""How a term ends on a node that hands over."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from chronos_py.clock import SystemClock
from chronos_py.election.sql import SqlElection
from chronos_py.model.task import Task
from chronos_py.pools import Permit, PoolUnavailable, TaskStatus
from chronos_py.scheduler import term as terms
from chronos_py.scheduler.term import LeaderParts, Leadership, LeaderTerm
from chronos_py.scheduler.timers import Timers
from chronos_py.services import Application, jobs, runs
from chronos_py.store.leadership import SqlLease
from tests.cluster.server import wait_for
from tests.scheduler.scripted_pool import ScriptedPool


class UnhurriedPool(ScriptedPool):
    """One whose hints do not end before the test lets them."""

    def __init__(self) -> None:
        super().__init__()
        self.is_watched = threading.Event()
        self.may_end = threading.Event()

    def watch(self, stop: threading.Event) -> Iterator[str]:
        self.is_watched.set()
        assert self.may_end.wait(110)
        return iter(())


class StumblingPool(ScriptedPool):
    """One whose hints end in a bug at first."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.is_watched_again = threading.Event()

    def watch(self, stop: threading.Event) -> Iterator[str]:
        self.looks += 1
        if self.looks == 1:
            raise KeyError("Actor")
        self.is_watched_again.set()
        return iter(())


class HeldPool(ScriptedPool):
    """One that is asked something that takes until the test lets it end."""

    def __init__(self) -> None:
        super().__init__()
        self.is_held = threading.Event()
        self.may_end = threading.Event()
        self.threads: list[threading.Thread] = []

    def hold(self) -> None:
        self.threads.append(threading.current_thread())
        self.is_held.set()
        assert self.may_end.wait(110)


class PullingPool(HeldPool):
    """One that pulls an image."""

    def submit(self, task: Task, permit: Permit) -> str:
        self.hold()
        return super().submit(task, permit)


class HangingPool(HeldPool):
    """One that says late that it is away."""

    def list(self) -> list[TaskStatus]:
        self.hold()
        raise PoolUnavailable("The engine does not answer.")


def parts_of(application: Application, pool: ScriptedPool) -> LeaderParts:
    return LeaderParts(
        *(application.database, application.clock, pool, application.logs, application.wake, application.health),
        cluster="test",
        max_running=1,
    )


def test_nobody_waits_for_the_pools_hints_to_end(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terms, "JOIN_SECONDS", 600.0)  # so long a term would wait for a duty of its own
    epoch = SqlLease(application.database, "first", "test:1").acquire(3600, application.clock.now())
    assert epoch is not None
    pool = UnhurriedPool()
    parts = parts_of(application, pool)
    term = LeaderTerm(parts, epoch, lambda: True, Timers(application.clock))
    term.start()
    assert pool.is_watched.wait(60)
    ending = threading.Thread(target=term.stop)
    ending.start()
    ending.join(60)
    assert not ending.is_alive()
    pool.may_end.set()


def test_a_bug_does_not_end_the_pools_hints(application: Application) -> None:
    epoch = SqlLease(application.database, "first", "test:1").acquire(3600, application.clock.now())
    assert epoch is not None
    pool = StumblingPool()
    term = LeaderTerm(parts_of(application, pool), epoch, lambda: True, Timers(application.clock))
    term.start()
    try:
        assert pool.is_watched_again.wait(60)
    finally:
        term.stop()


def test_what_only_a_leader_looks_after_is_no_problem_of_a_follower(application: Application) -> None:
    health, pool = application.health, ScriptedPool()
    pool.away = "The engine does not answer."
    lease = SqlLease(application.database, "first", "test:1")
    election = SqlElection(lease, SystemClock(), 3600, lambda _: False, lambda _: None)
    leadership = Leadership(parts_of(application, pool), election, Timers(application.clock))
    leadership.start()
    wait_for("the leader to miss the pool", lambda: [each.part for each in health.problems()] == ["pool"])
    health.report("clock", "The clock of this node is an hour off.", hinders=False)
    leadership.stop()
    assert [each.part for each in health.problems()] == ["clock"]


def test_what_a_late_duty_finds_is_no_problem_of_a_follower(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terms, "JOIN_SECONDS", 0.2)
    pool, lease = HangingPool(), SqlLease(application.database, "first", "test:1")
    election = SqlElection(lease, SystemClock(), 3600, lambda _: False, lambda _: None)
    leadership = Leadership(parts_of(application, pool), election, Timers(application.clock))
    leadership.start()
    assert pool.is_held.wait(60)
    leadership.stop()
    pool.may_end.set()
    for thread in pool.threads:
        thread.join(60)
    assert application.health.problems() == []


def test_an_image_that_is_being_pulled_does_not_keep_the_leadership(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terms, "JOIN_SECONDS", 0.2)
    pool, lease = PullingPool(), SqlLease(application.database, "first", "test:1")
    election = SqlElection(lease, SystemClock(), 3600, lambda _: False, lambda _: None)
    leadership = Leadership(parts_of(application, pool), election, Timers(application.clock))
    jobs.save_job(application, {"name": "load", "command": "true"})
    runs.run_now(application, "load")
    leadership.start()
    assert pool.is_held.wait(60)
    ending = threading.Thread(target=leadership.stop)
    ending.start()
    ending.join(60)
    assert not ending.is_alive()
    assert lease.holder() == ""
    assert all(thread.daemon for thread in pool.threads), "the process would not end before the pull does"
    pool.may_end.set()
    for thread in pool.threads:
        thread.join(60)
    assert pool.statuses == {}, "the next leader may be launching it by now"
