"""What tasks report of themselves: how an asynchronous job ended, how much a data job has processed."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from chronos_py.errors import InvalidDefinition, NotFound
from chronos_py.model.job import Definition
from chronos_py.model.reader import shown
from chronos_py.model.run import Attempt
from chronos_py.model.task_id import TaskId, parse_task_id
from chronos_py.services.application import Application
from chronos_py.services.jobs import require_job
from chronos_py.store import attempts

logger = logging.getLogger(__name__)

LARGEST = 1 << 53
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def report_outcome(app: Application, task_id: str, status: object) -> None:
    """Take how the work of an asynchronous job ended: 0 is a success, anything else a failure.

    ``task_id`` is what the task found in its MESOS_TASK_ID. A task that is unknown, or has its outcome already, is
    only noted in the log: the caller can do nothing about it. So is one of a job that is not asynchronous: its exit
    status says how it ended, and a refusal might end a command that reports at its end. Raises InvalidDefinition for
    what is no task id or no status.
    """
    task = _parse(task_id)
    if isinstance(status, bool) or not isinstance(status, int) or abs(status) >= 1 << 31:
        raise InvalidDefinition(
            f"statusCode is {shown(status)} but must be a whole number: 0 for success, another one for failure.",
            "statusCode",
        )
    with app.database.write() as connection:
        found = _find(connection, task)
        if found is None:
            logger.warning("An outcome was reported for task %s, which is not found.", shown(task_id))
            return
        attempt, definition = found
        if not definition.is_asynchronous:
            logger.warning(
                "The outcome %d that was reported for task %s is not used: job %s is not asynchronous, so the exit"
                ' status of its command is its outcome; set "async": true to report it instead.',
                status,
                shown(task_id),
                shown(definition.name),
            )
        elif not attempts.report_status(connection, attempt.id, status, app.clock.now()):
            logger.warning("Task %s has its outcome already; another one was reported.", shown(task_id))
    app.wake.watcher.set()


def report_progress(app: Application, job_name: str, task_id: str, more: object) -> None:
    """Add to the number of elements that a task of a data processing job has processed; None adds nothing.

    Raises NotFound for the job or the task, InvalidDefinition for a job of another kind and for what is no number.
    """
    if more is not None and (isinstance(more, bool) or not isinstance(more, int) or not 0 <= more <= LARGEST):
        raise InvalidDefinition(
            f"numAdditionalElementsProcessed is {shown(more)} but must be a whole number that is not negative.",
            "numAdditionalElementsProcessed",
        )
    task = _parse(task_id)
    with app.database.write() as connection:
        job = require_job(connection, job_name)
        if not job.definition.processes_data:
            raise InvalidDefinition(
                f"Job {shown(job_name)} is no data processing job; set dataProcessingJobType to true first."
            )
        if more is None:
            return
        found = _find(connection, task) if task.job_name == job_name else None
        if found is None:
            raise NotFound(f"Task {shown(task_id)} of job {shown(job_name)} not found.")
        attempts.count_elements(connection, found[0].id, more)


def _parse(text: str) -> TaskId:
    task = parse_task_id(text)
    if task is None:
        raise InvalidDefinition(
            f"{shown(text)} is not the id of a task, such as ct:1479344049000:0:name: (its MESOS_TASK_ID).", "taskId"
        )
    return task


def _find(connection: Connection, task: TaskId) -> tuple[Attempt, Definition] | None:
    try:
        first = _EPOCH + timedelta(milliseconds=task.milliseconds)
        before = first + timedelta(milliseconds=1)
    except OverflowError:
        return None
    return attempts.find_task(connection, task.job_name, task.attempt_number, first, before)
