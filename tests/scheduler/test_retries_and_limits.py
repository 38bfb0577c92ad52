"""Retries by how a try ended, what too many failures do, startup timeouts, and limits that jobs share."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chronos_py.errors import Conflict, InvalidDefinition, NotFound
from chronos_py.model.run import Reason, RunState
from chronos_py.pools import PoolUnavailable
from chronos_py.services import jobs, limits, runs
from tests.scheduler.conftest import Leader


def force(leader: Leader, name: str) -> int:
    run = runs.run_now(leader.application, name)
    leader.turn()
    return run.id


def test_the_wait_grows_from_try_to_try(leader: Leader) -> None:
    leader.define("job", retries=3, retryDelay=10, retryBackoff={"factor": 3, "maximum": 60})
    force(leader, "job")
    for seconds in (10, 30, 60):
        leader.end_last("job", 1)
        assert leader.dispatcher.step() == leader.clock.now() + timedelta(seconds=seconds)
        leader.clock.advance(seconds=seconds)
        leader.turn()
    leader.end_last("job", 1)
    assert leader.states("job") == [RunState.FAILED]


@pytest.mark.parametrize(
    ("fields", "exit_code", "state"),
    [
        ({"retryOn": [75]}, 75, RunState.WAITING_RETRY),
        ({"retryOn": [75]}, 1, RunState.FAILED),
        ({"retryOn": ["lost"]}, 75, RunState.FAILED),
        ({"noRetryOn": [2]}, 2, RunState.FAILED),
        ({"noRetryOn": ["failed"]}, 3, RunState.FAILED),
        ({"noRetryOn": ["timeout"]}, 3, RunState.WAITING_RETRY),
    ],
)
def test_what_is_tried_again(leader: Leader, fields: dict[str, Any], exit_code: int, state: RunState) -> None:
    leader.define("job", retries=1, **fields)
    force(leader, "job")
    leader.end_last("job", exit_code)
    assert leader.states("job") == [state]


def test_a_refused_launch_is_tried_again_only_if_it_may_be(leader: Leader) -> None:
    leader.pool.refuse["job"] = "No such image: bsybox:1"
    leader.define("job", retries=1, noRetryOn=["launch_error"])
    force(leader, "job")
    assert leader.states("job") == [RunState.FAILED]


def test_too_many_failures_pause_the_job(leader: Leader) -> None:
    leader.define("job", schedule="0 * * * *", retries=0, disableAfterFailures=2, overlap="allow")
    for hours in (1, 2):
        leader.clock.advance(hours=1)
        leader.turn()
        leader.end_last("job", 1)
        assert jobs.get_job(leader.application, "job").job.definition.disabled is (hours == 2)
    leader.clock.advance(hours=5)
    leader.turn()
    assert len(leader.runs("job")) == 2
    assert jobs.get_job(leader.application, "job").job.next_run is None
    jobs.patch_job(leader.application, "job", {"disabled": False})
    leader.clock.advance(hours=1)
    leader.turn()
    assert leader.states("job").count(RunState.RUNNING) == 1, "a person resumed it"


def test_a_success_begins_the_count_anew(leader: Leader) -> None:
    leader.define("job", retries=0, disableAfterFailures=2)
    for exit_code in (1, 0, 1):
        force(leader, "job")
        leader.end_last("job", exit_code)
    assert not jobs.get_job(leader.application, "job").job.definition.disabled


def test_a_timeout_names_its_seconds(leader: Leader) -> None:
    leader.define("job", timeout=60, retries=0)
    force(leader, "job")
    leader.watcher.step()
    leader.clock.advance(seconds=61)
    leader.watcher.step()
    leader.end_last("job", None)
    run = leader.runs("job")[0]
    assert (run.state, run.reason) == (RunState.FAILED, Reason.TIMEOUT)
    assert run.message == "killed: it ran longer than 60 s (timeout)"


def test_a_launch_that_takes_too_long_is_given_up_before_it_starts(leader: Leader) -> None:
    leader.define("job", startupTimeout=5, retries=0)
    leader.pool.away = "the engine does not answer"
    force_while_away(leader, "job")
    leader.clock.advance(seconds=6)
    leader.pool.away = ""
    leader.turn()
    (run,) = leader.runs("job")
    assert (run.state, run.reason) == (RunState.FAILED, Reason.TIMEOUT)
    assert run.message == "it was not started: its launch took longer than 5 s (startupTimeout)"
    assert leader.pool.starts == []


def force_while_away(leader: Leader, name: str) -> None:
    runs.run_now(leader.application, name)
    leader.dispatcher.step()
    leader.wait_for_launches()
    with pytest.raises(PoolUnavailable):
        leader.watcher.step()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"retries": -1}, "retries"),
        ({"retryDelay": -1}, "retryDelay"),
        ({"timeout": -5}, "timeout"),
        ({"startupTimeout": "soon"}, "startupTimeout"),
        ({"retryBackoff": 0.5}, "retryBackoff.factor"),
        ({"retryBackoff": "twice"}, "retryBackoff"),
        ({"retryBackoff": {"factor": 2, "jitter": 2}}, "retryBackoff.jitter"),
        ({"retryBackoff": {"times": 2}}, "retryBackoff.times"),
        ({"retryOn": ["often"]}, "retryOn"),
        ({"retryOn": [256]}, "retryOn"),
        ({"noRetryOn": 3}, "noRetryOn"),
        ({"disableAfterFailures": 0}, "disableAfterFailures"),
        ({"triggerRule": "some"}, "triggerRule"),
        ({"dependencyMode": "wave"}, "dependencyMode"),
        ({"maxConcurrent": 0}, "maxConcurrent"),
        ({"weight": 0}, "weight"),
        ({"priority": 1001}, "priority"),
        ({"concurrencyLimits": ["warehouse db"]}, "concurrencyLimits[0].name"),
        ({"concurrencyLimits": [{"name": "db", "units": 0}]}, "concurrencyLimits[0].units"),
        ({"concurrencyLimits": ["nowhere"]}, "concurrencyLimits"),
    ],
)
def test_bad_input(leader: Leader, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        leader.define("job", **fields)
    assert refusal.value.field == field


def running(leader: Leader, *names: str) -> list[int]:
    return [leader.states(name).count(RunState.RUNNING) for name in names]


def rounds(leader: Leader, count: int = 6) -> None:
    for _ in range(count):
        leader.turn()


def test_a_job_runs_no_more_than_it_may_at_a_time(leader: Leader) -> None:
    leader.define("job", overlap="allow", maxConcurrent=2)
    for _ in range(5):
        runs.run_now(leader.application, "job")
    rounds(leader)
    assert running(leader, "job") == [2]
    leader.end(leader.runs("job")[0])
    rounds(leader)
    assert running(leader, "job") == [2]
    assert leader.states("job").count(RunState.QUEUED) == 2


def test_a_limit_holds_over_jobs_and_blocks_nobody_else(leader: Leader) -> None:
    limits.set_limit(leader.application, "warehouse-db", 3)
    for name in ("a", "b"):
        leader.define(name, overlap="allow", concurrencyLimits=["warehouse-db"])
    leader.define("free")
    for _ in range(4):
        for name in ("a", "b"):
            runs.run_now(leader.application, name)
    runs.run_now(leader.application, "free")
    rounds(leader)
    assert sorted(running(leader, "a", "b")) == [1, 2]
    assert running(leader, "free") == [1]
    (view,) = limits.list_limits(leader.application)
    assert (view.limit.units, view.limit.taken, view.jobs) == (3, 3, ["a", "b"])
    limits.set_limit(leader.application, "warehouse-db", 5)
    rounds(leader)
    assert sum(running(leader, "a", "b")) == 5


def test_a_flood_of_one_job_does_not_starve_another(leader: Leader) -> None:
    limits.set_limit(leader.application, "db", 2)
    for name in ("flood", "other"):
        leader.define(name, overlap="allow", concurrencyLimits=["db"])
    for _ in range(20):
        runs.run_now(leader.application, "flood")
    rounds(leader)
    leader.clock.advance(minutes=1)
    runs.run_now(leader.application, "other")
    leader.end(leader.runs("flood")[0])
    rounds(leader)
    assert running(leader, "flood", "other") == [1, 1]


def test_shares_follow_the_weights(leader: Leader) -> None:
    limits.set_limit(leader.application, "db", 4)
    leader.define("heavy", overlap="allow", concurrencyLimits=["db"], weight=3)
    leader.define("light", overlap="allow", concurrencyLimits=["db"])
    for _ in range(6):
        for name in ("light", "heavy"):
            runs.run_now(leader.application, name)
    rounds(leader, 8)
    assert running(leader, "heavy", "light") == [3, 1]


def test_small_runs_do_not_keep_a_large_one_waiting_for_ever(leader: Leader) -> None:
    limits.set_limit(leader.application, "db", 2)
    leader.define("small", overlap="allow", concurrencyLimits=["db"])
    leader.define("large", concurrencyLimits=[{"name": "db", "units": 2}])
    for _ in range(2):
        runs.run_now(leader.application, "small")
    rounds(leader)
    runs.run_now(leader.application, "large")
    leader.clock.advance(seconds=1)
    for _ in range(4):
        runs.run_now(leader.application, "small")
    leader.end(leader.runs("small")[0])
    rounds(leader)
    assert running(leader, "small", "large") == [1, 0], "what became free is kept for it"
    leader.end(leader.runs("small")[1])
    rounds(leader)
    assert running(leader, "small", "large") == [0, 1]


def test_priority_is_a_head_start_not_a_right_of_way(leader: Leader) -> None:
    limits.set_limit(leader.application, "db", 1)
    for name, priority in (("low", 0), ("high", 5), ("blocker", 0)):
        leader.define(name, overlap="allow", concurrencyLimits=["db"], priority=priority)
    runs.run_now(leader.application, "blocker")
    rounds(leader)
    runs.run_now(leader.application, "low")
    leader.clock.advance(minutes=4)
    runs.run_now(leader.application, "high")
    leader.end(leader.runs("blocker")[0])
    rounds(leader)
    assert running(leader, "low", "high") == [0, 1], "five minutes of head start beat four of waiting"
    leader.clock.advance(minutes=4)
    runs.run_now(leader.application, "high")
    leader.end(leader.runs("high")[0])
    rounds(leader)
    assert running(leader, "low", "high") == [1, 0]


def test_limits_are_kept_while_jobs_share_them(leader: Leader) -> None:
    app = leader.application
    limits.set_limit(app, "db", 1)
    leader.define("job", concurrencyLimits=["db"])
    with pytest.raises(Conflict, match="shared by job"):
        limits.delete_limit(app, "db")
    leader.define("job", concurrencyLimits=[])
    limits.delete_limit(app, "db")
    with pytest.raises(NotFound):
        limits.delete_limit(app, "db")
    for name, units in (("a b", 1), ("db", 0)):
        with pytest.raises(InvalidDefinition):
            limits.set_limit(app, name, units)


def waits_for(leader: Leader, name: str) -> str:
    return runs.get_run(leader.application, leader.runs(name)[-1].id).waits_for


def test_what_waits_says_for_what(leader: Leader) -> None:
    app = leader.application
    limits.set_limit(app, "db", 1)
    leader.define("first", concurrencyLimits=["db"], retryDelay=60)
    leader.define("second", concurrencyLimits=["db"])
    leader.define("many", overlap="allow", maxConcurrent=1)
    for name in ("first", "second", "many", "first", "many"):
        runs.run_now(app, name)
    rounds(leader)
    assert waits_for(leader, "second") == "limit db: 1 of 1 are taken"
    assert waits_for(leader, "first") == "run #1 of this job to end (overlap: forbid-queue-one)"
    assert waits_for(leader, "many") == "one of the 1 runs of this job to end (maxConcurrent: 1)"
    leader.end(leader.runs("first")[0], 1)
    assert runs.get_run(app, 1).waits_for == "its next try at 2026-06-01 09:01:00 UTC"
    rounds(leader)
    leader.end(leader.runs("second")[0])
    assert runs.get_run(app, leader.runs("second")[0].id).waits_for == ""
