"""Missed occurrences: the latest runs, the others are one row with a count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chronos_py.model.schedule import parse_schedule
from chronos_py.model.schedule.catch_up import CatchUp, CatchUpPolicy, decide

DUE = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
ONE = CatchUpPolicy()
HALF_HOURLY = parse_schedule("R/2026-06-01T09:00:00Z/PT30M")


def test_on_time_the_occurrence_runs_and_the_next_is_due() -> None:
    decision = decide(HALF_HOURLY, DUE, None, DUE + timedelta(seconds=2), ONE)
    assert (decision.run_at, decision.skipped) == ((DUE,), ())
    assert decision.next_due == DUE + timedelta(minutes=30)


def test_missed_ones_collapse_into_one_run_and_one_row() -> None:
    decision = decide(HALF_HOURLY, DUE, None, DUE + timedelta(hours=2, minutes=47), ONE)
    assert decision.run_at == (DUE + timedelta(hours=2, minutes=30),)
    (skipped,) = decision.skipped
    assert (skipped.first, skipped.last, skipped.count) == (
        DUE,
        DUE + timedelta(hours=2),
        5,
    )
    assert decision.next_due == DUE + timedelta(hours=3)


def test_a_repetition_is_consumed_by_what_runs_not_by_what_is_skipped() -> None:
    decision = decide(HALF_HOURLY, DUE, 3, DUE + timedelta(hours=2, minutes=47), ONE)
    assert decision.repetitions_left == 2
    last = decide(HALF_HOURLY, DUE, 1, DUE, ONE)
    assert (last.run_at, last.repetitions_left, last.next_due) == ((DUE,), 0, None)


def test_none_skips_what_is_late_and_says_so() -> None:
    decision = decide(HALF_HOURLY, DUE, 3, DUE + timedelta(minutes=10), CatchUpPolicy(CatchUp.NONE))
    assert decision.run_at == ()
    (skipped,) = decision.skipped
    assert skipped.count == 1
    assert "600 s late" in skipped.message
    assert decision.repetitions_left == 3


def test_a_start_deadline_bounds_the_lateness() -> None:
    late = DUE + timedelta(seconds=61)
    assert decide(HALF_HOURLY, DUE, None, late, CatchUpPolicy(start_deadline=timedelta(seconds=60))).run_at == ()
    assert decide(HALF_HOURLY, DUE, None, late, CatchUpPolicy(start_deadline=timedelta(seconds=62))).run_at == (DUE,)


def test_all_runs_each_the_oldest_first() -> None:
    late = DUE + timedelta(hours=2, minutes=47)
    decision = decide(HALF_HOURLY, DUE, None, late, CatchUpPolicy(CatchUp.ALL))
    assert decision.run_at == tuple(DUE + timedelta(minutes=30) * step for step in range(6))
    assert decision.skipped == ()
    assert decision.next_due == DUE + timedelta(hours=3)


def test_beyond_the_limit_the_oldest_are_skipped() -> None:
    late = DUE + timedelta(hours=2, minutes=47)
    decision = decide(HALF_HOURLY, DUE, None, late, CatchUpPolicy(CatchUp.ALL, limit=2))
    assert decision.run_at == (DUE + timedelta(hours=2), DUE + timedelta(hours=2, minutes=30))
    (skipped,) = decision.skipped
    assert (skipped.count, skipped.last) == (4, DUE + timedelta(hours=1, minutes=30))
    assert "catchUpLimit" in skipped.message


def test_all_consumes_no_more_repetitions_than_there_are() -> None:
    late = DUE + timedelta(hours=2, minutes=47)
    decision = decide(HALF_HOURLY, DUE, 2, late, CatchUpPolicy(CatchUp.ALL))
    assert (len(decision.run_at), decision.repetitions_left, decision.next_due) == (2, 0, None)


def test_all_within_a_deadline_skips_what_is_too_late() -> None:
    late = DUE + timedelta(hours=2, minutes=47)
    policy = CatchUpPolicy(CatchUp.ALL, start_deadline=timedelta(hours=1))
    decision = decide(HALF_HOURLY, DUE, None, late, policy)
    assert decision.run_at == (DUE + timedelta(hours=2), DUE + timedelta(hours=2, minutes=30))
    (skipped,) = decision.skipped
    assert skipped.count == 4


def test_ten_missed_years_of_minutes_are_found_at_once() -> None:
    every_minute = parse_schedule("R/2016-01-01T00:00:00Z/PT1M")
    decision = decide(
        every_minute, datetime(2016, 1, 1, tzinfo=UTC), None, datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC), ONE
    )
    assert decision.run_at == (datetime(2026, 1, 1, tzinfo=UTC),)
    (skipped,) = decision.skipped
    assert skipped.count == 3653 * 1440


def test_ten_missed_years_of_a_minute_cron_job_are_counted_too() -> None:
    every_minute = parse_schedule("* * * * *", "Europe/Berlin")
    decision = decide(
        every_minute, datetime(2016, 1, 1, tzinfo=UTC), None, datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC), ONE
    )
    assert decision.run_at == (datetime(2026, 1, 1, tzinfo=UTC),)
    (skipped,) = decision.skipped
    assert skipped.count == 3653 * 1440
