"""What each field of a task becomes in a container, seen from inside the container or by the engine itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from chronos_py.model.task import Container, Limits, Parameter, Task, Volume
from chronos_py.pools import TaskState
from chronos_py.pools.docker.pool import DockerPool

from .docker_fixtures import allow, run
from .waiting import eventually, final, has_written, present, status_of

pytestmark = pytest.mark.docker


def test_labels_and_names_the_container(
    docker_pool: DockerPool, docker_client: docker.APIClient, task_name: str
) -> None:
    labels = {"chronos.run": "17", "owner": "me", "chronos.task": "forged"}
    handle = docker_pool.submit(Task(name=task_name, command="true", labels=labels), allow)
    found = docker_client.inspect_container(handle)
    assert found["Name"] == f"/{task_name}"
    assert (
        found["Config"]["Labels"].items() >= {"chronos.run": "17", "owner": "me", "chronos.task": task_name}.items()
    )
    assert found["Config"]["Labels"]["chronos.cluster"]
    assert found["HostConfig"]["AutoRemove"] is False
    assert final(docker_pool, task_name).node == docker_client.info()["Name"]


def test_sees_its_own_cluster_only(
    docker_pool: DockerPool,
    docker_pool_factory: Callable[[Path], DockerPool],
    docker_client: docker.APIClient,
    task_name: str,
    tmp_path: Path,
) -> None:
    docker_client.create_container("busybox:1", "true", name=f"{task_name}-stranger")
    other = docker_pool_factory(tmp_path / "other")
    docker_pool.submit(Task(name=task_name, command="true"), allow)
    assert other.list() == []
    assert [status.name for status in docker_pool.list()] == [task_name]
    other.close()


def test_gives_the_task_its_environment(docker_pool: DockerPool, task_name: str) -> None:
    parameters = (Parameter("env", "EXTRA=1"), Parameter("env", "MINE=2"), Parameter("env", "HOST=elsewhere"))
    task = Task(
        name=task_name,
        command='echo "$MINE|$EXTRA|$HOST|$CHRONOS_SHARED_DIR"',
        environment={"MINE": "first", "HOST": "nowhere"},
        container=Container(parameters=parameters),
    )
    assert run(docker_pool, task)[1] == f"first|1|{os.uname().nodename}|/chronos/shared\n"


def test_mounts_volumes(docker_pool: DockerPool, task_name: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "data").write_text("42")
    volumes = (
        Volume("/in", str(tmp_path / "in"), "RO"),
        Volume("/out", str(tmp_path / "made" / "by" / "engine")),
        Volume("/scratch"),
    )
    line = "cp /in/data /out/copy; touch /in/x || echo refused; touch /scratch/x && grep -c ' /scratch ' /proc/mounts"
    task = Task(name=task_name, command=line, container=Container(volumes=volumes))
    assert run(docker_pool, task)[1] == "refused\n1\n"
    assert (tmp_path / "made" / "by" / "engine" / "copy").read_text() == "42"


def test_forget_removes_the_anonymous_volume(
    docker_pool: DockerPool, docker_client: docker.APIClient, task_name: str
) -> None:
    task = Task(name=task_name, command="true", container=Container(volumes=(Volume("/scratch"),)))
    status, _ = run(docker_pool, task)
    (mount,) = (each for each in docker_client.inspect_container(status.handle)["Mounts"] if each["Type"] == "volume")
    docker_pool.forget(status.handle)
    assert mount["Name"] not in [each["Name"] for each in docker_client.volumes()["Volumes"] or []]


def test_forget_leaves_a_running_task_alone(docker_pool: DockerPool, task_name: str) -> None:
    handle = docker_pool.submit(Task(name=task_name, command="sleep 1000"), allow)
    docker_pool.forget(handle)
    assert present(docker_pool, task_name).state is TaskState.RUNNING


def test_forgets_what_was_never_started(
    docker_pool: DockerPool, docker_pool_factory: Callable[[Path], DockerPool], task_name: str, tmp_path: Path
) -> None:
    permits = iter([None])
    with pytest.raises(StopIteration):
        docker_pool.submit(Task(name=task_name, command="true"), lambda: next(permits))
    created = present(docker_pool, task_name)
    assert created.state is TaskState.CREATED
    docker_pool.forget(created.handle)
    assert status_of(docker_pool, task_name) is None


# --- networks --------------------------------------------------------------------------------------------


def test_network_host_is_the_machines_own(docker_pool: DockerPool, task_name: str) -> None:
    task = Task(name=task_name, command="readlink /proc/self/ns/net", container=Container(network="HOST"))
    assert run(docker_pool, task)[1].strip() == os.readlink("/proc/self/ns/net")


def test_network_none_has_only_the_loopback(docker_pool: DockerPool, task_name: str) -> None:
    task = Task(name=task_name, command="ls /sys/class/net", container=Container(network="NONE"))
    assert run(docker_pool, task)[1].split() == ["lo"]


def test_tasks_on_the_bridge_reach_each_other(
    docker_pool: DockerPool, docker_client: docker.APIClient, task_name: str
) -> None:
    bridge = Container(network="BRIDGE")
    server = docker_pool.submit(
        Task(name=f"{task_name}-server", command="echo served | nc -l -p 8000", container=bridge), allow
    )
    eventually(lambda: present(docker_pool, f"{task_name}-server").state is TaskState.RUNNING)
    address = docker_client.inspect_container(server)["NetworkSettings"]["IPAddress"]
    line = f"until nc -w 60 {address} 8000 2>/dev/null </dev/null; do sleep 0.05; done"
    assert run(docker_pool, Task(name=task_name, command=line, container=bridge))[1] == "served\n"


def test_network_user_joins_the_named_network(
    docker_pool: DockerPool, docker_client: docker.APIClient, task_name: str
) -> None:
    network = docker_client.create_network(task_name)["Id"]
    try:
        container = Container(
            network="USER", network_name=task_name, parameters=(Parameter("network-alias", "known-as"),)
        )
        line = "ping -c 1 known-as | grep -o '1 packets received'"
        status, output = run(docker_pool, Task(name=task_name, command=line, container=container))
        assert output == "1 packets received\n"
        docker_pool.forget(status.handle)
    finally:
        docker_client.remove_network(network)


# --- limits ----------------------------------------------------------------------------------------------


def test_limits_are_the_engines(docker_pool: DockerPool, docker_client: docker.APIClient, task_name: str) -> None:
    limits = Limits(cpus=0.5, memory_mb=64, cpu_seconds=7.5)
    handle = docker_pool.submit(Task(name=task_name, command="true", limits=limits, grace_seconds=2.5), allow)
    found = docker_client.inspect_container(handle)
    host = found["HostConfig"]
    assert (host["CpuShares"], host["NanoCpus"]) == (512, 0)
    assert (host["Memory"], host["MemorySwap"]) == (64 * 2**20, 64 * 2**20)
    assert host["Ulimits"] == [{"Name": "cpu", "Soft": 8, "Hard": 13}]
    assert found["Config"]["StopTimeout"] == 3


def test_memory_beyond_the_limit_is_the_cause(docker_pool: DockerPool, task_name: str) -> None:
    greedy = "x=0123456789abcdef; while :; do x=$x$x; done"
    status, _ = run(docker_pool, Task(name=task_name, command=greedy, limits=Limits(memory_mb=16)))
    assert (status.exit_code, status.cause) == (137, "memory")
    assert status.message == "killed by the kernel: out of memory, limit 16 MB"


def test_processor_time_beyond_the_limit_is_the_cause(docker_pool: DockerPool, task_name: str) -> None:
    task = Task(name=task_name, command="while :; do :; done", limits=Limits(cpu_seconds=1))
    status, _ = run(docker_pool, task)
    assert (status.exit_code, status.cause) == (152, "cpu_time")
    assert status.message == "killed: used more than 1 s of processor time"


def test_names_the_signal(docker_pool: DockerPool, task_name: str) -> None:
    status, _ = run(docker_pool, Task(name=task_name, command="kill -SEGV $$"))
    assert (status.state, status.exit_code, status.cause) == (TaskState.EXITED, 139, "signal")
    assert status.message == "ended by SIGSEGV"


def test_a_shell_line_without_a_trap_dies_of_the_polite_signal(docker_pool: DockerPool, task_name: str) -> None:
    handle = docker_pool.submit(Task(name=task_name, command="echo up; sleep 1000; true"), allow)
    has_written(docker_pool, handle, b"up\n")
    docker_pool.kill(handle, 300)
    status = final(docker_pool, task_name)
    assert (status.exit_code, status.cause) == (143, "signal")


# --- what runs -------------------------------------------------------------------------------------------


def test_runs_as_the_user(docker_pool: DockerPool, task_name: str) -> None:
    assert run(docker_pool, Task(name=task_name, command="id -un", user="nobody"))[1] == "nobody\n"


def test_an_empty_command_means_the_images_own_program(
    docker_pool: DockerPool, docker_client: docker.APIClient, task_name: str
) -> None:
    made = docker_client.create_container("busybox:1", name=f"{task_name}-image", command="true")
    docker_client.commit(
        made["Id"],
        "greeter",
        tag=task_name,
        conf={"Entrypoint": ["/bin/echo", "Hello"], "Cmd": ["world"], "WorkingDir": "/tmp"},
    )
    container = Container(image=f"greeter:{task_name}")
    plain = Task(name=f"{task_name}-plain", command="", container=container)
    assert run(docker_pool, plain)[1] == "Hello world\n"
    for shell in (True, False):
        task = Task(
            name=f"{task_name}-{shell}", command="", shell=shell, arguments=("you", "all"), container=container
        )
        assert run(docker_pool, task)[1] == "Hello you all\n"
    program = Task(name=f"{task_name}-pwd", command="/bin/pwd", shell=False, container=container)
    assert run(docker_pool, program)[1] == "/tmp\n"


def test_capacity_counts_what_running_tasks_reserve(docker_pool: DockerPool, task_name: str) -> None:
    before = docker_pool.capacity()
    assert before.cpus_total == os.cpu_count()
    assert before.cpus_free == before.cpus_total
    assert before.cpus_total is not None
    assert before.memory_total_mb is not None
    limits = Limits(cpus=0.25, memory_mb=100)
    handle = docker_pool.submit(Task(name=task_name, command="sleep 1000", limits=limits), allow)
    during = docker_pool.capacity()
    assert during.cpus_free == before.cpus_total - 0.25
    assert during.memory_free_mb == before.memory_total_mb - 100
    docker_pool.kill(handle, 0)
    final(docker_pool, task_name)
    assert docker_pool.capacity() == before
