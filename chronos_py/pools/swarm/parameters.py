"""Engine options that have no field of their own in a job: ``docker service create --key=value`` as API fields.

A job's ``container.parameters`` take these keys, with the values ``docker service create`` takes; those that ``docker
run`` has under another name have that name, too. An unknown key is refused, never ignored.

=========================================================  ==================================================
keys                                                       value
=========================================================  ==================================================
secret, config                                             a name, or ``source=...,target=...,uid=...,gid=...,
                                                           mode=...``; may be repeated
constraint                                                 as Swarm writes it, such as ``node.role==worker``;
                                                           beside the job's own; may be repeated
placement-pref                                             ``spread=node.labels.NAME``; may be repeated
reserve-cpu, limit-cpu (cpus)                              decimal number; the job's ``cpus`` is reserved
reserve-memory (memory-reservation), limit-memory          size such as ``64m``; the job's ``mem`` is both
(memory, m)
limit-pids (pids-limit)                                    whole number
generic-resource                                           ``name=number``; may be repeated
network (net)                                              instead of the job's network; may be repeated
publish (p)                                                ``[port:]port[/protocol]`` on the task's node; may be
                                                           repeated
env (e)                                                    ``NAME=value``; may be repeated; the job's own win
label (l), container-label                                 ``name=value``, of the container; may be repeated
log-driver; log-opt                                        text; ``name=value``, may be repeated
mount                                                      ``type=...,source=...,target=...``; may be repeated
volume (v)                                                 ``[source:]container[:mode]``; may be repeated
tmpfs                                                      a path; may be repeated
cap-add, cap-drop, group (group-add), host (add-host),     text; may be repeated
dns, dns-option, dns-search
sysctl                                                     ``name=value``; may be repeated
ulimit                                                     ``name=soft[:hard]``; may be repeated
hostname (h), stop-signal, user (u), workdir (w),          text
isolation
init, no-healthcheck, read-only, tty (t)                   ``true``, ``false`` or nothing for true
entrypoint                                                 program; gets what would have run as arguments
=========================================================  ==================================================
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from typing import Any

from docker.errors import DockerException
from docker.utils import parse_bytes
from docker.utils.ports import split_port

from chronos_py.model.task import Parameter
from chronos_py.pools import LaunchRefused
from chronos_py.pools.parameter_edits import Edit, many, one, pair, pairs, switch
from chronos_py.pools.swarm.nodes import NANO
from chronos_py.pools.swarm.placement import preference_of

Spec = dict[str, Any]  # the body of the API's POST /services/create

_CONTAINER = "TaskTemplate.ContainerSpec"


def apply_parameters(spec: Spec, parameters: Iterable[Parameter]) -> None:
    """Write ``parameters`` into ``spec``. Raises LaunchRefused for an unknown key or a bad value.

    Secrets and configs are noted by their names: only the swarm knows their ids.
    """
    replaced: set[str] = set()
    for parameter in parameters:
        bare = parameter.key.strip().lstrip("-")
        key = _OTHER_NAMES.get(bare, bare)
        if key in _REFUSED:
            raise LaunchRefused(f"container.parameters: {key!r} is not allowed: {_REFUSED[key]}.")
        if key not in _EDITS:
            raise LaunchRefused(
                f"container.parameters: {parameter.key!r} is not an option that services of a swarm have; remove it."
            )
        if key == "network" and key not in replaced:
            spec["TaskTemplate"]["Networks"] = []
            replaced.add(key)
        try:
            _EDITS[key](spec, parameter.value)
        except (ValueError, DockerException) as error:
            raise LaunchRefused(
                f"container.parameters: {key!r} has the value {parameter.value!r}, which cannot be read: {error}."
            ) from error


# ------------------------------------------------------------------------------- how a value is written


def _cpus(value: str) -> int:
    return round(float(value) * NANO)


def _fields(value: str) -> dict[str, str]:
    """``name=value,name=value`` as the command line reads it."""
    pairs = (part.strip().partition("=") for part in next(csv.reader([value]), []))
    return {name: text for name, _, text in pairs}


def _known_fields(value: str, known: Iterable[str]) -> dict[str, str]:
    fields = _fields(value)
    for name in fields:
        if name not in known:
            raise ValueError(f"{name!r} is none of {', '.join(known)}")
    return fields


# --------------------------------------------------------------------------- options with a shape of their own


def _environment(spec: Spec, value: str) -> None:
    name, _ = pair(value)
    entries = spec["TaskTemplate"]["ContainerSpec"].setdefault("Env", [])
    entries[:] = [entry for entry in entries if not entry.startswith(f"{name}=")] + [value]


def _entry_point(spec: Spec, value: str) -> None:
    container = spec["TaskTemplate"]["ContainerSpec"]
    container["Args"] = [*(container.get("Command") or []), *(container.get("Args") or [])]
    container["Command"] = [value]


def _file_of(kind: str, folder: str) -> Edit:
    """A secret or a config, as a file in the container."""

    def edit(spec: Spec, value: str) -> None:
        bare = value if "=" not in value else ""
        known = ("source", "src", "target", "uid", "gid", "mode")
        fields = {"source": bare} if bare else _known_fields(value, known)
        source = fields.get("source") or fields.get("src")
        if not source:
            raise ValueError("the name of the source is missing")
        file = {
            "Name": fields.get("target") or f"{folder}{source}",
            "UID": fields.get("uid", "0"),
            "GID": fields.get("gid", "0"),
            "Mode": int(fields.get("mode", "0444"), 8),
        }
        place = spec["TaskTemplate"]["ContainerSpec"].setdefault(f"{kind}s", [])
        place.append({f"{kind}Name": source, "File": file})

    return edit


def _limit_memory(spec: Spec, value: str) -> None:
    resources = spec["TaskTemplate"]["Resources"]
    resources["Limits"]["MemoryBytes"] = size = int(parse_bytes(value))
    wanted = resources["Reservations"].get("MemoryBytes", size)
    resources["Reservations"]["MemoryBytes"] = min(wanted, size)  # Swarm refuses to reserve more than the limit


def _generic(value: str) -> dict[str, Any]:
    kind, number = pair(value)
    if number.isdecimal():
        return {"DiscreteResourceSpec": {"Kind": kind, "Value": int(number)}}
    return {"NamedResourceSpec": {"Kind": kind, "Value": number}}


def _network(value: str) -> dict[str, Any]:
    if "=" not in value:
        return {"Target": value}
    fields = _known_fields(value, ("name", "alias", "driver-opt"))
    network: dict[str, Any] = {"Target": fields.get("name", "")}
    if fields.get("alias"):
        network["Aliases"] = [fields["alias"]]
    if fields.get("driver-opt"):
        network["DriverOpts"] = dict([pair(fields["driver-opt"])])
    return network


def _publish(spec: Spec, value: str) -> None:
    container_ports, host_ports = split_port(value)
    for port, host in zip(container_ports, host_ports or [None] * len(container_ports), strict=True):
        if isinstance(host, tuple):
            raise ValueError("a service's port has no address")
        number, _, protocol = port.partition("/")
        entry = {"Protocol": protocol or "tcp", "TargetPort": int(number), "PublishMode": "host"}
        if host:
            entry["PublishedPort"] = int(host)
        spec["EndpointSpec"].setdefault("Ports", []).append(entry)


_MOUNT_FIELDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "type": ("Type", str),
    "source": ("Source", str),
    "src": ("Source", str),
    "target": ("Target", str),
    "destination": ("Target", str),
    "dst": ("Target", str),
    "readonly": ("ReadOnly", switch),
    "ro": ("ReadOnly", switch),
    "consistency": ("Consistency", str),
    "bind-propagation": ("BindOptions.Propagation", str),
    "volume-nocopy": ("VolumeOptions.NoCopy", switch),
    "volume-driver": ("VolumeOptions.DriverConfig.Name", str),
    "tmpfs-size": ("TmpfsOptions.SizeBytes", parse_bytes),
    "tmpfs-mode": ("TmpfsOptions.Mode", lambda value: int(value, 8)),
}


def _mount(value: str) -> dict[str, Any]:
    mount: dict[str, Any] = {"Type": "volume"}
    for item in next(csv.reader([value]), []):
        name, _, text = item.strip().partition("=")
        if name in ("volume-opt", "volume-label"):
            path = "VolumeOptions.DriverConfig.Options" if name == "volume-opt" else "VolumeOptions.Labels"
            pairs(path)(mount, text)
        elif name not in _MOUNT_FIELDS:
            raise ValueError(f"{name!r} is none of {', '.join(_MOUNT_FIELDS)}, volume-opt, volume-label")
        else:
            path, read = _MOUNT_FIELDS[name]
            one(path, read)(mount, text)
    return mount


def _volume(value: str) -> dict[str, Any]:
    source, _, rest = value.partition(":") if ":" in value else ("", "", value)
    target, _, mode = rest.partition(":")
    if not target.startswith("/") or mode not in ("", "rw", "ro"):
        raise ValueError("[source:]container[:ro] is expected")
    mount: dict[str, Any] = {"Type": "bind" if source.startswith("/") else "volume", "Target": target}
    return {**mount, **({"Source": source} if source else {}), "ReadOnly": mode == "ro"}


def _host(value: str) -> str:
    """``name:address`` as a line of a hosts file."""
    name, colon, address = value.partition(":")
    if not colon:
        raise ValueError("name:address is expected")
    return f"{address} {name}"


def _ulimit(spec: Spec, value: str) -> None:
    name, limits = pair(value)
    soft, _, hard = limits.partition(":")
    entries = spec["TaskTemplate"]["ContainerSpec"].setdefault("Ulimits", [])
    entries[:] = [entry for entry in entries if entry["Name"] != name]
    entries.append({"Name": name, "Soft": int(soft), "Hard": int(hard or soft)})


def _no_health_check(value: str) -> dict[str, Any]:
    return {"Test": ["NONE"]} if switch(value) else {}


# ----------------------------------------------------------------------------------------------- the table

_OTHER_NAMES = {
    "add-host": "host",
    "cpus": "limit-cpu",
    "e": "env",
    "group-add": "group",
    "h": "hostname",
    "l": "label",
    "m": "limit-memory",
    "memory": "limit-memory",
    "memory-reservation": "reserve-memory",
    "net": "network",
    "p": "publish",
    "pids-limit": "limit-pids",
    "stop-timeout": "stop-grace-period",
    "t": "tty",
    "u": "user",
    "v": "volume",
    "w": "workdir",
    "d": "detach",
    "q": "detach",
    "quiet": "detach",
}

_EDITS: dict[str, Edit] = {
    "cap-add": many(f"{_CONTAINER}.CapabilityAdd"),
    "cap-drop": many(f"{_CONTAINER}.CapabilityDrop"),
    "config": _file_of("Config", "/"),
    "constraint": many("TaskTemplate.Placement.Constraints"),
    "container-label": pairs(f"{_CONTAINER}.Labels"),
    "dns": many(f"{_CONTAINER}.DNSConfig.Nameservers"),
    "dns-option": many(f"{_CONTAINER}.DNSConfig.Options"),
    "dns-search": many(f"{_CONTAINER}.DNSConfig.Search"),
    "entrypoint": _entry_point,
    "env": _environment,
    "generic-resource": many("TaskTemplate.Resources.Reservations.GenericResources", _generic),
    "group": many(f"{_CONTAINER}.Groups"),
    "host": many(f"{_CONTAINER}.Hosts", _host),
    "hostname": one(f"{_CONTAINER}.Hostname"),
    "init": one(f"{_CONTAINER}.Init", switch),
    "isolation": one(f"{_CONTAINER}.Isolation"),
    "label": pairs(f"{_CONTAINER}.Labels"),
    "limit-cpu": one("TaskTemplate.Resources.Limits.NanoCPUs", _cpus),
    "limit-memory": _limit_memory,
    "limit-pids": one("TaskTemplate.Resources.Limits.Pids", int),
    "log-driver": one("TaskTemplate.LogDriver.Name"),
    "log-opt": pairs("TaskTemplate.LogDriver.Options"),
    "mount": many(f"{_CONTAINER}.Mounts", _mount),
    "network": many("TaskTemplate.Networks", _network),
    "no-healthcheck": one(f"{_CONTAINER}.Healthcheck", _no_health_check),
    "placement-pref": many("TaskTemplate.Placement.Preferences", preference_of),
    "publish": _publish,
    "read-only": one(f"{_CONTAINER}.ReadOnly", switch),
    "reserve-cpu": one("TaskTemplate.Resources.Reservations.NanoCPUs", _cpus),
    "reserve-memory": one("TaskTemplate.Resources.Reservations.MemoryBytes", parse_bytes),
    "secret": _file_of("Secret", ""),
    "stop-signal": one(f"{_CONTAINER}.StopSignal"),
    "sysctl": pairs(f"{_CONTAINER}.Sysctls"),
    "tmpfs": many(f"{_CONTAINER}.Mounts", lambda value: {"Type": "tmpfs", "Target": value}),
    "tty": one(f"{_CONTAINER}.TTY", switch),
    "ulimit": _ulimit,
    "user": one(f"{_CONTAINER}.User"),
    "volume": many(f"{_CONTAINER}.Mounts", _volume),
    "workdir": one(f"{_CONTAINER}.Dir"),
}

_REFUSED = {
    "detach": "a task always runs in the background",
    "env-file": "the file would be read where docker is called; use the job's environmentVariables",
    "mode": "a task is one container",
    "name": "the name is what keeps a task from running twice",
    "replicas": "a task is one container",
    "replicas-max-per-node": "a task is one container",
    "restart-condition": "Swarm would run the task again; use the job's retries",
    "restart": "Swarm would run the task again; use the job's retries",
    "rm": "the service must stay until its result is recorded",
    "stop-grace-period": "it is the job's gracePeriod",
}
