"""Put into the outbox what owners of jobs are told; whoever decides it does so in the same transaction."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection

from chronos_py.model.job import Job
from chronos_py.store import jobs, outbox

LONGEST = 4000  # of a text that is told; messages are kept for days
Event = Literal["run_failed", "job_disabled", "job_deleted"]


def announce(connection: Connection, event: Event, job: Job, message: str, now: datetime, **more: Any) -> None:
    """Tell of an event of ``job``, with its counters as they are in ``job``. ``more`` says which run, and so on."""
    payload = {"job": job.name, "owner": job.definition.owner, "message": message, "facts": _facts(job), **more}
    outbox.put(connection, event, payload, now)


def disable_if_exhausted(connection: Connection, job_id: int, now: datetime) -> None:
    """Disable a job whose schedule has no repetitions left and of which nothing runs any more, and tell so."""
    if jobs.disable_exhausted(connection, job_id, now):
        name = jobs.current_definitions(connection, [job_id])[job_id].definition.name
        job = jobs.find_job(connection, name)
        if job is not None:
            announce(connection, "job_disabled", job, "its schedule has no repetitions left", now)


def _facts(job: Job) -> dict[str, Any]:
    """What the original's callback tells of a job, as texts."""
    definition, counters = job.definition, job.counters
    fetched = [file.get("uri", "") for file in job.document.get("fetch") or () if isinstance(file, dict)]
    facts = {
        "command": definition.command,
        "cpus": definition.limits.cpus,
        "softError": str(definition.soft_error).lower(),
        "errorCount": counters.error_count,
        "errorsSinceLastSuccess": counters.errors_since_last_success,
        "executor": job.document.get("executor") or "",
        "executorFlags": job.document.get("executorFlags") or "",
        "lastError": _instant(counters.last_error),
        "lastSuccess": _instant(counters.last_success),
        "mem": definition.limits.memory_mb,
        "retries": definition.retry.retries,
        "successCount": counters.success_count,
        "uris": ",".join(str(uri) for uri in fetched or job.document.get("uris") or ()),
    }
    return {name: str(value)[:LONGEST] for name, value in facts.items()}


def _instant(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
