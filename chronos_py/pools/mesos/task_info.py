"""A task as the TaskInfo of Mesos: pure.

What is the pool's own in it: the label that has the task's name, so that a new leader finds it again, and the
variables HOST, CHRONOS_SHARED_DIR and CHRONOS_OUTPUT_FILE. A volume of the task's own is a folder in its sandbox.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from chronos_py.model.constraints import Attribute
from chronos_py.model.fetch import Fetch
from chronos_py.model.task import Container, NetworkInfo, Task, Volume
from chronos_py.pools.mesos.calls import duration
from chronos_py.pools.mesos.offers import Json, Offer, Portion

LABEL_TASK = "chronos.task"
LABEL_CLUSTER = "chronos.cluster"
SANDBOX = "/mnt/mesos/sandbox"  # where Mesos mounts a task's sandbox in a container with an image
OUTPUT_FILE = "chronos-output"
MOST_ID_BYTES = 200  # an agent makes a folder of it


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What tasks have in common. ``mounts_shared``: containers see the shared folder, too.

    ``attributes`` are those that the settings add to every agent's own.
    """

    cluster: str
    shared_dir: Path
    default_image: str
    mounts_shared: bool
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


def mesos_task_id(task: Task) -> str:
    """The original's ``ct:...`` of the attempt, and the run's number behind it: two runs may have all else in common.

    Deterministic, so that Mesos itself refuses a second launch. Without what Mesos does not allow in an id.
    """
    given = task.environment.get("MESOS_TASK_ID", "")
    if not given:
        return _clean(task.name)
    run = task.labels.get("chronos.run") or hashlib.sha256(task.name.encode()).hexdigest()[:12]
    suffix = f"~{run}"
    kept = _clean(given).encode()[: MOST_ID_BYTES - len(suffix)].decode(errors="ignore")
    return kept + suffix


def _clean(text: str) -> str:
    return "".join("_" if each in "/\\" or not each.isprintable() else each for each in text)


def task_info(task: Task, offer: Offer, portion: Portion, framework_id: str, around: Surroundings) -> Json:
    """What LAUNCH needs to know of a task that goes to an agent."""
    info: Json = {
        "name": f"ChronosTask:{task.labels.get('chronos.job') or task.name}",
        "task_id": {"value": mesos_task_id(task)},
        "agent_id": {"value": offer.agent_id},
        "resources": list(portion.resources),
        "kill_policy": {"grace_period": duration(task.grace_seconds)},
        "labels": {
            "labels": [
                {"key": key, "value": value}
                for key, value in {
                    **task.labels,
                    LABEL_TASK: task.name,
                    LABEL_CLUSTER: around.cluster,
                }.items()
            ]
        },
    }
    container = _container(task, portion, around)
    if container:
        info["container"] = container
    if task.limits.wall_seconds:
        info["max_completion_time"] = duration(task.limits.wall_seconds)
    command = _command(task, offer, around)
    if not task.executor:
        return info | {"command": command}
    executor = {
        "executor_id": info["task_id"],
        "framework_id": {"value": framework_id},
        "name": f"ChronosExecutor:{task.name}",
        "command": command | {"shell": True, "value": task.executor},
    }
    executor["command"].pop("arguments", None)
    return info | {"executor": executor, "data": base64.b64encode(task.executor_data.encode()).decode()}


def _command(task: Task, offer: Offer, around: Surroundings) -> Json:
    in_image = task.container is not None
    variables = {
        **task.environment,
        "HOST": offer.hostname,
        "CHRONOS_SHARED_DIR": str(around.shared_dir),
        "CHRONOS_OUTPUT_FILE": f"{SANDBOX}/{OUTPUT_FILE}" if in_image else OUTPUT_FILE,
    }
    command: Json = {
        "shell": task.shell and bool(task.command),
        "environment": {"variables": [{"name": name, "value": value} for name, value in variables.items()]},
    }
    if command["shell"]:
        # A command without an image begins in the sandbox, wherever that is; the variables are to outlive a cd.
        fixed = (
            f'MESOS_SANDBOX="$PWD"; CHRONOS_OUTPUT_FILE="$PWD/{OUTPUT_FILE}";'
            " export MESOS_SANDBOX CHRONOS_OUTPUT_FILE\n"
        )
        command["value"] = task.command if in_image else fixed + task.command
        if task.arguments:
            command["value"] += " " + shlex.join(task.arguments)
    else:
        command |= _argv(task, in_image)
    if task.user:
        command["user"] = task.user
    if task.fetch:
        command["uris"] = [_uri(fetch) for fetch in task.fetch]
    return command


