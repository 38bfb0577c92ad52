"""The leader's four steps: what is due runs once, ends once, and what follows follows."""

from __future__ import annotations

from datetime import timedelta

from chronos_py.model.run import AttemptState, Overrides, Reason, RunState, Trigger
from chronos_py.services import jobs, logs, runs
from tests.scheduler.conftest import START, Leader

HOURLY = "R/2026-06-01T10:00:00Z/PT1H"


def test_a_job_runs_when_it_is_due_and_not_before(leader: Leader) -> None:
    leader.define("hourly", schedule=HOURLY)
    leader.turn()
    assert leader.runs("hourly") == []
    leader.clock.advance(hours=1)
    leader.turn()
    assert leader.states("hourly") == [RunState.RUNNING]
    leader.end_last("hourly")
    run = leader.runs("hourly")[0]
    assert (run.state, run.trigger) == (RunState.SUCCEEDED, Trigger.SCHEDULE)
    assert run.scheduled_at == START + timedelta(hours=1)
    job = jobs.get_job(leader.application, "hourly").job
    assert (job.counters.success_count, job.counters.last_success) == (1, leader.clock.now())
    assert job.next_run == START + timedelta(hours=2)


def test_the_planner_says_when_to_come_back(leader: Leader) -> None:
    assert leader.planner.step() is None
    leader.define("hourly", schedule=HOURLY)
    assert leader.planner.step() == START + timedelta(hours=1)


def test_planning_twice_makes_no_second_run(leader: Leader) -> None:
    leader.define("hourly", schedule=HOURLY)
    leader.clock.advance(hours=1)
    leader.planner.step()
    leader.planner.step()
    assert len(leader.runs("hourly")) == 1


def test_missed_occurrences_are_one_row_and_the_latest_runs(leader: Leader) -> None:
    leader.define("hourly", schedule=HOURLY)
    leader.clock.advance(hours=5, minutes=30)
    leader.turn()
    skipped, caught_up = leader.runs("hourly")
    assert (skipped.state, skipped.reason, skipped.occurrences) == (RunState.SKIPPED, Reason.MISSED, 4)
    assert skipped.scheduled_until == START + timedelta(hours=4)
    assert (caught_up.state, caught_up.scheduled_at) == (RunState.RUNNING, START + timedelta(hours=5))


def test_catching_up_all_runs_each_missed_occurrence_in_order(leader: Leader) -> None:
    leader.define("hourly", schedule=HOURLY, catchUp="all")
    leader.clock.advance(hours=3, minutes=30)
    leader.turn()
    assert leader.states("hourly") == [RunState.RUNNING, RunState.QUEUED, RunState.QUEUED]
    for number in (1, 2, 3):
        leader.pool.end(f"chronos-test-{number}-1", 0)
        leader.watcher.step()
        leader.turn()
    assert leader.states("hourly") == [RunState.SUCCEEDED] * 3
    assert [run.scheduled_at for run in leader.runs("hourly")] == [
        START + timedelta(hours=hour) for hour in (1, 2, 3)
    ]


def test_a_due_job_waits_while_it_runs_and_the_third_is_skipped_with_its_reason(leader: Leader) -> None:
    leader.define("hourly", schedule=HOURLY)
    for _ in range(3):
        leader.clock.advance(hours=1)
        leader.turn()
    assert leader.states("hourly") == [RunState.RUNNING, RunState.QUEUED, RunState.SKIPPED]
    assert leader.runs("hourly")[2].reason is Reason.OVERLAP
    leader.pool.end("chronos-test-1-1", 0)
    leader.watcher.step()
    leader.turn()
    assert leader.states("hourly") == [RunState.SUCCEEDED, RunState.RUNNING, RunState.SKIPPED]


def test_a_job_that_allows_overlap_runs_side_by_side(leader: Leader) -> None:
    leader.define("hourly", schedule=HOURLY, overlap="allow")
    for _ in range(3):
        leader.clock.advance(hours=1)
        leader.turn()
    assert leader.states("hourly") == [RunState.RUNNING] * 3


