"""Chronos' job documents: lenient reading, exact writing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import ceil
from typing import Any

from chronos_py.compat.coercions import (
    as_boolean,
    as_constraints,
    as_number,
    as_number_if_one,
    as_objects,
    as_pairs,
    as_text,
    as_texts,
    as_whole_number,
    as_word,
)
from chronos_py.compat.schedules import (
    milliseconds,
    refuse_old_start,
    restore_schedule,
    run_endless_once,
    shown_schedule,
)
from chronos_py.compat.zones import region
from chronos_py.errors import InvalidDefinition
from chronos_py.model.job import Counters, Job
from chronos_py.model.overlap import Overlap
from chronos_py.model.reader import LONGEST_SECONDS, shown
from chronos_py.model.schedule.period import parse_seconds

Document = dict[str, Any]

DEFAULT_EPSILON = "PT60S"

COUNTERS = ("successCount", "errorCount", "errorsSinceLastSuccess", "lastSuccess", "lastError")
RESOURCES = {"cpus": 0.1, "mem": 128, "disk": 256}
# Zones that old clients send to say "none"; the original took every unknown one for UTC.
NO_ZONE = frozenset({"", "LMT"})

_WORDS = "command description owner ownerName runAsUser executor executorFlags taskInfoData schedule scheduleTimeZone"
_BOOLEANS = "shell disabled concurrent softError highPriority dataProcessingJobType async"
_COERCIONS: Mapping[str, Callable[[Any], Any]] = {
    "name": as_text,
    **dict.fromkeys(_WORDS.split(), as_word),
    **dict.fromkeys(_BOOLEANS.split(), as_boolean),
    **dict.fromkeys(("retries", "maxCompletionTime"), as_whole_number),
    **dict.fromkeys(("arguments", "parents", "uris"), as_texts),
    "constraints": as_constraints,
    "startupTimeout": as_number_if_one,
}
# The fields of 3.x in the order in which the original prints them, with what it prints where nothing was given.
_PRINTED_3: Mapping[str, Any] = {
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
    **{name: RESOURCES[name] for name in ("cpus", "disk", "mem")},
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
# Those of 2.x beside them, each with the field that it comes after.
_ONLY_2 = {"shell": "epsilon", "description": "async"}
_FILE_FLAGS = {"extract": True, "executable": False, "cache": False}
_CONTAINER_3: Mapping[str, Any] = {
    "type": "DOCKER",
    "image": None,
    "network": "HOST",
    "networkName": None,
    "networkInfos": [],
    "volumes": [],
    "forcePullImage": False,
    "parameters": [],
}


def read_document(
    body: Mapping[str, Any], present: Job | None, epsilon: str = DEFAULT_EPSILON
) -> tuple[Document, Counters | None]:
    """A strict job document from a lenient one, and the counters where the body brings some.

    ``present`` is the job that it replaces, ``epsilon`` what is shown of a job that has none. Raises
    InvalidDefinition for what even the original could not read.
    """
    document = {
        name: _COERCIONS[name](value) if name in _COERCIONS else value
        for name, value in body.items()
        if name not in COUNTERS
    }
    if not document.get("name"):
        raise InvalidDefinition("name is missing; give the job a name.", "name")
    for resource in RESOURCES:
        if resource in document and not as_number(document[resource]):
            del document[resource]  # 0 asks for the default
        elif resource in document:
            document[resource] = as_number(document[resource])
    document["environmentVariables"] = as_pairs(body.get("environmentVariables"), "environmentVariables", "name")
    _read_files(document)
    _read_container(document)
    _read_epsilon(document, present, epsilon)
    if document.get("concurrent"):
        document.pop("overlap", None)
    _read_zone(document, present)
    if document.get("parents"):
        document.pop("schedule", None)
        document.pop("scheduleTimeZone", None)
    run_endless_once(document, present)
    if present is None or not restore_schedule(document, present):
        refuse_old_start(document)
    return document, _read_counters(body, present)


def _read_zone(document: Document, present: Job | None) -> None:
    """Java's names become those of the tz database, except where ours was shown and comes back."""
    zone = document.pop("scheduleTimeZone", "")
    if zone in NO_ZONE:
        return
    was_shown = present is not None and present.definition.schedule_time_zone == zone
    document["scheduleTimeZone"] = zone if was_shown else region(zone)


