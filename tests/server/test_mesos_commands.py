"""``chronos mesos``: a framework is taken over from another scheduler, and ended for good, by these commands only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chronos_py.cli import chronos as command_line

from ..pools.mesos_live_double import LiveDouble

Chronos = Callable[..., Result]


@pytest.fixture
def double(tmp_path: Path) -> Iterator[LiveDouble]:
    double = LiveDouble(tmp_path / "sandboxes")
    yield double
    double.stop()


@pytest.fixture
def chronos(tmp_path: Path, double: LiveDouble) -> Chronos:
    options = ["--database-url", f"sqlite:///{tmp_path}/chronos.db", "--data-dir", str(tmp_path / "data")]
    options += ["--mesos-master", double.url]
    return lambda *command: CliRunner().invoke(command_line, [*command, *options])


def test_a_framework_is_taken_over_and_torn_down(chronos: Chronos, double: LiveDouble) -> None:
    taken = chronos("mesos", "take-over", "their-id-0001")
    assert taken.exit_code == 0, taken.output
    assert "their-id-0001 from its next start" in taken.output
    assert chronos("mesos", "take-over", "their-id-0001").exit_code == 0
    again = chronos("mesos", "take-over", "another-id")
    assert again.exit_code != 0
    ended = chronos("mesos", "teardown", "--yes")
    assert ended.exit_code == 0, ended.output
    assert double.frameworks["their-id-0001"].is_removed
    assert chronos("mesos", "teardown", "--yes").exit_code != 0
    assert list(double.frameworks) == ["their-id-0001"]


def test_nothing_is_torn_down_without_a_yes(chronos: Chronos, double: LiveDouble) -> None:
    chronos("mesos", "take-over", "their-id-0001")
    assert chronos("mesos", "teardown").exit_code != 0
    assert double.frameworks == {}


@pytest.mark.parametrize("wrong", ["", " ", "task@framework"])
def test_an_id_that_is_none_is_refused(chronos: Chronos, wrong: str) -> None:
    assert chronos("mesos", "take-over", wrong).exit_code != 0
