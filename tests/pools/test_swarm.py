"""What a swarm adds to a pool, on a real one: nodes to choose among, and things of the cluster to give to tasks."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from chronos_py.model.constraints import Constraint, Operator
from chronos_py.model.task import Container, ExternalVolume, Limits, Parameter, Task, Volume
from chronos_py.pools import LaunchRefused, PoolOptions, PoolUnavailable, TaskState, TaskStatus
from chronos_py.pools.swarm.calls import create_service, remove_service
from chronos_py.pools.swarm.pool import SwarmPool

from .docker_fixtures import allow
from .swarm_hosts import Host
from .waiting import eventually, final, has_written, present, status_of

pytestmark = pytest.mark.docker

NO_DETAILS = {"UpdateConfig": None, "EndpointSpec": None}
NO_TASKS = {"Replicated": {"Replicas": 0}}
ON_WORKER = (Constraint("hostname", Operator.EQUALS, "node2"),)


def run(pool: SwarmPool, task: Task) -> tuple[TaskStatus, str]:
    """Run a task to its end: its status and standard output."""
    handle = pool.submit(task, allow)
    status = final(pool, task.name)
    return status, pool.logs(handle, "stdout", 0, 100_000).decode()


def with_parameters(**parameters: str) -> Container:
    return Container(parameters=tuple(Parameter(key.replace("_", "-"), value) for key, value in parameters.items()))


@pytest.fixture
def manager_only(swarm_hosts: list[Host], tmp_path: Path) -> Iterator[SwarmPool]:
    """A pool that is told of the manager's engine only, not of the worker's."""
    pool = SwarmPool.from_options(
        PoolOptions(
            cluster=f"only-{tmp_path.name}",
            data_dir=tmp_path,
            shared_dir=tmp_path / "shared",
            docker_url=swarm_hosts[0].url,
        )
    )
    yield pool
    for status in pool.list():
        pool.kill(status.handle, 0)
    pool.close()


@pytest.fixture
def labels(swarm_hosts: list[Host]) -> Iterator[None]:
    """The nodes are in the racks of their numbers; node2 has a label that Swarm can't say."""
    manager, _ = swarm_hosts
    manager.change_node("node1", Labels={"rack": "1"})
    manager.change_node("node2", Labels={"rack": "2", "odd": "ä, b"})
    yield
    for name in ("node1", "node2"):
        manager.change_node(name, Labels={})


# --- nodes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("node", ["node1", "node2"])
def test_runs_where_its_constraints_say(swarm_pool: SwarmPool, task_name: str, node: str) -> None:
    task = Task(task_name, 'echo "$HOST"', constraints=(Constraint("hostname", Operator.EQUALS, node),))
    status, output = run(swarm_pool, task)
    assert (status.exit_code, status.node, output) == (0, node, f"{node}\n")


@pytest.mark.usefixtures("labels")
@pytest.mark.parametrize(
    ("constraint", "node"),
    [
        (Constraint("rack", Operator.EQUALS, "1"), "node1"),
        (Constraint("rack", Operator.LIKE, "[2-9]"), "node2"),
        (Constraint("rack", Operator.UNLIKE, "2|3"), "node1"),
        (Constraint("odd", Operator.EQUALS, "ä, b"), "node2"),
        (Constraint("role", Operator.EQUALS, "worker"), "node2"),
    ],
    ids=str,
)
def test_labels_of_nodes_are_attributes(
    swarm_pool: SwarmPool, task_name: str, constraint: Constraint, node: str
) -> None:
    status, _ = run(swarm_pool, Task(task_name, "true", constraints=(constraint,)))
    assert (status.exit_code, status.node) == (0, node)


def test_is_not_launched_where_no_node_meets_its_constraints(swarm_pool: SwarmPool, task_name: str) -> None:
    with pytest.raises(LaunchRefused, match="no node of the swarm meets hostname EQUALS elsewhere"):
        swarm_pool.submit(
            Task(task_name, "true", constraints=(Constraint("hostname", Operator.EQUALS, "elsewhere"),)), allow
        )
    assert status_of(swarm_pool, task_name) is None


