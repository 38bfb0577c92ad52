"""What becomes of the occurrences that come while a job is paused: nothing is missing silently."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chronos_py.model.job import Job
from chronos_py.model.run import Reason, Run, RunState
from chronos_py.services import backfills, jobs
from chronos_py.services.selections import Selection, pause_jobs, resume_jobs
from tests.scheduler.conftest import START, Leader

HOURLY = "R/2026-06-01T00:00:00Z/PT1H"
BY_ANN = "skipped: the job was paused from 2026-06-01 09:30:00 UTC to 2026-06-01 12:30:00 UTC by ann"


def job(leader: Leader, name: str = "hourly") -> Job:
    return jobs.get_job(leader.application, name).job


def skipped(leader: Leader, name: str = "hourly") -> list[Run]:
    return [run for run in leader.runs(name) if run.reason is Reason.DISABLED]


def pause(leader: Leader, *names: str) -> None:
    pause_jobs(leader.application, Selection(names or ("hourly",)), "ann")


def resume(leader: Leader, *names: str, catch_up: bool = False) -> None:
    resume_jobs(leader.application, Selection(names or ("hourly",)), "bob", catch_up)


def define(leader: Leader, **fields: Any) -> None:
    """A job that has run at nine, at half past."""
    leader.define("hourly", **{"schedule": HOURLY, **fields})
    leader.turn()
    leader.end_last("hourly")
    leader.clock.advance(minutes=30)


def at(hour: int) -> datetime:
    return datetime(2026, 6, 1, hour, tzinfo=UTC)


def test_what_came_meanwhile_is_one_row(leader: Leader) -> None:
    define(leader)
    pause(leader)
    assert job(leader).next_run is None
    leader.clock.advance(hours=3)
    leader.turn()
    assert skipped(leader) == []
    resume(leader)
    (row,) = skipped(leader)
    assert (row.state, row.occurrences, row.message) == (RunState.SKIPPED, 3, BY_ANN)
    assert (row.scheduled_at, row.scheduled_until) == (at(10), at(12))
    assert job(leader).next_run == at(13)
    leader.turn()
    assert leader.states("hourly") == [RunState.SUCCEEDED, RunState.SKIPPED]
    leader.clock.advance(minutes=30)
    leader.turn()
    assert leader.states("hourly")[-1] is RunState.RUNNING


@pytest.mark.parametrize("change", [{"disabled": False}, {"disabled": None}, {"disabled": None, "retries": 7}])
def test_however_it_is_resumed(leader: Leader, change: dict[str, Any]) -> None:
    define(leader)
    jobs.patch_job(leader.application, "hourly", {"disabled": True}, "ann")
    leader.clock.advance(hours=3)
    jobs.patch_job(leader.application, "hourly", change)
    assert [row.message for row in skipped(leader)] == [BY_ANN]


def test_the_pause_began_with_the_first_of_its_revisions(leader: Leader) -> None:
    define(leader)
    pause(leader)
    leader.clock.advance(hours=1)
    jobs.patch_job(leader.application, "hourly", {"retries": 0}, "carl")
    leader.clock.advance(hours=2)
    resume(leader)
    assert [row.message for row in skipped(leader)] == [BY_ANN]
    pause(leader)
    leader.clock.advance(hours=1)
    resume(leader)
    assert [row.occurrences for row in skipped(leader)] == [3, 1], "each pause by itself"


def test_a_pause_in_which_nothing_came_leaves_no_row(leader: Leader) -> None:
    define(leader)
    pause(leader)
    leader.clock.advance(minutes=29)
    resume(leader)
    assert skipped(leader) == []
    assert job(leader).next_run == at(10)


@pytest.mark.parametrize(
    ("catch_up", "states"),
    [
        ("one", [RunState.SKIPPED, RunState.RUNNING]),
        ("all", [RunState.QUEUED, RunState.QUEUED, RunState.QUEUED]),
        ("none", [RunState.SKIPPED]),
    ],
)
def test_catching_up_is_up_to_the_job(leader: Leader, catch_up: str, states: list[RunState]) -> None:
    define(leader, catchUp=catch_up)
    pause(leader)
    leader.clock.advance(hours=3)
    resume(leader, catch_up=True)
    assert skipped(leader) == []
    assert job(leader).next_run == at(10)
    if catch_up == "all":
        leader.planner.step()
    else:
        leader.turn()
    rows = leader.runs("hourly")[1:]
    assert [row.state for row in rows] == states
    assert sum(row.occurrences or 0 for row in rows) == 3
    assert {row.reason for row in rows} <= {Reason.NONE, Reason.MISSED}


def test_what_was_due_and_not_planned_when_it_was_paused(leader: Leader) -> None:
    define(leader)
    leader.clock.advance(hours=2)
    pause(leader)
    (row,) = skipped(leader)
    assert (row.occurrences, row.scheduled_at, row.scheduled_until) == (2, at(10), at(11))
    assert row.message == "skipped: the job was paused before the run could start"
    leader.clock.advance(hours=1)
    resume(leader)
    assert [(row.scheduled_at, row.occurrences) for row in skipped(leader)] == [(at(10), 2), (at(12), 1)]


def test_another_schedule_while_it_is_paused(leader: Leader) -> None:
    define(leader)
    pause(leader)
    leader.clock.advance(hours=2)
    jobs.patch_job(leader.application, "hourly", {"schedule": "*/10 * * * *"})
    assert [(row.scheduled_at, row.occurrences) for row in skipped(leader)] == [(at(10), 2)]
    leader.clock.advance(hours=1)
    resume(leader)
    row = skipped(leader)[-1]
    assert (row.scheduled_at, row.occurrences) == (at(11) + timedelta(minutes=40), 6)
    jobs.patch_job(leader.application, "hourly", {"disabled": True})
    leader.clock.advance(minutes=20)
    jobs.patch_job(leader.application, "hourly", {"schedule": None})
    assert skipped(leader)[-1].occurrences == 2
    resume(leader)
    assert len(skipped(leader)) == 3


def test_blocked_occurrences_are_not_counted(leader: Leader) -> None:
    define(leader, blackouts=[{"start": "2026-06-01T10:30:00Z", "end": "2026-06-01T11:30:00Z"}])
    pause(leader)
    leader.clock.advance(hours=3)
    resume(leader)
    (row,) = skipped(leader)
    assert (row.occurrences, row.scheduled_at, row.scheduled_until) == (2, at(10), at(12))


def test_years_of_seconds_are_counted_at_once(leader: Leader) -> None:
    leader.define("hourly", schedule="R/2026-06-01T00:00:00Z/PT1S", disabled=True)
    leader.clock.advance(days=3650)
    resume(leader)
    (row,) = skipped(leader)
    assert row.occurrences == 3650 * 86400


def test_repetitions_that_are_over_were_not_skipped(leader: Leader) -> None:
    define(leader, schedule="R1/2026-06-01T09:00:00Z/PT1H")
    assert job(leader).definition.disabled
    leader.clock.advance(hours=3)
    resume(leader)
    assert skipped(leader) == []


def test_several_repetitions_left(leader: Leader) -> None:
    define(leader, schedule="R3/2026-06-01T09:00:00Z/PT1H")
    pause(leader)
    leader.clock.advance(hours=3)
    resume(leader)
    assert [row.occurrences for row in skipped(leader)] == [3]
    assert job(leader).repetitions_left == 2, "a repetition is used up by a run"


def test_a_job_without_a_schedule_has_nothing_to_tell(leader: Leader) -> None:
    leader.define("hourly")
    leader.define("child", parents=["hourly"])
    pause(leader, "hourly", "child")
    leader.clock.advance(hours=3)
    resume(leader, "hourly", "child", catch_up=True)
    assert leader.runs("hourly") == leader.runs("child") == []


def test_an_occurrence_that_a_person_ran_meanwhile_stays(leader: Leader) -> None:
    define(leader)
    pause(leader)
    leader.clock.advance(hours=3)
    backfills.start_backfill(
        leader.application, "hourly", at(10).isoformat(), at(10).isoformat(), 1, False, False, ""
    )
    resume(leader)
    (row,) = skipped(leader)
    assert row.occurrences == 3
    assert row.scheduled_at > START
