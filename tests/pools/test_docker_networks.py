"""The networks that a container joins, the ports that it shows, and the volumes that the engine keeps."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest

from chronos_py.model.containers import read_container
from chronos_py.model.reader import Reader
from chronos_py.model.task import Container, Task
from chronos_py.pools import LaunchRefused
from chronos_py.pools.docker.networks import Networks, networks_of
from chronos_py.pools.docker.pool import DockerPool

from .docker_fixtures import allow, run
from .waiting import eventually, status_of


def container(**fields: object) -> Container:
    read = read_container(Reader({"container": {"image": "busybox:1", **fields}}))
    assert read is not None
    return read


@contextmanager
def networks(client: docker.APIClient, *names: str) -> Iterator[None]:
    ids = [client.create_network(name)["Id"] for name in names]
    try:
        yield
    finally:
        for each in ids:
            client.remove_network(each)


def info(name: str = "", *ports: tuple[object, object, str], **labels: str) -> dict[str, object]:
    return {
        "name": name,
        "labels": [{"key": key, "value": value} for key, value in labels.items()],
        "portMappings": [
            {"containerPort": inner, "hostPort": outer, "protocol": protocol} for inner, outer, protocol in ports
        ],
    }


# --- what the fields come to -------------------------------------------------------------------------------


def test_the_first_info_names_the_network_and_the_others_are_joined() -> None:
    found = networks_of(container(network="USER", networkInfos=[info("a", mtu="1"), info("b", x="y"), info("a")]))
    assert (found.mode, found.options, found.others) == ("a", {"mtu": "1"}, {"b": {"x": "y"}})


def test_the_name_of_the_network_goes_before_the_infos() -> None:
    found = networks_of(container(network="USER", networkName="n", networkInfos=[info("a")]))
    assert (found.mode, list(found.others)) == ("n", ["a"])
    again = networks_of(container(network="USER", networkName="a", networkInfos=[info("a", k="v")]))
    assert again == Networks("a", {"k": "v"})


def test_a_container_of_mesos_joins_what_its_infos_name() -> None:
    assert networks_of(container(type="mesos", networkInfos=[info("a")])).mode == "a"
    assert networks_of(container(type="Mesos")).mode == "host"


def test_ports_may_be_texts_and_have_protocols() -> None:
    found = networks_of(container(network="BRIDGE", networkInfos=[info("", ("80", "8080", "UDP"), (81, 0, ""))]))
    assert found == Networks("bridge", bindings={"80/udp": [{"HostPort": "8080"}], "81/tcp": [{"HostPort": ""}]})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"network": "USER"}, "container.networkName: is empty"),
        ({"network": "HOST", "networkName": "n"}, "the network 'n' is asked for"),
        ({"network": "NONE", "networkInfos": [info("", (80, 80, "tcp"))]}, "a port to publish is asked for"),
    ],
)
def test_what_cannot_be_joined_is_refused_by_its_field(fields: dict[str, object], words: str) -> None:
    with pytest.raises(LaunchRefused, match=words):
        networks_of(container(**fields))


# --- on an engine ------------------------------------------------------------------------------------------


@pytest.mark.docker
def test_it_is_in_every_network_that_it_names(
    docker_pool: DockerPool, docker_client: docker.APIClient, task_name: str
) -> None:
    first, second = f"{task_name}-a", f"{task_name}-b"
    wanted = container(network="USER", networkInfos=[info(first, role="front"), info(second)])
    with networks(docker_client, first, second):
        status, output = run(docker_pool, Task(name=task_name, command="ls /sys/class/net", container=wanted))
        assert {"eth0", "eth1"} <= set(output.split())
        joined = docker_client.inspect_container(status.handle)["NetworkSettings"]["Networks"]
        assert set(joined) == {first, second}
        assert joined[first]["DriverOpts"] == {"role": "front"}
        docker_pool.forget(status.handle)


@pytest.mark.docker
def test_a_network_that_is_not_there_is_a_refused_launch(docker_pool: DockerPool, task_name: str) -> None:
    wanted = container(network="BRIDGE", networkInfos=[info(f"{task_name}-missing")])
    with pytest.raises(LaunchRefused, match=rf"network '?{task_name}-missing'?.* not found"):
        docker_pool.submit(Task(name=task_name, command="true", container=wanted), allow)
    assert status_of(docker_pool, task_name) is None


@pytest.mark.docker
def test_a_port_is_published(docker_pool: DockerPool, docker_client: docker.APIClient, task_name: str) -> None:
    wanted = container(network="BRIDGE", networkInfos=[info("", (7000, 0, "tcp"), (7001, 0, "udp"))])
    handle = docker_pool.submit(
        Task(name=task_name, command="echo hello | nc -l -p 7000", container=wanted, grace_seconds=0), allow
    )
    ports = eventually(lambda: docker_client.inspect_container(handle)["NetworkSettings"]["Ports"])
    assert set(ports) == {"7000/tcp", "7001/udp"}

    def greeting() -> bytes:
        try:
            with socket.create_connection(("127.0.0.1", int(ports["7000/tcp"][0]["HostPort"])), timeout=60) as talk:
                return talk.recv(100)
        except OSError:
            return b""

    assert eventually(greeting) == b"hello\n"


@pytest.mark.docker
def test_an_external_volume_outlives_its_task(
    docker_pool: DockerPool, docker_client: docker.APIClient, task_name: str
) -> None:
    external = {
        "name": task_name,
        "provider": "local",
        "options": [{"key": "type", "value": "tmpfs"}, {"key": "device", "value": "tmpfs"}],
    }
    try:
        write = container(volumes=[{"containerPath": "/data", "mode": "rw", "external": external}])
        status, _ = run(
            docker_pool, Task(name=task_name, command="stat -f -c %T /data > /data/kind", container=write)
        )
        assert status.exit_code == 0
        docker_pool.forget(status.handle)
        volume = docker_client.inspect_volume(task_name)
        assert (volume["Driver"], volume["Options"]) == ("local", {"type": "tmpfs", "device": "tmpfs"})
        read = container(volumes=[{"containerPath": "/data", "mode": "Ro", "external": {"name": task_name}}])
        status, output = run(docker_pool, Task(name=task_name, command="! touch /data/x && echo ro", container=read))
        assert output == "ro\n"
        docker_pool.forget(status.handle)
    finally:
        docker_client.remove_volume(task_name)


@pytest.mark.docker
def test_a_driver_that_is_not_there_is_a_refused_launch(docker_pool: DockerPool, task_name: str) -> None:
    external = {"name": task_name, "provider": "nosuchdriver"}
    wanted = container(volumes=[{"containerPath": "/data", "external": external}])
    with pytest.raises(LaunchRefused, match="nosuchdriver"):
        docker_pool.submit(Task(name=task_name, command="true", container=wanted), allow)
    assert status_of(docker_pool, task_name) is None


@pytest.mark.docker
@pytest.mark.parametrize("volume", [{"containerPath": "/data"}, {"containerPath": "/data", "hostPath": "cache"}])
def test_a_volume_of_the_tasks_own_goes_with_it(
    docker_pool: DockerPool, docker_client: docker.APIClient, task_name: str, volume: dict[str, str]
) -> None:
    command = "ls -A /data && touch /data/x && grep ' /data ' /proc/mounts | cut -d' ' -f2"
    status, output = run(docker_pool, Task(name=task_name, command=command, container=container(volumes=[volume])))
    assert output == "/data\n"
    [mount] = [
        each for each in docker_client.inspect_container(status.handle)["Mounts"] if each["Destination"] == "/data"
    ]
    docker_pool.forget(status.handle)
    assert mount["Name"] not in [each["Name"] for each in docker_client.volumes()["Volumes"] or []]


@pytest.mark.docker
def test_the_engines_machine_is_a_node(
    docker_pool: DockerPool, docker_client: docker.APIClient, tmp_path: Path
) -> None:
    [node] = docker_pool.nodes()
    facts = docker_client.info()
    assert (node.name, node.state, node.engine) == (facts["Name"], "ready", f"Docker Engine {facts['ServerVersion']}")
    assert node.attributes["hostname"] == facts["Name"]
    assert (node.attributes["os"], node.attributes["storage"]) == ("linux", facts["Driver"])
    assert node.cpus_total == facts["NCPU"]
    assert node.memory_free_mb is not None
