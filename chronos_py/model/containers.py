"""The ``container`` of a job document."""

from __future__ import annotations

from typing import Any, cast, get_args

from chronos_py.model.reader import Reader
from chronos_py.model.task import (
    Container,
    ExternalVolume,
    Network,
    NetworkInfo,
    Parameter,
    PortMapping,
    Protocol,
    Volume,
)

_HIGHEST_PORT = 65535


def read_container(read: Reader) -> Container | None:
    """The container, None when there is none. Raises InvalidDefinition."""
    container = read.document.get("container")
    if container is None:
        return None
    if not isinstance(container, dict):
        read.refuse("container", "an object with an image")
    inner = Reader(container, "container.")
    image = inner.text("image").strip()
    if any(character.isspace() for character in image):
        inner.refuse("image", "the name of an image, without blanks")
    kind = inner.text("type").upper() or "DOCKER"
    if kind not in ("DOCKER", "MESOS"):
        inner.refuse("type", "DOCKER or MESOS")
    return Container(
        image=image,
        network=cast(Network, inner.choice("network", "HOST", get_args(Network))),
        network_name=inner.text("networkName"),
        volumes=tuple(_read_volume(volume) for volume in inner.objects("volumes")),
        parameters=tuple(
            Parameter(parameter.text("key"), parameter.text("value")) for parameter in inner.objects("parameters")
        ),
        force_pull=inner.boolean("forcePullImage", False),
        network_infos=tuple(_read_network_info(info) for info in inner.objects("networkInfos")),
        is_universal=kind == "MESOS",
    )


def _read_volume(read: Reader) -> Volume:
    """A relative host path means a folder in the task's own sandbox: nobody else's, and gone with the task."""
    container_path = read.text("containerPath")
    if not container_path.startswith("/"):
        read.refuse("containerPath", "an absolute path")
    host_path = read.text("hostPath") or None
    if host_path is not None and ".." in host_path.split("/"):
        read.refuse("hostPath", 'a path without ".."')
    mode = read.text("mode", "RW").upper()
    if mode not in ("RW", "RO"):
        read.refuse("mode", "RW or RO")
    external = _read_external(read)
    if external is not None and host_path is not None:
        read.refuse("hostPath", "left out, because the volume is external")
    if host_path is not None and not host_path.startswith("/"):
        host_path = None
    return Volume(container_path, host_path, "RO" if mode == "RO" else "RW", external)


def _read_external(read: Reader) -> ExternalVolume | None:
    external = read.get("external", None)
    if external is None:
        return None
    if not isinstance(external, dict):
        read.refuse("external", "an object with a name and a provider")
    inner = Reader(external, f"{read.path}external.")
    name = inner.text("name")
    if not name:
        inner.refuse("name", "the name of a volume")
    return ExternalVolume(name, inner.text("provider"), _read_pairs(inner, "options"))


def _read_network_info(read: Reader) -> NetworkInfo:
    return NetworkInfo(
        name=read.text("name"),
        labels=_read_pairs(read, "labels"),
        ports=tuple(_read_port_mapping(mapping) for mapping in read.objects("portMappings")),
    )


def _read_port_mapping(read: Reader) -> PortMapping:
    protocol = (read.text("protocol") or "tcp").lower()
    if protocol not in get_args(Protocol):
        read.refuse("protocol", "one of " + ", ".join(get_args(Protocol)))
    return PortMapping(
        _read_port(read, "containerPort", 1), _read_port(read, "hostPort", 0), cast(Protocol, protocol)
    )


def _read_port(read: Reader, name: str, lowest: int) -> int:
    """A port as a number, or as text: the original itself writes it so."""
    value: Any = read.get(name, lowest if name == "hostPort" else None)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 5:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= _HIGHEST_PORT:
        read.refuse(name, f"a port from {lowest} to {_HIGHEST_PORT}")
    return value


def _read_pairs(read: Reader, name: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for pair in read.objects(name):
        if not pair.text("key"):
            pair.refuse("key", "a text that is not empty")
        pairs.setdefault(pair.text("key"), pair.text("value"))
    return pairs
