"""The agents of a cluster, as the master tells them: the nodes that tasks run on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chronos_py.model.constraints import Attribute
from chronos_py.pools import Capacity, PoolNode
from chronos_py.pools.mesos.entry import Agent
from chronos_py.pools.mesos.offers import Json, read_agent_attributes
from chronos_py.pools.node_attributes import attributes_of

AGENT_PORT = 5051


def read_agents(found: Json) -> dict[str, Agent]:
    """Agents by their ids, out of the answer to GET_AGENTS."""
    agents = {}
    for each in found.get("agents") or []:
        info = each.get("agent_info") or {}
        agents[str((info.get("id") or {}).get("value", ""))] = Agent(str(info.get("hostname") or ""), _address(each))
    return agents


def _address(found: Mapping[str, Any]) -> str:
    address = str(found.get("pid") or "").rpartition("@")[2]
    info = found.get("agent_info") or {}
    return address or f"{info.get('hostname', '')}:{info.get('port', AGENT_PORT)}"


def count_recovered(found: Json) -> int:
    """How many agents a new master has still to hear of."""
    return len(found.get("recovered_agents") or [])


def pool_nodes(found: Json, configured: Mapping[str, Attribute]) -> list[PoolNode]:
    """The agents as nodes of the pool, by name."""
    nodes = []
    for each in found.get("agents") or []:
        info = each.get("agent_info") or {}
        hostname = str(info.get("hostname") or "")
        total = _scalars(each.get("total_resources") or info.get("resources") or [])
        used = _scalars(each.get("allocated_resources") or [])
        nodes.append(
            PoolNode(
                name=hostname,
                attributes=attributes_of(hostname, read_agent_attributes(info.get("attributes") or []), configured),
                state=_state(each),
                cpus_total=total.get("cpus", 0.0),
                cpus_free=max(0.0, total.get("cpus", 0.0) - used.get("cpus", 0.0)),
                memory_total_mb=total.get("mem", 0.0),
                memory_free_mb=max(0.0, total.get("mem", 0.0) - used.get("mem", 0.0)),
                engine=f"Mesos {each.get('version', '')}".strip(),
            )
        )
    return sorted(nodes, key=lambda node: node.name)


def _state(found: Mapping[str, Any]) -> str:
    if not found.get("active", True):
        return "away"
    return "deactivated" if found.get("deactivated") else "ready"


def _scalars(resources: Sequence[Json]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for resource in resources:
        if "scalar" in resource:
            name = str(resource.get("name"))
            sums[name] = sums.get(name, 0.0) + float(resource["scalar"].get("value") or 0)
    return sums


def capacity_of(nodes: Sequence[PoolNode]) -> Capacity:
    """What the agents that take tasks have together."""
    ready = [node for node in nodes if node.state == "ready"]
    return Capacity(
        cpus_total=sum(node.cpus_total or 0 for node in ready),
        cpus_free=sum(node.cpus_free or 0 for node in ready),
        memory_total_mb=sum(node.memory_total_mb or 0 for node in ready),
        memory_free_mb=sum(node.memory_free_mb or 0 for node in ready),
    )
