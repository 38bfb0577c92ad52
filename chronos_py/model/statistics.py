"""What run times tell: percentiles as the original computes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

# The original's names, in the order in which it prints them.
SHARES = {
    "75thPercentile": 0.75,
    "95thPercentile": 0.95,
    "98thPercentile": 0.98,
    "99thPercentile": 0.99,
    "median": 0.5,
}


@dataclass(frozen=True)
class RunTimes:
    """Run times in seconds, ascending; those that were looked at, and how many there are in all.

    What is computed of them is kept: monitoring asks for it again and again.
    """

    seconds: Sequence[float] = ()
    count: int = 0
    _percentiles: dict[float, float] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def mean(self) -> float:
        """0 when there are none."""
        return math.fsum(self.seconds) / len(self.seconds) if self.seconds else 0.0

    @cached_property
    def deviation(self) -> float:
        """The standard deviation of a sample; 0 for less than two."""
        if len(self.seconds) < 2:
            return 0.0
        return math.sqrt(math.fsum((each - self.mean) ** 2 for each in self.seconds) / (len(self.seconds) - 1))

    def percentile(self, share: float) -> float:
        """The run time that ``share`` (0 to 1) of the runs do not exceed, between two runs a weighted mean.

        Position share * (n + 1), as in the Metrics library that the original uses. 0 when there are none.
        """
        known = self._percentiles.get(share)
        if known is None:
            known = self._percentiles[share] = self._percentile(share)
        return known

    def _percentile(self, share: float) -> float:
        if not self.seconds:
            return 0.0
        place = share * (len(self.seconds) + 1)
        below = min(max(math.floor(place), 1), len(self.seconds))
        above = min(below + 1, len(self.seconds))
        part = min(max(place - below, 0.0), 1.0)
        return self.seconds[below - 1] + part * (self.seconds[above - 1] - self.seconds[below - 1])

    def figure(self, name: str) -> float | None:
        """A figure by the original's name, such as ``95thPercentile``, ``mean`` or ``count``; None: no such name."""
        if name == "mean":
            return self.mean
        if name == "count":
            return float(self.count)
        return self.percentile(SHARES[name]) if name in SHARES else None
