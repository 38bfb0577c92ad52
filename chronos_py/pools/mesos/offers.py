"""Offers of resources, and which waiting tasks go where: pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chronos_py.model.constraints import Attribute, Ranges, are_met
from chronos_py.model.task import Task

Json = dict[str, Any]
SCALARS = ("cpus", "mem", "disk")
_NONE = 1e-9


@dataclass(frozen=True, slots=True)
class Share:
    """A part of an offer that one kind of reservation has; ``reservation`` is Mesos' own words of a dynamic one."""

    name: str
    role: str
    amount: float
    allocation_role: str = ""
    reservation: Json | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What an agent has to give now. ``address`` is host:port of the agent itself."""

    id: str
    agent_id: str
    hostname: str
    address: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    shares: tuple[Share, ...] = ()
    ports: tuple[tuple[int, int], ...] = ()

    def amount(self, name: str) -> float:
        return sum(share.amount for share in self.shares if share.name == name)


@dataclass(frozen=True, slots=True)
class Portion:
    """What one task takes of an offer: its resources in Mesos' own form, and a host port for each of its own."""

    resources: tuple[Json, ...]
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Placement:
    offer: Offer
    tasks: tuple[tuple[Task, Portion], ...]


def read_offer(found: Json) -> Offer:
    """An offer of the master's. What is for others, revocable, or bound to a volume is left aside."""
    address = (found.get("url") or {}).get("address") or {}
    shares: list[Share] = []
    ports: list[tuple[int, int]] = []
    for resource in found.get("resources") or []:
        if any(key in resource for key in ("disk", "revocable", "shared", "provider_id")):
            continue
        role = _role(resource)
        if resource.get("name") in SCALARS and "scalar" in resource:
            allocated = (resource.get("allocation_info") or {}).get("role") or ""
            amount = float(resource["scalar"]["value"])
            shares.append(Share(resource["name"], role, amount, allocated, resource.get("reservation")))
        elif resource.get("name") == "ports" and role == "*":
            ports += [(int(each["begin"]), int(each["end"])) for each in resource["ranges"]["range"]]
    host = address.get("ip") or address.get("hostname") or found.get("hostname", "")
    return Offer(
        id=found["id"]["value"],
        agent_id=found["agent_id"]["value"],
        hostname=str(found.get("hostname") or ""),
        address=f"{host}:{address.get('port', 5051)}",
        attributes=read_agent_attributes(found.get("attributes") or []),
        shares=tuple(shares),
        ports=tuple(ports),
    )


def _role(resource: Json) -> str:
    reservations = resource.get("reservations") or []
    return str(reservations[-1].get("role") or "*") if reservations else str(resource.get("role") or "*")


def read_agent_attributes(found: Sequence[Json]) -> dict[str, Attribute]:
    """An agent's attributes, as constraints know them."""
    attributes: dict[str, Attribute] = {}
    for each in found:
        name = str(each.get("name"))
        if "text" in each:
            attributes[name] = str(each["text"].get("value", ""))
        elif "scalar" in each:
            attributes[name] = float(each["scalar"]["value"])
        elif "set" in each:
            attributes[name] = frozenset(str(item) for item in each["set"].get("item") or [])
        elif "ranges" in each:
            attributes[name] = Ranges(str(each["ranges"].get("range")))
    return attributes


def wanted_scalars(task: Task) -> dict[str, float]:
    """What a task takes, by the names of Mesos; what is nothing is left out."""
    limits = task.limits
    wanted = {"cpus": limits.cpus, "mem": limits.memory_mb, "disk": limits.disk_mb}
    return {name: amount for name, amount in wanted.items() if amount > 0}


def wanted_ports(task: Task) -> list[int]:
    """The host's ports that a task asks for, 0 for any free one: those of networks that have ports of their own."""
    container = task.container
    if container is None or container.network not in ("BRIDGE", "USER"):
        return []
    return [mapping.host_port for info in container.network_infos for mapping in info.ports]


