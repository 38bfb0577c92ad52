"""What calendars, blackouts, jitter, deadlines and overlap make of what is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from chronos_py.errors import Conflict, InvalidDefinition
from chronos_py.model.job import Job
from chronos_py.model.run import Reason, RunState
from chronos_py.model.schedule.jitter import jitter
from chronos_py.services import calendars, jobs
from chronos_py.store.tables import JobRow
from tests.scheduler.conftest import START, Leader

FRIDAY = datetime(2026, 6, 5, 23, 30, tzinfo=UTC)
HOURLY = "0 * * * *"


def job(leader: Leader, name: str) -> Job:
    return jobs.get_job(leader.application, name).job


def at(leader: Leader, moment: datetime) -> None:
    leader.clock.advance(seconds=(moment - leader.clock.now()).total_seconds())


def test_blocked_occurrences_are_one_row_that_says_why(leader: Leader) -> None:
    at(leader, FRIDAY)
    leader.define("hourly", schedule=HOURLY, excludeCalendars=["weekends"])
    monday = datetime(2026, 6, 8, tzinfo=UTC)
    assert job(leader, "hourly").next_run == monday, "what is shown is when it runs"
    leader.clock.advance(minutes=30)
    leader.turn()
    (row,) = leader.runs("hourly")
    assert (row.state, row.reason, row.occurrences) == (RunState.SKIPPED, Reason.BLOCKED, 48)
    assert (row.scheduled_at, row.scheduled_until) == (FRIDAY + timedelta(minutes=30), monday - timedelta(hours=1))
    assert "2026-06-06 is in calendar weekends (Saturday)" in row.message
    assert job(leader, "hourly").next_run == monday
    for _ in range(24):
        leader.clock.advance(hours=1)
        leader.turn()
    assert len(leader.runs("hourly")) == 1, "no row for each"
    at(leader, monday)
    leader.turn()
    assert leader.states("hourly") == [RunState.SKIPPED, RunState.RUNNING]


def test_what_was_missed_beside_what_was_blocked(leader: Leader) -> None:
    """From Friday noon nobody could launch until Monday noon."""
    at(leader, datetime(2026, 6, 5, 11, 30, tzinfo=UTC))
    leader.define("hourly", schedule=HOURLY, excludeCalendars=["weekends"])
    at(leader, datetime(2026, 6, 8, 12, 30, tzinfo=UTC))
    leader.turn()
    rows = {row.reason: row for row in leader.runs("hourly")}
    assert rows[Reason.MISSED].occurrences == 12 + 12
    assert rows[Reason.BLOCKED].occurrences == 48
    assert rows[Reason.NONE].scheduled_at == datetime(2026, 6, 8, 12, tzinfo=UTC)
    assert job(leader, "hourly").next_run == datetime(2026, 6, 8, 13, tzinfo=UTC)


def test_a_moved_occurrence_says_where_it_comes_from(leader: Leader) -> None:
    at(leader, FRIDAY)
    leader.define("weekly", schedule="0 9 * * 6", excludeCalendars=["weekends"], onBlockedDay="next")
    assert job(leader, "weekly").next_run == datetime(2026, 6, 8, 9, tzinfo=UTC)
    at(leader, datetime(2026, 6, 8, 9, tzinfo=UTC))
    leader.turn()
    (run,) = leader.runs("weekly")
    assert run.state is RunState.RUNNING
    assert run.note == "moved here from 2026-06-06 09:00"


def test_a_blackout_is_told_of_and_ends(leader: Leader) -> None:
    window = {"start": "2026-06-01T10:00", "end": "2026-06-01T12:00", "reason": "move of the cellar"}
    leader.define("hourly", schedule=HOURLY, blackouts=[window])
    assert job(leader, "hourly").next_run == START + timedelta(hours=3)
    leader.clock.advance(hours=1)
    leader.turn()
    (row,) = leader.runs("hourly")
    assert (row.reason, row.occurrences) == (Reason.BLOCKED, 2)
    assert "move of the cellar" in row.message
    leader.clock.advance(hours=2)
    leader.turn()
    assert leader.states("hourly") == [RunState.SKIPPED, RunState.RUNNING]


def test_start_and_end(leader: Leader) -> None:
    leader.define(
        "hourly", schedule=HOURLY, startTime="2026-06-01T11:00", endTime="2026-06-01T12:00", overlap="allow"
    )
    for _ in range(5):
        leader.clock.advance(hours=1)
        leader.turn()
    assert [run.scheduled_at.hour for run in leader.runs("hourly")] == [11, 12]
    assert job(leader, "hourly").next_run is None


def test_jitter_delays_a_run_by_what_is_its_own(leader: Leader) -> None:
    leader.define("hourly", schedule=HOURLY, jitter=600)
    occurrence = START + timedelta(hours=1)
    delay = jitter("hourly", occurrence, timedelta(seconds=600))
    at(leader, occurrence)
    leader.turn()
    (run,) = leader.runs("hourly")
    assert (run.state, run.scheduled_at, run.not_before) == (RunState.QUEUED, occurrence, occurrence + delay)
    assert leader.dispatcher.step() == occurrence + delay
    at(leader, occurrence + delay)
    leader.turn()
    assert leader.states("hourly") == [RunState.RUNNING]


def test_a_run_that_waits_too_long_is_skipped(leader: Leader) -> None:
    leader.define("hourly", schedule=HOURLY, startDeadline=900)
    leader.clock.advance(hours=1)
    leader.turn()
    leader.clock.advance(hours=1)
    leader.turn()
    assert leader.states("hourly") == [RunState.RUNNING, RunState.QUEUED]
    assert leader.dispatcher.step() == leader.clock.now() + timedelta(seconds=900)
    leader.clock.advance(seconds=901)
    leader.turn()
    late = leader.runs("hourly")[-1]
    assert (late.state, late.reason, late.finished_at) == (RunState.SKIPPED, Reason.MISSED, leader.clock.now())
    assert "startDeadline" in late.message


def test_a_run_that_waited_in_vain_for_another_says_so(leader: Leader) -> None:
    leader.define("hourly", schedule=HOURLY)
    for _ in range(3):
        leader.clock.advance(hours=1)
        leader.turn()
    first, second, third = leader.runs("hourly")
    assert second.note == f"waited for run #{first.id} to end (overlap: forbid-queue-one)"
    assert third.message == f"skipped: run #{second.id} of this job was waiting already (overlap: forbid-queue-one)"
    leader.end(first)
    leader.turn()
    leader.end(leader.runs("hourly")[1])
    assert leader.runs("hourly")[1].note == second.note, "it is kept"


def test_overlap_allow_is_noted(leader: Leader) -> None:
    leader.define("hourly", schedule=HOURLY, overlap="allow")
    for _ in range(2):
        leader.clock.advance(hours=1)
        leader.turn()
    first, second = leader.runs("hourly")
    assert (first.note, second.note) == ("", f"began while run #{first.id} had not ended (overlap: allow)")


def test_overlap_replace_kills_the_old_run_before_the_new_one_starts(leader: Leader) -> None:
    leader.define("hourly", schedule=HOURLY, overlap="replace")
    leader.clock.advance(hours=1)
    leader.turn()
    (old,) = leader.runs("hourly")
    leader.clock.advance(hours=1)
    leader.turn()
    assert leader.states("hourly") == [RunState.RUNNING, RunState.QUEUED], "until the pool has confirmed the end"
    assert [handle for handle, _ in leader.pool.kills] == [f"handle of chronos-test-{old.id}-1"]
    leader.end(old, None)
    leader.turn()
    killed, new = leader.runs("hourly")
    assert (killed.state, killed.reason) == (RunState.KILLED, Reason.REPLACED)
    assert killed.message == "killed: the run for 2026-06-01 11:00:00 UTC took its place (overlap: replace)"
    assert (new.state, new.note) == (RunState.RUNNING, f"took the place of run #{old.id} (overlap: replace)")


def test_what_fails_while_it_is_being_killed_is_not_tried_again(leader: Leader) -> None:
    leader.define("hourly", schedule=HOURLY, overlap="replace", retries=5)
    leader.clock.advance(hours=1)
    leader.turn()
    (old,) = leader.runs("hourly")
    leader.pool.end(f"chronos-test-{old.id}-1", 3, finished_at=leader.clock.now() + timedelta(minutes=59))
    leader.clock.advance(hours=1)
    leader.planner.step()
    leader.watcher.step()
    failed, _ = leader.runs("hourly")
    assert (failed.state, failed.reason) == (RunState.FAILED, Reason.EXIT)


def test_overlap_replace_ends_what_waits_at_once(leader: Leader) -> None:
    leader.define("hourly", schedule=HOURLY, overlap="replace", retryDelay=7200)
    leader.clock.advance(hours=1)
    leader.turn()
    leader.end_last("hourly", 1)
    assert leader.states("hourly") == [RunState.WAITING_RETRY]
    leader.clock.advance(hours=1)
    leader.turn()
    assert leader.states("hourly") == [RunState.KILLED, RunState.RUNNING]
    assert leader.runs("hourly")[0].message.startswith("not tried again: the run for 2026-06-01 11:00:00 UTC")


def test_a_calendar_that_changes_moves_the_next_run(leader: Leader) -> None:
    app = leader.application
    calendars.save_calendar(app, "closing", {"dates": ["2026-06-02"]})
    leader.define("daily", schedule="0 9 * * *", excludeCalendars=["closing"])
    assert job(leader, "daily").next_run == START + timedelta(days=2)
    calendars.save_calendar(app, "closing", {"dates": ["2026-06-03"]})
    assert job(leader, "daily").next_run == START + timedelta(days=1)
    with pytest.raises(Conflict, match="daily"):
        calendars.delete_calendar(app, "closing")
    jobs.delete_job(app, "daily")
    calendars.delete_calendar(app, "closing")


def test_a_calendar_that_is_not_there(leader: Leader) -> None:
    with pytest.raises(InvalidDefinition, match='excludeCalendars contains "nowhere"'):
        leader.define("daily", schedule="0 9 * * *", excludeCalendars=["nowhere"])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"schedule": "0 9 25 12 *", "excludeCalendars": ["DE"]}, "excludeCalendars"),
        ({"schedule": "0 9 * * 1", "onlyCalendars": ["weekends"]}, "onlyCalendars"),
        ({"schedule": HOURLY, "blackouts": [{"schedule": "0 0 * * *", "duration": "P1D"}]}, "blackouts"),
        ({"schedule": "*/5 * * * *", "excludeCalendars": ["DE"], "onBlockedDay": "next"}, "onBlockedDay"),
    ],
)
def test_a_schedule_that_would_never_run_is_refused(leader: Leader, fields: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        leader.define("never", **fields)
    assert refusal.value.field == field


def test_a_job_that_ends_can_still_be_changed(leader: Leader) -> None:
    leader.define("over", schedule=HOURLY, endTime="2026-05-01", excludeCalendars=["DE"])
    assert job(leader, "over").next_run is None
    leader.define("over", schedule=HOURLY, endTime="2026-05-01", excludeCalendars=["DE"], description="history")


def test_a_restriction_that_changes_keeps_the_place_of_the_schedule(leader: Leader) -> None:
    leader.define("thrice", schedule="R3//PT2H")
    leader.turn()
    assert job(leader, "thrice").repetitions_left == 2
    leader.define("thrice", schedule="R3//PT2H", startTime="2026-06-01T12:00")
    assert (job(leader, "thrice").repetitions_left, job(leader, "thrice").next_run) == (2, START + timedelta(hours=4))


def test_a_stored_job_that_cannot_be_read_any_more_says_so_and_stops_nobody(leader: Leader) -> None:
    leader.define("good", schedule=HOURLY)
    leader.define("bad", schedule=HOURLY)
    with leader.database.write() as connection:
        document = {"name": "bad", "command": "true", "schedule": "of old", "labels": ["of old"], "jitter": "of old"}
        connection.execute(update(JobRow).where(JobRow.name == "bad").values(document=document))
    assert job(leader, "bad").definition.command == "true"
    leader.clock.advance(hours=1)
    leader.turn()
    assert leader.states("good") == [RunState.RUNNING]
    (row,) = leader.runs("bad")
    assert (row.state, row.reason) == (RunState.SKIPPED, Reason.BLOCKED)
    assert "cannot be read any more" in row.message
    leader.define("bad", schedule=HOURLY)
    leader.clock.advance(hours=1)
    leader.turn()
    assert leader.states("bad") == [RunState.SKIPPED, RunState.RUNNING]
