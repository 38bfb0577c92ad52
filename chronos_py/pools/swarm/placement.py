"""From a task's constraints to those of a service. Pure.

Swarm knows ``==`` and ``!=``, without regard to case, all of which must hold, and evaluates them again for nodes that
join. So what must equal something is said to it in its own words, and every node that does not meet all
constraints, as they are understood here, is excluded by its id: Swarm still chooses among those that do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from chronos_py.model.constraints import Constraint, Operator, are_met
from chronos_py.pools import LaunchRefused, PoolNode

# What Swarm can read; other attributes are left to the exclusion.
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9\-_.]+")
_VALUE = re.compile(r"[A-Za-z0-9:\-_\s.*()?+\[\]\\^$|/]+")


def placement_of(
    constraints: Sequence[Constraint], nodes: Mapping[str, PoolNode], labels: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """The constraints of a service, for the ``nodes`` and their own ``labels``, both by the nodes' ids.

    Raises LaunchRefused when no node meets them.
    """
    if not constraints:
        return []
    fits = {node_id for node_id, node in nodes.items() if are_met(constraints, node.attributes)}
    if not fits:
        wanted = ", ".join(map(str, constraints))
        raise LaunchRefused(f"constraints: no node of the swarm meets {wanted}.")
    if len(fits) == 1:
        return [f"node.id=={next(iter(fits))}"]
    own = [words for constraint in constraints if (words := _own_words(constraint, [labels[each] for each in fits]))]
    return own + [f"node.id!={node_id}" for node_id in sorted(set(nodes) - fits)]


def _own_words(constraint: Constraint, labels: Sequence[Mapping[str, str]]) -> str:
    """The constraint as Swarm says it; "" when it can't."""
    name, value = constraint.attribute, constraint.value
    if constraint.operator is not Operator.EQUALS or not _VALUE.fullmatch(value):
        return ""
    if name == "hostname":
        return f"node.hostname=={value}"
    is_label = _KEY.fullmatch(name) and all(each.get(name) == value for each in labels)
    return f"node.labels.{name}=={value}" if is_label else ""


def preference_of(value: str) -> dict[str, Any]:
    """The option ``placement-pref``. Raises ValueError."""
    strategy, _, descriptor = value.partition("=")
    if strategy != "spread" or not descriptor:
        raise ValueError("spread=node.labels.NAME is expected")
    return {"Spread": {"SpreadDescriptor": descriptor}}
