"""The attributes of a pool's nodes: what the engine says, what the settings add, and a host name always."""

from __future__ import annotations

from collections.abc import Mapping

from chronos_py.model.constraints import Attribute, read_attributes
from chronos_py.pools import PoolUnavailable


def configured_attributes(text: str) -> dict[str, Attribute]:
    """The attributes of the setting ``pool_attributes``. Raises PoolUnavailable in one sentence."""
    try:
        return read_attributes(text)
    except ValueError as error:
        raise PoolUnavailable(f"pool_attributes: {error}") from error


def attributes_of(
    host_name: str, found: Mapping[str, Attribute], configured: Mapping[str, Attribute]
) -> dict[str, Attribute]:
    """Those that were found out, and above them those of the settings; the host's name, unless either has another."""
    known = {name: value for name, value in found.items() if value != ""}
    return {"hostname": host_name, **known, **configured}
