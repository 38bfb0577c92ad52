"""JSON shapes of what the API answers."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any

from flask import Response, jsonify

from chronos_py.api.schemas import KEPT_BY_SERVER
from chronos_py.model.document import complete
from chronos_py.model.job import last_outcome
from chronos_py.model.run import WAITING_RUN_STATES, Attempt, Run, RunState
from chronos_py.services.jobs import JobSummary
from chronos_py.services.runs import RunDetail
from chronos_py.services.schedules import describe_definition


def instant(moment: datetime | None) -> str | None:
    """ISO 8601 with an offset."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def job_state(summary: JobSummary) -> str:
    if summary.active:
        return "running"
    return "queued" if summary.waiting else "idle"


def job_document(summary: JobSummary) -> dict[str, Any]:
    """The document with its defaults, what the server keeps about the job, and how it stands."""
    job = summary.job
    counters = job.counters
    document = {name: value for name, value in complete(job.document).items() if name not in KEPT_BY_SERVER}
    return {
        **document,
        "revision": job.revision,
        "state": job_state(summary),
        "lastOutcome": last_outcome(counters),
        "scheduleDescription": describe_definition(job.definition),
        "nextRun": instant(job.next_run),
        "repetitionsLeft": job.repetitions_left,
        "successCount": counters.success_count,
        "errorCount": counters.error_count,
        "errorsSinceLastSuccess": counters.errors_since_last_success,
        "lastSuccess": instant(counters.last_success),
        "lastError": instant(counters.last_error),
        "createdAt": instant(job.created_at),
        "updatedAt": instant(job.updated_at),
        "lastRuns": [{"id": run_id, "state": state} for run_id, state in summary.last_runs],
    }


def whole_job_document(summary: JobSummary) -> dict[str, Any]:
    """A job on its own: with the jobs that run after it."""
    return {**job_document(summary), "children": list(summary.children)}


def tagged_job(summary: JobSummary) -> Response:
    """A job on its own, with its revision as ETag."""
    answer = jsonify(whole_job_document(summary))
    answer.headers["ETag"] = f'"{summary.job.revision}"'
    return answer


def run_document(run: Run) -> dict[str, Any]:
    """A run; ``notBefore`` only while it waits for that time."""
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
        "notBefore": instant(run.not_before) if run.state in WAITING_RUN_STATES else None,
        "startedAt": instant(run.started_at),
        "finishedAt": instant(run.finished_at),
        "attemptCount": run.attempts,
        "revision": run.revision,
        "requestedBy": run.requested_by,
        "rootRun": run.root_run_id or run.id,
        "parentRun": run.parent_run_id,
        "backfill": run.backfill_id,
        "note": run.note,
        "outcome": run.outcome.value,
        "startsChildren": run.starts_children,
        "intervalStart": instant(run.interval_start),
        "outputs": dict(run.outputs),
        "startBefore": instant(run.start_before) if run.state is RunState.QUEUED else None,
        "overrides": {
            "arguments": None if arguments is None else list(arguments),
            "environment": dict(run.overrides.environment),
        },
    }


def run_detail_document(detail: RunDetail) -> dict[str, Any]:
    """A run with its attempts, first to last."""
    return {
        **run_document(detail.run),
        "waitsFor": detail.waits_for,
        "attempts": [attempt_document(attempt) for attempt in detail.attempts],
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


def run_accepted(run: Run) -> Response:
    """202: the run is decided, and the leader will see to it."""
    answer = jsonify(run_document(run))
    answer.status_code = 202
    answer.headers["Location"] = f"/api/runs/{run.id}"
    return answer
