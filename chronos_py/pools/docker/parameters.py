"""Engine options that have no field of their own in a job: ``docker run --key=value`` as API fields.

A job's ``container.parameters`` take these keys, with the values ``docker run`` takes. A key may be given again
where ``docker run`` lets it be; an unknown key is refused, never ignored.

=========================================================  ==================================================
keys                                                       value
=========================================================  ==================================================
add-host, cap-add, cap-drop, device-cgroup-rule, dns,      text; may be repeated
dns-option, dns-search, group-add, link, security-opt,
volumes-from
cgroup-parent, cgroupns, cpuset-cpus, cpuset-mems,         text
domainname, hostname (h), ipc, mac-address, pid, runtime,
stop-signal, user (u), userns, uts, volume-driver,
workdir (w)
label (l), log-opt, storage-opt, sysctl                    ``name=value``; may be repeated
env (e)                                                    ``NAME=value``; may be repeated; the job's own win
log-driver                                                 text
blkio-weight, cpu-period, cpu-quota, cpu-shares (c),       whole number
memory-swappiness, oom-score-adj, pids-limit, stop-timeout
cpus                                                       decimal number: a hard limit, beside the soft share
                                                           that the job's ``cpus`` sets
memory (m), memory-reservation, memory-swap, shm-size      size such as ``64m``; ``memory`` without
                                                           ``memory-swap`` allows no swap
init, no-healthcheck, oom-kill-disable, privileged,        ``true``, ``false`` or nothing for true
publish-all (P), read-only, tty (t)
entrypoint                                                 program; gets what would have run as arguments
expose, publish (p)                                        ``[[address:]port:]port[/protocol]``; may be repeated
volume (v)                                                 ``[host:]container[:mode]``; may be repeated
mount                                                      ``type=...,source=...,target=...``; may be repeated
tmpfs                                                      ``path[:options]``; may be repeated
device                                                     ``host[:container[:rwm]]``; may be repeated
gpus                                                       ``all``, a number or ``device=...``
ulimit                                                     ``name=soft[:hard]``; may be repeated
network (net), network-alias (net-alias), ip, ip6          instead of the job's network
=========================================================  ==================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from docker.errors import DockerException
from docker.utils import parse_bytes, parse_devices
from docker.utils.ports import split_port

from chronos_py.model.task import Parameter
from chronos_py.pools import LaunchRefused
from chronos_py.pools.parameter_edits import Edit, many, one, pair, pairs, switch

Request = dict[str, Any]  # the body of the API's POST /containers/create


def apply_parameters(request: Request, parameters: Iterable[Parameter]) -> None:
    """Write ``parameters`` into ``request``. Raises LaunchRefused for an unknown key or a bad value."""
    # What others depend on comes first: aliases belong to a network, a swap limit corrects the memory limit's.
    for parameter in sorted(parameters, key=lambda each: _canonical(each.key) not in ("network", "memory")):
        key = _canonical(parameter.key)
        if key in _REFUSED:
            raise LaunchRefused(f"container.parameters: {key!r} is not allowed: {_REFUSED[key]}.")
        if key not in _EDITS:
            raise LaunchRefused(
                f"container.parameters: {parameter.key!r} is not an option that this pool knows; remove it."
            )
        try:
            _EDITS[key](request, parameter.value)
        except (ValueError, DockerException) as error:
            raise LaunchRefused(
                f"container.parameters: {key!r} has the value {parameter.value!r}, which cannot be read: {error}."
            ) from error


def _canonical(key: str) -> str:
    bare = key.strip().lstrip("-")
    return _SHORT_KEYS.get(bare, bare)


# ------------------------------------------------------------------------------- how a value is written


def _size(value: str) -> int:
    return -1 if value == "-1" else int(parse_bytes(value))


# --------------------------------------------------------------------------- options with a shape of their own


def _environment(request: Request, value: str) -> None:
    name, _ = pair(value)  # the client's own variables, which docker run takes without a value, mean nothing here
    entries = request.setdefault("Env", [])
    entries[:] = [entry for entry in entries if not entry.startswith(f"{name}=")] + [value]


def _memory(request: Request, value: str) -> None:
    host = request["HostConfig"]
    host["Memory"] = host["MemorySwap"] = _size(value)


def _entry_point(request: Request, value: str) -> None:
    request["Cmd"] = [*(request.get("Entrypoint") or []), *(request.get("Cmd") or [])]
    request["Entrypoint"] = [value]


def _endpoint(request: Request) -> dict[str, Any]:
    networks = request.setdefault("NetworkingConfig", {}).setdefault("EndpointsConfig", {})
    endpoint: dict[str, Any] = networks.setdefault(request["HostConfig"]["NetworkMode"], {})
    return endpoint


def _network_alias(request: Request, value: str) -> None:
    _endpoint(request).setdefault("Aliases", []).append(value)


def _address(field: str) -> Edit:
    def edit(request: Request, value: str) -> None:
        _endpoint(request).setdefault("IPAMConfig", {})[field] = value

    return edit


def _expose(request: Request, value: str) -> None:
    for port in split_port(value)[0]:
        request.setdefault("ExposedPorts", {})[_with_protocol(port)] = {}


def _publish(request: Request, value: str) -> None:
    container_ports, host_ports = split_port(value)
    bindings = request["HostConfig"].setdefault("PortBindings", {})
    for port, host in zip(container_ports, host_ports or [None] * len(container_ports), strict=True):
        address, host_port = host if isinstance(host, tuple) else ("", host)
        request.setdefault("ExposedPorts", {})[_with_protocol(port)] = {}
        bindings.setdefault(_with_protocol(port), []).append(
            {"HostIp": address, "HostPort": "" if host_port is None else str(host_port)}
        )


def _with_protocol(port: str) -> str:
    return port if "/" in port else f"{port}/tcp"


def _volume(request: Request, value: str) -> None:
    if ":" in value:
        request["HostConfig"].setdefault("Binds", []).append(value)
    else:
        request.setdefault("Volumes", {})[value] = {}


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
    "tmpfs-size": ("TmpfsOptions.SizeBytes", _size),
    "tmpfs-mode": ("TmpfsOptions.Mode", lambda value: int(value, 8)),
}


def _mount(request: Request, value: str) -> None:
    mount: dict[str, Any] = {"Type": "volume"}
    for item in value.split(","):
        name, _, text = item.strip().partition("=")
        if name not in _MOUNT_FIELDS:
            raise ValueError(f"{name!r} is none of {', '.join(_MOUNT_FIELDS)}")
        path, read = _MOUNT_FIELDS[name]
        one(path, read)(mount, text)
    request["HostConfig"].setdefault("Mounts", []).append(mount)


def _tmpfs(request: Request, value: str) -> None:
    path, _, options = value.partition(":")
    request["HostConfig"].setdefault("Tmpfs", {})[path] = options


def _devices(request: Request, value: str) -> None:
    request["HostConfig"].setdefault("Devices", []).extend(parse_devices([value]))


def _gpus(request: Request, value: str) -> None:
    wanted: dict[str, Any] = {"Capabilities": [["gpu"]]}
    if value.startswith("device="):
        wanted["DeviceIDs"] = value.removeprefix("device=").strip("\"'").split(",")
    else:
        wanted["Count"] = -1 if value == "all" else int(value)
    request["HostConfig"].setdefault("DeviceRequests", []).append(wanted)


def _ulimit(request: Request, value: str) -> None:
    name, limits = pair(value)
    soft, _, hard = limits.partition(":")
    entries = request["HostConfig"].setdefault("Ulimits", [])
    entries[:] = [entry for entry in entries if entry["Name"] != name]
    entries.append({"Name": name, "Soft": int(soft), "Hard": int(hard or soft)})


# ----------------------------------------------------------------------------------------------- the table

_SHORT_KEYS = {
    "P": "publish-all",
    "c": "cpu-shares",
    "e": "env",
    "h": "hostname",
    "l": "label",
    "m": "memory",
    "net": "network",
    "net-alias": "network-alias",
    "p": "publish",
    "t": "tty",
    "u": "user",
    "v": "volume",
    "w": "workdir",
    "d": "detach",
    "i": "interactive",
    "a": "attach",
}

_EDITS: dict[str, Edit] = {
    "add-host": many("HostConfig.ExtraHosts"),
    "blkio-weight": one("HostConfig.BlkioWeight", int),
    "cap-add": many("HostConfig.CapAdd"),
    "cap-drop": many("HostConfig.CapDrop"),
    "cgroup-parent": one("HostConfig.CgroupParent"),
    "cgroupns": one("HostConfig.CgroupnsMode"),
    "cpu-period": one("HostConfig.CpuPeriod", int),
    "cpu-quota": one("HostConfig.CpuQuota", int),
    "cpu-shares": one("HostConfig.CpuShares", int),
    "cpus": one("HostConfig.NanoCpus", lambda value: round(float(value) * 1_000_000_000)),
    "cpuset-cpus": one("HostConfig.CpusetCpus"),
    "cpuset-mems": one("HostConfig.CpusetMems"),
    "device": _devices,
    "device-cgroup-rule": many("HostConfig.DeviceCgroupRules"),
    "dns": many("HostConfig.Dns"),
    "dns-option": many("HostConfig.DnsOptions"),
    "dns-search": many("HostConfig.DnsSearch"),
    "domainname": one("Domainname"),
    "entrypoint": _entry_point,
    "env": _environment,
    "expose": _expose,
    "gpus": _gpus,
    "group-add": many("HostConfig.GroupAdd"),
    "hostname": one("Hostname"),
    "init": one("HostConfig.Init", switch),
    "ip": _address("IPv4Address"),
    "ip6": _address("IPv6Address"),
    "ipc": one("HostConfig.IpcMode"),
    "label": pairs("Labels"),
    "link": many("HostConfig.Links"),
    "log-driver": one("HostConfig.LogConfig.Type"),
    "log-opt": pairs("HostConfig.LogConfig.Config"),
    "mac-address": one("MacAddress"),
    "memory": _memory,
    "memory-reservation": one("HostConfig.MemoryReservation", _size),
    "memory-swap": one("HostConfig.MemorySwap", _size),
    "memory-swappiness": one("HostConfig.MemorySwappiness", int),
    "mount": _mount,
    "network": one("HostConfig.NetworkMode"),
    "network-alias": _network_alias,
    "no-healthcheck": one("Healthcheck", lambda value: {"Test": ["NONE"]} if switch(value) else {}),
    "oom-kill-disable": one("HostConfig.OomKillDisable", switch),
    "oom-score-adj": one("HostConfig.OomScoreAdj", int),
    "pid": one("HostConfig.PidMode"),
    "pids-limit": one("HostConfig.PidsLimit", int),
    "privileged": one("HostConfig.Privileged", switch),
    "publish": _publish,
    "publish-all": one("HostConfig.PublishAllPorts", switch),
    "read-only": one("HostConfig.ReadonlyRootfs", switch),
    "runtime": one("HostConfig.Runtime"),
    "security-opt": many("HostConfig.SecurityOpt"),
    "shm-size": one("HostConfig.ShmSize", _size),
    "stop-signal": one("StopSignal"),
    "stop-timeout": one("StopTimeout", int),
    "storage-opt": pairs("HostConfig.StorageOpt"),
    "sysctl": pairs("HostConfig.Sysctls"),
    "tmpfs": _tmpfs,
    "tty": one("Tty", switch),
    "ulimit": _ulimit,
    "user": one("User"),
    "userns": one("HostConfig.UsernsMode"),
    "uts": one("HostConfig.UTSMode"),
    "volume": _volume,
    "volume-driver": one("HostConfig.VolumeDriver"),
    "volumes-from": many("HostConfig.VolumesFrom"),
    "workdir": one("WorkingDir"),
}

_REFUSED = {
    "attach": "a task has no terminal to attach to",
    "cidfile": "the pool keeps the container's identity itself",
    "detach": "a task always runs in the background",
    "env-file": "the file would be read where docker run is called; use the job's environmentVariables",
    "interactive": "a task has no input",
    "label-file": "the file would be read where docker run is called; use label",
    "name": "the name is what keeps a task from running twice",
    "restart": "the engine would run the task again; use the job's retries",
    "rm": "the container must stay until its result is recorded",
}
