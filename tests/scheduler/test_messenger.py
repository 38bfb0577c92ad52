"""Notifications: each channel in order, at least once, at its own pace, whatever the others do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from chronos_py.errors import Deposed
from chronos_py.notifications import NotDelivered, Notice
from chronos_py.scheduler.context import TermContext
from chronos_py.scheduler.messenger import Messenger
from chronos_py.services import jobs, runs
from chronos_py.store import outbox
from tests.scheduler.conftest import Leader, elect

PATIENCE = timedelta(hours=1)


@dataclass
class ScriptedChannel:
    """Delivers into a list, or fails as it is told."""

    name: str
    people: Sequence[str] = ("",)
    sent: list[tuple[str, str]] = field(default_factory=list)
    failure: Callable[[str], NotDelivered | None] = lambda recipient: None

    def recipients(self, notice: Notice) -> Sequence[str]:
        return self.people

    def send(self, notice: Notice, recipient: str) -> None:
        failure = self.failure(recipient)
        if failure is not None:
            raise failure
        self.sent.append((notice.job, recipient))

    def messenger(self, leader: Leader, *others: str) -> Messenger:
        term = TermContext(
            leader.database, leader.clock, leader.epoch, leader.pool, leader.application.wake, leader.health
        )
        return Messenger(term, self, [self.name, *others], PATIENCE, lambda: False)


def away(recipient: str) -> NotDelivered:
    return NotDelivered("nobody answers", is_final=False)


def put(leader: Leader, *names: str) -> None:
    with leader.database.write() as connection:
        for name in names:
            outbox.put(connection, "job_deleted", {"job": name, "message": "deleted"}, leader.clock.now())


def waiting(leader: Leader) -> list[str]:
    with leader.database.read() as connection:
        return [payload["job"] for _, _, payload in outbox.undelivered(connection, 100)]


def problems(leader: Leader) -> list[str]:
    return [problem.message for problem in leader.health.problems()]


def test_in_order_and_once(leader: Leader) -> None:
    put(leader, "a", "b", "c")
    channel = ScriptedChannel("mail", ("x@y", "z@y"))
    messenger = channel.messenger(leader)
    assert messenger.step() is None
    messenger.step()
    assert channel.sent == [(job, person) for job in "abc" for person in ("x@y", "z@y")]
    assert waiting(leader) == []


def test_a_channel_that_fails_holds_up_no_other(leader: Leader) -> None:
    put(leader, "a", "b")
    broken, whole = ScriptedChannel("broken", failure=away), ScriptedChannel("whole")
    its_messenger = broken.messenger(leader, "whole")
    next_try = its_messenger.step()
    whole.messenger(leader, "broken").step()
    assert next_try == leader.clock.now() + timedelta(seconds=5)
    assert ([job for job, _ in whole.sent], broken.sent, waiting(leader)) == (["a", "b"], [], ["a", "b"])
    assert problems(leader) == ["Notifications by broken are held up: nobody answers"]
    assert not any(problem.hinders for problem in leader.health.problems())
    broken.failure = lambda recipient: None
    assert its_messenger.step() == next_try
    assert broken.sent == []
    leader.clock.advance(seconds=5)
    assert its_messenger.step() is None
    assert ([job for job, _ in broken.sent], waiting(leader), problems(leader)) == (["a", "b"], [], [])


def test_waits_grow_and_end(leader: Leader) -> None:
    put(leader, "a")
    messenger = ScriptedChannel("broken", failure=away).messenger(leader)
    waits = []
    while (next_try := messenger.step()) is not None:
        waits.append((next_try - leader.clock.now()).total_seconds())
        leader.clock.advance(seconds=waits[-1])
    assert waits[:7] == [5, 15, 30, 60, 120, 300, 300]
    assert PATIENCE.total_seconds() <= sum(waits) <= PATIENCE.total_seconds() + 300
    assert waiting(leader) == []
    (problem,) = problems(leader)
    assert problem.startswith("A notification by broken was given up (Job a was deleted: deleted)")


def test_what_is_refused_for_good_is_given_up_and_the_rest_told(leader: Leader) -> None:
    put(leader, "a", "b")
    channel = ScriptedChannel("mail", ("gone@y", "x@y"))
    channel.failure = lambda person: NotDelivered("unknown", is_final=True) if person == "gone@y" else None
    assert channel.messenger(leader).step() is None
    assert channel.sent == [("a", "x@y"), ("b", "x@y")]
    assert waiting(leader) == []


def test_a_new_leader_goes_on_where_the_last_one_was(leader: Leader) -> None:
    put(leader, "a", "b")
    channel = ScriptedChannel("mail", ("x@y", "z@y"))
    channel.failure = lambda person: away(person) if person == "z@y" else None
    old = channel.messenger(leader)
    old.step()
    assert channel.sent == [("a", "x@y")]
    second = elect(leader.application, leader.pool, "second", dead="first")
    channel.failure = lambda person: None
    leader.clock.advance(hours=1)
    with pytest.raises(Deposed):
        old.step()  # it may have sent one more, but it notes nothing
    channel.sent.clear()
    channel.messenger(second).step()
    assert channel.sent == [("a", "z@y"), ("b", "x@y"), ("b", "z@y")]
    second.launcher.stop()


def test_nobody_to_tell_is_told_at_once(leader: Leader) -> None:
    put(leader, "a")
    ScriptedChannel("mail", ()).messenger(leader).step()
    assert waiting(leader) == []


def test_a_clock_that_is_set_back_stretches_no_wait(leader: Leader) -> None:
    put(leader, "a")
    channel = ScriptedChannel("mail", failure=away)
    messenger = channel.messenger(leader)
    messenger.step()
    channel.failure = lambda person: None
    leader.clock.advance(days=-1)
    assert messenger.step() is None
    assert waiting(leader) == []


def test_more_than_a_batch(leader: Leader) -> None:
    put(leader, *[f"job {number}" for number in range(150)])
    channel = ScriptedChannel("log")
    messenger = channel.messenger(leader)
    assert messenger.step() == leader.clock.now()
    assert messenger.step() is None
    assert len(channel.sent) == 150


def test_what_is_told_of_a_job(leader: Leader) -> None:
    leader.define(
        "fails", owner="a@b.example, c@d.example", retries=1, retryDelay=0, cpus=0.5, softError=True,
        disableAfterFailures=1, uris=["http://x/1", "http://x/2"], executorFlags="f",
    )  # fmt: skip
    jobs.save_job(leader.application, {"name": "once", "command": "true", "schedule": "R1//PT1H"})
    leader.turn()
    leader.end_last("once")
    runs.run_now(leader.application, "fails")
    for _ in range(2):
        leader.turn()
        leader.end_last("fails", 7)
        leader.turn()
    jobs.delete_job(leader.application, "fails", "ann")
    with leader.database.read() as connection:
        messages = outbox.waiting_for(connection, "any", 10)
    assert [(message.topic, message.payload["job"]) for message in messages] == [
        ("job_disabled", "once"),
        ("run_failed", "fails"),
        ("job_disabled", "fails"),
        ("job_deleted", "fails"),
    ]
    failed = messages[1].payload
    assert (failed["owner"], failed["attempts"]) == ("a@b.example, c@d.example", 2)
    assert failed["task"].endswith("-2")
    assert failed["facts"] == {
        "command": "true", "cpus": "0.5", "softError": "true", "errorCount": "0", "errorsSinceLastSuccess": "0",
        "executor": "", "executorFlags": "f", "lastError": "", "lastSuccess": "", "mem": "128.0", "retries": "1",
        "successCount": "0", "uris": "http://x/1,http://x/2",
    }  # fmt: skip
    deleted = messages[3].payload
    assert (deleted["message"], deleted["facts"]["errorCount"]) == ("deleted by ann", "1")
    assert deleted["facts"]["lastError"].endswith("Z")
