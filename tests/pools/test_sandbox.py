"""Where the files of a container lie: its own working directory, or the original's sandbox."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from chronos_py.model.constraints import Ranges
from chronos_py.model.fetch import Fetch
from chronos_py.model.task import Container, Parameter, Task
from chronos_py.pools import LaunchRefused, PoolOptions, PoolUnavailable
from chronos_py.pools.docker.engine import Engine
from chronos_py.pools.docker.pool import DockerPool
from chronos_py.pools.process.pool import ProcessPool

from .docker_fixtures import allow, run
from .waiting import status_of


@pytest.fixture
def file(tmp_path: Path) -> str:
    place = tmp_path / "data.txt"
    place.write_text("data\n")
    return str(place)


@pytest.fixture
def image(docker_client: docker.APIClient, task_name: str) -> Iterator[str]:
    """An image with a working directory and a user of its own."""
    made = docker_client.create_container("busybox:1", "true")["Id"]
    name = f"{task_name}:1"
    docker_client.commit(made, task_name, "1", conf={"WorkingDir": "/srv/app", "User": "1234"})
    docker_client.remove_container(made)
    yield name
    docker_client.remove_image(name, force=True)


WHERE = 'pwd && cat data.txt "$MESOS_SANDBOX/data.txt" /mnt/mesos/sandbox/data.txt && echo 2 >> data.txt && id -u'


@pytest.mark.docker
def test_without_a_directory_of_its_own_it_begins_in_the_sandbox(
    docker_pool: DockerPool, task_name: str, file: str
) -> None:
    status, output = run(docker_pool, Task(name=task_name, command=f"{WHERE} && touch new", fetch=(Fetch(file),)))
    assert output == "/mnt/mesos/sandbox\ndata\ndata\ndata\n0\n", status


@pytest.mark.docker
def test_an_image_keeps_its_directory(docker_pool: DockerPool, task_name: str, file: str, image: str) -> None:
    task = Task(name=task_name, command=WHERE, fetch=(Fetch(file),), container=Container(image=image))
    status, output = run(docker_pool, task)
    assert output == "/srv/app\ndata\ndata\ndata\n1234\n", status
    docker_pool.forget(status.handle)


@pytest.mark.docker
def test_a_directory_may_be_given(docker_pool: DockerPool, task_name: str, file: str) -> None:
    container = Container(parameters=(Parameter("workdir", "/tmp/here"),))
    status, output = run(docker_pool, Task(name=task_name, command=WHERE, fetch=(Fetch(file),), container=container))
    assert output == "/tmp/here\ndata\ndata\ndata\n0\n", status


@pytest.mark.docker
def test_a_task_that_fetches_nothing_begins_where_it_always_did(docker_pool: DockerPool, task_name: str) -> None:
    assert run(docker_pool, Task(name=task_name, command='pwd; echo "$MESOS_SANDBOX"'))[1] == "/\n\n"


@pytest.mark.docker
def test_a_container_that_cannot_be_written_is_a_refused_launch(
    docker_pool: DockerPool, task_name: str, file: str
) -> None:
    container = Container(parameters=(Parameter("read-only", ""),))
    with pytest.raises(LaunchRefused, match=r"What it fetches cannot be put into .*: .*read-only"):
        docker_pool.submit(Task(name=task_name, command="true", fetch=(Fetch(file),), container=container), allow)
    assert status_of(docker_pool, task_name) is None


@pytest.mark.docker
def test_an_image_that_cannot_be_had_is_a_refused_launch(docker_pool: DockerPool, task_name: str, file: str) -> None:
    container = Container(image="127.0.0.1:9/team/tool:3")
    with pytest.raises(LaunchRefused, match="cannot be pulled"):
        docker_pool.submit(Task(name=task_name, command="true", fetch=(Fetch(file),), container=container), allow)


@pytest.mark.docker
def test_a_file_of_the_server_is_none_of_another_machines(
    docker_engine_url: str, task_name: str, file: str, tmp_path: Path
) -> None:
    engine = Engine(docker_engine_url)
    engine.is_local = False
    pool = DockerPool(engine, PoolOptions("elsewhere", tmp_path / "data", tmp_path / "shared"))
    with pytest.raises(LaunchRefused, match="the tasks run on another"):
        pool.submit(Task(name=task_name, command="true", fetch=(Fetch(file),)), allow)
    pool.close()


def test_this_machine_is_a_node_with_the_attributes_of_the_settings(tmp_path: Path) -> None:
    attributes = "rack:a;class:3.0;ports:[1-2];os:mine"
    pool = ProcessPool.from_options(PoolOptions("c", tmp_path, tmp_path / "shared", attributes=attributes))
    [node] = pool.nodes()
    assert node.attributes["hostname"] == node.name
    assert node.attributes.items() >= {"rack": "a", "class": 3.0, "ports": Ranges("[1-2]"), "os": "mine"}.items()
    assert (node.state, bool(node.cpus_total), bool(node.memory_total_mb)) == ("ready", True, True)
    pool.close()


def test_attributes_that_cannot_be_read_are_told_of_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(PoolUnavailable, match="pool_attributes: 'rack' is no attribute"):
        ProcessPool.from_options(PoolOptions("c", tmp_path, tmp_path / "shared", attributes="rack"))


def test_a_pool_of_processes_objects_to_executors(tmp_path: Path) -> None:
    pool = ProcessPool(tmp_path, tmp_path / "shared")
    assert pool.objection(Task(name="", command="true")) == ""
    said = pool.objection(Task(name="", command="true", executor="x"))
    assert said == 'executor is "x", but the process pool has no custom executors; leave it empty.'
    pool.close()


def test_a_pool_of_processes_objects_to_users_that_it_cannot_become(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = ProcessPool(tmp_path, tmp_path / "shared")
    own = pwd.getpwuid(os.geteuid()).pw_name
    assert pool.objection(Task(name="", command="true", user=own)) == ""
    said = pool.objection(Task(name="", command="true", user="no-such-user"))
    assert said.startswith('runAsUser is "no-such-user", but there is no such user on ')
    monkeypatch.setattr(os, "geteuid", lambda: pwd.getpwnam("nobody").pw_uid)
    said = pool.objection(Task(name="", command="true", user="root"))
    assert said.startswith('runAsUser is "root", but the server runs as "nobody" and only root ')
    assert pool.objection(Task(name="", command="true", user="nobody")) == ""
    pool.close()
