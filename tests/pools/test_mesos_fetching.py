"""What an agent of Mesos does otherwise about files that a task fetches, and about users, than pools that fetch."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from chronos_py.model.fetch import Fetch
from chronos_py.model.task import Task
from chronos_py.pools import Pool, TaskState, TaskStatus

from . import test_conformance, test_fetching, test_pool_outputs
from .file_server import FileServer, serving
from .mesos_fixtures import OTHERWISE, allow
from .test_conformance import run
from .waiting import eventually, final, present


@pytest.fixture(params=["mesos"])
def pool_factory(request: pytest.FixtureRequest) -> object:
    return request.getfixturevalue("mesos_pool_factory")


@pytest.fixture
def name() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as server:
        yield server


def test_what_is_otherwise_is_said_of_tests_that_are_there() -> None:
    names = {each.partition("[")[0] for each in OTHERWISE}
    assert names - {*vars(test_conformance), *vars(test_fetching), *vars(test_pool_outputs)} == set()


def failed_launch(pool: Pool, task: Task) -> TaskStatus:
    pool.submit(task, allow)
    status = final(pool, task.name)
    assert (status.state, status.exit_code, status.cause) == (TaskState.EXITED, None, "launch")
    return status


def test_what_cannot_be_fetched_is_a_failed_launch_that_can_be_tried_again(
    pool: Pool, name: str, server: FileServer
) -> None:
    task = Task(name=name, command="cat x", fetch=(Fetch(server.url("/x")),))
    status = failed_launch(pool, task)
    assert "Failed to fetch all URIs for container" in status.message
    assert "exited with status 1 (TASK_FAILED, CONTAINER_LAUNCH_FAILED)" in status.message
    pool.forget(status.handle)
    server.files["/x"] = b"now"
    assert run(pool, Task(name=f"{name}-2", command="cat x", fetch=task.fetch)) == b"now"


@pytest.mark.parametrize("uri", ["memory://folder/x", "/nothing/there"])
def test_what_an_agent_cannot_open_is_a_failed_launch(pool: Pool, name: str, uri: str) -> None:
    assert (
        "Failed to fetch all URIs"
        in failed_launch(pool, Task(name=name, command="true", fetch=(Fetch(uri),))).message
    )


def test_a_task_is_killed_while_its_agent_fetches(pool: Pool, name: str, server: FileServer) -> None:
    server.endless.add("/slow")
    handle = pool.submit(Task(name=name, command="true", fetch=(Fetch(server.url("/slow")),)), allow)
    eventually(lambda: server.requests)
    assert present(pool, name).state is TaskState.WAITING
    pool.kill(handle, 0)
    status = final(pool, name)
    assert (status.state, status.exit_code, status.cause) == (TaskState.EXITED, 137, "signal")
    assert pool.outputs(handle, 10) == b""


def test_a_copy_in_the_agents_cache_is_used_as_long_as_it_is_there(pool: Pool, name: str, server: FileServer) -> None:
    path = f"/{name}"
    server.files[path] = b"one"
    fetch = (Fetch(server.url(path), cache=True, output_file="x"),)
    assert run(pool, Task(name=name, command="cat x && echo changed > x", fetch=fetch)) == b"one"
    server.files[path] = b"two"
    assert run(pool, Task(name=f"{name}-2", command="cat x", fetch=fetch)) == b"one"
    assert server.requests == [(path, 200)]
    assert (
        run(pool, Task(name=f"{name}-3", command="cat x", fetch=(Fetch(server.url(path), output_file="x"),)))
        == b"two"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run tasks as another user")
@pytest.mark.parametrize("user", ["65534", "no-such-user"])
def test_a_user_that_the_agent_has_no_name_of_is_a_failed_launch(pool: Pool, name: str, user: str) -> None:
    status = failed_launch(pool, Task(name=name, command="true", user=user))
    assert f"No such user '{user}'" in status.message
