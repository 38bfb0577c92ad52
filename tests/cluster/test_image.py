"""deploy/Dockerfile, built on a real engine upon an image of this machine's Python, and a node in it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.cluster.python_image import SETTINGS, python_image
from tests.cluster.server import wait_for
from tests.packaging.recipes import commands_of
from tests.pools.docker_fixtures import docker_client  # noqa: F401  (pytest finds fixtures by name, here)

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def image(docker_client: docker.APIClient, docker_engine_url: str) -> Iterator[str]:  # noqa: F811
    """The image that the page's command makes, under a name of its own."""
    base, name = (f"chronos-test-{uuid.uuid4().hex[:12]}" for _ in range(2))
    try:
        docker_client.import_image_from_data(python_image(), repository=base, changes=SETTINGS)
        (command,) = commands_of("Three nodes", ("docker build",))
        # Without a network: what is installed already is enough.
        ours = command.replace("-t chronos-py", f"-t {name} --build-arg BASE={base} --network none --quiet")
        done = subprocess.run(
            ["bash", "-c", ours],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
            env={**os.environ, "DOCKER_HOST": docker_engine_url, "DOCKER_BUILDKIT": "0"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        yield name
    finally:
        for each in (name, base):
            with contextlib.suppress(docker.errors.ImageNotFound):
                docker_client.remove_image(each, force=True)


def test_a_node_runs_in_the_image(image: str, docker_client: docker.APIClient) -> None:  # noqa: F811
    container = docker_client.create_container(
        image,
        environment={"CHRONOS_POOL": "process", "CHRONOS_HTTP_CREDENTIALS": "admin:secret"},
        host_config=docker_client.create_host_config(network_mode="none"),
    )["Id"]
    try:
        docker_client.start(container)

        def is_ready() -> bool:
            assert docker_client.inspect_container(container)["State"]["Running"], docker_client.logs(container)
            asked = docker_client.exec_create(container, ["chronos", "ready"])
            return bool(docker_client.exec_start(asked) == b"ready\n")

        wait_for("the node to be ready", is_ready, 60)
        listed = docker_client.exec_create(container, ["ls", "/var/lib/chronos", "/usr/src/chronos-py"])
        found = docker_client.exec_start(listed).decode()
        assert "chronos.db" in found
        assert "/usr/src/chronos-py: No such file" in found
        docker_client.stop(container, timeout=60)
        assert docker_client.inspect_container(container)["State"]["ExitCode"] == 0
    finally:
        docker_client.remove_container(container, force=True, v=True)
