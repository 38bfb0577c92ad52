"""The shapes of what the API takes and gives, as JSON Schemas of the OpenAPI document."""

from __future__ import annotations

from typing import Any

from chronos_py.model.chain import DependencyMode, TriggerRule
from chronos_py.model.document import DEFAULTS, NAME_LENGTH
from chronos_py.model.overlap import Overlap
from chronos_py.model.restrictions import WHEN, OnBlockedDay
from chronos_py.model.run import AttemptState, Outcome, Reason, RunState, Trigger
from chronos_py.model.schedule.catch_up import CatchUp
from chronos_py.services.backfills import MOST_PARALLEL
from chronos_py.services.schedules import MOST

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
YES_OR_NO: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
TIME: Schema = {"type": "string", "format": "date-time"}
TIME_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
TEXTS: Schema = {"type": "array", "items": TEXT}
WHOLE_OR_NULL: Schema = {"type": ["integer", "null"]}
_SIGNS: Schema = {"type": "array", "items": {"oneOf": [WHOLE, TEXT]}}
DURATION: Schema = {
    "type": ["number", "string", "null"],
    "description": "Seconds as a number, or an ISO 8601 duration such as PT90S.",
}


def reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def nothing_else(properties: Schema, *required: str) -> Schema:
    """An object with these properties only."""
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": list(required)} if required else schema