def test_a_failed_attempt_is_tried_again_after_its_delay(leader: Leader) -> None:
    leader.define("flaky", retries=1, retryDelay=30)
    runs.run_now(leader.application, "flaky")
    leader.turn()
    leader.end_last("flaky", 3)
    run = leader.runs("flaky")[0]
    assert (run.state, run.message) == (RunState.WAITING_RETRY, "the command ended with exit status 3")
    leader.turn()
    assert leader.states("flaky") == [RunState.WAITING_RETRY]
    assert leader.dispatcher.step() == leader.clock.now() + timedelta(seconds=30)
    leader.clock.advance(seconds=30)
    leader.turn()
    leader.end_last("flaky", 0)
    detail = runs.get_run(leader.application, run.id)
    assert detail.run.state is RunState.SUCCEEDED
    assert [attempt.state for attempt in detail.attempts] == [AttemptState.FAILED, AttemptState.SUCCEEDED]
    assert jobs.get_job(leader.application, "flaky").job.counters.error_count == 0


def test_a_run_that_fails_for_good_is_counted_once(leader: Leader) -> None:
    leader.define("broken", retries=2, retryDelay=0)
    runs.run_now(leader.application, "broken")
    for _ in range(3):
        leader.turn()
        leader.end_last("broken", 1)
    leader.turn()
    assert leader.states("broken") == [RunState.FAILED]
    counters = jobs.get_job(leader.application, "broken").job.counters
    assert (counters.error_count, counters.errors_since_last_success) == (1, 1)


def test_a_refused_launch_is_a_failed_attempt_with_the_pools_words(leader: Leader) -> None:
    leader.pool.refuse["typo"] = "No such image: bsybox:1"
    leader.define("typo", retries=0)
    runs.run_now(leader.application, "typo")
    leader.turn()
    run = leader.runs("typo")[0]
    assert (run.state, run.reason, run.message) == (
        RunState.FAILED,
        Reason.LAUNCH_ERROR,
        "No such image: bsybox:1",
    )


def test_a_launch_that_broke_in_the_middle_is_lost_not_repeated(leader: Leader) -> None:
    leader.pool.lose["job"] = "the engine went away while it started the task"
    leader.define("job", retries=0)
    runs.run_now(leader.application, "job")
    leader.turn()
    leader.turn()
    run = leader.runs("job")[0]
    assert (run.state, run.reason, run.attempts) == (RunState.LOST, Reason.LOST, 1)


def test_a_child_runs_once_after_all_its_parents_and_waits_for_all_again(leader: Leader) -> None:
    for name in ("left", "right"):
        leader.define(name)
    leader.define("join", parents=["left", "right"])
    for name in ("left", "left", "right"):
        assert leader.runs("join") == []
        runs.run_now(leader.application, name)
        leader.turn()
        leader.end_last(name)
    leader.turn()
    (child,) = leader.runs("join")
    last_parent = leader.runs("right")[-1]
    assert (child.trigger, child.parent_run_id, child.root_run_id) == (
        Trigger.DEPENDENCY,
        last_parent.id,
        last_parent.id,
    )
    assert child.scheduled_at == last_parent.scheduled_at
    leader.end_last("join")
    runs.run_now(leader.application, "right")
    leader.turn()
    leader.end_last("right")
    assert len(leader.runs("join")) == 1


def test_a_failed_parent_starts_no_child_unless_its_error_is_soft(leader: Leader) -> None:
    leader.define("hard", retries=0)
    leader.define("soft", retries=0, softError=True)
    leader.define("after_hard", parents=["hard"])
    leader.define("after_soft", parents=["soft"])
    for name in ("hard", "soft"):
        runs.run_now(leader.application, name)
        leader.turn()
        leader.end_last(name, 1)
    assert leader.runs("after_hard") == []
    assert len(leader.runs("after_soft")) == 1


def test_a_paused_child_is_skipped_with_its_reason(leader: Leader) -> None:
    leader.define("parent")
    leader.define("child", parents=["parent"], disabled=True)
    runs.run_now(leader.application, "parent")
    leader.turn()
    leader.end_last("parent")
    (skipped,) = leader.runs("child")
    assert (skipped.state, skipped.reason) == (RunState.SKIPPED, Reason.DISABLED)


