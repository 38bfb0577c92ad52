"""Schedules through Chronos' API: periods that stand still, and texts that were shown a while ago."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chronos_py.health import Health
from chronos_py.logs import LogArchive, TaskLogs
from chronos_py.services import Application
from chronos_py.store.database import Database
from chronos_py.wake import Wake
from tests.scheduler.conftest import START, Leader, ManualClock, Term, elect
from tests.scheduler.scripted_pool import ScriptedPool
from tests.server.client import Client

PAST = "2026-05-01T00:00:00Z"
FUTURE = "2026-06-02T00:00:00Z"


@pytest.fixture
def application(database: Database, tmp_path: Path) -> Application:
    """A node whose clock stands still, so that schedules come when the test says so."""
    clock, pool = ManualClock(START), ScriptedPool()
    logs = TaskLogs(LogArchive(str(tmp_path / "logs")), pool)
    return Application(database, clock, Wake(), Health(clock), logs, pool, Term(), "test:1", clock.now())


@pytest.fixture
def leader(application: Application) -> Iterator[Leader]:
    assert isinstance(application.pool, ScriptedPool)
    leader = elect(application, application.pool, "first")
    yield leader
    leader.launcher.stop()


class OldClient:
    """What an old client does with the job ``a``."""

    def __init__(self, client: Client, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    def save(self, schedule: str, **fields: Any) -> None:
        answer = self._client.post(
            f"{self._prefix}/iso8601", json={"name": "a", "command": "true", "schedule": schedule, **fields}
        )
        assert answer.status_code == 204, answer.json

    def save_again(self, document: dict[str, Any]) -> None:
        answer = self._client.post(f"{self._prefix}/iso8601", json=document)
        assert answer.status_code == 204, answer.json

    def refusal(self, schedule: str, **fields: Any) -> str:
        document = {"name": "a", "command": "true", "schedule": schedule, **fields}
        answer = self._client.post(f"{self._prefix}/iso8601", json=document)
        assert answer.status_code == 400
        return str(answer.json["message"])

    def shown(self) -> dict[str, Any]:
        document: dict[str, Any] = self._client.get(f"{self._prefix}/job/a").json
        return document

    def native(self) -> dict[str, Any]:
        document: dict[str, Any] = self._client.get("/api/jobs/a").json
        return document

    def place(self) -> tuple[str, str | None, int | None]:
        """Where the job is on its schedule."""
        job = self.native()
        return job["schedule"], job["nextRun"], job["repetitionsLeft"]


@pytest.fixture
def old(client: Client, prefix: str) -> OldClient:
    return OldClient(client, prefix)


STANDING = {
    f"R/{PAST}/PT0S": f"R1/{PAST}/PT0S",
    f"R/{PAST}/P": f"R1/{PAST}/P",
    f"R/{PAST}/PT0M": f"R1/{PAST}/PT0M",
    f"R/{PAST}/P-1D": f"R1/{PAST}/PT0S",
    f"R5/{PAST}/PT0S": f"R1/{PAST}/PT0S",
    f"R007/{PAST}/PT0.0000001S": f"R1/{PAST}/PT0.0000001S",
    f"R/{FUTURE}/P1DT-24H": f"R1/{FUTURE}/PT0S",
    "R//PT0S": "R1//PT0S",
    "R3//PT-1H": "R1//PT0S",
    "R1//P-1D": "R1//PT0S",
}


@pytest.mark.parametrize("schedule", STANDING)
def test_a_period_that_leads_nowhere_runs_once(old: OldClient, leader: Leader, schedule: str) -> None:
    old.save(schedule)
    assert old.native()["schedule"] == STANDING[schedule]
    for _ in range(3):
        old.save(schedule)
        leader.turn()
        leader.clock.advance(days=1)
    assert (len(leader.runs("a")), old.native()["revision"], old.native()["repetitionsLeft"]) == (1, 1, 0)
    assert old.shown()["schedule"].startswith("R0/")
    leader.end_last("a")
    done = old.native()
    assert (done["disabled"], done["revision"]) == (True, 2)
    old.save(schedule)
    assert old.native() == done
    old.save(schedule, disabled=False)
    leader.clock.advance(days=1)
    leader.turn()
    assert old.place() == (STANDING[schedule], None, 0)
    assert len(leader.runs("a")) == 1


@pytest.mark.parametrize("schedule", STANDING)
def test_the_shown_form_of_it_runs_nothing_again(old: OldClient, leader: Leader, schedule: str) -> None:
    old.save(schedule)
    shown = [old.shown()]
    leader.clock.advance(days=2)
    leader.turn()
    shown.append(old.shown())
    for document in shown:
        old.save_again(document)
        assert old.place() == (STANDING[schedule], None, 0)
        leader.turn()
    leader.end_last("a")
    for document in (*shown, old.shown()):
        old.save_again(document)
        leader.clock.advance(days=1)
        leader.turn()
    assert len(leader.runs("a")) == 1


@pytest.mark.parametrize(("schedule", "stored"), [(f"R0/{PAST}/PT0S",) * 2, ("R0//P-1D", "R0//PT0S")])
def test_none_of_them_is_none(old: OldClient, leader: Leader, schedule: str, stored: str) -> None:
    for _ in range(2):
        old.save(schedule)
        leader.turn()
    assert (old.native()["schedule"], old.native()["revision"]) == (stored, 1)
    assert leader.runs("a") == []


def test_another_schedule_after_it_is_a_schedule(old: OldClient, leader: Leader) -> None:
    old.save("R//PT0S")
    leader.turn()
    leader.end_last("a")
    old.save("R//PT1H")
    leader.clock.advance(hours=1)
    leader.turn()
    assert (old.native()["disabled"], len(leader.runs("a"))) == (False, 2)


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [
        (f"R/{PAST}/PT0S", "is zero"),
        (f"R5/{PAST}/P", "is zero"),
        (f"R/{PAST}/P-1D", "goes backwards"),
        (f"R1/{PAST}/P-1D", "goes backwards"),
    ],
)
def test_our_own_api_refuses_them_with_the_reason(client: Client, schedule: str, reason: str) -> None:
    answer = client.put("/api/jobs/a", json={"command": "true", "schedule": schedule})
    assert answer.status_code in (400, 422)
    assert reason in answer.text
    assert client.get("/api/jobs/a").status_code == 404


@pytest.mark.parametrize(
    ("schedule", "zone", "reason"),
    [
        ("R/2026-01-01 00:00:00Z/P1D", "", "is expected"),
        ("R//P1M-1D", "", "negative"),
        ("R//P-99999999999D", "", "longer than any calendar"),
        ("R/x/PT0S", "", "a start such as"),
        ("R/1970-01-01T00:00:00Z/P1D", "", "before 1970"),
        ("R/1970/P1D", "", "before 1970"),
        ("R/1970-01-01T00:59:59+01:00/P1D", "", "before 1970"),
        ("R/1970-01-01T00:30:00Z/P1D", "Europe/Berlin", "before 1970"),
    ],
)
def test_what_cannot_be_is_refused(old: OldClient, schedule: str, zone: str, reason: str) -> None:
    assert reason in old.refusal(schedule, scheduleTimeZone=zone)


def test_the_first_second_after_1970_began_is_taken(old: OldClient) -> None:
    old.save("R/1970-01-01T00:00:01Z/P1D")
    old.save("R/1969-12-31T23:30:00-01:00/P1D")


FINITE = ["R5/2026-06-01T00:00:00Z/PT1H", "R5//PT1H", "R5/2026-01-31T09:00:00Z/P1M"]


@pytest.mark.parametrize("schedule", FINITE)
@pytest.mark.parametrize("turns", [1, 3, 5])
def test_a_text_that_was_shown_before_a_run_resets_nothing(
    old: OldClient, leader: Leader, schedule: str, turns: int
) -> None:
    """Also the last one, and several runs later."""
    old.save(schedule, concurrent=True)
    shown = [old.shown()]
    for _ in range(turns):
        leader.turn()
        shown.append(old.shown())
        leader.clock.advance(**({"days": 31} if schedule.endswith("M") else {"hours": 1}))
    before = old.place()
    assert before[2] == 5 - turns
    for document in shown:
        old.save_again(document)
        assert old.place() == before, document["schedule"]
    leader.turn()
    assert len(leader.runs("a")) == min(5, turns + 1)


def test_months_stay_on_the_last_day_when_a_shown_text_comes_back(old: OldClient, leader: Leader) -> None:
    old.save("R/2026-05-31T09:00:00Z/P1M")
    leader.turn()
    shown = old.shown()
    assert shown["schedule"] == "R/2026-06-30T09:00:00.000Z/P1M"
    leader.clock.advance(days=30)
    leader.turn()
    old.save_again(shown)
    assert old.native()["nextRun"] == "2026-07-31T09:00:00Z"


@pytest.mark.parametrize(
    ("schedule", "left"),
    [
        ("R4/2026-06-01T11:00:00.000Z/PT1H", 4),  # the next start, with repetitions that it never had
        ("R5/2026-06-01T10:00:00.000Z/PT1H", 5),  # one back, with more than one run could have used
        ("R9/2026-06-01T09:00:00.000Z/PT1H", 9),  # more than there ever were
        ("R3/2026-06-01T10:30:00.000Z/PT1H", 3),  # between two starts
        ("R3/2026-06-01T10:00:00.000Z/PT60M", 3),  # another text of the period
        ("R/2026-06-01T10:00:00.000Z/PT1H", None),
    ],
)
def test_a_text_that_was_never_shown_is_a_new_schedule(
    old: OldClient, leader: Leader, schedule: str, left: int | None
) -> None:
    old.save("R5/2026-06-01T09:00:00Z/PT1H", concurrent=True)
    for _ in range(2):
        leader.turn()
        leader.clock.advance(hours=1)
    assert old.shown()["schedule"] == "R3/2026-06-01T11:00:00.000Z/PT1H"
    old.save_again({**old.shown(), "schedule": schedule})
    assert (old.native()["schedule"], old.native()["repetitionsLeft"]) == (schedule, left)
