"""From a task to the body of Swarm's POST /services/create. Pure but for the values it is given.

What a task's fields become:

* ``limits.cpus`` is reserved, and no limit; the parameter ``limit-cpu`` sets one. ``limits.memory_mb`` is reserved
  and a limit; the engine lets a task of a service swap as much again. ``limits.cpu_seconds`` holds for each process.
* ``network``: HOST is the node's, BRIDGE the engine's own, NONE is not possible; named ones must be overlay networks,
  or others that tasks of services may join. Ports are published on the node that the task runs on.
* ``volumes``: a host's folder must be there on every node that the task may come to: Swarm makes none. External ones
  are named volumes of their driver, on the task's node.
* ``force_pull`` is always so: before it starts a task, Swarm asks the image's registry for a newer one, unless the
  image is named by its digest; a registry that does not answer costs time, and then what is there is used.
"""

from __future__ import annotations

import math
from pathlib import Path
from posixpath import normpath
from typing import Any

from chronos_py.model.task import Container, Limits, Task, Volume
from chronos_py.pools import LaunchRefused
from chronos_py.pools.docker.networks import networks_of
from chronos_py.pools.docker.request import (
    CPU_TIME_GRACE_SECONDS,
    LABEL_CLUSTER,
    LABEL_TASK,
    SHARED_DIR,
    Surroundings,
    image_of,
)
from chronos_py.pools.docker.sandbox import SANDBOX
from chronos_py.pools.swarm.files import output_path, start_path
from chronos_py.pools.swarm.nodes import MEBI, NANO
from chronos_py.pools.swarm.once import once
from chronos_py.pools.swarm.parameters import Spec, apply_parameters

LABEL_KILLED = "chronos.killed"
HOST_NAME = "{{.Node.Hostname}}"  # Swarm fills it in


def service_spec(task: Task, around: Surroundings, constraints: list[str], sandbox: Path | None) -> Spec:
    """The service for ``task``, not started yet. Raises LaunchRefused, naming the field that can't be honoured.

    ``constraints`` are Swarm's; ``sandbox`` is the folder of what the task fetches.
    """
    container = task.container or Container()
    program, arguments = _command(task, around)
    mounts = [_mount(volume) for volume in container.volumes]
    spec: Spec = {
        "Name": task.name,
        "Labels": {},
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": image_of(task, around),
                "Command": program,
                "Args": arguments,
                "User": task.user,
                "Env": [],
                "Labels": {},
                "StopGracePeriod": math.ceil(task.grace_seconds * NANO),
                "Init": around.has_init,
                "Mounts": [{"Type": "bind", "Source": str(around.shared_dir), "Target": SHARED_DIR}, *mounts],
                **_ulimits(task.limits),
            },
            "Resources": _resources(task.limits),
            "RestartPolicy": {"Condition": "none", "MaxAttempts": 0},
            "Placement": {"Constraints": list(constraints)},
            "Networks": [],
        },
        "Mode": {"Replicated": {"Replicas": 0}},
        "UpdateConfig": {"Parallelism": 1, "FailureAction": "continue", "Order": "stop-first"},
        "EndpointSpec": {"Mode": "dnsrr"},  # nobody needs an address of the service beside the task's own
    }
    _join_networks(spec, container)
    apply_parameters(spec, container.parameters)
    _begin_in_sandbox(spec, sandbox)
    _mark_as_ours(spec, task, around, sandbox is not None)
    return spec


def started(spec: Spec) -> Spec:
    return {**spec, "Mode": {"Replicated": {"Replicas": 1}}}


def is_started(service: dict[str, Any]) -> bool:
    """Whether somebody started the service's task; once so, it stays so."""
    return bool(service["Spec"]["Mode"].get("Replicated", {}).get("Replicas")) or is_killed(service)


def is_killed(service: dict[str, Any]) -> bool:
    return LABEL_KILLED in service["Spec"].get("Labels", {})


def killed(spec: Spec) -> Spec:
    """The service with a task that can run nowhere in the place of its own: Swarm ends that, and keeps its result.

    Measured: with no replicas it ends as well, but is gone with its exit code and its log a moment later.
    """
    return {
        **spec,
        "Labels": {**spec.get("Labels", {}), LABEL_KILLED: "true"},
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": spec["TaskTemplate"]["ContainerSpec"]["Image"],
                "Command": ["/nothing"],
                "Labels": {LABEL_KILLED: "true"},
            },
            "RestartPolicy": {"Condition": "none", "MaxAttempts": 0},
            "Placement": {"Constraints": ["node.id==nowhere"]},
        },
        "EndpointSpec": {"Mode": "dnsrr"},
    }


