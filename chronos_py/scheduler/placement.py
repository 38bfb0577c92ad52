"""Which jobs no node of the pool would do for now."""

from __future__ import annotations

from collections.abc import Sequence

from chronos_py.clock import Clock
from chronos_py.model.constraints import count_meeting, read_placement
from chronos_py.pools import Pool, PoolNode, PoolUnavailable

FRESH_SECONDS = 3.0


class NodeView:
    """The pool's nodes as they were a few seconds ago at most. Not for several threads."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._nodes: Sequence[PoolNode] | None = None
        self._seen_at: float | None = None

    def unplaceable(self, placements: Sequence[str]) -> list[str]:
        """Those of the placements that no node meets: all of them while the pool does not tell its nodes.

        The pool is asked only where there are placements: most jobs may run anywhere.
        """
        if not placements:
            return []
        now = self._clock.monotonic()
        if self._seen_at is None or now - self._seen_at >= FRESH_SECONDS:
            self._nodes = self._look()
            self._seen_at = now
        if self._nodes is None:
            return list(placements)
        attributes = [node.attributes for node in self._nodes if not node.is_away]
        return [each for each in placements if not count_meeting(read_placement(each), attributes)]

    def _look(self) -> Sequence[PoolNode] | None:
        try:
            return self._pool.nodes()
        except PoolUnavailable:  # the watcher, which needs the pool all the time, tells of it
            return None