def _read_files(document: Document) -> None:
    """``uris`` and ``fetch`` exclude each other, but a job that was shown comes back with one mirroring the other."""
    fetch = [_read_file(file) for file in as_objects(document.get("fetch"), "fetch")]
    if "fetch" in document:
        document["fetch"] = fetch
    uris = document.get("uris")
    if not uris or not fetch:
        return
    if uris != _uris_of(fetch):
        raise InvalidDefinition(
            f"Tried to add both uri (deprecated) and fetch parameters on {document['name']}", "fetch"
        )
    document["uris"] = []


def _read_file(file: Document) -> Document:
    """What is not said stays so: the default of ``extract`` was another one in 2.5."""
    flags: Document = {name: as_boolean(file[name]) for name in _FILE_FLAGS if name in file}
    read = {**file, "uri": as_text(file.get("uri")), **flags}
    if not as_word(read.get("output_file")):
        read.pop("output_file", None)
    return read


def _fetch_of(uris: list[str]) -> list[Document]:
    return [{"uri": uri, **_FILE_FLAGS} for uri in uris]


def _uris_of(fetch: list[Document]) -> list[str]:
    return [as_text(file.get("uri")) for file in fetch]


def _read_container(document: Document) -> None:
    """Type in any case; a container without an image is no container, as in the original."""
    container = document.get("container")
    if not isinstance(container, dict) or not as_word(container.get("image")):
        document.pop("container", None)
        return
    kind = (as_word(container.get("type")) or "DOCKER").upper()
    if kind not in ("DOCKER", "MESOS"):
        raise InvalidDefinition(
            f"container.type is {shown(container['type'])} but must be DOCKER or MESOS.", "container.type"
        )
    volumes = as_objects(container.get("volumes"), "container.volumes")
    document["container"] = {
        **container,
        "type": kind,
        "network": as_word(container.get("network")) or "HOST",
        "networkName": as_word(container.get("networkName")),
        "forcePullImage": as_boolean(container.get("forcePullImage")),
        "volumes": [_read_volume(volume) for volume in volumes],
        "parameters": as_pairs(container.get("parameters"), "container.parameters", "key"),
    }
    if "networkInfos" in container:
        networks = as_objects(container["networkInfos"], "container.networkInfos")
        document["container"]["networkInfos"] = [_read_network(network) for network in networks]


def _read_volume(volume: Document) -> Document:
    """What is null is left out: strict clients read a volume as texts."""
    read = {name: value for name, value in volume.items() if value is not None}
    external = read.get("external")
    if isinstance(external, dict) and "options" in external:
        options = as_pairs(external["options"], "container.volumes.external.options", "key")
        read["external"] = {**external, "options": options}
    return read


def _read_network(network: Document) -> Document:
    """What is null is left out, and ports are texts, as the original writes them."""
    read = {name: value for name, value in network.items() if value is not None}
    if "labels" in read:
        read["labels"] = as_pairs(read["labels"], "container.networkInfos.labels", "key")
    if "portMappings" in read:
        mappings = as_objects(read["portMappings"], "container.networkInfos.portMappings")
        read["portMappings"] = [
            {name: as_text(value) for name, value in mapping.items() if value is not None} for mapping in mappings
        ]
    return read


def _read_epsilon(document: Document, present: Job | None, default: str) -> None:
    """2.x's ``epsilon`` is our ``startDeadline``. The default that was only shown comes back without a meaning."""
    epsilon = document.get("epsilon")
    had_none = present is not None and not _is_epsilon(present.document.get("epsilon"))
    if epsilon in (None, "", "null") or (had_none and epsilon == default):
        document.pop("epsilon", None)
        return
    if not _is_epsilon(epsilon):
        raise InvalidDefinition(
            f'epsilon is {shown(epsilon)} but must be an ISO 8601 duration of at most 100 years, such as "PT15M".',
            "epsilon",
        )
    if document.get("startDeadline") is None:
        document["startDeadline"] = _start_deadline(epsilon)


def _is_epsilon(value: object) -> bool:
    seconds = parse_seconds(value) if isinstance(value, str) else None
    return seconds is not None and seconds <= LONGEST_SECONDS


