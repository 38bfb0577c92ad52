"""What all tests share: databases, a swarm, a clean environment, and the time that each folder took."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from tests.databases import *  # noqa: F403  (pytest finds fixtures by name, here)
from tests.pools.swarm_fixtures import *  # noqa: F403
from tests.server.client import Client

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
# What points at other servers, or at a proxy on the way to ours, must reach neither the tests nor what they start.
for _name in list(os.environ):
    points_elsewhere = _name.startswith(("PG", "DOCKER_", "CHRONOS_")) or _name.lower() in _PROXIES
    if points_elsewhere and not _name.startswith("CHRONOS_TEST_"):
        del os.environ[_name]

# A machine that stands still for a moment breaks no promise: tests that hold code to a time measure it themselves.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


def pytest_configure(config: pytest.Config) -> None:
    """Whoever ends the run, by Ctrl-C or SIGTERM: fixtures stop their servers first."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails says what its clients were told last, which may be the reason."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for name, value in item.funcargs.items():
            if isinstance(value, Client):
                report.sections.append((f"Last answer to {name}", value.last_words))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    seconds: dict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.nodeid.removeprefix("tests/").partition("/")[0]] += report.duration
    if len(seconds) > 1:
        shown = ", ".join(f"{folder} {spent:.0f} s" for folder, spent in seconds.items())
        terminalreporter.write_line(f"Time by folder: {shown}")
