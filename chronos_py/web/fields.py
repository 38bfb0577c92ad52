"""A job document as the fields of a form, and back without losing what the form does not know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chronos_py.errors import InvalidDefinition
from chronos_py.model.chain import DependencyMode, TriggerRule
from chronos_py.model.job import Job
from chronos_py.model.overlap import Overlap
from chronos_py.model.restrictions import WHEN, OnBlockedDay
from chronos_py.model.schedule.catch_up import CatchUp
from chronos_py.web.lines import (
    blackout_line,
    line_number,
    read_blackouts,
    read_duration,
    read_lines,
    read_names,
    read_number,
)
from chronos_py.web.policies import policy_values, read_policies

# Fields of the document that are plain text in the form.
TEXTS = ("command", "description", "owner", "scheduleTimeZone", "runAsUser", "startTime", "endTime")
NUMBERS = (
    *("retries", "cpus", "mem", "disk", "catchUpLimit"),
    *("disableAfterFailures", "maxConcurrent", "priority", "weight"),
)
DURATIONS = ("retryDelay", "timeout", "startupTimeout", "gracePeriod", "startDeadline", "jitter")
NAMES = ("excludeCalendars", "onlyCalendars")
FLAGS = ("highPriority", "softError", "disabled")
# What each value of a field means; the first is the default.
CHOICES: Mapping[str, Mapping[str, str]] = {
    "triggerRule": {
        TriggerRule.ALL_SUCCESS.value: "when all have succeeded",
        TriggerRule.ALL_DONE.value: "when all have ended, however",
        TriggerRule.ANY_SUCCESS.value: "as soon as one has succeeded",
        TriggerRule.ANY_FAILURE.value: "as soon as one has failed for good",
    },
    "dependencyMode": {
        DependencyMode.LATEST.value: "their runs since it last ran",
        DependencyMode.SAME_WAVE.value: "their runs for the same scheduled time",
    },
    "overlap": {
        Overlap.FORBID_QUEUE_ONE.value: "one waits, more are skipped",
        Overlap.FORBID_SKIP.value: "the new run is skipped",
        Overlap.ALLOW.value: "they run side by side",
        Overlap.REPLACE.value: "the new run replaces it: it is killed",
    },
    "catchUp": {
        CatchUp.ONE.value: "the latest one runs",
        CatchUp.NONE.value: "none of them runs",
        CatchUp.ALL.value: "each runs, the oldest first",
    },
    "onBlockedDay": {
        OnBlockedDay.SKIP.value: "is skipped",
        OnBlockedDay.NEXT.value: "moves to the next allowed day",
        OnBlockedDay.PREVIOUS.value: "moves to the previous allowed day",
    },
}
# Fields of the form that hold one item on each line.
BY_LINE = ("blackouts", "environment", "volumes", "dates", "exceptDates", "labels", "concurrencyLimits")
_SHOWN_AS = {"environmentVariables": "environment"}
_PATH = re.compile(r"(?:container\.)?(?P<field>[^.\[]+)(?:\[(?P<index>\d+)\])?")


def form_values(job: Job) -> dict[str, Any]:
    """A job's document as the form shows it."""
    document, definition = job.document, job.definition
    values: dict[str, Any] = {"name": job.name, "kind": definition.kind, "schedule": definition.schedule}
    for field in (*TEXTS, *NUMBERS, *DURATIONS, *CHOICES):
        value = document.get(field)
        values[field] = "" if value is None else str(value)
    for field in FLAGS:
        values[field] = "on" if document.get(field) else ""
    for field in NAMES:
        values[field] = "\n".join(document.get(field) or [])
    values["blackouts"] = "\n".join(map(blackout_line, document.get("blackouts") or []))
    values["shell"] = "on" if definition.shell else "off"
    values["arguments"] = "\n".join(definition.arguments)
    values["parents"] = "\n".join(definition.parents)
    values["environment"] = "\n".join(f"{name}={value}" for name, value in definition.environment.items())
    values["labels"] = "\n".join(f"{key}={value}" for key, value in definition.labels.items())
    values.update(policy_values(document))
    container = document.get("container") or {}
    values["image"] = container.get("image", "")
    values["network"] = container.get("network", "")
    values["volumes"] = "\n".join(_volume_line(volume) for volume in container.get("volumes") or [])
    return values


def _volume_line(volume: Mapping[str, Any]) -> str:
    parts = [volume.get("hostPath") or "", volume["containerPath"]]
    if str(volume.get("mode", "RW")).upper() == "RO":
        parts.append("ro")
    return ":".join(parts)


