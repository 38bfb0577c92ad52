"""What a task leaves in its output file, on every pool; then what only containers can do to it."""

from __future__ import annotations

import io
import json
import os
import tarfile
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from chronos_py.errors import Deposed
from chronos_py.model.outputs import LIMIT
from chronos_py.model.task import Container, Parameter, Task
from chronos_py.pools import Pool, TaskState
from chronos_py.pools.docker.pool import DockerPool

from .docker_fixtures import allow
from .waiting import final, has_written, present

MOST = LIMIT + 1
WRITE = 'echo "A=1" >> "$CHRONOS_OUTPUT_FILE"'


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder that other users' tasks can reach."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def name() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


def outputs_of(pool: Pool, task: Task, exit_code: int = 0) -> bytes:
    """Run a task to its end and take what it left."""
    handle = pool.submit(task, allow)
    status = final(pool, task.name)
    assert (status.state, status.exit_code) == (TaskState.EXITED, exit_code), status
    return pool.outputs(handle, MOST)


def test_what_was_written_arrives_byte_for_byte(pool: Pool, name: str) -> None:
    command = f"""
        {WRITE}
        i=0
        while [ $i -lt 256 ]; do printf "\\\\$(printf %03o $i)"; i=$((i + 1)); done >> "$CHRONOS_OUTPUT_FILE"
    """
    assert outputs_of(pool, Task(name=name, command=command)) == b"A=1\n" + bytes(range(256))


def test_each_task_has_a_file_of_its_own(pool: Pool, name: str) -> None:
    names = [f"{name}-{number}" for number in range(3)]
    handles = {
        each: pool.submit(Task(name=each, command=f'echo {each} >> "$CHRONOS_OUTPUT_FILE"'), allow) for each in names
    }
    for each in names:
        final(pool, each)
        assert pool.outputs(handles[each], MOST).decode() == f"{each}\n"


def test_a_program_without_a_shell_finds_the_file_too(pool: Pool, name: str) -> None:
    task = Task(name=name, command="sh", shell=False, arguments=("-c", WRITE))
    assert outputs_of(pool, task) == b"A=1\n"


@pytest.mark.parametrize("command", ["true", ': > "$CHRONOS_OUTPUT_FILE"', 'rm -f "$CHRONOS_OUTPUT_FILE"'])
def test_nothing_written(pool: Pool, name: str, command: str) -> None:
    assert outputs_of(pool, Task(name=name, command=command)) == b""


def test_a_task_that_fails_has_its_outputs_all_the_same(pool: Pool, name: str) -> None:
    assert outputs_of(pool, Task(name=name, command=f"{WRITE}; exit 3"), 3) == b"A=1\n"


def test_a_task_that_was_killed_has_its_outputs_all_the_same(pool: Pool, name: str) -> None:
    handle = pool.submit(Task(name=name, command=f"{WRITE}; echo ready; while :; do sleep 0.1; done"), allow)
    has_written(pool, handle, b"ready\n")
    pool.kill(handle, 0)
    final(pool, name)
    assert pool.outputs(handle, MOST) == b"A=1\n"


def test_too_much_is_cut_at_the_limit(pool: Pool, name: str) -> None:
    command = 'head -c 300000 /dev/zero | tr "\\0" x > "$CHRONOS_OUTPUT_FILE"'
    assert outputs_of(pool, Task(name=name, command=command)) == b"x" * MOST
    handle = present(pool, name).handle
    assert pool.outputs(handle, 3) == b"xxx"
    assert pool.outputs(handle, 0) == b""


def test_a_file_larger_than_any_disk_is_read_no_further_than_the_limit(pool: Pool, name: str) -> None:
    command = 'truncate -s 1000G "$CHRONOS_OUTPUT_FILE"'
    assert outputs_of(pool, Task(name=name, command=command)) == bytes(MOST)
    handle = present(pool, name).handle
    pool.forget(handle)  # at once: nobody goes on reading
    assert pool.outputs(handle, MOST) == b""


@pytest.mark.parametrize(
    "command",
    [
        'ln -s /etc/passwd "$F"',
        'ln -s "$F" "$F"',
        'ln -s /dev/zero "$F"',
        'mkfifo "$F"',
        'mkdir "$F"; echo A=1 > "$F/file"; echo A=1 > "$F/outputs"',
        pytest.param('mknod "$F" c 1 5', marks=pytest.mark.skipif(os.geteuid() != 0, reason="takes root")),
    ],
    ids=["link", "link-to-itself", "link-to-a-device", "fifo", "folder", "device"],
)
def test_what_is_no_regular_file_gives_nothing(pool: Pool, name: str, command: str) -> None:
    task = Task(name=name, command=f'F=$CHRONOS_OUTPUT_FILE; rm -f "$F"; {command} || exit 9')
    assert outputs_of(pool, task) == b""
    pool.forget(present(pool, name).handle)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run tasks as another user")
@pytest.mark.parametrize("user", ["nobody", "65534"])
def test_another_user_can_write_it(pool: Pool, name: str, user: str) -> None:
    task = Task(name=name, command=f"[ $(id -u) = 65534 ] && {WRITE}", user=user)
    assert outputs_of(pool, task) == b"A=1\n"


def test_the_variable_of_the_job_loses(pool: Pool, name: str) -> None:
    task = Task(name=name, command=WRITE, environment={"CHRONOS_OUTPUT_FILE": "/dev/null"})
    assert outputs_of(pool, task) == b"A=1\n"