def _argv(task: Task, in_image: bool) -> Json:
    """Docker puts the program before its arguments by itself; without an image the first argument is the program."""
    if not task.command:
        return {"arguments": list(task.arguments)} if task.arguments else {}
    is_docker = in_image and task.container is not None and not task.container.is_universal
    arguments = list(task.arguments) if is_docker else [task.command, *task.arguments]
    return {"value": task.command, "arguments": arguments}


def _uri(fetch: Fetch) -> Json:
    value = fetch.uri
    if value.startswith(("file:", "local:")):  # Mesos takes the path as it stands, with %20 for a blank
        value = unquote(urlsplit(value).path)
    uri: Json = {
        "value": value,
        "extract": fetch.extract and not fetch.executable,
        "executable": fetch.executable,
        "cache": fetch.cache,
    }
    if fetch.path != value.rpartition("/")[2]:  # Mesos would leave a query in the name
        uri["output_file"] = fetch.path
    return uri


def _container(task: Task, portion: Portion, around: Surroundings) -> Json | None:
    container = task.container
    if container is None:
        return None
    image = container.image or around.default_image
    volumes = [_volume(volume, index) for index, volume in enumerate(container.volumes)]
    if around.mounts_shared:
        shared = str(around.shared_dir)
        volumes.append({"container_path": shared, "host_path": shared, "mode": "RW"})
    found: Json = {"volumes": volumes} if volumes else {}
    networks = [_network(info) for info in _networks(container)]
    if networks:
        found["network_infos"] = networks
    if container.is_universal:
        wanted = {"type": "DOCKER", "docker": {"name": image}, "cached": not container.force_pull}
        return {"type": "MESOS", "mesos": {"image": wanted}} | found
    docker: Json = {"image": image, "network": container.network}
    parameters = [{"key": each.key, "value": each.value} for each in container.parameters]
    if task.limits.cpu_seconds:
        seconds = max(1, int(-(-task.limits.cpu_seconds // 1)))
        parameters.append({"key": "ulimit", "value": f"cpu={seconds}:{seconds + 5}"})
    if parameters:
        docker["parameters"] = parameters
    if container.force_pull:
        docker["force_pull_image"] = True
    mappings = [each for info in container.network_infos for each in info.ports]
    if portion.ports:
        docker["port_mappings"] = [
            {"host_port": host, "container_port": mapping.container_port, "protocol": mapping.protocol}
            for host, mapping in zip(portion.ports, mappings, strict=True)
        ]
    return {"type": "DOCKER", "docker": docker} | found


def _networks(container: Container) -> list[NetworkInfo]:
    """The networks by name; those without one are the one that the container has anyway."""
    named = [NetworkInfo(container.network_name)] if container.network_name else []
    return named + [info for info in container.network_infos if info.name and info.name != container.network_name]


def _network(info: NetworkInfo) -> Json:
    found: Json = {"name": info.name}
    if info.labels:
        found["labels"] = {"labels": [{"key": key, "value": value} for key, value in info.labels.items()]}
    return found


def _volume(volume: Volume, index: int) -> Json:
    found: Json = {"container_path": volume.container_path, "mode": volume.mode}
    if volume.external is None:
        # A path that is not absolute is one in the sandbox.
        return found | {"host_path": volume.host_path or f"chronos-volume-{index}"}
    kept: Json = {"name": volume.external.name}
    if volume.external.driver:
        kept["driver"] = volume.external.driver
    if volume.external.options:
        options = [{"key": key, "value": value} for key, value in volume.external.options.items()]
        kept["driver_options"] = {"parameter": options}
    return found | {"source": {"type": "DOCKER_VOLUME", "docker_volume": kept}}


def objection(task: Task) -> str:
    """Why Mesos can never run such a task; "" when it may be able to."""
    container = task.container
    if not task.command and container is None and not task.executor:
        return "command is empty, and without a container there is no image whose entry point could run."
    if task.limits.cpus <= 0 and task.limits.memory_mb <= 0:
        return "cpus and mem are both 0, but Mesos runs no task that uses no resources."
    if task.limits.cpu_seconds and (container is None or container.is_universal):
        return "cpuTimeLimit is set, but the mesos pool can hold only containers of type DOCKER to it."
    if container is not None and container.is_universal and container.parameters:
        return "container.parameters are options of docker run, but the container's type is MESOS."
    if container is not None and container.is_universal and any(info.ports for info in container.network_infos):
        return "container.networkInfos have port mappings, but the mesos pool maps ports for type DOCKER only."
    if container is not None and container.is_universal and container.network == "NONE":
        return 'container.network is "NONE", but the mesos pool gives containers of type MESOS a network always.'
    if task.executor and container is not None:
        return "executor and container are both set, but the mesos pool runs custom executors without a container."
    for fetch in task.fetch:
        try:
            _uri(fetch)
        except ValueError as error:
            return f"fetch or uris has {fetch.shown_uri}, which is no URI: {error}."
    return ""