@pytest.mark.usefixtures("labels")
def test_tells_of_its_nodes(swarm_pool: SwarmPool, swarm_hosts: list[Host], task_name: str) -> None:
    limits = Limits(cpus=0.25, memory_mb=100)
    task = Task(task_name, "echo ready; while :; do sleep 0.1; done", limits=limits, constraints=ON_WORKER)
    handle = swarm_pool.submit(task, allow)
    has_written(swarm_pool, handle, b"ready\n")
    first, second = swarm_pool.nodes()
    assert (first.name, first.state, second.name, second.state) == ("node1", "ready", "node2", "ready")
    assert (first.attributes["role"], second.attributes["role"]) == ("manager", "worker")
    assert (first.attributes["rack"], second.attributes["rack"]) == ("1", "2")
    assert second.cpus_total is not None
    assert second.cpus_free == second.cpus_total - 0.25
    assert second.memory_total_mb is not None
    assert second.memory_free_mb == second.memory_total_mb - 100
    assert "Docker Engine" in second.engine
    capacity = swarm_pool.capacity()
    assert capacity.cpus_total == (first.cpus_total or 0) + second.cpus_total
    swarm_hosts[0].change_node("node2", Availability="drain")
    try:
        assert [node.state for node in swarm_pool.nodes()] == ["ready", "drain"]
        assert swarm_pool.capacity().cpus_total == first.cpus_total
        # Swarm ends what runs on a node that is drained, and it is not started elsewhere.
        status = final(swarm_pool, task_name)
        assert (status.state, status.node, status.exit_code) == (TaskState.EXITED, "node2", 143), status
    finally:
        swarm_hosts[0].change_node("node2", Availability="active")


def test_waits_with_the_words_of_swarm_while_no_node_has_room(swarm_pool: SwarmPool, task_name: str) -> None:
    handle = swarm_pool.submit(Task(task_name, "true", limits=Limits(cpus=1000)), allow)
    eventually(lambda: "insufficient resources on 2 nodes" in present(swarm_pool, task_name).message)
    waiting = present(swarm_pool, task_name)
    assert (waiting.state, waiting.started_at, waiting.node) == (TaskState.WAITING, None, "")
    assert swarm_pool.logs(handle, "stdout", 0, 10) == b""
    swarm_pool.kill(handle, 10)
    ended = final(swarm_pool, task_name)
    assert (ended.state, ended.exit_code, ended.started_at) == (TaskState.EXITED, None, None)
    assert "before it began" in ended.message


# --- what only its node knows ----------------------------------------------------------------------------


def test_both_streams_and_the_exit_code_come_from_another_node(manager_only: SwarmPool, task_name: str) -> None:
    handle = manager_only.submit(Task(task_name, "echo out; echo err >&2; exit 3", constraints=ON_WORKER), allow)
    status = final(manager_only, task_name)
    assert (status.state, status.exit_code, status.node) == (TaskState.EXITED, 3, "node2")
    assert manager_only.logs(handle, "stdout", 0, 100) == b"out\n"
    assert manager_only.logs(handle, "stderr", 1, 100) == b"rr\n"
    assert status.started_at
    assert status.finished_at
    assert status.started_at <= status.finished_at


def test_a_log_of_another_node_is_whole_byte_for_byte(manager_only: SwarmPool, task_name: str) -> None:
    """Also lines longer than the engines' pieces of 16 KiB, and read in pieces of an odd size."""
    command = "i=0; while [ $i -lt 40 ]; do head -c 20011 /dev/zero | tr '\\0' x; echo $i; i=$((i + 1)); done"
    handle = manager_only.submit(Task(task_name, command, constraints=ON_WORKER), allow)
    assert final(manager_only, task_name).exit_code == 0
    wanted = b"".join(b"x" * 20011 + b"%d\n" % number for number in range(40))
    read = b""
    while piece := manager_only.logs(handle, "stdout", len(read), 70_001):
        read += piece
    assert read == wanted


GREEDY = "x=0123456789abcdef; while :; do x=$x$x; done"


def test_the_engine_of_its_node_knows_that_it_was_for_memory(swarm_pool: SwarmPool, task_name: str) -> None:
    status, _ = run(swarm_pool, Task(task_name, GREEDY, limits=Limits(memory_mb=32), constraints=ON_WORKER))
    assert (status.exit_code, status.cause, status.node) == (137, "memory", "node2")


def test_swarm_itself_cannot_tell_that_it_was_for_memory(manager_only: SwarmPool, task_name: str) -> None:
    status, _ = run(manager_only, Task(task_name, GREEDY, limits=Limits(memory_mb=32), constraints=ON_WORKER))
    assert (status.exit_code, status.cause) == (137, "signal")
    assert "memory limit of 32 MB" in status.message


@pytest.mark.parametrize(
    ("container", "words"),
    [
        (Container(image="no-such-image:1"), "No such image: no-such-image:1"),
        (Container(volumes=(Volume("/data", "/no/such/folder"),)), "/no/such/folder"),
    ],
    ids=["image", "folder"],
)
def test_what_its_node_refuses_has_failed_with_the_reason(
    swarm_pool: SwarmPool, task_name: str, container: Container, words: str
) -> None:
    swarm_pool.submit(Task(task_name, "true", container=container), allow)
    status = final(swarm_pool, task_name)
    assert (status.state, status.exit_code, status.cause) == (TaskState.EXITED, None, "launch")
    assert words in status.message
    assert "on node" in status.message


