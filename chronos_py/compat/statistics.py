"""Run times and the last attempts of jobs, in the original's shapes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response

from chronos_py.compat.answers import json_answer
from chronos_py.model.job import Definition
from chronos_py.model.run import Attempt, AttemptState
from chronos_py.model.statistics import SHARES, RunTimes
from chronos_py.model.task_id import format_task_id
from chronos_py.services import Application
from chronos_py.services.statistics import JobAttempt, JobStatistics, all_run_times, job_statistics

_STATUS = {
    AttemptState.STARTING: "Idle",
    AttemptState.RUNNING: "Running",
    AttemptState.SUCCEEDED: "Success",
    AttemptState.FAILED: "Fail",
    AttemptState.KILLED: "Fail",
    AttemptState.LOST: "Fail",
}


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/job/stat/<name>")
    def job_stat(name: str) -> Response:
        found = job_statistics(app, name, app.defaults.history_limit)
        return json_answer({"histogram": histogram(found.run_times), "taskStatHistory": _history(found)})

    @routes.get("/stats/<figure>")
    def stats(figure: str) -> Response:
        """Of every job, in seconds, the longest first; a figure of another name is an empty list."""
        times = {name: each.figure(figure) for name, each in all_run_times(app).items()}
        known = {name: value for name, value in times.items() if value is not None}
        order = sorted(known, key=lambda name: (-known[name], name))
        return json_answer([{"jobNameLabel": name, "time": known[name]} for name in order])


def histogram(times: RunTimes) -> dict[str, float]:
    """The original's figures, in milliseconds."""
    figures: dict[str, float] = {name: round(times.percentile(share) * 1000, 3) for name, share in SHARES.items()}
    return {**figures, "mean": round(times.mean * 1000, 3), "count": times.count}


def _history(found: JobStatistics) -> Sequence[dict[str, Any]]:
    definition, history = found.job.definition, []
    for each in found.attempts:
        attempt = each.attempt
        entry: dict[str, Any] = {
            "taskId": _task_id(each, definition),
            "jobName": definition.name,
            "slaveId": attempt.node,
            "startTime": _moment(_start(attempt)),
            "endTime": _moment(attempt.finished_at),
            "duration": _duration(attempt.started_at, attempt.finished_at),
            "status": _STATUS[attempt.state],
        }
        if definition.processes_data and each.elements_processed is not None:
            entry["numElementsProcessed"] = each.elements_processed
        history.append(entry)
    return history


def _start(attempt: Attempt) -> datetime | None:
    """Until the pool has told when exactly, the start of what runs is its launch."""
    is_running = attempt.state is AttemptState.RUNNING
    return attempt.launched_at if is_running and attempt.started_at is None else attempt.started_at


def _task_id(each: JobAttempt, definition: Definition) -> str:
    given = each.overrides.arguments
    arguments = " ".join(definition.arguments if given is None else given)
    return format_task_id(each.committed_at, each.attempt.number, definition.name, arguments)


def _moment(moment: datetime | None) -> str:
    return "N/A" if moment is None else moment.astimezone(UTC).strftime("%m/%d/%y %H:%M:%S")


def _duration(started_at: datetime | None, finished_at: datetime | None) -> str:
    """``1h0m5s``: hours and minutes are left out while they are zero."""
    if started_at is None or finished_at is None:
        return "N/A"
    minutes, seconds = divmod(max(0, (finished_at - started_at) // timedelta(seconds=1)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
