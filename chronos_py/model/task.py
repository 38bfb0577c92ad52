"""What a pool is asked to run: one task for one attempt of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Network = Literal["HOST", "BRIDGE", "USER", "NONE"]
VolumeMode = Literal["RW", "RO"]

LABEL_PREFIX = "chronos."


@dataclass(frozen=True, slots=True)
class Volume:
    """A folder seen inside the container; without ``host_path`` an anonymous volume."""

    container_path: str
    host_path: str | None = None
    mode: VolumeMode = "RW"


@dataclass(frozen=True, slots=True)
class Parameter:
    """An engine option that has no field of its own: ``docker run --key=value``."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Container:
    """The container a task runs in. An empty ``image`` means the pool's default image."""

    image: str = ""
    network: Network = "HOST"
    network_name: str = ""
    volumes: tuple[Volume, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    force_pull: bool = False


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
    ``grace_seconds`` is the time between the polite and the hard signal of a kill.
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
