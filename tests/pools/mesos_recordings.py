"""The recordings of a real Mesos as facts: their calls and answers, and how a call of ours is held against them."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]
RECORDINGS = Path(__file__).parent / "recordings" / "mesos"

# Fields that Mesos documents and no recording has.
DOCUMENTED = {
    "ACCEPT": {
        "accept.operations[].launch.task_infos[].command.uris[].output_file:str",
    }
}

# What the recorded client chose otherwise: names and ids, and what the pool leaves to Mesos or has no use for.
CHOSEN = ("name", "agent_id", "health_check", "resources.role", "resources.allocation_info")


@functools.cache
def read_recording(name: str) -> Json:
    """A scenario by the number that its file's name begins with."""
    (file,) = (each for each in RECORDINGS.glob(f"{name}_*.json") if not each.name.endswith("znodes.json"))
    found: Json = json.loads(file.read_text())
    return found


def body_of(exchange: Json) -> Json:
    """The call in an exchange; one that was no JSON object has no type."""
    try:
        body = json.loads(exchange["request"]["body"] or "null")
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {}


def is_to_scheduler(exchange: Json) -> bool:
    return bool(exchange["request"]["path"].endswith("/scheduler"))


def recorded_calls(recording: Json) -> Iterator[tuple[float, Json]]:
    """The scheduler's calls that Mesos accepted, with their times; those of subscriptions among them."""
    for exchange in recording.get("exchanges", []):
        answer = exchange["response"]
        if is_to_scheduler(exchange) and answer and answer["status"] in (200, 202):
            yield exchange["t_request"], body_of(exchange)
    for stream in recording.get("streams", []):
        if is_to_scheduler(stream) and stream["response"]["status"] == 200:
            yield stream["t_open"], body_of(stream)


def subscriptions(recording: Json, *statuses: int) -> list[Json]:
    """The recorded answers to SUBSCRIBE in the order of their times; those with the given statuses, or all."""
    found = [(each["t_open"], each) for each in recording["streams"] if is_to_scheduler(each)]
    for exchange in recording["exchanges"]:
        if is_to_scheduler(exchange) and body_of(exchange).get("type") == "SUBSCRIBE" and exchange["response"]:
            found.append((exchange["t_request"], exchange))
    found.sort(key=lambda each: each[0])
    return [each for _, each in found if not statuses or each["response"]["status"] in statuses]


def refusals(recording: Json, *kinds: str) -> list[Json]:
    """The exchanges in which Mesos did not take a call of these kinds, or of any."""
    return [
        each
        for each in recording["exchanges"]
        if is_to_scheduler(each)
        and each["response"]
        and each["response"]["status"] >= 300
        and (not kinds or body_of(each).get("type") in kinds)
    ]


def launched_in(call: Json) -> list[Json]:
    """What a recorded ACCEPT launched, in groups or by itself."""
    infos = []
    for operation in call["accept"]["operations"]:
        infos += operation.get("launch", {}).get("task_infos", [])
        infos += operation.get("launch_group", {}).get("task_group", {}).get("tasks", [])
    return infos


def task_ids(call: Json) -> set[str]:
    return {info["task_id"]["value"] for info in launched_in(call)}


def recorded_tasks(recording: Json) -> dict[str, list[Json]]:
    """What the recorded client launched, by id; a program is told its own name as ours are."""
    found: dict[str, list[Json]] = {}
    for _, call in recorded_calls(recording):
        for info in launched_in(call) if call["type"] == "ACCEPT" else []:
            command = info.get("command", {})
            if command.get("arguments") and "container" not in info:
                told = [command["value"], *command["arguments"][1:]]
                info = info | {"command": command | {"arguments": told}}
            found.setdefault(info["task_id"]["value"], []).append(info)
    return found


def fields_of(value: Any, path: str = "") -> Iterator[str]:
    """Every field in a call, with the kind of its value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from fields_of(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for inner in value:
            yield from fields_of(inner, f"{path}[]")
    else:
        kind = "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
        yield f"{path}:{kind}"


@functools.cache
def known_fields() -> dict[str, frozenset[str]]:
    """The fields of all recorded calls that Mesos accepted, by kind of call."""
    known: dict[str, set[str]] = {kind: set(fields) for kind, fields in DOCUMENTED.items()}
    for file in RECORDINGS.glob("[0-9]*.json"):
        for _, call in recorded_calls(json.loads(file.read_text())):
            known.setdefault(call["type"], set()).update(fields_of(call))
    return {kind: frozenset(fields) for kind, fields in known.items()}


def lacks(recorded: Any, ours: Any, path: str = "") -> list[str]:
    """What the recorded TaskInfo says and ours does not, or says otherwise."""
    if path in CHOSEN:
        return []
    if isinstance(recorded, dict):
        if not isinstance(ours, dict):
            return [f"{path}: {recorded!r}"]
        return [
            problem
            for key, inner in recorded.items()
            if inner or key in ours  # nothing, and what is not there, are the same to Mesos
            for problem in lacks(inner, ours.get(key), f"{path}.{key}" if path else key)
        ]
    if isinstance(recorded, list):
        those = ours if isinstance(ours, list) else []
        return [f"{path}: {each!r}" for each in recorded if not any(not lacks(each, one, path) for one in those)]
    if path == "command.value" and isinstance(ours, str) and ours.endswith(recorded):
        return []  # ours sets a variable first
    return [] if recorded == ours else [f"{path}: {recorded!r}, not {ours!r}"]