def test_an_image_that_only_one_node_has_runs_there_and_the_other_says_that_it_lacks_it(
    swarm_pool: SwarmPool, swarm_hosts: list[Host], task_name: str
) -> None:
    """Each node's engine pulls for itself; a registry that nobody reaches is like none."""
    worker = swarm_hosts[1].client
    image = f"{task_name}:1"
    worker.tag("busybox:1", task_name, "1")
    try:
        there = Task(task_name, 'echo "$HOST"', container=Container(image=image), constraints=ON_WORKER)
        assert run(swarm_pool, there)[1] == "node2\n"
        on_manager = (Constraint("hostname", Operator.EQUALS, "node1"),)
        here = Task(f"{task_name}-here", "true", container=Container(image=image), constraints=on_manager)
        swarm_pool.submit(here, allow)
        status = final(swarm_pool, here.name)
        assert (status.exit_code, status.cause, status.node) == (None, "launch", "node1")
        assert status.message == f"on node1: No such image: {image}"
    finally:
        worker.remove_image(image, force=True)


# --- what tasks are given --------------------------------------------------------------------------------


def test_secrets_and_configs_are_files(swarm_pool: SwarmPool, swarm_hosts: list[Host], task_name: str) -> None:
    client = swarm_hosts[0].client
    data = {"Data": base64.b64encode(b"hidden\n").decode()}
    url = f"{client.base_url}/v{client.api_version}"
    assert client.post(f"{url}/secrets/create", json={"Name": f"s-{task_name}", **data}).ok
    assert client.post(f"{url}/configs/create", json={"Name": f"c-{task_name}", **data}).ok
    container = with_parameters(
        secret=f"s-{task_name}", config=f"source=c-{task_name},target=/etc/given,uid=65534,mode=0400"
    )
    command = f"cat /run/secrets/s-{task_name} /etc/given; stat -c '%u %a' /etc/given"
    status, output = run(swarm_pool, Task(task_name, command, container=container, constraints=ON_WORKER))
    assert (status.exit_code, output) == (0, "hidden\nhidden\n65534 400\n")


def test_names_a_secret_that_is_not_there(swarm_pool: SwarmPool, task_name: str) -> None:
    with pytest.raises(LaunchRefused, match="the swarm has no secret 'nobody-knows'; create it first"):
        swarm_pool.submit(Task(task_name, "true", container=with_parameters(secret="nobody-knows")), allow)


def test_values_that_look_like_templates_arrive_as_they_are(swarm_pool: SwarmPool, task_name: str) -> None:
    value = "{{.Node.Hostname}} {{ }} {{{ }}"
    command = 'printf \'%s|%s\' "$VALUE" "$OTHER"'
    container = with_parameters(env=f"OTHER={value}")
    task = Task(task_name, command, environment={"VALUE": value}, container=container)
    assert run(swarm_pool, task)[1] == f"{value}|{value}"


@pytest.mark.parametrize(("network", "is_own"), [("HOST", False), ("BRIDGE", True)])
def test_networks_of_the_node(
    swarm_pool: SwarmPool, swarm_hosts: list[Host], task_name: str, network: str, is_own: bool
) -> None:
    container = Container(network=network)  # type: ignore[arg-type]
    status, output = run(
        swarm_pool, Task(task_name, "ip addr; ip link | wc -l", container=container, constraints=ON_WORKER)
    )
    assert status.exit_code == 0, status
    assert (swarm_hosts[1].address not in output) is is_own
    assert "NONE is not possible on a swarm" in swarm_pool.objection(
        Task("", "", container=Container(network="NONE"))
    )


def test_tasks_reach_each_other_over_an_overlay_network(
    swarm_pool: SwarmPool, swarm_hosts: list[Host], task_name: str
) -> None:
    client = swarm_hosts[0].client
    network = client.create_network(f"net-{task_name}", driver="overlay")
    container = Container(network="USER", network_name=f"net-{task_name}")
    on_manager = (Constraint("hostname", Operator.EQUALS, "node1"),)
    try:
        listen = Task(
            f"{task_name}-a", "echo ready; echo hello | nc -l -p 4000", container=container, constraints=on_manager
        )
        has_written(swarm_pool, swarm_pool.submit(listen, allow), b"ready\n")
        call = f"until nc {task_name}-a 4000 </dev/null | grep hello; do sleep 0.1; done"
        status, output = run(swarm_pool, Task(task_name, call, container=container, constraints=ON_WORKER))
        assert (status.exit_code, output) == (0, "hello\n")
        assert final(swarm_pool, listen.name).exit_code == 0
    finally:
        for status in swarm_pool.list():
            swarm_pool.forget(status.handle)
        eventually(lambda: is_removed(client, network["Id"]))


