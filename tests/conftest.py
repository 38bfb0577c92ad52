"""What all tests share: databases, a clean environment, and the time that each folder took."""

from __future__ import annotations

import os
import signal
from collections import defaultdict

import pytest

from tests.databases import *  # noqa: F403  (pytest finds fixtures by name, here)

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
# What points at other servers, or at a proxy on the way to ours, must reach neither the tests nor what they start.
for _name in list(os.environ):
    points_elsewhere = _name.startswith(("PG", "DOCKER_", "CHRONOS_")) or _name.lower() in _PROXIES
    if points_elsewhere and not _name.startswith("CHRONOS_TEST_"):
        del os.environ[_name]


def pytest_configure(config: pytest.Config) -> None:
    """Whoever ends the run, by Ctrl-C or SIGTERM: fixtures stop their servers first."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    seconds: dict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.nodeid.removeprefix("tests/").partition("/")[0]] += report.duration
    if len(seconds) > 1:
        shown = ", ".join(f"{folder} {spent:.0f} s" for folder, spent in seconds.items())
        terminalreporter.write_line(f"Time by folder: {shown}")