def read_form(form: Mapping[str, str], base: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a filled form, over what it does not know of ``base``. Raises InvalidDefinition."""
    document = dict(base)
    document["name"] = form.get("name", "").strip()
    for field in TEXTS:
        text = form.get(field, "")
        _put(document, field, text.replace("\r\n", "\n") if field == "command" else text.strip())
    for field in CHOICES:
        _put(document, field, form.get(field, ""))
    for field in NUMBERS:
        _put(document, field, read_number(field, form.get(field, "").strip()))
    for field in DURATIONS:
        _put(document, field, read_duration(form.get(field, "").strip()))
    for field in FLAGS:
        _put(document, field, form.get(field) == "on" or None)
    _put(document, "shell", None if form.get("shell", "on") == "on" else False)
    _put(document, "arguments", read_lines(form.get("arguments", "")))
    _put(document, "environmentVariables", [read_variable(line) for line in read_lines(form.get("environment", ""))])
    _put(document, "labels", dict(map(_label, read_lines(form.get("labels", "")))))
    for field, value in read_policies(form, base).items():
        _put(document, field, value)
    _put_times(document, form)
    _put_container(document, form)
    return document


def read_schedule_fields(form: Mapping[str, str]) -> dict[str, Any]:
    """What a filled form says about its schedule and nothing else. Raises InvalidDefinition."""
    document: dict[str, Any] = {}
    for field in ("scheduleTimeZone", "startTime", "endTime", "onBlockedDay"):
        _put(document, field, form.get(field, "").strip())
    _put(document, "jitter", read_duration(form.get("jitter", "").strip()))
    _put_times(document, form)
    return document


def _put(document: dict[str, Any], field: str, value: Any) -> None:
    """Set a field; one that was left empty has its default, and is left out."""
    if value in (None, "", [], {}):
        document.pop(field, None)
    else:
        document[field] = value


def _put_times(document: dict[str, Any], form: Mapping[str, str]) -> None:
    """When it runs: the schedule, the parents or neither, as the kind that was chosen says."""
    kind = form.get("kind", "schedule")
    _put(document, "schedule", form.get("schedule", "").strip() if kind == "schedule" else "")
    _put(document, "parents", read_lines(form.get("parents", "")) if kind == "dependency" else [])
    if kind == "dependency" and not document.get("parents"):
        raise InvalidDefinition("parents is empty; name at least one job, each on a line of its own.", "parents")
    if kind != "schedule":
        for field in ("scheduleTimeZone", *WHEN):
            document.pop(field, None)
        return
    if not document.get("schedule"):
        raise InvalidDefinition("schedule is empty; give one, or choose that the job only runs by hand.", "schedule")
    for field in NAMES:
        _put(document, field, read_names(form.get(field, "")))
    _put(document, "blackouts", read_blackouts(form.get("blackouts", "")))


def read_variable(line: str, field: str = "environment") -> dict[str, str]:
    """The variable that ``NAME=value`` says. Raises InvalidDefinition, which is about ``field``."""
    name, sign, value = line.partition("=")
    if not sign:
        raise InvalidDefinition(f'environment has the line "{line}"; write NAME=value.', field)
    return {"name": name.strip(), "value": value}


def _label(line: str) -> tuple[str, str]:
    key, sign, value = line.partition("=")
    if not sign:
        raise InvalidDefinition(f'labels has the line "{line}"; write KEY=value.', "labels")
    return key.strip(), value.strip()


def _put_container(document: dict[str, Any], form: Mapping[str, str]) -> None:
    image, volumes = form.get("image", "").strip(), [_volume(line) for line in read_lines(form.get("volumes", ""))]
    if not image and not volumes:
        document.pop("container", None)
        return
    container = {**(document.get("container") or {}), "image": image}
    container["volumes"] = volumes
    if form.get("network"):
        container["network"] = form["network"]
    document["container"] = container


def _volume(line: str) -> dict[str, str]:
    host, _, rest = line.partition(":")
    path, _, mode = rest.partition(":")
    if not path.startswith("/"):
        raise InvalidDefinition(
            f'volumes has the line "{line}"; write /folder/here:/folder/in/the/container, and :ro for read only.',
            "volumes",
        )
    volume = {"containerPath": path, "mode": "RO" if mode.lower() == "ro" else "RW"}
    return {**volume, "hostPath": host} if host else volume


def explain(error: InvalidDefinition, form: Mapping[str, str]) -> tuple[str, str]:
    """Which field of a filled form an error is about, "" for none, and its sentence, with the number of the line."""
    if error.field and error.field in form:
        return error.field, str(error)
    found = _PATH.match(error.field or "")
    if found is None:
        return "", str(error)
    field = _SHOWN_AS.get(found["field"], found["field"])
    if found["index"] is None or field not in BY_LINE:
        return field, str(error)
    return field, f"Line {line_number(form.get(field, ''), int(found['index']))}: {error}"