def is_removed(client: docker.APIClient, network: str) -> bool:
    """Not while a container that is being removed is still in it."""
    with contextlib.suppress(docker.errors.APIError):
        client.remove_network(network)
        return True
    return False


def test_volumes_users_and_options(swarm_pool: SwarmPool, task_name: str, tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "file").write_text("there\n")
    volumes = (
        Volume("/given", str(tmp_path / "given"), "RO"),
        Volume("/kept", external=ExternalVolume(f"v-{task_name}", "local")),
        Volume("/own"),
    )
    options = {"workdir": "/tmp", "ulimit": "nofile=99:99", "cap_drop": "ALL", "read_only": "true"}
    container = Container(volumes=volumes, parameters=with_parameters(**options).parameters)
    command = "cat /given/file; pwd; ulimit -n; touch /given/x || touch /x || touch /own/x && echo ok"
    task = Task(task_name, command, container=container, constraints=ON_WORKER)
    status, output = run(swarm_pool, task)
    assert (status.exit_code, output) == (0, "there\n/tmp\n99\nok\n"), status
    keep = Task(f"{task_name}-w", "echo kept > /kept/it", container=Container(volumes=volumes), constraints=ON_WORKER)
    assert run(swarm_pool, keep)[0].exit_code == 0
    read = Task(f"{task_name}-r", "cat /kept/it; id -u", user="root", container=keep.container, constraints=ON_WORKER)
    assert run(swarm_pool, read)[1] == "kept\n0\n"


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        (Parameter("privileged", "true"), "'privileged' is not an option that services of a swarm have"),
        (Parameter("restart-condition", "any"), "use the job's retries"),
        (Parameter("limit-cpu", "much"), "'limit-cpu' has the value 'much', which cannot be read"),
    ],
    ids=lambda each: each.key if isinstance(each, Parameter) else "",
)
def test_objects_when_a_job_is_saved(swarm_pool: SwarmPool, parameter: Parameter, words: str) -> None:
    assert words in swarm_pool.objection(Task("", "true", container=Container(parameters=(parameter,))))
    assert "no custom executors" in swarm_pool.objection(Task("", "true", executor="/bin/executor"))
    assert swarm_pool.objection(Task("", "true")) == ""


# --- afterwards, and before ------------------------------------------------------------------------------


def test_forgetting_leaves_nothing_on_any_node(
    swarm_pool: SwarmPool, swarm_hosts: list[Host], task_name: str, tmp_path: Path
) -> None:
    status, _ = run(swarm_pool, Task(task_name, "echo A=1 > $CHRONOS_OUTPUT_FILE", constraints=ON_WORKER))
    assert list((tmp_path / "shared").glob(f".chronos/*/{task_name}"))
    swarm_pool.forget(status.handle)
    names = {"label": f"chronos.task={task_name}"}
    eventually(lambda: not swarm_hosts[1].client.containers(all=True, filters=names))
    assert not [status for status in swarm_pool.list() if status.name == task_name]
    assert not list((tmp_path / "shared").glob(f".chronos/*/{task_name}"))


def test_a_name_of_somebody_else_is_left_alone(
    swarm_pool: SwarmPool, swarm_hosts: list[Host], task_name: str
) -> None:
    client = swarm_hosts[0].client
    template = {"ContainerSpec": {"Image": "busybox:1"}}
    other = create_service(
        client, {"Name": task_name, "TaskTemplate": template, "Labels": {}, "Mode": NO_TASKS, **NO_DETAILS}
    )
    with pytest.raises(LaunchRefused, match="somebody else"):
        swarm_pool.submit(Task(task_name, "true"), allow)
    remove_service(client, other)


@pytest.mark.parametrize("which", ["worker", "nobody"])
def test_says_why_there_is_no_manager(swarm_hosts: list[Host], tmp_path: Path, which: str) -> None:
    url = swarm_hosts[1].url if which == "worker" else f"unix://{tmp_path}/nothing.sock"
    words = "is a worker of its swarm; name a manager's" if which == "worker" else "does not answer"
    options = PoolOptions(cluster="x", data_dir=tmp_path, shared_dir=tmp_path / "shared", docker_url=url)
    with pytest.raises(PoolUnavailable, match=words):
        SwarmPool.from_options(options)


def test_says_that_an_engine_is_in_no_swarm(docker_engine_url: str, tmp_path: Path) -> None:
    options = PoolOptions(cluster="x", data_dir=tmp_path, shared_dir=tmp_path, docker_url=docker_engine_url)
    with pytest.raises(PoolUnavailable, match="is in no swarm; run docker swarm init or join there"):
        SwarmPool.from_options(options)
