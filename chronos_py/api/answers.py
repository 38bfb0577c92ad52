"""JSON shapes of what the API answers, and typed access to what it is asked."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from http import HTTPStatus
from typing import Any

from flask import Response, g, jsonify, request

from chronos_py.errors import InvalidDefinition
from chronos_py.model.document import complete, shown
from chronos_py.model.job import Job, last_outcome
from chronos_py.model.run import Attempt, Overrides, Run, RunState
from chronos_py.services.jobs import JobSummary
from chronos_py.services.schedules import describe_definition

# What the server keeps about a job: shown with it, ignored when it comes back.
KEPT_BY_SERVER = (
    "revision",
    "state",
    "lastOutcome",
    "scheduleDescription",
    "nextRun",
    "repetitionsLeft",
    "successCount",
    "errorCount",
    "errorsSinceLastSuccess",
    "lastSuccess",
    "lastError",
    "createdAt",
    "updatedAt",
    "children",
    "lastRuns",
)


def instant(moment: datetime | None) -> str | None:
    """ISO 8601 with an offset."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def job_state(summary: JobSummary) -> str:
    if summary.active:
        return "running"
    return "queued" if summary.waiting else "idle"


def job_document(job: Job) -> dict[str, Any]:
    """The document with its defaults and what the server keeps about the job."""
    counters = job.counters
    document = {name: value for name, value in complete(job.document).items() if name not in KEPT_BY_SERVER}
    return {
        **document,
        "revision": job.revision,
        "lastOutcome": last_outcome(counters),
        "scheduleDescription": describe_definition(job.definition),
        "nextRun": instant(job.next_due),
        "repetitionsLeft": job.repetitions_left,
        "successCount": counters.success_count,
        "errorCount": counters.error_count,
        "errorsSinceLastSuccess": counters.errors_since_last_success,
        "lastSuccess": instant(counters.last_success),
        "lastError": instant(counters.last_error),
        "createdAt": instant(job.created_at),
        "updatedAt": instant(job.updated_at),
    }


def summary_document(summary: JobSummary) -> dict[str, Any]:
    """A job and how it stands."""
    return {
        **job_document(summary.job),
        "state": job_state(summary),
        "lastRuns": [{"id": run_id, "state": state} for run_id, state in summary.last_runs],
    }


def run_document(run: Run) -> dict[str, Any]:
    arguments = run.overrides.arguments
    return {
        "id": run.id,
        "job": run.job_name,
        "trigger": run.trigger.value,
        "state": run.state.value,
        "reason": run.reason.value,
        "message": run.message,
        "scheduledTime": instant(run.scheduled_at),
        "scheduledUntil": instant(run.scheduled_until),
        "occurrences": run.occurrences,
        "createdAt": instant(run.created_at),
        "notBefore": instant(run.not_before),
        "startedAt": instant(run.started_at),
        "finishedAt": instant(run.finished_at),
        "attemptCount": run.attempts,
        "revision": run.revision,
        "requestedBy": run.requested_by,
        "rootRun": run.root_run_id or run.id,
        "parentRun": run.parent_run_id,
        "overrides": {
            "arguments": None if arguments is None else list(arguments),
            "environment": dict(run.overrides.environment),
        },
    }


def attempt_document(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "state": attempt.state.value,
        "exitCode": attempt.exit_code,
        "reason": attempt.reason.value,
        "message": attempt.message,
        "pool": attempt.pool,
        "node": attempt.node,
        "task": attempt.task_name,
        "handle": attempt.handle,
        "epoch": attempt.epoch,
        "revision": attempt.revision,
        "createdAt": instant(attempt.created_at),
        "launchedAt": instant(attempt.launched_at),
        "startedAt": instant(attempt.started_at),
        "finishedAt": instant(attempt.finished_at),
        "killRequestedAt": instant(attempt.kill_requested_at),
        "unreachableSince": instant(attempt.unreachable_since),
        "cpuSeconds": attempt.cpu_seconds,
        "maxMemoryMb": attempt.max_memory_mb,
    }


def problem(status: int, detail: str, field: str | None = None) -> Response:
    """A problem document (RFC 9457); ``field`` names the field that is wrong."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if field is not None:
        document["field"] = field
    answer = jsonify(document)
    answer.status_code = status
    answer.content_type = "application/problem+json"
    return answer


# What was asked


def person() -> str:
    """Who asks, "" when the server knows nobody by name."""
    name: str = g.get("person", "")
    return name


def json_object() -> dict[str, Any]:
    """The request's body, which must be a JSON object. Raises InvalidDefinition."""
    body = request.get_json(force=True, silent=True, cache=True)
    if body is None:
        raise InvalidDefinition("The request body is not JSON; send a JSON object.")
    if not isinstance(body, dict):
        raise InvalidDefinition(f"The request body is {shown(body)} but must be a JSON object.")
    return body


def optional_json_object() -> dict[str, Any]:
    """The request's body, an empty object when there is none."""
    return json_object() if request.get_data(cache=True).strip() else {}


def integer_argument(name: str, default: int | None, minimum: int, maximum: int) -> int | None:
    """A whole number from the query string. Raises InvalidDefinition."""
    text = request.args.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.removeprefix("-").isdigit() or not minimum <= int(text) <= maximum:
        raise InvalidDefinition(
            f"{name} is {shown(text)} but must be a whole number from {minimum} to {maximum}.", name
        )
    return int(text)


def limit_argument(default: int = 50, maximum: int = 500) -> int:
    limit = integer_argument("limit", default, 1, maximum)
    assert limit is not None
    return limit


def choice_argument(name: str, allowed: Iterable[str]) -> str | None:
    """One of ``allowed`` from the query string, None when it is not given. Raises InvalidDefinition."""
    text = request.args.get(name)
    allowed = list(allowed)
    if text is not None and text not in allowed:
        raise InvalidDefinition(f"{name} is {shown(text)} but must be one of {', '.join(allowed)}.", name)
    return text


def states_argument() -> list[RunState]:
    """``state=a,b`` from the query string. Raises InvalidDefinition."""
    states = []
    for text in filter(None, request.args.get("state", "").split(",")):
        if text not in set(RunState):
            raise InvalidDefinition(f"state is {shown(text)} but must be one of {', '.join(RunState)}.", "state")
        states.append(RunState(text))
    return states


def time_field(body: dict[str, Any], name: str) -> datetime | None:
    """An ISO 8601 time with an offset. Raises InvalidDefinition."""
    value = body.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidDefinition(
            f"{name} is {shown(value)} but must be an ISO 8601 time with an offset, such as 2026-01-01T03:00:00Z.",
            name,
        )
    return moment


def overrides_fields(body: dict[str, Any]) -> Overrides:
    """``arguments`` and ``environment`` of a forced run. Raises InvalidDefinition."""
    arguments, environment = body.get("arguments"), body.get("environment") or {}
    if arguments is not None and not (isinstance(arguments, list) and _all_text(arguments)):
        raise InvalidDefinition(f"arguments is {shown(arguments)} but must be a list of texts.", "arguments")
    if not isinstance(environment, dict) or not _all_text(environment.values()):
        raise InvalidDefinition(
            f'environment is {shown(environment)} but must be an object of texts, such as {{"NAME": "value"}}.',
            "environment",
        )
    return Overrides(None if arguments is None else tuple(arguments), environment)


def _all_text(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) and "\x00" not in value for value in values)
