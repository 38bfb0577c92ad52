"""Percentiles of run times."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chronos_py.model.statistics import SHARES, RunTimes


def test_nothing_ran() -> None:
    nothing = RunTimes()
    assert [nothing.figure(name) for name in (*SHARES, "mean", "count", "fastest")] == [0.0] * 7 + [None]


def test_known_figures() -> None:
    times = RunTimes([1.0, 2.0, 3.0, 4.0], 9)
    assert times.percentile(0.5) == 2.5
    assert times.percentile(0.75) == 3.75
    assert times.percentile(0.99) == 4.0
    assert times.percentile(0.0) == 1.0
    assert (times.mean, times.figure("count")) == (2.5, 9.0)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50).map(sorted), st.floats(0, 1), st.floats(0, 1))
def test_percentiles_lie_within_and_grow(seconds: list[float], one: float, other: float) -> None:
    times = RunTimes(seconds, len(seconds))
    low, high = sorted((one, other))
    tolerance = 1e-9 * max(1.0, seconds[-1])
    assert seconds[0] - tolerance <= times.percentile(low) <= times.percentile(high) + tolerance
    assert times.percentile(high) <= seconds[-1] + tolerance
