"""The SQL election: one term at a time, over as soon as it is in doubt."""

from __future__ import annotations

import os
import queue
import subprocess
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from chronos_py.clock import SystemClock
from chronos_py.election.identity import is_surely_dead, this_process
from chronos_py.election.sql import SqlElection
from chronos_py.errors import DatabaseUnavailable

SECONDS = 60  # nothing that should come may take longer


@dataclass
class ScriptedLease:
    """A lease row in memory that a test takes away. Real ones are tested in tests/store."""

    epoch: int = 0
    held_by: str = ""
    away: bool = False
    broken: bool = False
    left: float = 60.0
    calls: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)

    def _reach(self) -> None:
        if self.away:
            raise DatabaseUnavailable("The database is away.")
        if self.broken:
            raise RuntimeError("a table is missing, say")

    def holder(self) -> str:
        self._reach()
        return self.held_by

    def seconds_left(self) -> float:
        """The holder dies once somebody has asked."""
        self._reach()
        if self.left < 1:
            self.held_by = ""
        return self.left

    def acquire(self, seconds: float, now: datetime, dead_holder: str | None = None) -> int | None:
        self._reach()
        self.calls.put("acquire")
        if self.held_by not in ("", "me", dead_holder):
            return None
        self.epoch, self.held_by = self.epoch + 1, "me"
        return self.epoch

    def renew(self, epoch: int, seconds: float) -> bool:
        self._reach()
        self.calls.put("renew")
        return self.held_by == "me" and epoch == self.epoch

    def release(self, epoch: int) -> None:
        self.calls.put("release")
        self.held_by = ""


class Candidate:
    """An election that runs, and what it said."""

    def __init__(self, lease: ScriptedLease, lease_seconds: float = 0.3, dead: str = "", start: bool = True) -> None:
        self.events: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.election = SqlElection(lease, SystemClock(), lease_seconds, lambda holder: holder == dead, self._hear)
        self.problems: queue.SimpleQueue[str] = queue.SimpleQueue()
        if start:
            self.election.start(self.events.put, self.events.put)

    def _hear(self, problem: str | None) -> None:
        if problem is not None:
            self.problems.put(problem)

    def next_event(self) -> object:
        return self.events.get(timeout=SECONDS)


def test_a_free_lease_makes_a_leader_and_stopping_hands_over() -> None:
    lease = ScriptedLease()
    candidate = Candidate(lease, lease_seconds=600)
    assert candidate.next_event() == 1
    assert candidate.election.may_launch()
    candidate.election.stop()
    assert candidate.next_event() == "the server is stopping"
    assert not candidate.election.may_launch()
    assert lease.held_by == ""


def test_a_lease_that_another_took_ends_the_term() -> None:
    lease = ScriptedLease()
    candidate = Candidate(lease)
    assert candidate.next_event() == 1
    lease.held_by = "another"
    assert candidate.next_event() == "another node leads"
    assert not candidate.election.may_launch()
    candidate.election.stop()


def test_a_database_that_stays_away_ends_the_term_when_the_lease_has_run_out() -> None:
    lease = ScriptedLease()
    candidate = Candidate(lease)
    assert candidate.next_event() == 1
    lease.away = True
    assert candidate.next_event() == "the lease ran out while the database was away"
    lease.away = False
    assert candidate.next_event() == 2
    candidate.election.stop()


def test_what_nobody_has_foreseen_does_not_take_a_node_out_of_the_election() -> None:
    lease = ScriptedLease(broken=True)
    candidate = Candidate(lease)
    assert "internal error" in candidate.problems.get(timeout=SECONDS)
    lease.broken = False
    assert candidate.next_event() == 1
    lease.broken = True
    assert candidate.next_event() == "the election failed"
    lease.broken = False
    assert candidate.next_event() == 2
    candidate.election.stop()


def test_a_term_that_cannot_begin_is_over() -> None:
    lease, ends = ScriptedLease(), queue.SimpleQueue[str]()
    candidate = Candidate(lease, start=False)

    def begin(epoch: int) -> None:
        if epoch == 1:
            raise RuntimeError("can't start new thread")
        candidate.events.put(epoch)

    candidate.election.start(begin, ends.put)
    assert ends.get(timeout=SECONDS) == "the election failed"
    assert candidate.next_event() == 2
    candidate.election.stop()


def test_nobody_waits_for_the_lease_of_a_dead_process() -> None:
    candidate = Candidate(ScriptedLease(held_by="a dead one"), dead="a dead one")
    assert candidate.next_event() == 1
    candidate.election.stop()


def test_looks_when_the_lease_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chronos_py.election.sql._CAMPAIGN_SECONDS", 600.0)
    candidate = Candidate(ScriptedLease(held_by="another", left=0.1))
    assert candidate.next_event() == 1
    candidate.election.stop()


def test_a_process_is_known_by_more_than_its_pid() -> None:
    child = subprocess.Popen(["sleep", "60"])
    machine = this_process().partition("/")[0]
    try:
        ticks = this_process().rpartition("/")[2]
        assert not is_surely_dead(this_process())
        assert is_surely_dead(f"{machine}/{os.getpid()}/{int(ticks) + 1}")
        assert is_surely_dead(f"{machine}/{child.pid}/1")
    finally:
        child.kill()
        child.wait()
    assert is_surely_dead(f"{machine}/{child.pid}/{ticks}")


def test_nothing_is_said_of_processes_of_other_machines() -> None:
    assert not is_surely_dead("another-boot:pid:[1]/1/1")
    assert not is_surely_dead("")
    assert not is_surely_dead("node-7")
