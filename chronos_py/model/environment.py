"""The variables a task finds in its environment: the original's, and ours beside them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import datetime

from chronos_py.model.double import double_text
from chronos_py.model.fetch import command_fetch
from chronos_py.model.job import Definition
from chronos_py.model.run import Run
from chronos_py.model.task import Task
from chronos_py.model.task_id import format_task_id


def task_environment(
    definition: Definition,
    run: Run,
    attempt_number: int,
    task_name: str,
    created_at: datetime,
    inherited: Mapping[str, str],
) -> dict[str, str]:
    """What parents pass down, what the job sets, what a forced run adds, and the built-in variables, which win.

    ``created_at`` (aware) is when the attempt was committed. A pool adds HOST, the name of the task's machine.
    """
    limits = definition.limits
    override = run.overrides.arguments
    arguments = definition.arguments if override is None else override
    task_id = format_task_id(created_at, attempt_number, definition.name, " ".join(arguments))
    return {
        **inherited,
        **definition.environment,
        **run.overrides.environment,
        "mesos_task_id": task_id,
        "MESOS_TASK_ID": task_id,
        "CHRONOS_JOB_NAME": definition.name,
        "CHRONOS_JOB_OWNER": definition.owner,
        "CHRONOS_JOB_RUN_TIME": str(int(run.scheduled_at.timestamp() * 1000)),
        "CHRONOS_JOB_RUN_ATTEMPT": str(attempt_number - 1),  # the original counts from 0
        "CHRONOS_RESOURCE_CPU": double_text(limits.cpus),
        "CHRONOS_RESOURCE_MEM": double_text(limits.memory_mb),
        "CHRONOS_RESOURCE_DISK": double_text(limits.disk_mb),
        "CHRONOS_TASK_NAME": task_name,
        "CHRONOS_RUN_ID": str(run.id),
        "CHRONOS_ROOT_RUN_ID": str(run.root_run_id or run.id),
        "CHRONOS_ATTEMPT": str(attempt_number),
        "CHRONOS_SCHEDULED_TIME": run.scheduled_at.isoformat(),
        "CHRONOS_DATA_INTERVAL_START": (run.interval_start or run.scheduled_at).isoformat(),
        "CHRONOS_DATA_INTERVAL_END": run.scheduled_at.isoformat(),
    }


def task_name(cluster: str, run_id: int, attempt_number: int) -> str:
    """The deterministic name of an attempt's task: the same from every node, never used for another attempt."""
    return f"chronos-{cluster}-{run_id}-{attempt_number}"


def build_task(
    definition: Definition,
    run: Run,
    attempt_number: int,
    name: str,
    created_at: datetime,
    inherited: Mapping[str, str],
) -> Task:
    """The task for an attempt of ``run`` that was committed at ``created_at`` (aware).

    ``inherited`` are the variables that its parents pass down. A command that is nothing but a URI of http, https or
    ftp is fetched and run as ``./<last part of its path>``. The original ignored ``uris``, ``fetch`` and
    ``arguments`` of such a job; here they mean what they mean elsewhere.
    """
    command, arguments, fetch = definition.command, definition.arguments, definition.fetch
    program = command_fetch(command)
    if program is not None:
        command, fetch = f"./{program.path}", (*fetch, program)
        if definition.shell:
            command = shlex.quote(command)
    override = run.overrides.arguments
    if override is not None:
        # The original appends a forced run's arguments to a shell line and replaces the argv otherwise.
        if definition.shell and command:
            command = " ".join((command, *override))
        else:
            arguments = override
    return Task(
        name=name,
        command=command,
        shell=definition.shell,
        arguments=() if definition.shell and command else arguments,
        environment=task_environment(definition, run, attempt_number, name, created_at, inherited),
        container=definition.container,
        limits=definition.limits,
        user=definition.user,
        grace_seconds=definition.grace_seconds,
        labels={
            "chronos.job": definition.name,
            "chronos.run": str(run.id),
            "chronos.attempt": str(attempt_number),
        },
        fetch=fetch,
        constraints=definition.constraints,
        executor=definition.executor,
        executor_data=definition.executor_data,
    )


def unbound_task(definition: Definition) -> Task:
    """What a job's tasks have in common: enough for a pool to say whether it could run them at all."""
    return Task(
        name="",
        command=definition.command,
        shell=definition.shell,
        arguments=definition.arguments,
        environment=definition.environment,
        container=definition.container,
        limits=definition.limits,
        user=definition.user,
        grace_seconds=definition.grace_seconds,
        fetch=definition.fetch,
        constraints=definition.constraints,
        executor=definition.executor,
        executor_data=definition.executor_data,
    )
