"""The shapes of what the API takes and gives, as JSON Schemas of the OpenAPI document."""

from __future__ import annotations

from chronos_py.api.schemas_task import CONTAINER, TASK_FIELDS
from chronos_py.api.shapes import (
    COUNT,
    DURATION,
    SIGNS,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    TIME,
    TIME_OR_NULL,
    WHOLE,
    WHOLE_OR_NULL,
    YES_OR_NO,
    Schema,
    always,
    described,
    nothing_else,
    reference,
)
from chronos_py.model.chain import DependencyMode, TriggerRule
from chronos_py.model.document import DEFAULTS, NAME_LENGTH
from chronos_py.model.overlap import Overlap
from chronos_py.model.restrictions import OnBlockedDay
from chronos_py.model.run import AttemptState, Outcome, Reason, RunState, Trigger
from chronos_py.model.schedule.catch_up import CatchUp


def _pair_of_units() -> Schema:
    return {"type": "object", "required": ["name"], "properties": {"name": TEXT, "units": {**WHOLE, "minimum": 1}}}


def _pair(key: str) -> Schema:
    return {"type": "object", "required": [key], "properties": {key: TEXT, "value": TEXT}}


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
JOB_FIELDS: Schema = {
    "name": {"type": "string", "minLength": 1, "maxLength": NAME_LENGTH},
    "description": TEXT,
    "command": described("A shell line, or a program's path where shell is false.", TEXT),
    "shell": YES_OR_NO,
    "arguments": TEXTS,
    "environmentVariables": {"type": "array", "items": _pair("name")},
    "container": CONTAINER,
    "schedule": described("An ISO 8601 repeating interval R[n]/[start]/period, or a cron expression.", TEXT),
    "scheduleTimeZone": described("A name of the tz database, such as Europe/Berlin.", TEXT),
    "parents": described("Runs once when all of these have succeeded since it last ran.", TEXTS),
    "excludeCalendars": described("Not on the days of these calendars.", TEXTS),
    "onlyCalendars": described("Only on days of one of these calendars.", TEXTS),
    "onBlockedDay": described(
        "What an occurrence on a day does that the calendars block: it is skipped, or moves to another day.",
        {"enum": [each.value for each in OnBlockedDay]},
    ),
    "blackouts": described("Times in which no occurrence runs.", {"type": "array", "items": _BLACKOUT}),
    "startTime": described("No occurrence before it; in the job's zone unless it has an offset.", TEXT_OR_NULL),
    "endTime": described("No occurrence after this time; a date stands for the whole day.", TEXT_OR_NULL),
    "jitter": described(
        "Each run starts up to so much later, the same on every node. " + DURATION["description"], DURATION
    ),
    "disabled": YES_OR_NO,
    "retries": described("Tries after the first one.", {"type": "integer", "minimum": 0, "maximum": 10_000}),
    "dependencyMode": described(
        "Whether runs of its parents since it last ran count, or those for the same scheduled time.",
        {"enum": [mode.value for mode in DependencyMode]},
    ),
    "triggerRule": described("What it waits for.", {"enum": [rule.value for rule in TriggerRule]}),
    "retryDelay": DURATION,
    "retryBackoff": described(
        "A factor, or an object of factor, maximum and jitter (a share of the delay).",
        {"type": ["number", "object", "null"]},
    ),
    "retryOn": described("Only what ends so is tried again: exit codes and words.", SIGNS),
    "noRetryOn": described("What ends so is not tried again.", SIGNS),
    "disableAfterFailures": described("So many failed runs in a row pause the job.", WHOLE_OR_NULL),
    "overlap": {"enum": [policy.value for policy in Overlap]},
    "catchUp": {"enum": [mode.value for mode in CatchUp]},
    "catchUpLimit": {"type": "integer", "minimum": 1, "maximum": 10_000},
    "startDeadline": described("An occurrence later than this is skipped. " + DURATION["description"], DURATION),
    "timeout": DURATION,
    "startupTimeout": described("How long its launch may take. " + DURATION["description"], DURATION),
    "cpuTimeLimit": DURATION,
    "gracePeriod": DURATION,
    "cpus": {"type": "number", "exclusiveMinimum": 0},
    "mem": described("Mebibytes.", {"type": "number", "exclusiveMinimum": 0}),
    "disk": described("Mebibytes.", {"type": "number", "exclusiveMinimum": 0}),
    "maxConcurrent": described("At most so many runs at a time, where overlap allows several.", WHOLE_OR_NULL),
    "concurrencyLimits": described(
        "Limits that it shares with other jobs: names, or objects of a name and the units a run takes.",
        {"type": "array", "items": {"oneOf": [TEXT, _pair_of_units()]}},
    ),
    "priority": described("Goes before runs that wait so many minutes longer.", WHOLE),
    "weight": described("Its share where a limit is short.", {"type": "number", "exclusiveMinimum": 0}),
    "highPriority": YES_OR_NO,
    "softError": YES_OR_NO,
    "runAsUser": TEXT,
    "owner": TEXT,
    "ownerName": TEXT,
    "labels": described("What jobs are sorted and chosen by.", {"type": "object", "additionalProperties": TEXT}),
    **TASK_FIELDS,
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
    return {name: {**JOB_FIELDS[name], "default": default} for name, default in DEFAULTS.items()}


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
        "occurrences": described(
            "More than 1 in a row that stands for several skipped ones.", {"type": ["integer", "null"]}
        ),
        "createdAt": TIME,
        "notBefore": described("While it waits: when it may start.", TIME_OR_NULL),
        "startedAt": TIME_OR_NULL,
        "finishedAt": TIME_OR_NULL,
        "attemptCount": COUNT,
        "revision": WHOLE,
        "requestedBy": TEXT,
        "rootRun": described("The run that started the wave.", WHOLE),
        "parentRun": {"type": ["integer", "null"]},
        "backfill": described("The backfill that it belongs to.", {"type": ["integer", "null"]}),
        "note": described("What was special when it was made, such as a run that it waited for.", TEXT),
        "outcome": described(
            "What its children see: a soft error, and a failure that was marked successful, is a success.",
            {"enum": [outcome.value for outcome in Outcome]},
        ),
        "startsChildren": YES_OR_NO,
        "intervalStart": described("With scheduledTime the time whose data it is for.", TIME_OR_NULL),
        "outputs": described(
            "What its task left for its children.", {"type": "object", "additionalProperties": TEXT}
        ),
        "startBefore": described("While it is queued: when it is skipped instead (startDeadline).", TIME_OR_NULL),
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
        "withChildren": described("Run the jobs after it too.", {"type": ["boolean", "null"], "default": True}),
    }
)
RERUN = nothing_else(
    {"fromFailure": described("Also what did not succeed after it in its wave.", {"type": ["boolean", "null"]})}
)
MARK = nothing_else({"note": described("Why.", TEXT_OR_NULL)})
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
        "isLeader": described("Whether the node that answers leads.", YES_OR_NO),
        "address": TEXT,
        "pool": TEXT,
    }
)
READINESS = always({"ready": YES_OR_NO, "problems": TEXTS})


def components() -> dict[str, Schema]:
    """The shapes that are used more than once, by name."""
    problem = always({"type": TEXT, "title": TEXT, "status": WHOLE, "detail": TEXT})
    problem["properties"]["field"] = described("The field or parameter that is wrong.", TEXT)
    following = described("The cursor of the page after this one; null on the last.", TEXT_OR_NULL)
    return {
        "Job": _job(),
        "JobPage": always({"jobs": {"type": "array", "items": reference("Job")}, "next": following}),
        "Run": always(_run_fields()),
        "RunDetail": always(
            {
                **_run_fields(),
                "waitsFor": described("While it waits: for what, in words.", TEXT),
                "attempts": {"type": "array", "items": reference("Attempt")},
            },
        ),
        "RunPage": always({"runs": {"type": "array", "items": reference("Run")}, "next": following}),
        "Attempt": always(_attempt_fields()),
        "Problem": problem,
    }
