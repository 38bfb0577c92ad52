"""The shapes about schedules, calendars, backfills and limits."""

from __future__ import annotations

from chronos_py.api.schemas import JOB_FIELDS
from chronos_py.api.shapes import (
    COUNT,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    TIME,
    TIME_OR_NULL,
    WHOLE,
    YES_OR_NO,
    Schema,
    always,
    described,
    nothing_else,
    reference,
)
from chronos_py.model.restrictions import WHEN
from chronos_py.services.backfills import MOST_PARALLEL
from chronos_py.services.schedules import MOST

LIMIT_REQUEST = nothing_else({"units": {**WHOLE, "minimum": 1}, "description": TEXT_OR_NULL}, "units")
PREVIEW = nothing_else(
    {
        "schedule": TEXT,
        "scheduleTimeZone": TEXT_OR_NULL,
        **{name: JOB_FIELDS[name] for name in WHEN},
        "name": TEXT_OR_NULL,
        "count": {"type": ["integer", "null"], "minimum": 1, "maximum": MOST, "default": 10},
        "from": described("The times are those after this one; default: now.", TIME_OR_NULL),
    },
    "schedule",
)
PREVIEWED = always(
    {
        "next": {"type": "array", "items": TIME},
        "description": TEXT,
        "notes": described("What is odd about these times, a sentence each.", TEXTS),
    }
)
CALENDAR = nothing_else(
    {
        "name": TEXT,
        "description": TEXT_OR_NULL,
        "dates": {
            "type": ["array", "null"],
            "items": {"oneOf": [TEXT, nothing_else({"date": TEXT, "name": TEXT_OR_NULL}, "date")]},
            "description": "2026-12-24, or 12-24 for every year.",
        },
        "weekdays": {"type": ["array", "null"], "items": TEXT},
        "includes": described(
            "Built-in calendars: weekends, DE, DE-BY, NYSE ...", {"type": ["array", "null"], "items": TEXT}
        ),
        "exceptDates": {"type": ["array", "null"], "items": TEXT},
    }
)
BACKFILL_REQUEST = nothing_else(
    {
        "from": described("The first day or time, still in it.", TEXT),
        "to": described("The last day or time, still in it.", TEXT),
        "parallel": {"type": ["integer", "null"], "minimum": 1, "maximum": MOST_PARALLEL, "default": 1},
        "withChildren": described("Run the jobs after it too.", {"type": ["boolean", "null"]}),
        "force": described("Run again what has run.", {"type": ["boolean", "null"]}),
        "dryRun": described("Only tell what it would do.", {"type": ["boolean", "null"]}),
    },
    "from",
    "to",
)
BACKFILL_PLAN = always(
    {
        "from": TIME,
        "to": TIME,
        "occurrences": {"type": "array", "items": TIME},
        "leftOut": {"type": "array", "items": always({"time": TIME, "run": WHOLE, "state": TEXT})},
    }
)


def _backfill_fields() -> Schema:
    counts: Schema = {"type": "object", "additionalProperties": COUNT}
    return {
        "id": WHOLE,
        "job": TEXT,
        "state": {"enum": ["running", "succeeded", "failed", "cancelled"]},
        "from": TIME,
        "to": TIME,
        "parallel": WHOLE,
        "withChildren": YES_OR_NO,
        "force": YES_OR_NO,
        "requestedBy": TEXT,
        "createdAt": TIME,
        "cancelledAt": TIME_OR_NULL,
        "cancelledBy": TEXT,
        "finishedAt": TIME_OR_NULL,
        "total": COUNT,
        "ended": COUNT,
        "runs": described("Its own runs by state.", counts),
        "childRuns": described("The runs that followed from them by state.", counts),
    }


def _calendar_fields() -> Schema:
    return {
        "name": TEXT,
        "builtIn": YES_OR_NO,
        "revision": WHOLE,
        "definition": described("As it was written; null for a built-in one.", {"type": ["object", "null"]}),
        "updatedAt": TIME_OR_NULL,
        "author": TEXT,
        "year": WHOLE,
        "days": {"type": "array", "items": always({"date": TEXT, "name": TEXT})},
        "jobs": described("The jobs that obey it.", TEXTS),
    }


def components() -> dict[str, Schema]:
    """Those that are used more than once, by name."""
    following = described("The cursor of the page after this one; null on the last.", TEXT_OR_NULL)
    return {
        "Backfill": always(_backfill_fields()),
        "BackfillPage": always({"backfills": {"type": "array", "items": reference("Backfill")}, "next": following}),
        "Limit": always(
            {
                "name": TEXT,
                "units": WHOLE,
                "taken": described("By runs that have a task now.", COUNT),
                "description": TEXT,
                "author": TEXT,
                "updatedAt": TIME,
                "jobs": TEXTS,
            }
        ),
        "Calendar": always(_calendar_fields()),
    }
