"""/api/calendars"""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.client import Client

CLOSING = {"description": "When nobody is here", "dates": ["2026-12-24", {"date": "12-31", "name": "New Year's Eve"}]}


def test_a_calendar_is_created_changed_and_deleted(client: Client) -> None:
    created = client.put("/api/calendars/closing", json=CLOSING)
    assert (created.status_code, created.headers["ETag"]) == (201, '"1"')
    shown = client.get("/api/calendars/closing?year=2026").json
    assert shown["definition"] == {"name": "closing", **CLOSING}
    assert shown["days"] == [
        {"date": "2026-12-24", "name": "closing"},
        {"date": "2026-12-31", "name": "New Year's Eve"},
    ]
    assert (shown["builtIn"], shown["revision"], shown["jobs"]) == (False, 1, [])
    same = client.put("/api/calendars/closing", json={**CLOSING, "name": "closing"})
    assert (same.status_code, same.headers["ETag"]) == (200, '"1"'), "nothing has changed"
    changed = client.put("/api/calendars/closing", json={"weekdays": ["fri"]}, headers={"If-Match": '"1"'})
    assert changed.headers["ETag"] == '"2"'
    stale = client.put("/api/calendars/closing", json=CLOSING, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    assert client.put("/api/calendars/closing", json=CLOSING, headers={"If-None-Match": "*"}).status_code == 412
    listed = client.get("/api/calendars").json
    assert listed["calendars"] == [{"name": "closing", "weekdays": ["fri"], "revision": 2}]
    assert {"weekends", "DE", "NYSE"} <= set(listed["builtIn"])
    assert client.delete("/api/calendars/closing").status_code == 204
    assert client.get("/api/calendars/closing").status_code == 404


def test_built_in_calendars_are_shown_and_stay(client: Client) -> None:
    shown = client.get("/api/calendars/DE-BY?year=2026").json
    assert {"date": "2026-01-06", "name": "Epiphany"} in shown["days"]
    assert shown["builtIn"] is True
    assert client.delete("/api/calendars/DE").status_code == 409
    assert client.put("/api/calendars/DE", json=CLOSING).json["field"] == "name"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "dates"),
        ({"dates": ["24.12."]}, "dates[0]"),
        ({"name": "other", "dates": ["12-24"]}, "name"),
        ({"days": ["12-24"]}, "days"),
        ({"dates": ["12-24"], "description": 5}, "description"),
        ({"includes": ["nowhere"]}, "includes[0]"),
    ],
)
def test_what_is_no_calendar(client: Client, body: Any, field: str) -> None:
    answer = client.put("/api/calendars/closing", json=body)
    assert (answer.status_code, answer.json["field"]) == (400, field)
    assert client.get("/api/calendars").json["calendars"] == []


@pytest.mark.parametrize("path", ["/api/calendars/nowhere", "/api/calendars/closing?year=2026", "/api/calendars/XX"])
def test_what_is_not_there(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404
    assert client.delete(path.partition("?")[0]).status_code == 404


def test_a_calendar_that_a_job_obeys_is_kept(client: Client) -> None:
    client.put("/api/calendars/closing", json=CLOSING)
    client.put(
        "/api/jobs/daily", json={"command": "true", "schedule": "@daily", "excludeCalendars": ["closing", "DE"]}
    )
    assert client.get("/api/calendars/closing").json["jobs"] == ["daily"]
    assert client.get("/api/calendars/DE").json["jobs"] == ["daily"]
    refused = client.delete("/api/calendars/closing")
    assert refused.status_code == 409
    assert "daily" in refused.json["detail"]
    client.patch("/api/jobs/daily", json={"excludeCalendars": None})
    assert client.delete("/api/calendars/closing").status_code == 204


def test_a_job_says_which_calendar_is_unknown(client: Client) -> None:
    body = {"command": "true", "schedule": "@daily", "onlyCalendars": ["nowhere"]}
    answer = client.put("/api/jobs/daily", json=body)
    assert (answer.status_code, answer.json["field"]) == (400, "onlyCalendars")
    assert '"nowhere"' in answer.json["detail"]
    many = client.post("/api/jobs", json={"jobs": [{"name": "daily", **body}]})
    assert many.status_code == 400
