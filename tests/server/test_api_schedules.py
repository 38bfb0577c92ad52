"""/api/schedules/preview"""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.client import Client


def preview(client: Client, **body: Any) -> Any:
    answer = client.post("/api/schedules/preview", json=body)
    assert answer.status_code == 200, answer.json
    return answer.json


def test_times_are_shown_in_the_zone_of_the_schedule(client: Client) -> None:
    found = preview(
        client,
        schedule="0 3 * * *",
        scheduleTimeZone="Europe/Berlin",
        count=3,
        **{"from": "2026-03-27T12:00:00Z"},
    )
    assert found["next"] == ["2026-03-28T03:00:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T03:00:00+02:00"]
    assert found["description"]


def test_without_a_zone_times_are_utc(client: Client) -> None:
    found = preview(client, schedule="R2/2026-01-31T09:00:00+01:00/P1M", **{"from": "2026-02-01T00:00:00+00:00"})
    assert found["next"] == ["2026-02-28T08:00:00Z", "2026-03-31T08:00:00Z"]
    assert len(preview(client, schedule="@hourly")["next"]) == 10


def notes(client: Client, **body: Any) -> Any:
    return preview(client, scheduleTimeZone="Europe/Berlin", **body)["notes"]


def test_changes_of_the_clock_are_noted(client: Client) -> None:
    spring, autumn = {"from": "2026-03-28T12:00:00Z", "count": 2}, {"from": "2026-10-24T12:00:00Z", "count": 2}
    assert notes(client, schedule="30 2 * * *", **spring) == [
        "On 2026-03-29 the clock skips 02:00 to 03:00: what falls in between runs at 03:00"
    ]
    assert notes(client, schedule="30 2 * * *", **autumn) == [
        "On 2026-10-25 02:30 comes twice: it runs the first time only"
    ]
    assert notes(client, schedule="R/2026-01-01T02:30:00/P1D", **spring)[0].startswith(
        "On 2026-03-29 the clock skips"
    )
    assert notes(client, schedule="R/2026-01-01T02:30:00/P1D", **autumn)[0].startswith(
        "On 2026-10-25 02:30 comes twice"
    )
    assert (
        "From 2026-03-29 on it comes at 09:00, not 08:00"
        in notes(client, schedule="R/2026-01-01T08:00:00/PT24H", **spring)[0]
    )
    for schedule in ("*/30 * * * *", "0 3 * * *", "R/2026-01-01T03:00:00/P1D", "R/2026-01-01T00:00:00/PT1H"):
        assert notes(client, schedule=schedule, **spring) == [], schedule


def test_calendars_blackouts_and_jitter_are_noted(client: Client) -> None:
    christmas = {"from": "2026-12-24T12:00:00Z", "count": 1}
    assert notes(client, schedule="0 3 * * *", excludeCalendars=["DE", "weekends"], **christmas) == [
        "2026-12-25 03:00 to 2026-12-27 03:00: 3 are skipped, 2026-12-25 is in calendar DE (Christmas Day)"
    ]
    assert notes(client, schedule="0 3 25 12 *", excludeCalendars=["DE"], onBlockedDay="previous", **christmas) == [
        "2027-12-24 03:00 is moved from 2027-12-25 03:00: 2027-12-25 is in calendar DE (Christmas Day)"
    ]
    blackout = {"start": "2026-12-24T14:00", "end": "2026-12-24T15:00", "reason": "backup"}
    (sentence,) = notes(client, schedule="30 * * * *", blackouts=[blackout], **{**christmas, "count": 3})
    assert sentence.startswith("2026-12-24 14:30 is skipped: it lies in a blackout")
    assert "(backup)" in sentence
    (sentence,) = notes(client, schedule="0 3 * * *", jitter=300, name="job", **christmas)
    assert sentence.startswith("Each run starts up to 300 s after its time (jitter): the first one ")


def test_restrictions_are_described_and_obeyed(client: Client) -> None:
    found = preview(
        client,
        schedule="0 3 * * *",
        excludeCalendars=["weekends"],
        startTime="2026-12-01",
        endTime="2026-12-02",
        count=5,
        **{"from": "2026-11-20T00:00:00Z"},
    )
    assert found["next"] == ["2026-12-01T03:00:00Z", "2026-12-02T03:00:00Z"]
    assert "not on days in weekends" in found["description"]


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({}, "schedule", "schedule is empty"),
        ({"schedule": "every day"}, "schedule", "every day"),
        ({"schedule": "@daily", "scheduleTimeZone": "Mars/Base"}, "scheduleTimeZone", '"Mars/Base"'),
        ({"schedule": 5}, "schedule", "schedule is 5 but must be text."),
        ({"schedule": "@daily", "count": 0}, "count", "count is 0"),
        ({"schedule": "@daily", "count": 1001}, "count", "count is 1001"),
        ({"schedule": "@daily", "count": "3"}, "count", 'count is "3"'),
        ({"schedule": "@daily", "from": "now"}, "from", 'from is "now"'),
        ({"schedule": "@daily", "zone": "UTC"}, "zone", 'There is no field "zone" here'),
        ({"schedule": "@daily", "excludeCalendars": ["nowhere"]}, "excludeCalendars", '"nowhere"'),
        ({"schedule": "@daily", "jitter": "often"}, "jitter", '"often"'),
        ({"schedule": "@daily", "blackouts": [{}]}, "blackouts[0]", "a start and a later end"),
    ],
)
def test_what_cannot_be_previewed(client: Client, body: Any, field: str, words: str) -> None:
    answer = client.post("/api/schedules/preview", json=body)
    assert answer.status_code == 400
    assert answer.json["field"] == field
    assert words in answer.json["detail"]


@pytest.mark.parametrize("schedule", ["@daily", "R/2026-01-01T00:00:00Z/P1D", "R//PT1S", "R//P1Y", "0 0 29 2 *"])
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("zone", ["", "Pacific/Kiritimati", "America/Los_Angeles"])
def test_the_ends_of_time(client: Client, schedule: str, moment: str, zone: str) -> None:
    answer = client.post(
        "/api/schedules/preview", json={"schedule": schedule, "scheduleTimeZone": zone, "from": moment, "count": 2}
    )
    assert answer.status_code in (200, 400), answer.json