def is_own(task: dict[str, Any]) -> bool:
    """Whether a task of a service is the one that was asked for, not the one that took its place."""
    return LABEL_KILLED not in (task["Spec"]["ContainerSpec"].get("Labels") or {})


def _command(task: Task, around: Surroundings) -> tuple[list[str] | None, list[str] | None]:
    if not task.command:
        return None, list(task.arguments) or None
    if task.shell:
        return once(task.command, start_path(around.cluster, task.name))
    return [task.command], list(task.arguments)


def _mount(volume: Volume) -> dict[str, Any]:
    mount: dict[str, Any] = {"Target": volume.container_path, "ReadOnly": volume.mode == "RO"}
    if volume.host_path:
        return {"Type": "bind", "Source": volume.host_path, **mount}
    if volume.external is None:
        return {"Type": "volume", **mount}
    driver = {"Name": volume.external.driver or "local", "Options": dict(volume.external.options)}
    options = {"VolumeOptions": {"DriverConfig": driver}} if volume.external.driver or volume.external.options else {}
    return {"Type": "volume", "Source": volume.external.name, **mount, **options}


def _resources(limits: Limits) -> dict[str, Any]:
    reserved: dict[str, Any] = {"NanoCPUs": round(limits.cpus * NANO)}
    most: dict[str, Any] = {}
    if limits.memory_mb > 0:
        reserved["MemoryBytes"] = most["MemoryBytes"] = int(limits.memory_mb * MEBI)
    return {"Limits": most, "Reservations": reserved}


def _ulimits(limits: Limits) -> dict[str, Any]:
    if limits.cpu_seconds is None:
        return {}
    soft = max(1, math.ceil(limits.cpu_seconds))
    return {"Ulimits": [{"Name": "cpu", "Soft": soft, "Hard": soft + CPU_TIME_GRACE_SECONDS}]}


def _join_networks(spec: Spec, container: Container) -> None:
    networks = networks_of(container)
    if networks.mode == "none":
        raise LaunchRefused(
            "container.network: a service cannot do without a network, so NONE is not possible on a swarm; "
            "use USER with an overlay network that leads nowhere (docker network create --internal)."
        )
    joined = {} if networks.mode == "bridge" else {networks.mode: networks.options}
    joined |= networks.others
    spec["TaskTemplate"]["Networks"] = [
        {"Target": name, **({"DriverOpts": options} if options else {})} for name, options in joined.items()
    ]
    ports = []
    for port, bindings in networks.bindings.items():
        number, _, protocol = port.partition("/")
        for binding in bindings:
            entry: dict[str, Any] = {"Protocol": protocol, "TargetPort": int(number), "PublishMode": "host"}
            if binding["HostPort"]:
                entry["PublishedPort"] = int(binding["HostPort"])
            ports.append(entry)
    if ports:
        spec["EndpointSpec"]["Ports"] = ports


def _begin_in_sandbox(spec: Spec, sandbox: Path | None) -> None:
    """Unlike in the docker pool, the command begins there whatever directory the image has."""
    if sandbox is None:
        return
    template = spec["TaskTemplate"]["ContainerSpec"]
    template["Mounts"].append({"Type": "bind", "Source": str(sandbox), "Target": SANDBOX})
    if normpath(template.get("Dir") or "/") == "/":
        template["Dir"] = SANDBOX


def _mark_as_ours(spec: Spec, task: Task, around: Surroundings, fetches: bool) -> None:
    """Labels and variables that parameters may add to, but not change."""
    template = spec["TaskTemplate"]["ContainerSpec"]
    own = {"CHRONOS_SHARED_DIR": SHARED_DIR, "CHRONOS_OUTPUT_FILE": output_path(around.cluster, task.name)}
    if fetches:
        own["MESOS_SANDBOX"] = SANDBOX
    variables = {name: _literal(value) for name, value in {**task.environment, **own}.items()}
    variables["HOST"] = HOST_NAME
    template["Env"] = [_literal(entry) for entry in template["Env"] if entry.partition("=")[0] not in variables]
    template["Env"] += [f"{name}={value}" for name, value in variables.items()]
    template["Labels"] = {**template["Labels"], **task.labels, LABEL_TASK: task.name}
    spec["Labels"] = {LABEL_CLUSTER: around.cluster, LABEL_TASK: task.name}


def _literal(text: str) -> str:
    """A text that Swarm, which takes such for a template, leaves as it is."""
    if "\x00" in text:
        raise LaunchRefused("environmentVariables: a value has a zero byte, which no variable can have.")
    return text.replace("{{", '{{"{{"}}')
