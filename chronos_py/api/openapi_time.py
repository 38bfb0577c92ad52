"""The part of the OpenAPI document about schedules, calendars and backfills."""

from __future__ import annotations

from chronos_py.api import schemas_time, shapes
from chronos_py.api.operations import (
    CURSOR,
    ETAG,
    IF_MATCH,
    IF_NONE_MATCH,
    LIMIT_PARAMETER,
    NAME,
    accepted,
    answer,
    operation,
    parameter,
    query,
    with_headers,
)
from chronos_py.api.shapes import Schema, reference

_YEAR = query("year", {"type": "integer", "minimum": 1, "maximum": 9999}, "Whose days are told; default: this one.")
_CALENDAR_NAME = parameter("name", "path", {"type": "string"}, "The calendar's name.")
_BACKFILL_ID = parameter("backfill_id", "path", {"type": "integer"}, "The backfill's number.")


def _calendar_answer(description: str) -> Schema:
    return with_headers(answer(description, reference("Calendar")), ETag=ETAG)


def _calendar_paths() -> dict[str, Schema]:
    every: Schema = shapes.always(
        {"calendars": {"type": "array", "items": {"type": "object"}}, "builtIn": shapes.TEXTS}
    )
    return {
        "/api/calendars": {
            "get": operation(
                "listCalendars",
                "The calendars that people defined, and the names of built-in ones",
                {"200": answer("All of them", every)},
            )
        },
        "/api/calendars/{name}": {
            "get": operation(
                "getCalendar",
                "A calendar with its days in a year",
                {"200": _calendar_answer("The calendar")},
                *(_CALENDAR_NAME, _YEAR),
                refusals=("400", "404"),
            ),
            "put": operation(
                "putCalendar",
                "Create a calendar or replace its days; jobs that obey it find their next run anew",
                {"200": _calendar_answer("Replaced, or unchanged"), "201": _calendar_answer("Created")},
                *(_CALENDAR_NAME, IF_MATCH, IF_NONE_MATCH),
                body=schemas_time.CALENDAR,
                refusals=("400", "412"),
            ),
            "delete": operation(
                "deleteCalendar",
                "Delete a calendar that no job obeys",
                {"204": answer("Deleted")},
                _CALENDAR_NAME,
                refusals=("400", "404", "409"),
            ),
        },
    }


def _backfill_paths() -> dict[str, Schema]:
    page = {"200": answer("A page", reference("BackfillPage"))}
    cancel = shapes.nothing_else({"kill": shapes.YES_OR_NO})
    return {
        "/api/backfills": {
            "get": operation("listBackfills", "Backfills, newest first", page, LIMIT_PARAMETER, CURSOR)
        },
        "/api/jobs/{name}/backfills": {
            "get": operation(
                "listJobBackfills",
                "Backfills of a job, newest first",
                page,
                *(NAME, LIMIT_PARAMETER, CURSOR),
                refusals=("400", "404"),
            ),
            "post": operation(
                "backfillJob",
                "Run the past occurrences of a job that have not run",
                {**accepted("Backfill", "backfill"), "200": answer("What it would do", schemas_time.BACKFILL_PLAN)},
                NAME,
                body=schemas_time.BACKFILL_REQUEST,
                refusals=("400", "404", "409"),
            ),
        },
        "/api/backfills/{backfill_id}": {
            "get": operation(
                "getBackfill",
                "A backfill and how far it is",
                {"200": answer("The backfill", reference("Backfill"))},
                _BACKFILL_ID,
                refusals=("400", "404"),
            )
        },
        "/api/backfills/{backfill_id}/cancel": {
            "post": operation(
                "cancelBackfill",
                "Begin nothing more of a backfill; with kill, end what runs too",
                accepted("Backfill", "backfill"),
                _BACKFILL_ID,
                body=cancel,
                body_required=False,
                refusals=("400", "404", "409"),
            )
        },
    }


def time_paths() -> dict[str, Schema]:
    """Everything about when jobs run."""
    preview = operation(
        "previewSchedule",
        "The next times of a schedule, what it means in words, and what is odd about them",
        {"200": answer("The times", schemas_time.PREVIEWED)},
        body=schemas_time.PREVIEW,
    )
    return {"/api/schedules/preview": {"post": preview}, **_calendar_paths(), **_backfill_paths()}
