"""Chronos' job documents: lenient reading, exact writing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from chronos_py.errors import InvalidDefinition
from chronos_py.model.document import complete, shown
from chronos_py.model.job import Counters, Job
from chronos_py.model.schedule import parse_schedule
from chronos_py.model.schedule.iso8601 import RepeatingInterval

COUNTERS = ("successCount", "errorCount", "errorsSinceLastSuccess", "lastSuccess", "lastError")
RESOURCES = {"cpus": 0.1, "mem": 128, "disk": 256}
# Zones that old clients send to say "none"; the original took every unknown one for UTC.
NO_ZONE = frozenset({"", "null", "LMT"})


def _text(value: object) -> str:
    if value is None or value == "null":
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""


def _boolean(value: object) -> bool:
    if isinstance(value, str):
        return value.lower() == "true"
    return bool(value) if isinstance(value, bool | int | float) else False


def _integer(value: object) -> int:
    return int(_number(value))


def _number(value: object) -> float:
    try:
        number = float(value) if isinstance(value, str | int | float) else 0.0
    except ValueError:
        return 0.0
    return number if abs(number) < 1e15 else 0.0


def _texts(value: object) -> list[str]:
    return [_text(item) for item in value] if isinstance(value, list) else []


_COERCIONS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        (
            "name",
            "command",
            "description",
            "owner",
            "ownerName",
            "runAsUser",
            "executor",
            "executorFlags",
            "taskInfoData",
            "schedule",
            "scheduleTimeZone",
        ),
        _text,
    ),
    **dict.fromkeys(
        ("shell", "disabled", "concurrent", "softError", "highPriority", "dataProcessingJobType", "async"), _boolean
    ),
    "retries": _integer,
    "maxCompletionTime": _integer,
    **dict.fromkeys(("arguments", "parents", "uris"), _texts),
}
# Fields of 3.x in the order in which the original prints them, with what it prints where nothing was given.
_ORDER: Mapping[str, Any] = {
    "name": "",
    "command": "",
    "shell": True,
    "executor": "",
    "executorFlags": "",
    "taskInfoData": "",
    "retries": 2,
    "owner": "",
    "ownerName": "",
    "description": "",
    "successCount": 0,
    "errorCount": 0,
    "lastSuccess": "",
    "lastError": "",
    "cpus": 0.1,
    "disk": 256,
    "mem": 128,
    "disabled": False,
    "softError": False,
    "dataProcessingJobType": False,
    "errorsSinceLastSuccess": 0,
    "fetch": [],
    "uris": [],
    "environmentVariables": [],
    "arguments": [],
    "highPriority": False,
    "runAsUser": "",
    "concurrent": False,
    "maxCompletionTime": 0,
}
# Kept by the server, never part of the stored document.
_SHOWN_ONLY = frozenset(COUNTERS)


def read_document(body: Mapping[str, Any]) -> tuple[dict[str, Any], Counters | None]:
    """A strict job document from a lenient one, and the counters where the body brings them.

    Raises InvalidDefinition for what even the original could not read.
    """
    document: dict[str, Any] = {}
    for name, value in body.items():
        if name not in _SHOWN_ONLY:
            document[name] = _COERCIONS[name](value) if name in _COERCIONS else value
    if not document.get("name"):
        raise InvalidDefinition("name is missing; give the job a name.", "name")
    for resource, default in RESOURCES.items():
        if resource in document:
            document[resource] = _number(document[resource]) or default
    document["environmentVariables"] = _pairs(body, "environmentVariables", "name")
    _read_container(document)
    if document.get("scheduleTimeZone") in NO_ZONE:
        document.pop("scheduleTimeZone", None)
    if document.get("parents"):
        document.pop("schedule", None)
        document.pop("scheduleTimeZone", None)
    if document.get("uris") and document.get("fetch"):
        raise InvalidDefinition(
            f"Tried to add both uri (deprecated) and fetch parameters on {document['name']}", "fetch"
        )
    if document.get("epsilon") is not None and document.get("startDeadline") is None:
        document["startDeadline"] = document["epsilon"]
    return document, _read_counters(body)


def _pairs(body: Mapping[str, Any], field: str, key: str) -> list[dict[str, str]]:
    pairs = body.get(field) or []
    if not isinstance(pairs, list) or not all(isinstance(pair, dict) for pair in pairs):
        raise InvalidDefinition(f"{field} is {shown(pairs)} but must be a list of objects.", field)
    return [{key: _text(pair.get(key)), "value": _text(pair.get("value"))} for pair in pairs]


def _read_container(document: dict[str, Any]) -> None:
    """Type in any case; a container without an image is no container, as in the original."""
    container = document.get("container")
    if not isinstance(container, dict) or not _text(container.get("image")):
        document.pop("container", None)
        return
    kind = (_text(container.get("type")) or "DOCKER").upper()
    if kind not in ("DOCKER", "MESOS"):
        raise InvalidDefinition(f"container.type is {shown(container['type'])} but must be DOCKER or MESOS.", "type")
    container = {**container, "type": kind, "forcePullImage": _boolean(container.get("forcePullImage"))}
    container["network"] = _text(container.get("network")) or "HOST"
    container["parameters"] = _pairs(container, "parameters", "key")
    if container.get("volumes") is None:
        container["volumes"] = []
    document["container"] = container


def _read_counters(body: Mapping[str, Any]) -> Counters | None:
    if not any(name in body for name in COUNTERS):
        return None
    return Counters(
        success_count=max(0, _integer(body.get("successCount"))),
        error_count=max(0, _integer(body.get("errorCount"))),
        errors_since_last_success=max(0, _integer(body.get("errorsSinceLastSuccess"))),
        last_success=_moment(body.get("lastSuccess")),
        last_error=_moment(body.get("lastError")),
    )


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _milliseconds(moment: datetime | None) -> str:
    if moment is None:
        return ""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write_document(job: Job, generation: str) -> dict[str, Any]:
    """A job as the original shows it. ``generation`` is "2" or "3"."""
    stored = job.document
    kept = {
        "successCount": job.counters.success_count,
        "errorCount": job.counters.error_count,
        "errorsSinceLastSuccess": job.counters.errors_since_last_success,
        "lastSuccess": _milliseconds(job.counters.last_success),
        "lastError": _milliseconds(job.counters.last_error),
    }
    full = {name: kept.get(name, stored.get(name)) for name in _ORDER}
    document = {name: _ORDER[name] if value is None else value for name, value in full.items()}
    if generation == "2":
        document["epsilon"] = stored.get("epsilon", "PT60S")
        document["async"] = stored.get("async", False)
    _mirror_uris(document)
    if stored.get("container"):
        document["container"] = _write_container(stored["container"], generation)
    document["constraints"] = stored.get("constraints") or []
    native = complete(stored)
    document.update({name: value for name, value in native.items() if name not in document and name in stored})
    document.pop("schedule", None)
    document.pop("scheduleTimeZone", None)
    document.pop("parents", None)
    if job.definition.parents:
        document["parents"] = list(job.definition.parents)
    elif job.definition.schedule:
        document["schedule"] = advanced_schedule(job)
        document["scheduleTimeZone"] = job.definition.schedule_time_zone
    else:
        document["parents"] = []
    return document


def _mirror_uris(document: dict[str, Any]) -> None:
    fetch, uris = document["fetch"] or [], document["uris"] or []
    if not fetch:
        document["fetch"] = [{"uri": uri, "extract": True, "executable": False, "cache": False} for uri in uris]
    else:
        document["uris"] = [item.get("uri", "") for item in fetch if isinstance(item, dict)]


def _write_container(container: Mapping[str, Any], generation: str) -> dict[str, Any]:
    first = ("type", "image", "network", "networkName", "networkInfos", "volumes", "forcePullImage", "parameters")
    defaults = {"networkInfos": [], "volumes": [], "forcePullImage": False, "parameters": [], "type": "DOCKER"}
    full = {**defaults, **container}
    ordered = {name: full[name] for name in first if full.get(name) is not None}
    ordered.update({name: value for name, value in full.items() if name not in ordered})
    if generation == "2":
        ordered["type"] = str(ordered["type"]).lower()
    return ordered


def advanced_schedule(job: Job) -> str:
    """The schedule with its next start and the repetitions that are left; cron text as it was written.

    The original rewrites the stored text after every launch, and clients read the next run from it.
    """
    definition = job.definition
    schedule = parse_schedule(definition.schedule, definition.schedule_time_zone, definition.name)
    if not isinstance(schedule, RepeatingInterval) or (job.next_due is None and job.repetitions_left != 0):
        return definition.schedule
    head, start, period = definition.schedule.split("/", 2)
    left = "" if job.repetitions_left is None else str(job.repetitions_left)
    if job.next_due is not None:
        start = job.next_due.astimezone(schedule.zone).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{head[0]}{left}/{start}/{period}"


def restore_schedule(document: dict[str, Any], job: Job | None) -> None:
    """A schedule that comes back as we showed it is the one that is stored: put that in, so that nothing restarts."""
    if job is not None and job.definition.schedule and document.get("schedule") == advanced_schedule(job):
        document["schedule"] = job.definition.schedule