def _start_deadline(epsilon: str) -> str:
    """2.x planned ahead: what was on time ran however short its epsilon was. Here nothing starts in no time."""
    return DEFAULT_EPSILON if (parse_seconds(epsilon) or 0) < 1 else epsilon


def _read_counters(body: Mapping[str, Any], present: Job | None) -> Counters | None:
    """The counters of the body; those that it does not bring stay as they are."""
    if not any(name in body for name in COUNTERS):
        return None
    kept = Counters() if present is None else present.counters

    def count(name: str, value: int) -> int:
        return max(0, as_whole_number(body[name])) if name in body else value

    def moment(name: str, value: datetime | None) -> datetime | None:
        return _moment(as_text(body[name]), value) if name in body else value

    return Counters(
        success_count=count("successCount", kept.success_count),
        error_count=count("errorCount", kept.error_count),
        errors_since_last_success=count("errorsSinceLastSuccess", kept.errors_since_last_success),
        last_success=moment("lastSuccess", kept.last_success),
        last_error=moment("lastError", kept.last_error),
    )


def _moment(text: str, kept: datetime | None) -> datetime | None:
    """An instant; the one that is kept where the text is its shown form, which ends at milliseconds."""
    if kept is not None and text == milliseconds(kept):
        return kept
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):  # the original takes any text here
        return None


def write_document(job: Job, generation: str, epsilon: str = DEFAULT_EPSILON) -> Document:
    """A job as the original shows it. ``generation`` is "2" or "3"; ``epsilon`` is shown where a job has none."""
    given = _given(job)
    document: Document = {}
    for name, default in _PRINTED_3.items():
        document[name] = given.get(name, default)
        if generation == "2" and name in _ONLY_2:
            older = _ONLY_2[name]
            document[older] = given.get(older, epsilon if older == "epsilon" else False)
    document["fetch"] = [_write_file(file) for file in document["fetch"]] + _fetch_of(document["uris"])
    document["uris"] = _uris_of(document["fetch"])
    if "container" in given:
        document["container"] = _write_container(given["container"], generation)
    document["constraints"] = given.get("constraints", [])
    hidden = {*document, "container", "schedule", "scheduleTimeZone", "parents", *_said_otherwise(given)}
    document.update({name: value for name, value in given.items() if name not in hidden})
    if job.definition.parents:
        document["parents"] = list(job.definition.parents)
    else:
        document["schedule"] = shown_schedule(job)
        document["scheduleTimeZone"] = job.definition.schedule_time_zone
    return document


def _given(job: Job) -> Document:
    """What the job has, where the two of its fields that our own API takes in other types have the original's."""
    given = {name: value for name, value in job.document.items() if value is not None}
    given.update(_counters(job.counters), concurrent=job.definition.overlap is Overlap.ALLOW)
    if not _is_epsilon(given.get("epsilon")):
        given.pop("epsilon", None)
    if "maxCompletionTime" in given:
        given["maxCompletionTime"] = ceil(parse_seconds(given["maxCompletionTime"]) or 0)
    return given


def _said_otherwise(given: Mapping[str, Any]) -> set[str]:
    """Fields of ours that one of the original's says already: a client that changes that one means both."""
    fields = set()
    if given.get("overlap") != Overlap.FORBID_SKIP:
        fields.add("overlap")
    if "epsilon" in given and given.get("startDeadline") == _start_deadline(given["epsilon"]):
        fields.add("startDeadline")
    return fields


def _counters(counters: Counters) -> Document:
    return {
        "successCount": counters.success_count,
        "errorCount": counters.error_count,
        "errorsSinceLastSuccess": counters.errors_since_last_success,
        "lastSuccess": "" if counters.last_success is None else milliseconds(counters.last_success),
        "lastError": "" if counters.last_error is None else milliseconds(counters.last_error),
    }


def _write_file(file: Document) -> Document:
    return {"uri": "", **_FILE_FLAGS, **{name: value for name, value in file.items() if value is not None}}


def _write_container(container: Mapping[str, Any], generation: str) -> Document:
    full = {name: container.get(name) or default for name, default in _CONTAINER_3.items()}
    if generation == "2":
        full["type"] = str(full["type"]).lower()
    ordered = {name: value for name, value in full.items() if value is not None}
    ordered.update({name: value for name, value in container.items() if name not in full and value is not None})
    return ordered
