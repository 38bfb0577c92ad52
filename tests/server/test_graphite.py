"""Metrics are pushed to a real listener, by the leader only."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from chronos_py.clock import SystemClock
from chronos_py.health import Health
from chronos_py.scheduler.graphite import GraphitePush
from tests.cluster.server import wait_for
from tests.server.receivers import MetricsServer, refusing_address, serving


def registry() -> CollectorRegistry:
    made = CollectorRegistry()
    Gauge("chronos_jobs", "Jobs.", ["kind"], registry=made).labels("a b").set(7)
    return made


def test_the_leader_pushes() -> None:
    leading = False
    health = Health(SystemClock())
    with serving(MetricsServer()) as server:
        push = GraphitePush(server.address, "prod", registry(), health, lambda: leading)
        push.push()
        leading = True
        push.push()
        lines = wait_for("a push", lambda: server.pushes)
    assert len(lines) == 1
    assert lines[0][0].startswith("prod.chronos_jobs.kind.a_b 7.0 ")


def test_a_listener_that_is_away_is_a_problem_until_it_is_back() -> None:
    health = Health(SystemClock())
    with refusing_address() as address:
        GraphitePush(address, "", registry(), health, lambda: True).push()
    (problem,) = health.problems()
    assert problem.message.startswith(f"Metrics cannot be pushed to Graphite at 127.0.0.1:{address[1]}: ")
    assert not problem.hinders
    with serving(MetricsServer()) as server:
        GraphitePush(server.address, "", registry(), health, lambda: True).push()
    assert health.problems() == []
