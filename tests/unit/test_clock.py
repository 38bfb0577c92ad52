"""A clock that is set by another one, whatever both show and however long a look takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from chronos_py.clock import SetClock

START = datetime(2026, 3, 1, tzinfo=UTC)
seconds = st.floats(-1e8, 1e8).map(lambda value: timedelta(seconds=value))
moments = st.integers(0, 5_000_000).map(lambda value: timedelta(microseconds=value))
TOLERANCE = timedelta(milliseconds=5, microseconds=2)


class Machine:
    """A machine's clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return 0.0


@given(behind=seconds, way=moments, back=moments)
def test_it_is_off_by_half_a_look_at_most(behind: timedelta, way: timedelta, back: timedelta) -> None:
    machine = Machine()
    clock = SetClock(machine)
    asked = machine.time
    read = asked + way + behind
    machine.time = asked + way + back
    clock.set_by(read, asked, machine.time)
    true = machine.time + behind
    assert abs(clock.now() - true) <= (way + back) + TOLERANCE


@given(behind=seconds, looks=st.lists(st.tuples(moments, moments), min_size=1, max_size=10))
def test_it_does_not_wander_with_slow_looks(behind: timedelta, looks: list[tuple[timedelta, timedelta]]) -> None:
    machine = Machine()
    clock = SetClock(machine)
    clock.set_by(machine.time + behind, machine.time, machine.time)
    known = clock.now() - machine.time
    for way, back in looks:
        asked = machine.time
        machine.time = asked + way + back
        clock.set_by(asked + way + behind, asked, machine.time)
        assert abs(clock.now() - machine.time - known) <= TOLERANCE
