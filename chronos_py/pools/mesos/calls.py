"""What a scheduler says to a Mesos master, as the JSON of the v1 scheduler API. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

# MULTI_ROLE: roles are a list. TASK_KILLING_STATE: a kill that is under way is told. PARTITION_AWARE: a task on an
# agent that cannot be reached is unreachable, not lost, and what was never launched is told from what is gone.
CAPABILITIES = ("MULTI_ROLE", "TASK_KILLING_STATE", "PARTITION_AWARE")


@dataclass(frozen=True, slots=True)
class Framework:
    """How the scheduler introduces itself. ``failover_seconds``: so long its tasks go on without it."""

    name: str = "chronos"
    user: str = "root"
    role: str = "*"
    failover_seconds: float = 604_800.0
    checkpoint: bool = True
    principal: str = ""
    webui_url: str = ""


def subscribe(framework: Framework, framework_id: str) -> Json:
    """The first call; with a stored id it takes the framework over, and the id stands in both places."""
    info: Json = {
        "user": framework.user,
        "name": framework.name,
        "roles": [framework.role],
        "capabilities": [{"type": each} for each in CAPABILITIES],
        "failover_timeout": framework.failover_seconds,
        "checkpoint": framework.checkpoint,
    }
    if framework.principal:
        info["principal"] = framework.principal
    if framework.webui_url:
        info["webui_url"] = framework.webui_url
    call: Json = {"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}
    if framework_id:
        info["id"] = {"value": framework_id}
        call["framework_id"] = {"value": framework_id}
    return call


def accept(framework_id: str, offer_id: str, task_infos: Sequence[Json], refuse_seconds: float) -> Json:
    return _call(
        framework_id,
        "ACCEPT",
        accept={
            "offer_ids": [{"value": offer_id}],
            "operations": [{"type": "LAUNCH", "launch": {"task_infos": list(task_infos)}}],
            "filters": {"refuse_seconds": refuse_seconds},
        },
    )


def decline(framework_id: str, offer_ids: Iterable[str], refuse_seconds: float) -> Json:
    return _call(
        framework_id,
        "DECLINE",
        decline={
            "offer_ids": [{"value": each} for each in offer_ids],
            "filters": {"refuse_seconds": refuse_seconds},
        },
    )


def suppress(framework_id: str) -> Json:
    return _call(framework_id, "SUPPRESS")


def revive(framework_id: str) -> Json:
    return _call(framework_id, "REVIVE")


def acknowledge(framework_id: str, agent_id: str, task_id: str, uuid: str) -> Json:
    return _call(
        framework_id,
        "ACKNOWLEDGE",
        acknowledge={"agent_id": {"value": agent_id}, "task_id": {"value": task_id}, "uuid": uuid},
    )


def kill(framework_id: str, task_id: str, agent_id: str, grace_seconds: float) -> Json:
    named: Json = {"task_id": {"value": task_id}}
    if agent_id:
        named["agent_id"] = {"value": agent_id}
    return _call(framework_id, "KILL", kill=named | {"kill_policy": {"grace_period": duration(grace_seconds)}})


def reconcile(framework_id: str, tasks: Iterable[tuple[str, str]]) -> Json:
    """Ask for the states of tasks by id and agent; for those of all that the master knows, when there are none."""
    return _call(framework_id, "RECONCILE", reconcile={"tasks": [_named(*each) for each in tasks]})


def teardown(framework_id: str) -> Json:
    """End the framework for good, with all its tasks."""
    return _call(framework_id, "TEARDOWN")


def duration(seconds: float) -> Json:
    return {"nanoseconds": round(seconds * 1e9)}


def _named(task_id: str, agent_id: str) -> Json:
    named: Json = {"task_id": {"value": task_id}}
    return named | {"agent_id": {"value": agent_id}} if agent_id else named


def _call(framework_id: str, kind: str, **more: Any) -> Json:
    return {"framework_id": {"value": framework_id}, "type": kind, **more}
