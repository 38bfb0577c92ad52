"""The variables a task finds in its environment: the original's, and ours beside them."""

from __future__ import annotations

from collections.abc import Mapping

from chronos_py.model.job import Definition
from chronos_py.model.run import Run
from chronos_py.model.task import Task


def task_environment(
    definition: Definition, run: Run, attempt_number: int, task_name: str, inherited: Mapping[str, str]
) -> dict[str, str]:
    """What parents pass down, what the job sets, what a forced run adds, and the built-in variables, which win."""
    limits = definition.limits
    return {
        **inherited,
        **definition.environment,
        **run.overrides.environment,
        "CHRONOS_JOB_NAME": definition.name,
        "CHRONOS_JOB_OWNER": definition.owner,
        "CHRONOS_JOB_RUN_TIME": str(int(run.scheduled_at.timestamp() * 1000)),
        "CHRONOS_JOB_RUN_ATTEMPT": str(attempt_number - 1),  # the original counts from 0
        "CHRONOS_RESOURCE_CPU": str(limits.cpus),
        "CHRONOS_RESOURCE_MEM": str(limits.memory_mb),
        "CHRONOS_RESOURCE_DISK": str(limits.disk_mb),
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
    definition: Definition, run: Run, attempt_number: int, name: str, inherited: Mapping[str, str]
) -> Task:
    """The task for an attempt of ``run``; ``inherited`` are the variables that its parents pass down."""
    command, arguments = definition.command, definition.arguments
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
        environment=task_environment(definition, run, attempt_number, name, inherited),
        container=definition.container,
        limits=definition.limits,
        user=definition.user,
        grace_seconds=definition.grace_seconds,
        labels={
            "chronos.job": definition.name,
            "chronos.run": str(run.id),
            "chronos.attempt": str(attempt_number),
        },
    )
