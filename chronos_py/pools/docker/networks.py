"""Which networks a container joins and which of its ports the host shows. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chronos_py.model.task import Container, NetworkInfo
from chronos_py.pools import LaunchRefused

_MODES = {"HOST": "host", "BRIDGE": "bridge", "NONE": "none"}


@dataclass(frozen=True, slots=True)
class Networks:
    """``mode`` is the network that the container is created in, with ``options`` for its driver; it is put into
    ``others`` (by name, with the driver's options) before it starts. ``bindings`` are the engine's PortBindings."""

    mode: str
    options: dict[str, str] = field(default_factory=dict)
    others: dict[str, dict[str, str]] = field(default_factory=dict)
    bindings: dict[str, list[dict[str, str]]] = field(default_factory=dict)


def networks_of(container: Container) -> Networks:
    """What ``network``, ``networkName`` and ``networkInfos`` come to. Raises LaunchRefused for what can't be.

    As in the original, ``networkName`` is one more network info. USER means the first one's network, and so does
    the type MESOS, which has no other way to name one.
    """
    infos = container.network_infos
    if container.network_name and container.network_name not in [info.name for info in infos]:
        infos = (NetworkInfo(container.network_name), *infos)
    named: dict[str, dict[str, str]] = {}
    for info in infos:
        if info.name:
            named.setdefault(info.name, dict(info.labels))
    names = list(named)
    bindings = _bindings(infos)
    if container.network == "USER" or (container.is_universal and names and container.network == "HOST"):
        if not names:
            raise LaunchRefused(
                "container.networkName: is empty; name the network that container.network USER means, "
                "there or in container.networkInfos."
            )
        others = {name: named[name] for name in names[1:]}
        return Networks(names[0], named[names[0]], others, bindings)
    if container.network == "BRIDGE":
        return Networks("bridge", {}, {name: named[name] for name in names}, bindings)
    if names or bindings:
        what = f"the network {names[0]!r}" if names else "a port to publish"
        raise LaunchRefused(
            f"container.networkInfos: a container in the network {container.network} can have no other, "
            f"and {what} is asked for; set container.network to USER or BRIDGE."
        )
    return Networks(_MODES[container.network])


def _bindings(infos: tuple[NetworkInfo, ...]) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for info in infos:
        for port in info.ports:
            host_port = str(port.host_port) if port.host_port else ""
            bindings.setdefault(f"{port.container_port}/{port.protocol}", []).append({"HostPort": host_port})
    return bindings


def network_fields(networks: Networks) -> dict[str, Any]:
    """The fields of a creation beside ``HostConfig.NetworkMode`` and ``HostConfig.PortBindings``."""
    fields: dict[str, Any] = {}
    if networks.options:
        fields["NetworkingConfig"] = {"EndpointsConfig": {networks.mode: {"DriverOpts": networks.options}}}
    if networks.bindings:
        fields["ExposedPorts"] = {port: {} for port in networks.bindings}
    return fields
