"""What a pool is asked to run: one task for one attempt of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from chronos_py.model.constraints import Constraint
from chronos_py.model.fetch import Fetch

Network = Literal["HOST", "BRIDGE", "USER", "NONE"]
VolumeMode = Literal["RW", "RO"]
Protocol = Literal["tcp", "udp", "sctp"]

LABEL_PREFIX = "chronos."


@dataclass(frozen=True, slots=True)
class ExternalVolume:
    """A volume that the engine, or a plug-in of it (``driver``; "": its own), keeps under a name."""

    name: str
    driver: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Volume:
    """A folder seen inside the container; with neither a host's nor an external one, a volume of the task's own."""

    container_path: str
    host_path: str | None = None
    mode: VolumeMode = "RW"
    external: ExternalVolume | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """An engine option that has no field of its own: ``docker run --key=value``."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class PortMapping:
    """A port of the container that the host shows; ``host_port`` 0: any free one."""

    container_port: int
    host_port: int
    protocol: Protocol = "tcp"


@dataclass(frozen=True, slots=True)
class NetworkInfo:
    """A network that the container joins, with labels for the driver; "" is the one that it has anyway."""

    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[PortMapping, ...] = ()


@dataclass(frozen=True, slots=True)
class Container:
    """The container a task runs in. An empty ``image`` means the pool's default image.

    ``is_universal``: the original's type MESOS, whose networks are named by ``network_infos`` alone.
    """

    image: str = ""
    network: Network = "HOST"
    network_name: str = ""
    volumes: tuple[Volume, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    force_pull: bool = False
    network_infos: tuple[NetworkInfo, ...] = ()
    is_universal: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What a task may use. Times are seconds, sizes mebibytes; None means unlimited."""

    cpus: float = 0.1
    memory_mb: float = 128.0
    disk_mb: float = 256.0
    cpu_seconds: float | None = None
    wall_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """Everything a pool needs to run one attempt; it knows nothing of jobs, schedules or SQL.

    ``name`` is deterministic (cluster, run, attempt), so that asking twice cannot run it twice.
    ``shell`` true runs ``/bin/sh -c command``. ``shell`` false runs ``command`` as a program with
    ``arguments`` as its argv; with an empty command the image's own entry point gets the arguments.
    ``grace_seconds`` is the time between the polite and the hard signal of a kill. ``fetch`` is there, in the folder
    that the command begins in, before it begins. A pool of several nodes chooses one that meets all ``constraints``.
    ``executor`` is the program of a custom executor, which gets ``executor_data``.
    """

    name: str
    command: str
    shell: bool = True
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    container: Container | None = None
    limits: Limits = Limits()
    user: str = ""
    grace_seconds: float = 10.0
    labels: Mapping[str, str] = field(default_factory=dict)
    fetch: tuple[Fetch, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    executor: str = ""
    executor_data: str = ""
