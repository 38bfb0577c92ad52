"""Backfills: the past occurrences that have not run, a few at a time, out of everyone's way."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from chronos_py.errors import Conflict, InvalidDefinition, NotFound
from chronos_py.model.run import Reason, RunState, Trigger
from chronos_py.services import backfills, jobs, runs
from chronos_py.services.backfills import BackfillView
from tests.scheduler.conftest import START, Leader

DAILY = "0 9 * * *"  # the leader starts on 2026-06-01 at 09:00 UTC


def backfill(
    leader: Leader,
    name: str,
    first: str,
    last: str,
    parallel: int = 1,
    with_children: bool = False,
    force: bool = False,
) -> BackfillView:
    return backfills.start_backfill(leader.application, name, first, last, parallel, with_children, force, "ann")


def view(leader: Leader, started: BackfillView) -> BackfillView:
    return backfills.get_backfill(leader.application, started.backfill.id)


def running(leader: Leader) -> list[tuple[str, datetime]]:
    """What runs, in the order in which it began."""
    found = runs.list_runs(leader.application, states=[RunState.RUNNING], limit=500)
    return [(run.job_name, run.scheduled_at) for run in reversed(found)]


def end_what_runs(leader: Leader, exit_code: int = 0) -> None:
    for run in reversed(runs.list_runs(leader.application, states=[RunState.RUNNING], limit=500)):
        leader.end(run, exit_code)


def work_off(leader: Leader, most: int = 100) -> list[list[tuple[str, datetime]]]:
    """Let everything run; what ran together, in order."""
    steps = []
    for _ in range(most):
        leader.turn()
        now = running(leader)
        if not now:
            return steps
        steps.append(now)
        end_what_runs(leader)
    raise AssertionError("it does not end")


def may(day: int) -> datetime:
    return datetime(2026, 5, day, 9, tzinfo=START.tzinfo)


def test_past_occurrences_run_one_after_the_other_the_oldest_first(leader: Leader) -> None:
    leader.define("load", schedule=DAILY)
    started = backfill(leader, "load", "2026-05-20", "2026-05-22")
    assert (started.state, started.total, started.ended) == ("running", 3, 0)
    assert work_off(leader) == [[("load", may(20))], [("load", may(21))], [("load", may(22))]]
    done = view(leader, started)
    assert (done.state, done.total, done.ended, dict(done.runs)) == ("succeeded", 3, 3, {RunState.SUCCEEDED: 3})
    first = leader.runs("load")[0]
    assert (first.trigger, first.requested_by, first.backfill_id) == (Trigger.BACKFILL, "ann", started.backfill.id)
    task = leader.pool.tasks[f"chronos-test-{first.id}-1"]
    assert task.environment["CHRONOS_SCHEDULED_TIME"] == may(20).isoformat()
    assert jobs.get_job(leader.application, "load").job.next_run == START + timedelta(days=1), "not touched"


def test_so_many_at_a_time(leader: Leader) -> None:
    leader.define("load", schedule=DAILY)
    backfill(leader, "load", "2026-05-20", "2026-05-24", parallel=2)
    steps = work_off(leader)
    assert [len(step) for step in steps] == [2, 2, 1]
    assert [time for step in steps for _, time in step] == [may(day) for day in range(20, 25)]


def test_a_pending_retry_keeps_its_place(leader: Leader) -> None:
    leader.define("load", schedule=DAILY, retryDelay=60, retries=1)
    backfill(leader, "load", "2026-05-20", "2026-05-21")
    leader.turn()
    end_what_runs(leader, 1)
    leader.turn()
    assert leader.states("load") == [RunState.WAITING_RETRY, RunState.QUEUED]
    leader.clock.advance(seconds=60)
    assert work_off(leader) == [[("load", may(20))], [("load", may(21))]]


def test_what_has_run_is_left_alone_and_what_was_skipped_runs(leader: Leader) -> None:
    leader.define("load", schedule=DAILY)
    leader.clock.advance(days=1)
    leader.turn()
    leader.end_last("load", 1)
    runs.kill_run(leader.application, leader.runs("load")[0].id)  # it waited for its retry, so it ends at once
    leader.clock.advance(days=3)
    leader.turn()
    leader.end_last("load")
    assert [(run.state, run.occurrences) for run in leader.runs("load")] == [
        (RunState.KILLED, 1),
        (RunState.SKIPPED, 2),
        (RunState.SUCCEEDED, 1),
    ]
    plan = backfills.plan_backfill(leader.application, "load", "2026-06-02", "2026-06-05")
    assert plan.occurrences == [START + timedelta(days=day) for day in (2, 3)]
    assert [(each.occurrence, each.run.id) for each in plan.left_out] == [
        (START + timedelta(days=1), 1),
        (START + timedelta(days=4), 3),
    ]
    backfill(leader, "load", "2026-06-02", "2026-06-05")
    assert work_off(leader) == [[("load", START + timedelta(days=2))], [("load", START + timedelta(days=3))]]
    with pytest.raises(Conflict, match="All 4 occurrences"):
        backfill(leader, "load", "2026-06-02", "2026-06-05")
    backfill(leader, "load", "2026-06-02", "2026-06-05", force=True)
    assert len(work_off(leader)) == 4


def test_two_backfills_at_once_double_nothing(leader: Leader) -> None:
    leader.define("load", schedule=DAILY)
    backfill(leader, "load", "2026-05-20", "2026-05-22")
    assert backfill(leader, "load", "2026-05-21", "2026-05-24").total == 2
    with pytest.raises(Conflict):
        backfill(leader, "load", "2026-05-20", "2026-05-24", force=True)
    steps = work_off(leader)
    assert sorted(time for step in steps for _, time in step) == [may(day) for day in range(20, 25)]
    assert {len(step) for step in steps} == {1}, "each at most one, and the job forbids overlap"


@pytest.mark.parametrize("overlap", ["forbid-queue-one", "forbid-skip", "replace"])
def test_a_backfill_gives_way_to_the_schedule(leader: Leader, overlap: str) -> None:
    leader.define("load", schedule=DAILY, overlap=overlap)
    backfill(leader, "load", "2026-05-20", "2026-05-23", parallel=2)
    leader.turn()
    assert len(running(leader)) == 2
    leader.clock.advance(days=1)
    leader.turn()
    due = leader.runs("load")[-1]
    assert (due.trigger, due.state) == (Trigger.SCHEDULE, RunState.QUEUED), "it waits, but is not skipped"
    end_what_runs(leader)
    leader.turn()
    assert running(leader) == [("load", START + timedelta(days=1))], "before the rest of the backfill"
    end_what_runs(leader)
    assert work_off(leader) == [[("load", may(22)), ("load", may(23))]]


def test_beside_the_schedule_where_overlap_is_allowed(leader: Leader) -> None:
    leader.define("load", schedule=DAILY, overlap="allow")
    backfill(leader, "load", "2026-05-20", "2026-05-21")
    leader.turn()
    leader.clock.advance(days=1)
    leader.turn()
    assert running(leader) == [("load", may(20)), ("load", START + timedelta(days=1))]


def test_without_children_none_is_started(leader: Leader) -> None:
    leader.define("load", schedule=DAILY)
    leader.define("report", parents=["load"])
    backfill(leader, "load", "2026-05-20", "2026-05-21")
    work_off(leader)
    assert leader.runs("report") == []


def test_with_children_each_wave_goes_through_the_chain(leader: Leader) -> None:
    leader.define("extract", schedule=DAILY)
    leader.define("orders", parents=["extract"])
    leader.define("customers", parents=["extract"])
    leader.define("load", parents=["orders", "customers"])
    started = backfill(leader, "extract", "2026-05-20", "2026-05-21", with_children=True)
    steps = work_off(leader)
    assert [(name, time.day) for step in steps for name, time in step] == [
        (name, day) for day in (20, 21) for name in ("extract", "orders", "customers", "load")
    ]
    done = view(leader, started)
    assert (done.state, done.total, dict(done.child_runs)) == ("succeeded", 2, {RunState.SUCCEEDED: 6})
    roots = {run.id for run in leader.runs("extract")}
    assert {run.root_run_id for run in leader.runs("load")} == roots


def test_waves_that_go_on_together_do_not_mix(leader: Leader) -> None:
    leader.define("extract", schedule=DAILY)
    leader.define("orders", parents=["extract"])
    leader.define("customers", parents=["extract"])
    leader.define("load", parents=["orders", "customers"])
    backfill(leader, "extract", "2026-05-20", "2026-05-21", parallel=4, with_children=True)
    leader.turn()
    end_what_runs(leader)
    leader.turn()
    assert len(running(leader)) == 4
    by_wave = {(run.job_name, run.scheduled_at.day): run for run in runs.list_runs(leader.application)}
    leader.end(by_wave["orders", 20])
    leader.end(by_wave["customers", 21])
    leader.turn()
    assert leader.runs("load") == [], "one parent of either wave"
    leader.end(by_wave["customers", 20])
    leader.end(by_wave["orders", 21])
    assert [run.scheduled_at for run in leader.runs("load")] == [may(20), may(21)]
    work_off(leader)
    assert leader.states("load") == [RunState.SUCCEEDED] * 2


def test_a_parent_beside_the_wave_is_not_waited_for_and_todays_chain_is_not_touched(leader: Leader) -> None:
    leader.define("extract", schedule=DAILY)
    leader.define("other", schedule="0 12 * * *")
    leader.define("load", parents=["extract", "other"])
    backfill(leader, "extract", "2026-05-20", "2026-05-20", with_children=True)
    work_off(leader)
    assert [run.scheduled_at for run in leader.runs("load")] == [may(20)]
    runs.run_now(leader.application, "other")
    work_off(leader)
    assert len(leader.runs("load")) == 1, "extract has not succeeded in today's chain"


def test_a_failed_wave_can_be_run_again_and_goes_on(leader: Leader) -> None:
    leader.define("extract", schedule=DAILY, retries=0)
    leader.define("load", parents=["extract"], retries=0)
    started = backfill(leader, "extract", "2026-05-20", "2026-05-20", with_children=True)
    leader.turn()
    end_what_runs(leader, 1)
    assert view(leader, started).state == "failed"
    runs.rerun(leader.application, leader.runs("extract")[0].id, from_failure=True)
    work_off(leader)
    assert [run.scheduled_at for run in leader.runs("load")] == [may(20)]


def test_a_cancelled_backfill_begins_nothing_more(leader: Leader) -> None:
    leader.define("extract", schedule=DAILY)
    leader.define("load", parents=["extract"])
    started = backfill(leader, "extract", "2026-05-20", "2026-05-22", with_children=True)
    leader.turn()
    cancelled = backfills.cancel_backfill(leader.application, started.backfill.id, "bob")
    assert cancelled.state == "running", "one goes on"
    assert leader.states("extract") == [RunState.RUNNING, RunState.KILLED, RunState.KILLED]
    dropped = leader.runs("extract")[1]
    assert (dropped.reason, dropped.message) == (Reason.CANCELLED, "not begun: the backfill was cancelled by bob")
    end_what_runs(leader)
    assert work_off(leader) == []
    assert leader.runs("load") == []
    assert view(leader, started).state == "cancelled"
    with pytest.raises(Conflict, match="over already: cancelled"):
        backfills.cancel_backfill(leader.application, started.backfill.id)
    assert backfill(leader, "extract", "2026-05-20", "2026-05-22").total == 2, "what was not begun has not run"


def test_a_backfill_that_is_cancelled_and_killed(leader: Leader) -> None:
    leader.define("extract", schedule=DAILY)
    started = backfill(leader, "extract", "2026-05-20", "2026-05-22")
    leader.turn()
    backfills.cancel_backfill(leader.application, started.backfill.id, "bob")
    backfills.cancel_backfill(leader.application, started.backfill.id, "bob", kill=True)
    leader.turn()
    end_what_runs(leader)
    run = leader.runs("extract")[0]
    assert (run.state, run.message) == (RunState.KILLED, "killed: the backfill was cancelled by bob")


def test_the_calendar_is_obeyed(leader: Leader) -> None:
    leader.define("load", schedule=DAILY, excludeCalendars=["weekends"])
    plan = backfills.plan_backfill(leader.application, "load", "2026-05-22", "2026-05-25")
    assert plan.occurrences == [may(22), may(25)]


def test_a_finite_schedule_has_no_more_occurrences_than_it_says(leader: Leader) -> None:
    leader.define("load", schedule="R3/2026-05-10T09:00:00Z/P1D")
    plan = backfills.plan_backfill(leader.application, "load", "2026-05-01", "2026-05-31")
    assert plan.occurrences == [may(10), may(11), may(12)]


@pytest.mark.parametrize(
    ("first", "last", "field", "words"),
    [
        ("yesterday", "2026-05-21", "from", '"yesterday"'),
        ("2026-05-20", "", "to", '""'),
        ("2026-05-21", "2026-05-20", "to", "before from"),
        ("2026-06-02", "2026-06-03", "from", "in the past"),
        ("2026-05-20T10:00", "2026-05-20T11:00", "from", "has no occurrence"),
    ],
)
def test_times_that_make_no_backfill(leader: Leader, first: str, last: str, field: str, words: str) -> None:
    leader.define("load", schedule=DAILY)
    with pytest.raises(InvalidDefinition) as refusal:
        backfill(leader, "load", first, last)
    assert refusal.value.field == field
    assert words in str(refusal.value)


def test_what_cannot_be_backfilled(leader: Leader) -> None:
    leader.define("load", schedule=DAILY)
    leader.define("every-minute", schedule="* * * * *")
    leader.define("child", parents=["load"])
    leader.define("by-hand")
    with pytest.raises(InvalidDefinition, match=r"525,\d{3} occurrences; at most 10,000"):
        backfill(leader, "every-minute", "2025-06-01", "2026-05-31")
    with pytest.raises(InvalidDefinition, match=r"no schedule.*head of its chain \(load\)"):
        backfill(leader, "child", "2026-05-20", "2026-05-21")
    with pytest.raises(InvalidDefinition, match="run it by hand"):
        backfill(leader, "by-hand", "2026-05-20", "2026-05-21")
    with pytest.raises(InvalidDefinition, match="parallel is 0"):
        backfill(leader, "load", "2026-05-20", "2026-05-21", parallel=0)
    with pytest.raises(NotFound):
        backfill(leader, "nobody", "2026-05-20", "2026-05-21")


def test_days_are_those_of_the_job(leader: Leader) -> None:
    leader.define("load", schedule="0 0 * * *", scheduleTimeZone="America/New_York")
    plan = backfills.plan_backfill(leader.application, "load", "2026-05-20", "2026-05-20")
    assert plan.occurrences == [datetime(2026, 5, 20, 4, tzinfo=START.tzinfo)]


def test_a_backfill_that_reaches_into_the_future_ends_now(leader: Leader) -> None:
    leader.define("load", schedule="0 * * * *")
    plan = backfills.plan_backfill(leader.application, "load", "2026-06-01", "2026-06-30")
    assert plan.occurrences[-1] == START


def test_backfills_are_listed_newest_first(leader: Leader) -> None:
    leader.define("load", schedule=DAILY)
    leader.define("other", schedule=DAILY)
    asked = (("load", "2026-05-20"), ("other", "2026-05-20"), ("other", "2026-05-21"))
    ids = [backfill(leader, name, day, day).backfill.id for name, day in asked]
    app = leader.application
    assert [each.backfill.id for each in backfills.list_backfills(app)] == ids[::-1]
    assert [each.backfill.id for each in backfills.list_backfills(app, "other", before=ids[2])] == [ids[1]]
    with pytest.raises(NotFound):
        backfills.get_backfill(app, 99)
