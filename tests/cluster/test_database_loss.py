"""The database goes away and comes back: the node says so, launches nothing meanwhile, and goes on by itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from tests.cluster.server import ANSWER_SECONDS, ServerProcess, wait_for
from tests.databases import private_postgres

pytestmark = pytest.mark.postgres


def readiness(server: ServerProcess) -> requests.Response:
    return requests.get(f"{server.url}/readyz", timeout=ANSWER_SECONDS)


def test_a_lost_database(start_server: Callable[..., ServerProcess]) -> None:
    with private_postgres() as postgres:
        server = start_server("--pool", "process", "--database-url", postgres.url)
        server.wait_until_it_leads()
        server.define(name="tick", command="true", schedule="R//PT1S")
        wait_for("a first run", lambda: [run for run in server.runs("tick") if run["state"] == "succeeded"])
        postgres.crash()
        wait_for("the node to say so", lambda: "database" in readiness(server).text)
        assert readiness(server).status_code == 503
        assert requests.get(f"{server.url}/api/jobs", timeout=ANSWER_SECONDS).status_code == 503
        assert requests.get(f"{server.url}/healthz", timeout=ANSWER_SECONDS).status_code == 200
        before = postgres.url
        assert postgres.start() == before
        wait_for("the node to be ready", lambda: readiness(server).status_code == 200)
        server.wait_until_it_leads()
        known = len(server.runs("tick"))
        wait_for("more runs", lambda: len(server.runs("tick")) > known + 1)
        runs = server.runs("tick")
        assert len({run["scheduledTime"] for run in runs}) == len(runs)
        server.terminate()
        assert "Traceback" not in server.log.read_text()
