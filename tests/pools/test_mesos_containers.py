"""Containers on a real agent of Mesos, which has the image busybox:1; the double runs none.

What is said of containers, and what Mesos answers, is tested against the recordings in any case.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from chronos_py.model.task import Container, NetworkInfo, Parameter, PortMapping, Task, Volume
from chronos_py.pools import Pool, TaskState

from .mesos_fixtures import REAL_MASTER, allow
from .test_conformance import run
from .waiting import final, has_written

pytestmark = pytest.mark.skipif(not REAL_MASTER, reason="takes a real agent: set CHRONOS_TEST_MESOS_MASTER")
SECONDS = 90  # Docker takes its time


@pytest.fixture(params=["mesos"])
def pool_factory(request: pytest.FixtureRequest) -> Callable[[Path], Pool]:
    factory: Callable[[Path], Pool] = request.getfixturevalue("mesos_pool_factory")
    return factory


@pytest.fixture
def name() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


def test_a_container_has_its_environment_and_leaves_output_and_outputs(pool: Pool, name: str) -> None:
    task = Task(
        name=name,
        command='echo "$VALUE $MESOS_SANDBOX"; echo A=1 > "$CHRONOS_OUTPUT_FILE"; exit 3',
        environment={"VALUE": "two words"},
        container=Container("busybox:1", parameters=(Parameter("label", "test=1"),)),
    )
    handle = pool.submit(task, allow)
    status = final(pool, name, SECONDS)
    assert (status.state, status.exit_code) == (TaskState.EXITED, 3), status
    assert pool.logs(handle, "stdout", 0, 100) == b"two words /mnt/mesos/sandbox\n"
    assert pool.outputs(handle, 100) == b"A=1\n"


def test_a_container_gets_its_arguments_without_a_shell(pool: Pool, name: str) -> None:
    container = Container("busybox:1", volumes=(Volume("/data", None),))
    task = Task(name=name, command="echo", shell=False, arguments=("two words", "$HOME", "*"), container=container)
    assert run(pool, task) == b"two words $HOME *\n"


def test_a_container_in_a_network_of_its_own_has_its_port(pool: Pool, name: str) -> None:
    ports = NetworkInfo(ports=(PortMapping(8080, 0),))
    container = Container("busybox:1", network="BRIDGE", network_infos=(ports,))
    assert b"eth0" in run(pool, Task(name=name, command="ls /sys/class/net", container=container))


def test_a_container_is_killed(pool: Pool, name: str) -> None:
    task = Task(name=name, command="echo ready; while :; do sleep 0.1; done", container=Container("busybox:1"))
    handle = pool.submit(task, allow)
    has_written(pool, handle, b"ready\n")
    pool.kill(handle, 1)
    status = final(pool, name, SECONDS)
    assert (status.state, status.exit_code, status.cause) == (TaskState.EXITED, 137, "signal")


def test_an_image_that_is_nowhere_is_a_failed_launch(pool: Pool, name: str) -> None:
    pool.submit(Task(name=name, command="true", container=Container("localhost:9/no-such-image:1")), allow)
    status = final(pool, name, SECONDS)
    assert (status.state, status.exit_code, status.cause) == (TaskState.EXITED, None, "launch")
    assert "Failed to launch container" in status.message