def test_a_schedule_of_two_runs_twice_and_disables_the_job(leader: Leader) -> None:
    leader.define("twice", schedule="R2/2026-06-01T10:00:00Z/PT1H")
    for _ in range(3):
        leader.clock.advance(hours=1)
        leader.turn()
        if leader.states("twice")[-1] is RunState.RUNNING:
            leader.end_last("twice")
    assert leader.states("twice") == [RunState.SUCCEEDED, RunState.SUCCEEDED]
    assert jobs.get_job(leader.application, "twice").job.definition.disabled


def test_a_kill_is_over_only_when_the_pool_confirms(leader: Leader) -> None:
    leader.define("long", gracePeriod=7)
    run = runs.run_now(leader.application, "long")
    leader.turn()
    runs.kill_run(leader.application, run.id, "ann")
    leader.watcher.step()
    assert leader.pool.kills == [(f"handle of chronos-test-{run.id}-1", 7.0)]
    assert leader.states("long") == [RunState.RUNNING]
    leader.end_last("long", 143, cause="signal")
    ended = leader.runs("long")[0]
    assert (ended.state, ended.reason) == (RunState.KILLED, Reason.KILLED)


def test_a_waiting_run_is_killed_at_once(leader: Leader) -> None:
    leader.define("waiting")
    run = runs.run_now(leader.application, "waiting")
    assert runs.kill_run(leader.application, run.id, "ann").message == "killed by ann"
    leader.turn()
    assert leader.pool.starts == []


def test_a_task_that_runs_too_long_is_killed_and_counts_as_failed(leader: Leader) -> None:
    leader.define("slow", timeout=60, retries=0)
    runs.run_now(leader.application, "slow")
    leader.turn()
    leader.clock.advance(seconds=61)
    leader.watcher.step()
    assert len(leader.pool.kills) == 1
    leader.end_last("slow", 143, cause="signal")
    run = leader.runs("slow")[0]
    assert (run.state, run.reason) == (RunState.FAILED, Reason.TIMEOUT)


def test_a_vanished_task_is_lost_with_its_reason(leader: Leader) -> None:
    leader.define("gone", retries=0)
    runs.run_now(leader.application, "gone")
    leader.turn()
    leader.pool.statuses.clear()
    leader.watcher.step()
    run = leader.runs("gone")[0]
    assert (run.state, run.reason) == (RunState.LOST, Reason.LOST)
    assert "vanished" in run.message


def test_output_is_kept_before_the_task_is_forgotten(leader: Leader) -> None:
    leader.define("talk")
    run = runs.run_now(leader.application, "talk")
    leader.turn()
    leader.end_last("talk")
    leader.watcher.step()
    assert leader.pool.statuses == {}
    chunk = logs.read_log(leader.application, run.id, stream="stderr")
    assert chunk.data == f"stderr of handle of chronos-test-{run.id}-1\n".encode()
    assert chunk.complete


def test_a_forced_run_carries_its_overrides(leader: Leader) -> None:
    leader.define("greet", command="echo hello")
    runs.run_now(leader.application, "greet", Overrides(("big", "world"), {"MOOD": "fine"}), requested_by="ann")
    leader.turn()
    task = leader.pool.tasks[leader.pool.starts[0]]
    assert task.command == "echo hello big world"
    assert task.environment["MOOD"] == "fine"


def test_high_priority_goes_first_then_the_earlier_time(leader: Leader) -> None:
    leader.define("late", schedule="R/2026-06-01T10:00:10Z/P1D")
    leader.define("early", schedule="R/2026-06-01T10:00:00Z/P1D")
    leader.define("urgent", schedule="R/2026-06-01T10:00:20Z/P1D", highPriority=True)
    leader.clock.advance(hours=2)
    leader.turn()
    started = [leader.pool.tasks[name].labels["chronos.job"] for name in sorted(leader.pool.starts)]
    assert sorted(started) == ["early", "late", "urgent"]
    intents = [runs.get_run(leader.application, leader.runs(name)[0].id).attempts[0].id for name in started]
    assert [name for _, name in sorted(zip(intents, started, strict=True))] == ["urgent", "early", "late"]
