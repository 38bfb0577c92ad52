"""Asynchronous jobs: a command that ends well has only begun the work, its outcome is reported later."""

from __future__ import annotations

import pytest

from chronos_py.errors import InvalidDefinition
from chronos_py.model.run import Reason, RunState
from chronos_py.model.task_id import format_task_id
from chronos_py.services import jobs, runs, tasks
from tests.scheduler.conftest import Leader, elect


def start(leader: Leader, **fields: object) -> str:
    """Define and run the job; the id of its task."""
    leader.define("job", **{"async": True, "retries": 0, **fields})
    runs.run_now(leader.application, "job")
    leader.turn()
    return task_id(leader)


def task_id(leader: Leader) -> str:
    tries = runs.get_run(leader.application, leader.runs("job")[-1].id).attempts
    created_at = tries[-1].created_at
    assert created_at is not None
    return format_task_id(created_at, tries[-1].number, "job", "")


def test_a_run_waits_for_its_report(leader: Leader) -> None:
    leader.define("child", parents=[])
    task = start(leader)
    leader.define("child", parents=["job"])
    leader.end_last("job", 0)
    leader.clock.advance(hours=3)
    leader.turn()
    assert leader.states("job") == [RunState.RUNNING]
    attempt = runs.get_run(leader.application, leader.runs("job")[0].id).attempts[0]
    assert "still to be reported" in attempt.message
    assert leader.pool.forgotten == []
    tasks.report_outcome(leader.application, task, 0)
    leader.turn()
    run = leader.runs("job")[0]
    assert (run.state, run.message, run.finished_at) == (RunState.SUCCEEDED, "", leader.clock.now())
    assert len(leader.runs("child")) == 1
    assert jobs.get_job(leader.application, "job").job.counters.success_count == 1


def test_a_reported_failure_is_tried_again_as_any_other(leader: Leader) -> None:
    task = start(leader, retries=1, retryDelay=10, retryOn=[7])
    leader.end_last("job", 0)
    tasks.report_outcome(leader.application, task, 7)
    leader.turn()
    assert leader.states("job") == [RunState.WAITING_RETRY]
    leader.clock.advance(seconds=10)
    leader.turn()
    second = task_id(leader)
    assert second != task
    leader.end_last("job", 0)
    tasks.report_outcome(leader.application, task, 0)  # of the first try: too late
    leader.turn()
    assert leader.states("job") == [RunState.RUNNING]
    tasks.report_outcome(leader.application, second, 3)
    leader.turn()
    run = leader.runs("job")[0]
    assert (run.state, run.reason) == (RunState.FAILED, Reason.EXIT)
    assert run.message == "reported as failed, with status 3"


def test_a_report_may_come_before_the_command_ends(leader: Leader) -> None:
    task = start(leader)
    tasks.report_outcome(leader.application, task, 0)
    leader.turn()
    assert leader.states("job") == [RunState.RUNNING]
    leader.end_last("job", 0)
    assert leader.states("job") == [RunState.SUCCEEDED]


def test_a_command_that_fails_has_failed_whatever_is_reported(leader: Leader) -> None:
    task = start(leader)
    tasks.report_outcome(leader.application, task, 0)
    leader.end_last("job", 2)
    assert leader.states("job") == [RunState.FAILED]


def test_killed_while_it_waits(leader: Leader) -> None:
    task = start(leader)
    leader.end_last("job", 0)
    leader.clock.advance(seconds=5)
    runs.kill_run(leader.application, leader.runs("job")[0].id, "ann")
    leader.turn()
    run = leader.runs("job")[0]
    assert (run.state, run.message) == (RunState.KILLED, "killed by ann")
    tasks.report_outcome(leader.application, task, 0)
    leader.turn()
    assert leader.states("job") == [RunState.KILLED]


def test_its_timeout_counts_until_the_report(leader: Leader) -> None:
    start(leader, timeout=60)
    leader.watcher.step()
    leader.end_last("job", 0, started_at=leader.clock.now())
    leader.clock.advance(seconds=30)
    leader.turn()
    assert leader.states("job") == [RunState.RUNNING]
    leader.clock.advance(seconds=31)
    leader.turn()
    leader.turn()
    run = leader.runs("job")[0]
    assert (run.state, run.reason) == (RunState.FAILED, Reason.TIMEOUT)


def test_the_next_leader_waits_on(leader: Leader) -> None:
    task = start(leader)
    leader.end_last("job", 0)
    following = elect(leader.application, leader.pool, "second", dead="first")
    following.turn()
    assert following.states("job") == [RunState.RUNNING]
    tasks.report_outcome(leader.application, task, 0)
    following.turn()
    assert following.states("job") == [RunState.SUCCEEDED]
    assert len(leader.pool.starts) == 1
    following.launcher.stop()


def test_only_asynchronous_jobs_take_reports(leader: Leader, caplog: pytest.LogCaptureFixture) -> None:
    task = start(leader, **{"async": False})
    tasks.report_outcome(leader.application, task, 0)
    assert "is not asynchronous" in caplog.text
    for wrong in (None, "0", 0.0, True, 1 << 31):
        with pytest.raises(InvalidDefinition, match="statusCode"):
            tasks.report_outcome(leader.application, task, wrong)
    with pytest.raises(InvalidDefinition, match="not the id of a task"):
        tasks.report_outcome(leader.application, "job", 0)
    tasks.report_outcome(leader.application, "ct:999999999999999:0:job:", 0)  # not found: only noted
