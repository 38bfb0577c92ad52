"""From a task to the body of the engine's POST /containers/create. Pure but for the values it is given."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chronos_py.model.task import Container, ExternalVolume, Limits, Task, Volume
from chronos_py.pools import LaunchRefused
from chronos_py.pools.docker.networks import network_fields, networks_of
from chronos_py.pools.docker.parameters import Request, apply_parameters

SHARED_DIR = "/chronos/shared"
OUTPUT_FILE = "/chronos-output"
SHELL = ["/bin/sh", "-c"]
LABEL_CLUSTER = "chronos.cluster"
LABEL_TASK = "chronos.task"
LABEL_CPUS = "chronos.cpus"
LABEL_MEMORY = "chronos.memory_mb"
SHARES_PER_CPU = 1024
LEAST_SHARES = 2
# Between the signal a program may catch (SIGXCPU) and the one it may not.
CPU_TIME_GRACE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a request holds that the task does not say."""

    cluster: str
    shared_dir: Path
    default_image: str
    host_name: str
    has_init: bool


def image_of(task: Task, around: Surroundings) -> str:
    return (task.container.image if task.container else "") or around.default_image


def container_request(task: Task, around: Surroundings) -> Request:
    """The container for ``task``. Raises LaunchRefused, naming the field that cannot be honoured."""
    container = task.container or Container()
    program, arguments = _command(task)
    networks = networks_of(container)
    request: Request = {
        "Image": image_of(task, around),
        "Entrypoint": program,
        "Cmd": arguments,
        "User": task.user,
        "Env": [],
        "StopTimeout": math.ceil(task.grace_seconds),
        "Volumes": {volume.container_path: {} for volume in container.volumes if _is_own(volume)},
        **network_fields(networks),
        "HostConfig": {
            "NetworkMode": networks.mode,
            "PortBindings": networks.bindings,
            "Binds": [_bind(volume) for volume in container.volumes if volume.host_path],
            "Mounts": [
                {"Type": "bind", "Source": str(around.shared_dir), "Target": SHARED_DIR},
                *(_mount(volume, volume.external) for volume in container.volumes if volume.external),
            ],
            # An init as the first process passes the polite signal on, and lets limits end the program.
            "Init": around.has_init,
            **_limits(task.limits),
        },
    }
    apply_parameters(request, container.parameters)
    _mark_as_ours(request, task, around)
    return request


def _command(task: Task) -> tuple[list[str] | None, list[str] | None]:
    """The entry point and its arguments; None leaves the image's own."""
    if not task.command:
        return None, list(task.arguments) or None
    if task.shell:
        return SHELL, [task.command]
    return [task.command], list(task.arguments)


def _is_own(volume: Volume) -> bool:
    """Whether it is a volume that the task has for itself and that goes with it."""
    return volume.host_path is None and volume.external is None


def _mount(volume: Volume, external: ExternalVolume) -> dict[str, Any]:
    """A named volume, which the engine makes with its driver if there is none of that name."""
    driver = {"Name": external.driver or "local", "Options": dict(external.options)}
    return {
        "Type": "volume",
        "Source": external.name,
        "Target": volume.container_path,
        "ReadOnly": volume.mode == "RO",
        "VolumeOptions": {"DriverConfig": driver} if external.driver or external.options else {},
    }


def _bind(volume: Volume) -> str:
    for path in (volume.host_path or "", volume.container_path):
        if ":" in path:
            raise LaunchRefused(f"container.volumes: {path!r} has a colon, which a path of a volume must not have.")
    return f"{volume.host_path}:{volume.container_path}:{volume.mode.lower()}"


def _limits(limits: Limits) -> dict[str, Any]:
    fields: dict[str, Any] = {"CpuShares": max(LEAST_SHARES, int(limits.cpus * SHARES_PER_CPU))}
    if limits.memory_mb > 0:
        fields["Memory"] = fields["MemorySwap"] = int(limits.memory_mb * 2**20)
    if limits.cpu_seconds is not None:
        soft = max(1, math.ceil(limits.cpu_seconds))
        fields["Ulimits"] = [{"Name": "cpu", "Soft": soft, "Hard": soft + CPU_TIME_GRACE_SECONDS}]
    return fields


def _mark_as_ours(request: Request, task: Task, around: Surroundings) -> None:
    """Labels and variables that parameters may add to, but not change."""
    variables = {
        **task.environment,
        "HOST": around.host_name,
        "CHRONOS_SHARED_DIR": SHARED_DIR,
        "CHRONOS_OUTPUT_FILE": OUTPUT_FILE,
    }
    request["Env"] = [entry for entry in request["Env"] if entry.partition("=")[0] not in variables]
    request["Env"] += [f"{name}={value}" for name, value in variables.items()]
    request["Labels"] = {
        **request.get("Labels", {}),
        **task.labels,
        LABEL_CPUS: str(task.limits.cpus),
        LABEL_MEMORY: str(task.limits.memory_mb),
        LABEL_CLUSTER: around.cluster,
        LABEL_TASK: task.name,
    }
