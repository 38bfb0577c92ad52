"""Orders of events that hardly ever come, found by test_stateful.py and kept here in words."""

from __future__ import annotations

from datetime import timedelta

from chronos_py.model.run import RunState, Trigger
from chronos_py.services import backfills, jobs, runs
from tests.scheduler.conftest import START, Leader

HOURLY = "0 * * * *"


def test_a_retry_of_a_backfill_and_a_run_that_is_due_do_not_wait_for_each_other(leader: Leader) -> None:
    leader.define("load", schedule=HOURLY, retries=1, retryDelay=60)
    backfills.start_backfill(leader.application, "load", "2026-06-01T08:00", "2026-06-01T08:00")
    leader.turn()
    leader.end_last("load", 1)
    leader.clock.advance(hours=1)
    leader.turn()
    assert RunState.RUNNING in leader.states("load"), "both wait for ever"


def test_what_was_missed_is_told_of_though_a_backfill_has_run_the_first_of_it(leader: Leader) -> None:
    leader.define("load", schedule=HOURLY)
    leader.clock.advance(hours=4, minutes=30)
    backfills.start_backfill(leader.application, "load", "2026-06-01T10:00", "2026-06-01T10:00")
    leader.planner.step()
    told = [(run.trigger, run.state, run.scheduled_at, run.scheduled_until) for run in leader.runs("load")]
    assert told == [
        (Trigger.BACKFILL, RunState.QUEUED, START + timedelta(hours=1), None),
        (Trigger.SCHEDULE, RunState.SKIPPED, START + timedelta(hours=1), START + timedelta(hours=3)),
        (Trigger.SCHEDULE, RunState.QUEUED, START + timedelta(hours=4), None),
    ]


def test_nothing_is_replaced_by_an_occurrence_that_runs_already(leader: Leader) -> None:
    leader.define("load", schedule=HOURLY, overlap="replace")
    leader.clock.advance(hours=1)
    leader.turn()
    backfills.start_backfill(leader.application, "load", "2026-06-01T09:00", "2026-06-01T09:00")
    leader.clock.advance(hours=1)
    backfills.start_backfill(leader.application, "load", "2026-06-01T11:00", "2026-06-01T11:00")
    leader.turn()
    leader.watcher.step()
    assert leader.pool.kills == [], "the run for 10:00 goes on: 11:00 has a run of the backfill's"


def test_a_backfill_is_over_when_its_last_run_was_skipped_by_a_pause(leader: Leader) -> None:
    leader.define("extract", schedule=HOURLY)
    leader.define("load", parents=["extract"])
    view = backfills.start_backfill(
        leader.application, "extract", "2026-06-01T08:00", "2026-06-01T08:00", with_children=True
    )
    leader.turn()
    leader.end_last("extract")
    jobs.patch_job(leader.application, "load", {"disabled": True})
    assert leader.states("load") == [RunState.SKIPPED]
    assert backfills.get_backfill(leader.application, view.backfill.id).backfill.finished_at is not None


def test_pending_retries_go_on_one_at_a_time_when_maxconcurrent_is_lowered(leader: Leader) -> None:
    leader.define("load", overlap="allow", retries=1, retryDelay=60)
    for _ in range(2):
        runs.run_now(leader.application, "load")
    leader.turn()
    for run in leader.runs("load"):
        leader.end(run, 1)
    leader.define("load", overlap="allow", retries=1, retryDelay=60, maxConcurrent=1)
    leader.clock.advance(minutes=1)
    leader.turn()
    assert leader.states("load") == [RunState.RUNNING, RunState.WAITING_RETRY]


def test_a_backfill_that_is_cancelled_again_and_killed_tries_nothing_again(leader: Leader) -> None:
    leader.define("load", schedule=HOURLY, retries=1, retryDelay=60)
    view = backfills.start_backfill(leader.application, "load", "2026-06-01T08:00", "2026-06-01T08:00")
    leader.turn()
    backfills.cancel_backfill(leader.application, view.backfill.id, "ann")
    leader.end_last("load", 1)
    assert leader.states("load") == [RunState.WAITING_RETRY]
    killed = backfills.cancel_backfill(leader.application, view.backfill.id, "bob", kill=True)
    assert leader.states("load") == [RunState.KILLED]
    assert (killed.state, killed.backfill.cancelled_by) == ("cancelled", "ann")


def test_what_follows_a_failure_of_a_backfill_that_was_overruled_after_its_end_runs(leader: Leader) -> None:
    leader.define("extract", schedule=HOURLY, retries=0)
    leader.define("load", parents=["extract"])
    view = backfills.start_backfill(
        leader.application, "extract", "2026-06-01T08:00", "2026-06-01T08:00", with_children=True
    )
    leader.turn()
    leader.end_last("extract", 1)
    assert backfills.get_backfill(leader.application, view.backfill.id).backfill.finished_at is not None
    runs.mark_successful(leader.application, leader.runs("extract")[0].id)
    leader.turn()
    assert leader.states("load") == [RunState.RUNNING]
    leader.end_last("load")
    assert backfills.get_backfill(leader.application, view.backfill.id).backfill.finished_at is not None


def test_a_success_that_was_run_again_and_failed_starts_no_child(leader: Leader) -> None:
    leader.define("extract", retries=0)
    leader.define("load", parents=["extract"], retries=0)
    runs.run_now(leader.application, "extract")
    leader.turn()
    leader.end_last("extract")
    leader.turn()
    leader.end_last("load", 1)
    runs.rerun(leader.application, leader.runs("extract")[0].id, from_failure=True)
    leader.turn()
    leader.end_last("extract", 1)
    assert leader.states("load") == [RunState.FAILED]


def test_a_failure_starts_no_child_on_an_older_success(leader: Leader) -> None:
    for name in ("extract", "other"):
        leader.define(name, retries=0)
    leader.define("load", parents=["extract", "other"])
    for exit_code in (0, 1):
        runs.run_now(leader.application, "extract")
        leader.turn()
        leader.end_last("extract", exit_code)
        leader.define("load", parents=["extract"])
    assert leader.runs("load") == []
