"""What a swarm says of its nodes, as the pool's nodes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chronos_py.model.constraints import Attribute
from chronos_py.pools import Capacity, PoolNode
from chronos_py.pools.node_attributes import attributes_of
from chronos_py.pools.swarm.calls import Found

NANO = 1_000_000_000
MEBI = 2**20
# States of a node that nobody knows anything of.
AWAY = ("down", "disconnected", "unknown")
# States of a task that holds what it reserved.
_HOLDING = ("assigned", "accepted", "preparing", "ready", "starting", "running")


def host_name(node: Found) -> str:
    return str(node["Description"].get("Hostname") or node["ID"])


def state_of(node: Found) -> str:
    """``"ready"``, or Swarm's own word for why the node takes no tasks."""
    state = str(node["Status"].get("State", "unknown"))
    availability = str(node["Spec"].get("Availability", "active"))
    return state if state != "ready" or availability == "active" else availability


def labels_of(node: Found) -> dict[str, str]:
    """The labels that were given to the node in the swarm, not those of its engine."""
    return dict(node["Spec"].get("Labels") or {})


def pool_nodes(
    nodes: Iterable[Found], tasks: Iterable[Found], configured: Mapping[str, Attribute]
) -> dict[str, PoolNode]:
    """The nodes by id. ``tasks`` are those of all services: others' reservations count as well."""
    cpus_used, memory_used = reserved(tasks)
    found: dict[str, PoolNode] = {}
    for node in nodes:
        node_id, description = node["ID"], node["Description"]
        engine, platform = description.get("Engine") or {}, description.get("Platform") or {}
        resources = description.get("Resources") or {}
        cpus, memory = resources.get("NanoCPUs", 0) / NANO, resources.get("MemoryBytes", 0) / MEBI
        attributes = {
            "os": str(platform.get("OS", "")),
            "arch": str(platform.get("Architecture", "")),
            "role": str(node["Spec"].get("Role", "")),
            **(engine.get("Labels") or {}),
            **labels_of(node),
        }
        is_known = state_of(node) not in AWAY  # what runs there
        found[node_id] = PoolNode(
            name=host_name(node),
            attributes=attributes_of(host_name(node), attributes, configured),
            state=state_of(node),
            cpus_total=cpus,
            cpus_free=cpus - cpus_used.get(node_id, 0.0) if is_known else None,
            memory_total_mb=memory,
            memory_free_mb=memory - memory_used.get(node_id, 0.0) if is_known else None,
            engine=f"Docker Engine {engine.get('EngineVersion', '')}".strip(),
        )
    return found


def reserved(tasks: Iterable[Found]) -> tuple[dict[str, float], dict[str, float]]:
    """Processors and mebibytes that tasks hold, by the id of their node."""
    cpus: dict[str, float] = {}
    memory: dict[str, float] = {}
    for task in tasks:
        if task["Status"]["State"] in _HOLDING:
            node = str(task.get("NodeID", ""))
            wanted = (task["Spec"].get("Resources") or {}).get("Reservations") or {}
            cpus[node] = cpus.get(node, 0.0) + wanted.get("NanoCPUs", 0) / NANO
            memory[node] = memory.get(node, 0.0) + wanted.get("MemoryBytes", 0) / MEBI
    return cpus, memory


def capacity_of(nodes: Iterable[PoolNode]) -> Capacity:
    """The sum over the nodes that take tasks."""
    ready = [node for node in nodes if node.state == "ready"]
    return Capacity(
        cpus_total=sum(node.cpus_total or 0.0 for node in ready),
        cpus_free=sum(node.cpus_free or 0.0 for node in ready),
        memory_total_mb=sum(node.memory_total_mb or 0.0 for node in ready),
        memory_free_mb=sum(node.memory_free_mb or 0.0 for node in ready),
    )


def has_majority(nodes: Iterable[Found]) -> bool:
    """Whether the manager that says so is in touch with most of the managers, so that what it says is current."""
    managers = [node["ManagerStatus"] for node in nodes if node.get("ManagerStatus")]
    reachable = len([manager for manager in managers if manager.get("Reachability") == "reachable"])
    return 2 * reachable > len(managers)
