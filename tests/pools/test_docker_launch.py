"""Launching once: what the engine refuses, and what a later leader makes of an inherited intent."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import docker
import pytest

from chronos_py.model.task import Container, Limits, Task
from chronos_py.pools import LaunchLost, LaunchRefused, Permit, PoolUnavailable, TaskState
from chronos_py.pools.docker import engine
from chronos_py.pools.docker.pool import DockerPool
from chronos_py.pools.docker.status import broke_in_the_start

from .docker_fixtures import allow, run
from .waiting import final, present, status_of

pytestmark = pytest.mark.docker

ROUNDS = int(os.environ.get("CHRONOS_TEST_RACE_ROUNDS", "20"))


class TermIsOver(Exception):
    """Stands for whatever the caller's permit raises."""


def permits(number: int) -> Permit:
    """A permit that is given so many times."""
    given = iter(range(number))

    def permit() -> None:
        if next(given, None) is None:
            raise TermIsOver

    return permit


def witness(name: str) -> Task:
    return Task(name=name, command=f"echo ran >> $CHRONOS_SHARED_DIR/{name}")


def times_run(tmp_path: Path, name: str) -> int:
    file = tmp_path / "shared" / name
    return len(file.read_text().splitlines()) if file.exists() else 0


# --- refusals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("force_pull", [False, True])
def test_an_image_that_cannot_be_pulled_is_refused_in_the_engines_words(
    docker_pool: DockerPool, task_name: str, force_pull: bool
) -> None:
    container = Container(image="127.0.0.1:9/team/tool:3", force_pull=force_pull)
    with pytest.raises(LaunchRefused) as refusal:
        docker_pool.submit(Task(name=task_name, command="true", container=container), allow)
    message = str(refusal.value)
    assert message.startswith('The image "127.0.0.1:9/team/tool:3" cannot be pulled: ')
    assert "connection refused" in message
    assert "\n" not in message
    assert docker_pool.list() == []


class SilentRegistry(BaseHTTPRequestHandler):
    """One that says who it is, and nothing else until the test is over."""

    over = threading.Event()

    def do_GET(self) -> None:
        if self.path != "/v2/":
            self.over.wait(60)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815


def test_a_registry_that_goes_silent_does_not_hold_up_a_launch_for_ever(
    docker_pool: DockerPool, task_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PULL_SILENCE_SECONDS", 3)
    with ThreadingHTTPServer(("127.0.0.1", 0), SilentRegistry) as registry:
        threading.Thread(target=registry.serve_forever, daemon=True).start()
        container = Container(image=f"127.0.0.1:{registry.server_port}/team/tool:3")
        with pytest.raises(LaunchRefused, match="cannot be pulled: its registry has gone silent"):
            docker_pool.submit(Task(name=task_name, command="true", container=container), allow)
        SilentRegistry.over.set()
        registry.shutdown()
    assert docker_pool.list() == []


def test_force_pull_does_not_use_the_image_that_is_there(docker_pool: DockerPool, task_name: str) -> None:
    container = Container(image="busybox:1", force_pull=True)
    with pytest.raises(LaunchRefused, match='"busybox:1" cannot be pulled'):
        docker_pool.submit(Task(name=task_name, command="true", container=container), allow)


@pytest.mark.parametrize("reference", ["UPPER/case", "busybox:1:2", "two words"])
def test_an_illegal_image_name_is_refused(docker_pool: DockerPool, task_name: str, reference: str) -> None:
    with pytest.raises(LaunchRefused, match="invalid reference format"):
        docker_pool.submit(Task(name=task_name, command="true", container=Container(image=reference)), allow)


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (Task("", "true", limits=Limits(memory_mb=1)), "Minimum memory limit"),
        (Task("", "true", user="nobody-knows"), "unable to find user nobody-knows"),
        (Task("", "true", container=Container(network="USER", network_name="no-net")), "network no-net not found"),
    ],
    ids=["memory", "user", "network"],
)
def test_what_the_engine_cannot_start_is_refused_in_its_words_and_leaves_nothing(
    docker_pool: DockerPool, task_name: str, task: Task, words: str
) -> None:
    named = Task(task_name, task.command, limits=task.limits, user=task.user, container=task.container)
    with pytest.raises(LaunchRefused, match=words):
        docker_pool.submit(named, allow)
    assert docker_pool.list() == []
    with pytest.raises(LaunchRefused, match=words):
        docker_pool.recover(named, allow)


def test_a_program_that_does_not_exist_ends_with_the_reason(docker_pool: DockerPool, task_name: str) -> None:
    status, _ = run(docker_pool, Task(name=task_name, command="/no/such", shell=False))
    assert (status.state, status.exit_code) == (TaskState.EXITED, 127)
    assert status.message == "the program '/no/such' cannot be run: No such file or directory"


def test_a_name_held_by_a_stranger_is_refused(
    docker_pool: DockerPool, docker_client: docker.APIClient, task_name: str, tmp_path: Path
) -> None:
    stranger = docker_client.create_container("busybox:1", "true", name=task_name)["Id"]
    for launch in (docker_pool.submit, docker_pool.recover):
        with pytest.raises(LaunchRefused, match="taken by a container of somebody else"):
            launch(witness(task_name), allow)
    assert docker_client.inspect_container(stranger)["State"]["Status"] == "created"
    assert times_run(tmp_path, task_name) == 0


