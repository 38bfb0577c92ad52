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
