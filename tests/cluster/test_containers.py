"""The whole path in real containers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cluster.server import ServerProcess, wait_for

pytestmark = pytest.mark.docker


@pytest.fixture
def containers(start_server: Callable[..., ServerProcess], docker_engine_url: str) -> ServerProcess:
    server = start_server("--pool", "docker", "--docker-url", docker_engine_url)
    server.wait_until_it_leads()
    return server


def test_a_job_runs_on_time_in_a_container_and_its_child_follows(containers: ServerProcess) -> None:
    containers.define(
        name="hello",
        command='echo "hello $WHO from $(cat /etc/hostname)"; echo oops >&2',
        container={"image": "busybox:1", "network": "NONE", "parameters": [{"key": "hostname", "value": "box"}]},
        environmentVariables=[{"name": "WHO", "value": "wörld"}],
        schedule="R1//PT1H",
    )
    containers.define(name="after", command="echo after", parents=["hello"], container={"image": "busybox:1"})
    (run,) = wait_for("the run", lambda: containers.runs("hello"))
    ended = containers.wait_for_end(run["id"])
    assert (ended["state"], ended["trigger"]) == ("succeeded", "schedule")
    assert containers.output(run["id"]) == "hello wörld from box\n"
    assert containers.output(run["id"], "stderr") == "oops\n"
    (child,) = wait_for("the child", lambda: containers.runs("after"))
    assert containers.wait_for_end(child["id"])["state"] == "succeeded"
    assert child["parentRun"] == run["id"]


def test_an_image_that_does_not_exist_fails_with_the_engines_words(containers: ServerProcess) -> None:
    containers.define(name="typo", command="true", container={"image": "no-such-image:7"}, retries=0)
    run = containers.wait_for_end(containers.run("typo"))
    assert (run["state"], run["reason"]) == ("failed", "launch_error")
    assert "no-such-image" in run["attempts"][0]["message"]


def test_kill_and_memory_limit_in_words(containers: ServerProcess) -> None:
    containers.define(name="long", command="trap 'exit 0' TERM; while :; do sleep 0.1; done", gracePeriod=5)
    run_id = containers.run("long")
    wait_for("it to run", lambda: containers.get(f"/api/runs/{run_id}")["state"] == "running")
    containers.kill_run(run_id)
    assert containers.wait_for_end(run_id)["state"] == "killed"
    containers.define(name="greedy", command="tail /dev/zero", mem=32, retries=0)
    greedy = containers.wait_for_end(containers.run("greedy"))
    assert (greedy["state"], greedy["reason"]) == ("failed", "memory")
    assert "32 MB" in greedy["message"]