def always(properties: Schema) -> Schema:
    """An object that has all of these properties."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def _words(meaning: str, schema: Schema) -> Schema:
    return {**schema, "description": meaning}


def _pair_of_units() -> Schema:
    return {"type": "object", "required": ["name"], "properties": {"name": TEXT, "units": {**WHOLE, "minimum": 1}}}


def _pair(key: str) -> Schema:
    return {"type": "object", "required": [key], "properties": {key: TEXT, "value": TEXT}}


_CONTAINER: Schema = {
    "type": ["object", "null"],
    "description": "The container to run in; without one the pool's default image, or no container at all.",
    "properties": {
        "image": TEXT,
        "network": {"enum": ["HOST", "BRIDGE", "USER", "NONE"], "default": "HOST"},
        "networkName": TEXT,
        "forcePullImage": YES_OR_NO,
        "volumes": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["containerPath"],
                "properties": {"containerPath": TEXT, "hostPath": TEXT_OR_NULL, "mode": {"enum": ["RW", "RO"]}},
            },
        },
        "parameters": {"type": "array", "items": _pair("key")},
    },
}
_BLACKOUT: Schema = {
    "type": "object",
    "description": "A window from start to end, or one of a duration at each occurrence of a schedule.",
    "properties": {
        "start": TEXT_OR_NULL,
        "end": TEXT_OR_NULL,
        "schedule": TEXT_OR_NULL,
        "duration": DURATION,
        "reason": TEXT_OR_NULL,
    },
}
# Every field of DEFAULTS; a test holds the two together.
_FIELDS: Schema = {
    "name": {"type": "string", "minLength": 1, "maxLength": NAME_LENGTH},
    "description": TEXT,
    "command": _words("A shell line, or a program's path where shell is false.", TEXT),
    "shell": YES_OR_NO,
    "arguments": TEXTS,
    "environmentVariables": {"type": "array", "items": _pair("name")},
    "container": _CONTAINER,
    "schedule": _words("An ISO 8601 repeating interval R[n]/[start]/period, or a cron expression.", TEXT),
    "scheduleTimeZone": _words("A name of the tz database, such as Europe/Berlin.", TEXT),
    "parents": _words("Runs once when all of these have succeeded since it last ran.", TEXTS),
    "excludeCalendars": _words("Not on the days of these calendars.", TEXTS),
    "onlyCalendars": _words("Only on days of one of these calendars.", TEXTS),
    "onBlockedDay": _words(
        "What an occurrence on a day does that the calendars block: it is skipped, or moves to another day.",
        {"enum": [each.value for each in OnBlockedDay]},
    ),
    "blackouts": _words("Times in which no occurrence runs.", {"type": "array", "items": _BLACKOUT}),
    "startTime": _words("No occurrence before this time; in the job's zone unless it has an offset.", TEXT_OR_NULL),
    "endTime": _words("No occurrence after this time; a date stands for the whole day.", TEXT_OR_NULL),
    "jitter": _words(
        "Each run starts up to so much later, the same on every node. " + DURATION["description"], DURATION
    ),
    "disabled": YES_OR_NO,
    "retries": _words("Tries after the first one.", {"type": "integer", "minimum": 0, "maximum": 10_000}),
    "dependencyMode": _words(
        "Whether runs of its parents since it last ran count, or those for the same scheduled time.",
        {"enum": [mode.value for mode in DependencyMode]},
    ),
    "triggerRule": _words("What it waits for.", {"enum": [rule.value for rule in TriggerRule]}),
    "retryDelay": DURATION,
    "retryBackoff": _words(
        "A factor, or an object of factor, maximum and jitter (a share of the delay).",
        {"type": ["number", "object", "null"]},
    ),
    "retryOn": _words("Only what ends so is tried again: exit codes and words.", _SIGNS),
    "noRetryOn": _words("What ends so is not tried again.", _SIGNS),
    "disableAfterFailures": _words("So many failed runs in a row pause the job.", WHOLE_OR_NULL),
    "overlap": {"enum": [policy.value for policy in Overlap]},
    "catchUp": {"enum": [mode.value for mode in CatchUp]},
    "catchUpLimit": {"type": "integer", "minimum": 1, "maximum": 10_000},
    "startDeadline": _words("An occurrence later than this is skipped. " + DURATION["description"], DURATION),
    "timeout": DURATION,
    "startupTimeout": _words("How long its launch may take. " + DURATION["description"], DURATION),
    "cpuTimeLimit": DURATION,
    "gracePeriod": DURATION,
    "cpus": {"type": "number", "exclusiveMinimum": 0},
    "mem": _words("Mebibytes.", {"type": "number", "exclusiveMinimum": 0}),
    "disk": _words("Mebibytes.", {"type": "number", "exclusiveMinimum": 0}),
    "maxConcurrent": _words("At most so many runs at a time, where overlap allows several.", WHOLE_OR_NULL),
    "concurrencyLimits": _words(
        "Limits that it shares with other jobs: names, or objects of a name and the units a run takes.",
        {"type": "array", "items": {"oneOf": [TEXT, _pair_of_units()]}},
    ),
    "priority": _words("Goes before runs that wait so many minutes longer.", WHOLE),
    "weight": _words("Its share where a limit is short.", {"type": "number", "exclusiveMinimum": 0}),
    "highPriority": YES_OR_NO,
    "softError": YES_OR_NO,
    "runAsUser": TEXT,
    "owner": TEXT,
    "ownerName": TEXT,
    "labels": _words("What jobs are sorted and chosen by.", {"type": "object", "additionalProperties": TEXT}),
}
# What the server keeps about a job: shown with it, ignored when it comes back.
_KEPT: Schema = {
    "revision": WHOLE,
    "state": {"enum": ["idle", "queued", "running"]},
    "lastOutcome": {"enum": ["fresh", "success", "failure"]},
    "scheduleDescription": TEXT,
    "nextRun": TIME_OR_NULL,
    "repetitionsLeft": {"type": ["integer", "null"]},
    "successCount": COUNT,
    "errorCount": COUNT,
    "errorsSinceLastSuccess": COUNT,
    "lastSuccess": TIME_OR_NULL,
    "lastError": TIME_OR_NULL,
    "createdAt": TIME,
    "updatedAt": TIME,
    "lastRuns": {"type": "array", "items": always({"id": WHOLE, "state": TEXT})},
    "children": TEXTS,
}
KEPT_BY_SERVER = frozenset(_KEPT)


def _job_fields() -> Schema:
    return {name: {**_FIELDS[name], "default": default} for name, default in DEFAULTS.items()}


def _job() -> Schema:
    """Unknown fields are kept: they belong to whoever put them there."""
    kept = {name: {**schema, "readOnly": True} for name, schema in _KEPT.items()}
    return {"type": "object", "properties": {**_job_fields(), **kept}, "additionalProperties": True}


def _run_fields() -> Schema:
    return {
        "id": WHOLE,
        "job": TEXT,
        "trigger": {"enum": [trigger.value for trigger in Trigger]},
        "state": {"enum": [state.value for state in RunState]},
        "reason": {"enum": [reason.value for reason in Reason]},
        "message": TEXT,
        "scheduledTime": TIME,
        "scheduledUntil": TIME_OR_NULL,
        "occurrences": _words(
            "More than 1 in a row that stands for several skipped ones.", {"type": ["integer", "null"]}
        ),
        "createdAt": TIME,
        "notBefore": _words("While it waits: when it may start.", TIME_OR_NULL),
        "startedAt": TIME_OR_NULL,
        "finishedAt": TIME_OR_NULL,
        "attemptCount": COUNT,
        "revision": WHOLE,
        "requestedBy": TEXT,
        "rootRun": _words("The run that started the wave.", WHOLE),
        "parentRun": {"type": ["integer", "null"]},
        "backfill": _words("The backfill that it belongs to.", {"type": ["integer", "null"]}),
        "note": _words("What was special when it was made, such as a run that it waited for.", TEXT),
        "outcome": _words(
            "What its children see: a soft error, and a failure that was marked successful, is a success.",
            {"enum": [outcome.value for outcome in Outcome]},
        ),
        "startsChildren": YES_OR_NO,
        "intervalStart": _words("With scheduledTime the time whose data it is for.", TIME_OR_NULL),
        "outputs": _words("What its task wrote for its children.", {"type": "object", "additionalProperties": TEXT}),
        "startBefore": _words("While it is queued: when it is skipped instead (startDeadline).", TIME_OR_NULL),
        "overrides": always(
            {
                "arguments": {"type": ["array", "null"], "items": TEXT},
                "environment": {"type": "object", "additionalProperties": TEXT},
            }
        ),
    }


def _attempt_fields() -> Schema:
    number_or_null: Schema = {"type": ["number", "null"]}
    return {
        "number": WHOLE,
        "state": {"enum": [state.value for state in AttemptState]},
        "exitCode": {"type": ["integer", "null"]},
        "reason": {"enum": [reason.value for reason in Reason]},
        "message": TEXT,
        "pool": TEXT,
        "node": TEXT,
        "task": TEXT,
        "handle": TEXT,
        "epoch": WHOLE,
        "revision": WHOLE,
        "createdAt": TIME_OR_NULL,
        "launchedAt": TIME_OR_NULL,
        "startedAt": TIME_OR_NULL,
        "finishedAt": TIME_OR_NULL,
        "killRequestedAt": TIME_OR_NULL,
        "unreachableSince": TIME_OR_NULL,
        "cpuSeconds": number_or_null,
        "maxMemoryMb": number_or_null,
    }


OVERRIDES = nothing_else(
    {
        "arguments": {"type": ["array", "null"], "items": TEXT},
        "environment": {"type": ["object", "null"], "additionalProperties": TEXT},
        "scheduledTime": TIME_OR_NULL,
        "withChildren": _words("Whether the jobs after it run too.", {"type": ["boolean", "null"], "default": True}),
    }
)
RERUN = nothing_else(
    {"fromFailure": _words("Also what did not succeed after it in its wave.", {"type": ["boolean", "null"]})}
)
MARK = nothing_else({"note": _words("Why.", TEXT_OR_NULL)})
LIMIT_REQUEST = nothing_else({"units": {**WHOLE, "minimum": 1}, "description": TEXT_OR_NULL}, "units")
PREVIEW = nothing_else(
    {
        "schedule": TEXT,
        "scheduleTimeZone": TEXT_OR_NULL,
        **{name: _FIELDS[name] for name in WHEN},
        "name": TEXT_OR_NULL,
        "count": {"type": ["integer", "null"], "minimum": 1, "maximum": MOST, "default": 10},
        "from": _words("The times are those after this one; default: now.", TIME_OR_NULL),
    },
    "schedule",
)
PREVIEWED = always(
    {
        "next": {"type": "array", "items": TIME},
        "description": TEXT,
        "notes": _words("What is odd about these times, a sentence each.", TEXTS),
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
        "includes": _words(
            "Built-in calendars: weekends, DE, DE-BY, NYSE ...", {"type": ["array", "null"], "items": TEXT}
        ),
        "exceptDates": {"type": ["array", "null"], "items": TEXT},
    }
)
BACKFILL_REQUEST = nothing_else(
    {
        "from": _words("The first day or time, still in it.", TEXT),
        "to": _words("The last day or time, still in it.", TEXT),
        "parallel": {"type": ["integer", "null"], "minimum": 1, "maximum": MOST_PARALLEL, "default": 1},
        "withChildren": _words("Run the jobs after it too.", {"type": ["boolean", "null"]}),
        "force": _words("Run again what has run.", {"type": ["boolean", "null"]}),
        "dryRun": _words("Only tell what it would do.", {"type": ["boolean", "null"]}),
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
GRAPH = always(
    {
        "nodes": {"type": "array", "items": always({"name": TEXT, "state": TEXT})},
        "edges": {"type": "array", "items": always({"parent": TEXT, "child": TEXT})},
    }
)
LEADER = always(
    {
        "leader": TEXT_OR_NULL,
        "epoch": WHOLE,
        "since": TIME_OR_NULL,
        "isLeader": _words("Whether the node that answers leads.", YES_OR_NO),
        "address": TEXT,
        "pool": TEXT,
    }
)
READINESS = always({"ready": YES_OR_NO, "problems": TEXTS})


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
        "runs": _words("Its own runs by state.", counts),
        "childRuns": _words("The runs that followed from them by state.", counts),
    }


def _calendar_fields() -> Schema:
    return {
        "name": TEXT,
        "builtIn": YES_OR_NO,
        "revision": WHOLE,
        "definition": _words("As it was written; null for a built-in one.", {"type": ["object", "null"]}),
        "updatedAt": TIME_OR_NULL,
        "author": TEXT,
        "year": WHOLE,
        "days": {"type": "array", "items": always({"date": TEXT, "name": TEXT})},
        "jobs": _words("The jobs that obey it.", TEXTS),
    }


def components() -> dict[str, Schema]:
    """The shapes that are used more than once, by name."""
    problem = always({"type": TEXT, "title": TEXT, "status": WHOLE, "detail": TEXT})
    problem["properties"]["field"] = _words("The field or parameter that is wrong.", TEXT)
    following = _words("The cursor of the page after this one; null on the last.", TEXT_OR_NULL)
    return {
        "Job": _job(),
        "JobPage": always({"jobs": {"type": "array", "items": reference("Job")}, "next": following}),
        "Run": always(_run_fields()),
        "RunDetail": always(
            {
                **_run_fields(),
                "waitsFor": _words("While it waits: for what, in words.", TEXT),
                "attempts": {"type": "array", "items": reference("Attempt")},
            },
        ),
        "Backfill": always(_backfill_fields()),
        "BackfillPage": always({"backfills": {"type": "array", "items": reference("Backfill")}, "next": following}),
        "Limit": always(
            {
                "name": TEXT,
                "units": WHOLE,
                "taken": _words("By runs that have a task now.", COUNT),
                "description": TEXT,
                "author": TEXT,
                "updatedAt": TIME,
                "jobs": TEXTS,
            }
        ),
        "Calendar": always(_calendar_fields()),
        "RunPage": always({"runs": {"type": "array", "items": reference("Run")}, "next": following}),
        "Attempt": always(_attempt_fields()),
        "Problem": problem,
    }
