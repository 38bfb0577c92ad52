"""The job document: one JSON shape for the forms, the APIs and the files.

Field names are the original's, ours are in the same camelCase. Fields we do not know are kept as given.
Reading is strict here: a wrong type is an error that names the field and the value. The Chronos API, whose
clients send numbers as text and null for "nothing", coerces first and then comes here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from chronos_py.errors import InvalidDefinition
from chronos_py.model.chain import DependencyMode, TriggerRule
from chronos_py.model.constraints import read_constraints
from chronos_py.model.containers import read_container
from chronos_py.model.fetch import command_fetch, read_fetch
from chronos_py.model.job import Definition
from chronos_py.model.labels import read_labels
from chronos_py.model.overlap import Overlap
from chronos_py.model.policies import read_concurrency, read_retry_policy
from chronos_py.model.reader import Reader, shown
from chronos_py.model.restrictions import OnBlockedDay, read_restrictions
from chronos_py.model.schedule import parse_schedule
from chronos_py.model.schedule.catch_up import CatchUp, CatchUpPolicy
from chronos_py.model.task import Limits

NAME_LENGTH = 200
_NAME = re.compile(r"[A-Za-z0-9_ .#-]+")
_RESERVED_NAMES = frozenset({".", "..", "new"})
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")

# Every field we know with its default, in the order in which documents are shown.
DEFAULTS: Mapping[str, Any] = {
    "name": "",
    "description": "",
    "command": "",
    "shell": True,
    "arguments": [],
    "environmentVariables": [],
    "container": None,
    "schedule": "",
    "scheduleTimeZone": "",
    "parents": [],
    "disabled": False,
    "dependencyMode": DependencyMode.LATEST.value,
    "triggerRule": TriggerRule.ALL_SUCCESS.value,
    "retries": 2,
    "retryDelay": 60,
    "retryBackoff": None,
    "retryOn": [],
    "noRetryOn": [],
    "disableAfterFailures": None,
    "overlap": Overlap.FORBID_QUEUE_ONE.value,
    "excludeCalendars": [],
    "onlyCalendars": [],
    "onBlockedDay": OnBlockedDay.SKIP.value,
    "blackouts": [],
    "startTime": None,
    "endTime": None,
    "jitter": 0,
    "catchUp": CatchUp.ONE.value,
    "catchUpLimit": 100,
    "startDeadline": None,
    "timeout": None,
    "startupTimeout": None,
    "cpuTimeLimit": None,
    "gracePeriod": 10,
    "cpus": 0.1,
    "mem": 128,
    "disk": 256,
    "maxConcurrent": None,
    "concurrencyLimits": [],
    "priority": 0,
    "weight": 1,
    "highPriority": False,
    "softError": False,
    "runAsUser": "",
    "owner": "",
    "ownerName": "",
    "labels": {},
    "fetch": [],
    "uris": [],
    "constraints": [],
    "executor": "",
    "executorFlags": "",
    "taskInfoData": "",
    "async": False,
    "dataProcessingJobType": False,
}


def check_name(name: str) -> str:
    """``name`` if it may name a job. Raises InvalidDefinition."""
    if not name:
        raise InvalidDefinition("name is missing; give the job a name.", "name")
    if len(name) > NAME_LENGTH:
        raise InvalidDefinition(
            f"name {shown(name)} has {len(name)} characters; at most {NAME_LENGTH} are allowed.", "name"
        )
    if not _NAME.fullmatch(name) or name != name.strip() or name in _RESERVED_NAMES:
        raise InvalidDefinition(
            f"name {shown(name)} is not allowed: use letters, digits, blanks and _ . # - only,"
            f" without a blank at either end, and none of {', '.join(sorted(_RESERVED_NAMES))}.",
            "name",
        )
    return name


def read_definition(document: object) -> Definition:
    """The typed definition of a job document. Raises InvalidDefinition (ScheduleError for the schedule)."""
    if not isinstance(document, dict):
        raise InvalidDefinition(f"a job must be a JSON object, not {shown(document)}.")
    read = Reader(document)
    name = check_name(read.text("name"))
    schedule, zone = read.text("schedule").strip(), read.text("scheduleTimeZone")
    parents = tuple(dict.fromkeys(read.texts("parents")))
    if schedule and parents:
        raise InvalidDefinition(
            "schedule and parents are both given; a job runs either on a schedule or after its parents.", "schedule"
        )
    parsed = parse_schedule(schedule or "R//P1D", zone, name)
    definition = Definition(
        name=name,
        command=read.text("command"),
        shell=read.boolean("shell", True),
        arguments=read.texts("arguments"),
        description=read.text("description"),
        owner=read.text("owner"),
        schedule=schedule,
        schedule_time_zone=zone,
        parents=parents,
        restrictions=read_restrictions(read, parsed.zone),
        jitter=timedelta(seconds=read.seconds("jitter", 0) or 0),
        disabled=read.boolean("disabled", False),
        dependency_mode=DependencyMode(read.choice("dependencyMode", DependencyMode.LATEST, tuple(DependencyMode))),
        trigger_rule=TriggerRule(read.choice("triggerRule", TriggerRule.ALL_SUCCESS, tuple(TriggerRule))),
        retry=read_retry_policy(read),
        disable_after_failures=read.optional_integer("disableAfterFailures", 1, 1_000_000),
        concurrency=read_concurrency(read),
        overlap=_read_overlap(read),
        catch_up=_read_catch_up(read),
        high_priority=read.boolean("highPriority", False),
        soft_error=read.boolean("softError", False),
        is_asynchronous=read.boolean("async", False),
        processes_data=read.boolean("dataProcessingJobType", False),
        limits=_read_limits(read),
        grace_seconds=read.seconds("gracePeriod", 10) or 0.0,
        startup_seconds=read.seconds("startupTimeout", None) or None,
        user=read.text("runAsUser"),
        container=read_container(read),
        environment=_read_environment(read),
        fetch=read_fetch(read),
        constraints=read_constraints(read),
        executor=read.text("executor").strip(),
        executor_data=read.text("taskInfoData") or f"{read.text('executorFlags')}|{read.text('command')}",
        labels=read_labels(read),
    )
    program = command_fetch(definition.command)
    if program is not None and not program.path:
        read.refuse("command", "a shell line, or a URI whose path ends with the name of a program")
    read.text("ownerName")  # for people only, but clients rely on its type
    if not definition.command and (definition.container is None or not definition.container.image):
        raise InvalidDefinition(
            "command is empty and there is no container.image whose entry point could run; give a command.", "command"
        )
    return definition


def read_stored_definition(document: Mapping[str, Any]) -> Definition:
    """The definition of a document that was accepted once, perhaps by another version.

    A field that this version cannot read counts as not given: one bad job must not stop the others.
    """
    left = dict(document)
    while True:
        try:
            return read_definition(left)
        except InvalidDefinition as error:
            field = re.split(r"[.\[]", error.field or "")[0]
            if field not in left or field == "name":
                raise
            del left[field]


def _read_catch_up(read: Reader) -> CatchUpPolicy:
    deadline = read.seconds("startDeadline", None)
    return CatchUpPolicy(
        mode=CatchUp(read.choice("catchUp", CatchUp.ONE, tuple(CatchUp))),
        limit=read.integer("catchUpLimit", 100, 1, 10_000),
        start_deadline=None if deadline is None else timedelta(seconds=deadline),
    )


def _read_overlap(read: Reader) -> Overlap:
    """``concurrent: true`` is the original's word for overlap "allow"."""
    fallback = Overlap.ALLOW if read.boolean("concurrent", False) else Overlap.FORBID_QUEUE_ONE
    return Overlap(read.choice("overlap", fallback, tuple(Overlap)))


