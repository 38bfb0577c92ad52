"""What a task writes for the next jobs reaches them, in processes and in containers, and what is bad is told of."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cluster.server import ServerProcess, wait_for


@pytest.fixture(params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def server(request: pytest.FixtureRequest, start_server: Callable[..., ServerProcess]) -> ServerProcess:
    options = ["--pool", request.param]
    if request.param == "docker":
        options += ["--docker-url", request.getfixturevalue("docker_engine_url")]
    server = start_server(*options)
    server.wait_until_it_leads()
    return server


def test_outputs_pass_down(server: ServerProcess) -> None:
    server.define(name="load orders", command='printf "ROWS=812\\nnonsense\\n" > "$CHRONOS_OUTPUT_FILE"')
    server.define(name="report", command='echo "$CHRONOS_PARENT_LOAD_ORDERS_ROWS rows"', parents=["load orders"])
    loaded = server.wait_for_end(server.run("load orders"))
    assert (loaded["state"], loaded["outputs"]) == ("succeeded", {"ROWS": "812"})
    assert "line 2" in loaded["note"]
    (report,) = wait_for("the child", lambda: server.runs("report"))
    assert server.wait_for_end(report["id"])["state"] == "succeeded"
    assert server.output(report["id"]) == "812 rows\n"