def test_a_task_that_ran_is_never_called_refused(docker_pool: DockerPool, task_name: str, tmp_path: Path) -> None:
    """The engine looks at the request before it looks whether the name is taken."""
    handle = docker_pool.submit(witness(task_name), allow)
    final(docker_pool, task_name)
    for container in (Container(image="127.0.0.1:9/x"), Container(image="127.0.0.1:9/x", force_pull=True)):
        task = Task(name=task_name, command="true", container=container)
        assert docker_pool.submit(task, allow) == handle
        assert docker_pool.recover(task, allow) == handle
    assert docker_pool.submit(Task(task_name, "true", limits=Limits(memory_mb=1)), allow) == handle
    assert times_run(tmp_path, task_name) == 1


# --- an inherited intent ---------------------------------------------------------------------------------


def test_without_a_second_permit_the_container_stays_unstarted(
    docker_pool: DockerPool, task_name: str, tmp_path: Path
) -> None:
    with pytest.raises(TermIsOver):
        docker_pool.submit(witness(task_name), permits(1))
    created = present(docker_pool, task_name)
    assert created.state is TaskState.CREATED
    assert docker_pool.submit(witness(task_name), allow) == created.handle
    assert present(docker_pool, task_name) == created
    assert times_run(tmp_path, task_name) == 0


def test_recover_needs_a_permit_to_destroy(docker_pool: DockerPool, task_name: str) -> None:
    with pytest.raises(TermIsOver):
        docker_pool.submit(witness(task_name), permits(1))
    created = present(docker_pool, task_name)
    with pytest.raises(TermIsOver):
        docker_pool.recover(witness(task_name), permits(0))
    assert present(docker_pool, task_name) == created


def test_a_late_start_by_id_finds_nothing(
    docker_pool: DockerPool, docker_client: docker.APIClient, task_name: str, tmp_path: Path
) -> None:
    with pytest.raises(TermIsOver):
        docker_pool.submit(witness(task_name), permits(1))
    old = present(docker_pool, task_name).handle
    new = docker_pool.recover(witness(task_name), allow)
    assert new != old
    with pytest.raises(docker.errors.NotFound):
        docker_client.start(old)
    assert final(docker_pool, task_name).handle == new
    assert times_run(tmp_path, task_name) == 1


def test_a_payload_that_ran_before_its_container_was_removed_is_lost_not_launched(
    docker_pool: DockerPool, docker_client: docker.APIClient, task_name: str, tmp_path: Path
) -> None:
    handle = docker_pool.submit(witness(task_name), allow)
    final(docker_pool, task_name)
    docker_client.remove_container(handle)
    for _ in range(2):
        with pytest.raises(LaunchLost, match="was started and then removed"):
            docker_pool.recover(witness(task_name), allow)
    assert status_of(docker_pool, task_name) is None
    assert times_run(tmp_path, task_name) == 1


def test_start_against_recovery_runs_once_whoever_wins(
    docker_pool: DockerPool, docker_pool_factory: Callable[[Path], DockerPool], task_name: str, tmp_path: Path
) -> None:
    """An old leader's start and a new leader's recovery meet at every distance."""
    new_leader = docker_pool_factory(tmp_path)
    chance = random.Random(7)
    outcomes: Counter[tuple[str, str]] = Counter()
    with ThreadPoolExecutor(2) as threads:
        for number in range(ROUNDS):
            name = f"{task_name}-{number}"
            pause = PauseBeforeStart()
            old = threads.submit(_outcome, docker_pool.submit, witness(name), pause.permit)
            assert pause.reached.wait(60)
            new = threads.submit(_outcome, new_leader.recover, witness(name), allow)
            threading.Event().wait(chance.uniform(0, 0.02))  # a recovery looks and removes within some 15 ms
            pause.over.set()
            outcomes[old.result(60), new.result(60)] += 1
            if status_of(new_leader, name) is not None:
                assert final(new_leader, name).exit_code == 0
            assert times_run(tmp_path, name) == 1, (number, old.result(), new.result())
    new_leader.close()
    assert set(outcomes) <= {("LaunchRefused", "ok"), ("ok", "ok"), ("ok", "LaunchLost")}, outcomes


class PauseBeforeStart:
    """The permit of a leader that stops between its last look at its term and its start."""

    def __init__(self) -> None:
        self.reached, self.over = threading.Event(), threading.Event()
        self._is_created = False

    def permit(self) -> None:
        if self._is_created:
            self.reached.set()
            assert self.over.wait(60)
        self._is_created = True


def _outcome(launch: Callable[[Task, Permit], str], task: Task, permit: Permit) -> str:
    try:
        launch(task, permit)
    except (LaunchLost, LaunchRefused, PoolUnavailable) as error:
        return type(error).__name__
    return "ok"


@pytest.mark.parametrize(
    ("words", "is_in_doubt"),
    [
        ("transport is closing: unavailable", True),
        ("context canceled", True),
        ("ttrpc: closed: unknown", True),
        ("network nonet not found", False),
        ('OCI runtime create failed: exec: "x": executable file not found in $PATH: unknown', False),
        (
            "driver failed programming external connectivity: Bind for 0.0.0.0:80 failed: port is already allocated",
            False,
        ),
    ],
)
def test_knows_which_failures_leave_the_payload_in_doubt(words: str, is_in_doubt: bool) -> None:
    assert broke_in_the_start(words, "chronos-transport-1-1") is is_in_doubt