def _read_limits(read: Reader) -> Limits:
    wall_seconds = read.seconds("timeout", None) or read.seconds("maxCompletionTime", None)
    return Limits(
        cpus=read.number("cpus", 0.1),
        memory_mb=read.number("mem", 128),
        disk_mb=read.number("disk", 256),
        cpu_seconds=read.seconds("cpuTimeLimit", None) or None,
        wall_seconds=wall_seconds or None,
    )


def _read_environment(read: Reader) -> dict[str, str]:
    environment: dict[str, str] = {}
    for variable in read.objects("environmentVariables"):
        name = variable.text("name")
        if not VARIABLE_NAME.fullmatch(name):
            variable.refuse("name", "the name of a variable: a letter or _, then letters, digits and _ . -")
        environment.setdefault(name, variable.text("value"))
    return environment


def complete(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with every default filled in, known fields first, unknown ones kept.

    Only the one of schedule and parents that the job has is there: clients tell the kinds apart by the keys.
    """
    full = {name: document.get(name) if document.get(name) is not None else value for name, value in DEFAULTS.items()}
    full.update({name: value for name, value in document.items() if name not in full})
    if document.get("concurrent") is True and document.get("overlap") is None:
        full["overlap"] = Overlap.ALLOW.value
    if not full["schedule"]:
        del full["schedule"], full["scheduleTimeZone"]
    if not full["parents"]:
        del full["parents"]
    return full