def best_fit(
    tasks: Sequence[Task], offers: Sequence[Offer], attributes_of: Callable[[Offer], Mapping[str, Attribute]]
) -> tuple[list[Placement], dict[str, str]]:
    """Which tasks go to which offers, and for the others, by name, why they go nowhere.

    In the given order each goes to the offer that it fills best; one that fits nowhere holds up nobody.
    """
    left = {offer.id: _Rest(offer, attributes_of(offer)) for offer in offers}
    chosen: dict[str, list[tuple[Task, Portion]]] = {}
    reasons: dict[str, str] = {}
    for task in tasks:
        fitting = [rest for rest in left.values() if are_met(task.constraints, rest.attributes) and rest.fits(task)]
        if not fitting:
            reasons[task.name] = why_waiting(task, offers, attributes_of)
            continue
        best = min(fitting, key=lambda rest: rest.slack_after(task))
        chosen.setdefault(best.offer.id, []).append((task, best.take(task)))
    placements = [Placement(offer, tuple(chosen[offer.id])) for offer in offers if offer.id in chosen]
    return placements, reasons


def why_waiting(
    task: Task, offers: Sequence[Offer], attributes_of: Callable[[Offer], Mapping[str, Attribute]]
) -> str:
    """One sentence for people on why no offer will do for a task."""
    if not offers:
        return "waiting for an offer of Mesos"
    meeting = [offer for offer in offers if are_met(task.constraints, attributes_of(offer))]
    if not meeting:
        wanted = ", ".join(str(each) for each in task.constraints)
        return f"waiting for an offer that fits: no agent that offers something meets {wanted}"
    for name, amount in wanted_scalars(task).items():
        largest = max(offer.amount(name) for offer in meeting)
        if largest + _NONE < amount:
            return f"waiting for an offer that fits: needs {amount:g} {name}, the largest offer has {largest:g}"
    if wanted_ports(task):
        return "waiting for an offer that fits: no offer has all the host ports that it needs"
    return "waiting for an offer that fits: none has all that it needs at once"


class _Rest:
    """What is left of an offer while tasks are put into it."""

    def __init__(self, offer: Offer, attributes: Mapping[str, Attribute]) -> None:
        self.offer = offer
        self.attributes = attributes
        # What is reserved for the framework's role is used up first: nobody else can use it.
        self._shares = sorted(offer.shares, key=lambda each: each.role == "*")
        self._amounts = [share.amount for share in self._shares]
        self._ports = [port for begin, end in offer.ports for port in range(begin, end + 1)]

    def fits(self, task: Task) -> bool:
        enough = all(self._left(name) + _NONE >= amount for name, amount in wanted_scalars(task).items())
        return enough and self._choose_ports(task) is not None

    def slack_after(self, task: Task) -> float:
        """How much of the offer would be left, as the mean of the parts; the less, the better it fits."""
        parts = []
        for name, amount in wanted_scalars(task).items():
            whole = self.offer.amount(name)
            parts.append((self._left(name) - amount) / whole if whole else 0.0)
        return sum(parts) / len(parts) if parts else 0.0

    def take(self, task: Task) -> Portion:
        resources: list[Json] = []
        for name, amount in wanted_scalars(task).items():
            resources += self._take_scalar(name, amount)
        ports = self._choose_ports(task) or ()
        if ports:
            self._ports = [port for port in self._ports if port not in ports]
            ranges = [{"begin": port, "end": port} for port in ports]
            resources.append({"name": "ports", "type": "RANGES", "ranges": {"range": ranges}})
        return Portion(tuple(resources), ports)

    def _left(self, name: str) -> float:
        parts = zip(self._shares, self._amounts, strict=True)
        return sum(amount for share, amount in parts if share.name == name)

    def _take_scalar(self, name: str, amount: float) -> list[Json]:
        taken: list[Json] = []
        for index, share in enumerate(self._shares):
            part = min(self._amounts[index], amount)
            if share.name != name or part <= _NONE:
                continue
            self._amounts[index] -= part
            amount -= part
            resource: Json = {"name": name, "type": "SCALAR", "scalar": {"value": round(part, 6)}}
            if share.role != "*":
                resource |= {"role": share.role, "allocation_info": {"role": share.allocation_role or share.role}}
                if share.reservation is not None:
                    resource["reservation"] = share.reservation
            taken.append(resource)
        return taken

    def _choose_ports(self, task: Task) -> tuple[int, ...] | None:
        """A port for each that the task asks for; None when there are not enough."""
        wanted = wanted_ports(task)
        free = [port for port in self._ports if port not in wanted]
        if any(port and port not in self._ports for port in wanted) or len(free) < wanted.count(0):
            return None
        spare = iter(free)
        return tuple(port or next(spare) for port in wanted)
