"""Chains: which ends of parents make a child run, in which wave, and what it gets from them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chronos_py.errors import Conflict, InvalidDefinition
from chronos_py.model.outputs import LIMIT
from chronos_py.model.run import Outcome, Run, RunState, Trigger
from chronos_py.services import jobs, runs
from tests.scheduler.conftest import START, Leader

OK, BAD = 0, 1


def finish(leader: Leader, name: str, exit_code: int = OK) -> Run:
    """Force a run of a job and let it end; what follows is planned and begins."""
    run = runs.run_now(leader.application, name)
    leader.turn()
    leader.end(run_of(leader, run.id), exit_code)
    leader.turn()
    return run_of(leader, run.id)


def run_of(leader: Leader, run_id: int) -> Run:
    return runs.get_run(leader.application, run_id).run


def end_all(leader: Leader, exit_code: int = OK) -> None:
    """Until nothing runs."""
    for _ in range(50):
        leader.turn()
        running = runs.list_runs(leader.application, states=[RunState.RUNNING], limit=500)
        if not running:
            return
        for run in reversed(running):
            leader.end(run, exit_code)
    raise AssertionError("it does not end")


def diamond(leader: Leader, **load: object) -> None:
    leader.define("extract", schedule="0 9 * * *", retries=0)
    leader.define("orders", parents=["extract"], retries=0)
    leader.define("customers", parents=["extract"], retries=0)
    leader.define("load", parents=["orders", "customers"], retries=0, **load)
    leader.define("report", parents=["load"], retries=0)


def newest(leader: Leader, name: str) -> Run:
    return leader.runs(name)[-1]


@pytest.mark.parametrize(
    ("rule", "ends", "count"),
    [
        ("all_success", (OK, OK), 1),
        ("all_success", (OK, BAD), 0),
        ("all_done", (OK, BAD), 1),
        ("all_done", (BAD, BAD), 1),
        ("any_success", (BAD, BAD), 0),
        ("any_success", (OK, BAD), 1),
        ("any_success", (OK, OK), 2),
        ("any_failure", (OK, OK), 0),
        ("any_failure", (OK, BAD), 1),
        ("any_failure", (BAD, BAD), 2),
    ],
)
def test_trigger_rules(leader: Leader, rule: str, ends: tuple[int, int], count: int) -> None:
    leader.define("a", retries=0)
    leader.define("b", retries=0)
    leader.define("child", parents=["a", "b"], triggerRule=rule, overlap="allow")
    finish(leader, "a", ends[0])
    finish(leader, "b", ends[1])
    assert len(leader.runs("child")) == count


def test_a_success_that_a_child_has_not_run_on_outlives_a_failure(leader: Leader) -> None:
    for name in ("a", "b"):
        leader.define(name, retries=0)
    leader.define("child", parents=["a", "b"])
    finish(leader, "a", OK)
    finish(leader, "a", BAD)
    finish(leader, "b", OK)
    assert len(leader.runs("child")) == 1


def test_a_soft_error_counts_as_success(leader: Leader) -> None:
    leader.define("a", retries=0, softError=True)
    leader.define("child", parents=["a"])
    run = finish(leader, "a", BAD)
    assert (run.state, run.outcome) == (RunState.FAILED, Outcome.SUCCESS)
    assert len(leader.runs("child")) == 1


def test_a_kill_counts_as_failure_also_of_what_waits(leader: Leader) -> None:
    leader.define("a")
    leader.define("cleanup", parents=["a"], triggerRule="any_failure")
    waiting = runs.run_now(leader.application, "a")
    runs.kill_run(leader.application, waiting.id, "ann")
    assert len(leader.runs("cleanup")) == 1
    runs.run_now(leader.application, "a")
    jobs.get_job(leader.application, "a")
    runs.kill_job_runs(leader.application, "a", "ann")
    assert [run.state for run in leader.runs("cleanup")].count(RunState.QUEUED) == 1, "one waits already"


def test_latest_mixes_waves_and_same_wave_does_not(leader: Leader) -> None:
    """Issue 543 of the original: Sunday's customers must not go with Monday's orders."""
    diamond(leader, dependencyMode="sameWave")
    leader.define("mixed", parents=["orders", "customers"])
    leader.clock.advance(days=1)
    leader.turn()
    leader.end(newest(leader, "extract"))
    leader.turn()
    leader.end(newest(leader, "orders"), BAD)
    leader.end(newest(leader, "customers"))
    leader.clock.advance(days=1)
    leader.turn()
    leader.end(newest(leader, "extract"))
    leader.turn()
    leader.end(newest(leader, "orders"))
    assert len(leader.runs("mixed")) == 1, "it ran on Sunday's customers"
    assert leader.runs("load") == []
    leader.end(newest(leader, "customers"))
    (load,) = leader.runs("load")
    assert load.scheduled_at == START + timedelta(days=2)
    end_all(leader)
    assert len(leader.runs("load")) == 1


def test_same_wave_over_two_heads_with_the_same_time(leader: Leader) -> None:
    for name in ("a", "b"):
        leader.define(name, schedule="0 9 * * *", overlap="allow")
    leader.define("join", parents=["a", "b"], dependencyMode="sameWave", overlap="allow")
    for _ in range(2):
        leader.clock.advance(days=1)
        leader.turn()
    first_a, second_a = leader.runs("a")
    first_b, second_b = leader.runs("b")
    leader.end(first_a)
    leader.end(second_b)
    assert leader.runs("join") == []
    leader.end(first_b)
    leader.end(second_a)
    assert [run.scheduled_at for run in leader.runs("join")] == [START + timedelta(days=day) for day in (1, 2)]


def test_without_children_nothing_follows(leader: Leader) -> None:
    diamond(leader)
    run = runs.run_now(leader.application, "extract", with_children=False)
    leader.turn()
    leader.end(run_of(leader, run.id))
    leader.turn()
    assert leader.runs("orders") == []
    assert "do not run" in run_of(leader, run.id).note


def failed_wave(leader: Leader) -> Run:
    """A wave in which orders failed; the run of it."""
    diamond(leader)
    leader.clock.advance(days=1)
    leader.turn()
    leader.end(newest(leader, "extract"))
    leader.turn()
    leader.end(newest(leader, "customers"))
    leader.end(newest(leader, "orders"), BAD)
    leader.turn()
    assert leader.runs("load") == []
    return newest(leader, "orders")


def test_running_again_is_this_run_alone(leader: Leader) -> None:
    failed = failed_wave(leader)
    again = runs.rerun(leader.application, failed.id, "ann")
    assert (again.trigger, again.scheduled_at, again.root_run_id) == (
        Trigger.RERUN,
        failed.scheduled_at,
        failed.root_run_id,
    )
    end_all(leader)
    assert leader.runs("load") == []


def test_running_again_from_a_failure_goes_on_with_what_did_not_succeed(leader: Leader) -> None:
    failed = failed_wave(leader)
    runs.rerun(leader.application, failed.id, "ann", from_failure=True)
    end_all(leader)
    assert leader.states("load") == leader.states("report") == [RunState.SUCCEEDED]
    assert leader.states("customers") == [RunState.SUCCEEDED], "it had succeeded"
    assert leader.states("extract") == [RunState.SUCCEEDED]


def test_from_a_failure_passes_through_what_had_succeeded(leader: Leader) -> None:
    diamond(leader)
    leader.clock.advance(days=1)
    for name in ("extract", "orders", "customers", "load"):
        leader.turn()
        leader.end(newest(leader, name))
    leader.turn()
    leader.end(newest(leader, "report"), BAD)
    leader.turn()
    runs.rerun(leader.application, leader.runs("extract")[0].id, from_failure=True)
    end_all(leader)
    assert leader.states("report") == [RunState.FAILED, RunState.SUCCEEDED]
    assert [len(leader.runs(name)) for name in ("extract", "orders", "customers", "load")] == [2, 1, 1, 1]


def test_a_failure_that_is_overruled_lets_the_chain_go_on(leader: Leader) -> None:
    failed = failed_wave(leader)
    marked = runs.mark_successful(leader.application, failed.id, "loaded by hand", "ann")
    assert (marked.state, marked.outcome) == (RunState.FAILED, Outcome.SUCCESS)
    assert marked.note == "marked successful by ann: loaded by hand"
    end_all(leader)
    assert leader.states("load") == leader.states("report") == [RunState.SUCCEEDED]
    with pytest.raises(Conflict, match="counts as successful already"):
        runs.mark_successful(leader.application, failed.id)
    waiting = runs.run_now(leader.application, "extract")
    with pytest.raises(Conflict, match="has not ended"):
        runs.mark_successful(leader.application, waiting.id)
    with pytest.raises(InvalidDefinition, match="note"):
        runs.mark_successful(leader.application, failed.id, "x" * 1001)


def test_a_failure_whose_wave_went_on_is_not_overruled(leader: Leader) -> None:
    failed = failed_wave(leader)
    runs.rerun(leader.application, failed.id, from_failure=True)
    end_all(leader)
    with pytest.raises(Conflict, match="has succeeded in the same wave"):
        runs.mark_successful(leader.application, failed.id)
    assert leader.states("load") == [RunState.SUCCEEDED]


def environment(leader: Leader, run: Run) -> dict[str, str]:
    return dict(leader.pool.tasks[f"chronos-test-{run.id}-{max(1, run.attempts)}"].environment)


def test_outputs_are_given_to_the_children(leader: Leader) -> None:
    leader.define("load orders")
    leader.define("other")
    leader.define("child", parents=["load orders", "other"])
    leader.pool.outputs_of["chronos-test-1-1"] = b"ROWS=812\nfile=/data/x y.csv\nno sign\n"
    first = finish(leader, "load orders")
    assert first.outputs == {"ROWS": "812", "file": "/data/x y.csv"}
    assert "line 3" in first.note
    finish(leader, "other")
    child = newest(leader, "child")
    given = environment(leader, child)
    assert given["CHRONOS_PARENT_LOAD_ORDERS_ROWS"] == "812"
    assert given["CHRONOS_PARENT_LOAD_ORDERS_FILE"] == "/data/x y.csv"
    again = runs.rerun(leader.application, finish_child(leader, child).id)
    leader.turn()
    assert environment(leader, run_of(leader, again.id))["CHRONOS_PARENT_LOAD_ORDERS_ROWS"] == "812"


def finish_child(leader: Leader, child: Run) -> Run:
    leader.end(child)
    leader.turn()
    return run_of(leader, child.id)


def test_outputs_that_are_too_large_are_not_taken_and_it_says_so(leader: Leader) -> None:
    leader.define("big")
    leader.pool.outputs_of["chronos-test-1-1"] = b"A=1\n" + b"#" * LIMIT
    run = finish(leader, "big")
    assert (run.state, run.outputs) == (RunState.SUCCEEDED, {})
    assert "64 KiB" in run.note


def test_the_wave_carries_its_time_and_interval_down(leader: Leader) -> None:
    diamond(leader)
    leader.clock.advance(days=1)
    leader.turn()
    extract = newest(leader, "extract")
    leader.end(extract)
    leader.turn()
    for run in (extract, newest(leader, "orders")):
        given = environment(leader, run)
        assert given["CHRONOS_SCHEDULED_TIME"] == (START + timedelta(days=1)).isoformat()
        assert given["CHRONOS_DATA_INTERVAL_START"] == START.isoformat()
        assert given["CHRONOS_DATA_INTERVAL_END"] == (START + timedelta(days=1)).isoformat()
        assert given["CHRONOS_ROOT_RUN_ID"] == str(extract.id)


def test_a_forced_run_for_a_time_has_the_interval_of_that_time(leader: Leader) -> None:
    diamond(leader)
    run = runs.run_now(leader.application, "extract", scheduled_at=START - timedelta(days=3))
    assert run.interval_start == START - timedelta(days=4)
    leader.define("by hand")
    run = runs.run_now(leader.application, "by hand")
    leader.turn()
    given = environment(leader, run)
    assert given["CHRONOS_DATA_INTERVAL_START"] == given["CHRONOS_DATA_INTERVAL_END"] == START.isoformat()