def test_a_new_leader_takes_what_an_earlier_ones_task_left(
    pool: Pool, pool_again: Callable[[], Pool], name: str, data_dir: Path
) -> None:
    wait = 'while [ ! -e "$CHRONOS_SHARED_DIR/go" ]; do sleep 0.05; done'
    pool.submit(Task(name=name, command=f"{WRITE}; echo ready; {wait}; {WRITE}"), allow)
    has_written(pool, present(pool, name).handle, b"ready\n")
    pool.close()
    new_leader = pool_again()
    (data_dir / "shared" / "go").touch()
    handle = final(new_leader, name).handle
    assert new_leader.outputs(handle, MOST) == b"A=1\nA=1\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run tasks as another user")
@pytest.mark.parametrize("user", ["", "nobody"])
def test_a_recovered_task_has_its_file(pool: Pool, pool_again: Callable[[], Pool], name: str, user: str) -> None:
    calls = iter((None,))

    def term_ends_before_the_start() -> None:
        if next(calls, "over") == "over":
            raise Deposed("Another node holds a higher epoch.")

    task = Task(name=name, command=WRITE, user=user)
    with pytest.raises(Deposed):
        pool.submit(task, term_ends_before_the_start)
    new_leader = pool_again()
    handle = new_leader.recover(task, allow)
    assert final(new_leader, name).exit_code == 0
    assert new_leader.recover(task, allow) == handle
    assert new_leader.outputs(handle, MOST) == b"A=1\n"


def test_the_unknown_and_the_forgotten_have_none(pool: Pool, name: str) -> None:
    assert pool.outputs(name, MOST) == b""
    outputs_of(pool, Task(name=name, command=WRITE))
    handle = present(pool, name).handle
    pool.forget(handle)
    assert pool.outputs(handle, MOST) == b""


# --- processes only --------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run tasks as another user")
@pytest.mark.parametrize(("user", "uid"), [("", 0), ("nobody", 65534)])
def test_only_the_tasks_own_user_can_reach_the_file(
    process_pool_factory: Callable[[Path], Pool], data_dir: Path, user: str, uid: int
) -> None:
    pool = process_pool_factory(data_dir)
    assert outputs_of(pool, Task(name="t", command=WRITE, user=user)) == b"A=1\n"
    file = data_dir / "tasks" / "t" / "outputs"
    assert (file.stat().st_mode & 0o777, file.stat().st_uid) == (0o600, uid)
    assert (file.parent.stat().st_mode & 0o777, file.parent.stat().st_uid) == (0o711, 0)
    neighbour = Task(name="u", command=f"cat {file} >> $CHRONOS_OUTPUT_FILE", user="daemon")
    assert outputs_of(pool, neighbour, 1) == b""
    pool.close()


# --- containers only -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bare_image(docker_client: docker.APIClient) -> Iterator[str]:
    """An image that holds one program and nothing else, and runs it as a user that it knows no name of."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add("/bin/busybox", "busybox")
    image = f"bare-{uuid.uuid4().hex[:8]}"
    changes = ["USER 12345", f"ENTRYPOINT {json.dumps(['/busybox', 'sh', '-c', WRITE])}"]
    docker_client.import_image_from_data(archive.getvalue(), repository=image, changes=changes)
    yield image
    docker_client.remove_image(image, force=True)


@pytest.mark.docker
@pytest.mark.parametrize("own_program", [True, False])
def test_an_image_without_a_shell_or_a_tmp_that_runs_as_somebody(
    docker_pool: DockerPool, task_name: str, bare_image: str, own_program: bool
) -> None:
    command, arguments = ("", ()) if own_program else ("/busybox", ("sh", "-c", WRITE))
    task = Task(task_name, command, False, arguments, container=Container(image=bare_image))
    assert outputs_of(docker_pool, task) == b"A=1\n"


@pytest.mark.docker
@pytest.mark.parametrize(
    ("key", "value"), [("user", "12345:12345"), ("cap-drop", "ALL"), ("entrypoint", "/bin/env"), ("tmpfs", "/tmp")]
)
def test_parameters_do_not_keep_a_task_from_its_file(
    docker_pool: DockerPool, task_name: str, key: str, value: str
) -> None:
    container = Container(parameters=(Parameter(key, value),))
    assert outputs_of(docker_pool, Task(task_name, WRITE, container=container)) == b"A=1\n"


@pytest.mark.docker
def test_an_entry_point_may_give_up_root_before_it_writes(docker_pool: DockerPool, task_name: str) -> None:
    container = Container(parameters=(Parameter("entrypoint", "/bin/su"),))
    arguments = ("/bin/sh", "nobody", "-c", f"[ $(id -u) = 65534 ] && {WRITE}")
    task = Task(task_name, "-s", False, arguments, container=container)
    assert outputs_of(docker_pool, task) == b"A=1\n"


@pytest.mark.docker
@pytest.mark.parametrize("user", ["", "nobody"])
def test_a_read_only_container_runs_and_has_none(docker_pool: DockerPool, task_name: str, user: str) -> None:
    container = Container(parameters=(Parameter("read-only", "true"),))
    task = Task(task_name, f"{WRITE} || exit 7", user=user, container=container)
    assert outputs_of(docker_pool, task, 7) == b""
