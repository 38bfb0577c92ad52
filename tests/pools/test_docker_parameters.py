"""``docker run`` options as parameters of a job's container."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docker
import pytest

from chronos_py.model.task import Container, Parameter, Task, Volume
from chronos_py.pools import LaunchRefused
from chronos_py.pools.docker.pool import DockerPool
from chronos_py.pools.docker.request import Surroundings, container_request

from .docker_fixtures import run


def request_for(*parameters: tuple[str, str], **fields: Any) -> dict[str, Any]:
    task = Task(
        name="t",
        command="work",
        container=Container(parameters=tuple(Parameter(*each) for each in parameters)),
        **fields,
    )
    return container_request(task, Surroundings("c", Path("/shared"), "busybox:1", "host", has_init=True))


@pytest.mark.parametrize(
    ("key", "value", "field", "expected"),
    [
        ("add-host", "db:10.0.0.1", "ExtraHosts", ["db:10.0.0.1"]),
        ("cap-add", "NET_ADMIN", "CapAdd", ["NET_ADMIN"]),
        ("cap-drop", "ALL", "CapDrop", ["ALL"]),
        ("cpu-shares", "2", "CpuShares", 2),
        ("c", "3", "CpuShares", 3),
        ("cpus", "1.5", "NanoCpus", 1_500_000_000),
        ("cpuset-cpus", "0-1", "CpusetCpus", "0-1"),
        (
            "device",
            "/dev/fuse",
            "Devices",
            [{"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"}],
        ),
        ("dns", "10.0.0.2", "Dns", ["10.0.0.2"]),
        ("gpus", "all", "DeviceRequests", [{"Count": -1, "Capabilities": [["gpu"]]}]),
        ("gpus", "2", "DeviceRequests", [{"Count": 2, "Capabilities": [["gpu"]]}]),
        ("gpus", "device=0,1", "DeviceRequests", [{"DeviceIDs": ["0", "1"], "Capabilities": [["gpu"]]}]),
        ("group-add", "audio", "GroupAdd", ["audio"]),
        ("init", "false", "Init", False),
        ("ipc", "host", "IpcMode", "host"),
        ("log-driver", "local", "LogConfig", {"Type": "local"}),
        ("log-opt", "max-size=1m", "LogConfig", {"Config": {"max-size": "1m"}}),
        ("memory-reservation", "32m", "MemoryReservation", 32 * 2**20),
        ("net", "none", "NetworkMode", "none"),
        ("pid", "host", "PidMode", "host"),
        ("pids-limit", "100", "PidsLimit", 100),
        ("privileged", "", "Privileged", True),
        ("privileged", "true", "Privileged", True),
        ("--privileged", "false", "Privileged", False),
        (
            "publish",
            "127.0.0.1:8080:80/udp",
            "PortBindings",
            {"80/udp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]},
        ),
        ("p", "80", "PortBindings", {"80/tcp": [{"HostIp": "", "HostPort": ""}]}),
        ("read-only", "true", "ReadonlyRootfs", True),
        ("security-opt", "no-new-privileges", "SecurityOpt", ["no-new-privileges"]),
        ("shm-size", "1g", "ShmSize", 2**30),
        ("sysctl", "net.core.somaxconn=100", "Sysctls", {"net.core.somaxconn": "100"}),
        ("tmpfs", "/run:size=1m", "Tmpfs", {"/run": "size=1m"}),
        ("ulimit", "nofile=10:20", "Ulimits", [{"Name": "nofile", "Soft": 10, "Hard": 20}]),
        ("ulimit", "nofile=10", "Ulimits", [{"Name": "nofile", "Soft": 10, "Hard": 10}]),
        ("volume", "/a:/b:ro", "Binds", ["/a:/b:ro"]),
    ],
)
def test_becomes_a_field_of_the_host_configuration(key: str, value: str, field: str, expected: object) -> None:
    assert request_for((key, value))["HostConfig"][field] == expected


@pytest.mark.parametrize(
    ("key", "value", "field", "expected"),
    [
        ("hostname", "worker", "Hostname", "worker"),
        ("mac-address", "02:00:00:00:00:01", "MacAddress", "02:00:00:00:00:01"),
        ("stop-signal", "INT", "StopSignal", "INT"),
        ("stop-timeout", "5", "StopTimeout", 5),
        ("tty", "true", "Tty", True),
        ("user", "nobody", "User", "nobody"),
        ("workdir", "/tmp", "WorkingDir", "/tmp"),
        ("v", "/data", "Volumes", {"/data": {}}),
        ("expose", "80", "ExposedPorts", {"80/tcp": {}}),
        ("no-healthcheck", "", "Healthcheck", {"Test": ["NONE"]}),
    ],
)
def test_becomes_a_field_of_the_container(key: str, value: str, field: str, expected: object) -> None:
    assert request_for((key, value))[field] == expected


def test_repeated_keys_collect() -> None:
    host = request_for(("dns", "10.0.0.1"), ("dns", "10.0.0.2"), ("ulimit", "core=1"), ("ulimit", "nofile=5"))
    assert host["HostConfig"]["Dns"] == ["10.0.0.1", "10.0.0.2"]
    assert [each["Name"] for each in host["HostConfig"]["Ulimits"]] == ["core", "nofile"]
    labels = request_for(("label", "a=1"), ("l", "b=2"))["Labels"]
    assert (labels["a"], labels["b"]) == ("1", "2")


@pytest.mark.parametrize("order", [1, -1])
def test_a_memory_limit_allows_no_swap_unless_told_in_any_order(order: int) -> None:
    assert request_for(("memory", "64m"))["HostConfig"]["MemorySwap"] == 64 * 2**20
    both = (("memory", "64m"), ("memory-swap", "128m"))[::order]
    host = request_for(*both)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"]) == (64 * 2**20, 128 * 2**20)


@pytest.mark.parametrize("order", [1, -1])
def test_an_alias_belongs_to_the_network_in_any_order(order: int) -> None:
    both = (("network", "backend"), ("network-alias", "worker"))[::order]
    request = request_for(*both, ("ip", "10.1.2.3"))
    assert request["HostConfig"]["NetworkMode"] == "backend"
    endpoint = {"Aliases": ["worker"], "IPAMConfig": {"IPv4Address": "10.1.2.3"}}
    assert request["NetworkingConfig"] == {"EndpointsConfig": {"backend": endpoint}}


def test_an_entry_point_gets_what_would_have_run() -> None:
    request = request_for(("entrypoint", "/bin/env"))
    assert (request["Entrypoint"], request["Cmd"]) == (["/bin/env"], ["/bin/sh", "-c", "work"])


def test_a_mount_adds_to_the_pools_own() -> None:
    _, mount = request_for(("mount", "type=tmpfs,dst=/cache,tmpfs-size=1m,ro"))["HostConfig"]["Mounts"]
    assert mount == {"Type": "tmpfs", "Target": "/cache", "TmpfsOptions": {"SizeBytes": 2**20}, "ReadOnly": True}


def test_parameters_cannot_forge_what_marks_a_task() -> None:
    forged = (("env", "HOST=other"), ("env", "CHRONOS_OUTPUT_FILE=/other"))
    request = request_for(("label", "chronos.task=other"), *forged, ("env", "A=1"), ("env", "A=2"))
    assert request["Labels"]["chronos.task"] == "t"
    ours = ["HOST=host", "CHRONOS_SHARED_DIR=/chronos/shared", "CHRONOS_OUTPUT_FILE=/chronos-output"]
    assert request["Env"] == ["A=2", *ours]


@pytest.mark.parametrize("key", ["rm", "restart", "name", "d", "--detach", "env-file", "interactive", "cidfile"])
def test_refuses_what_would_break_the_pool(key: str) -> None:
    with pytest.raises(LaunchRefused, match=r"^container\.parameters: '[a-z-]+' is not allowed: .+\.$"):
        request_for((key, "true"))


def test_refuses_an_unknown_key_by_name() -> None:
    with pytest.raises(LaunchRefused, match="'memmory' is not an option"):
        request_for(("memmory", "1g"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("memory", "lots"),
        ("cpus", "two"),
        ("cpu-shares", "1.5"),
        ("privileged", "maybe"),
        ("label", "no-value"),
        ("env", "FROM_THE_CLIENT"),
        ("publish", "web"),
        ("ulimit", "nofile"),
        ("ulimit", "nofile=many"),
        ("mount", "type=bind,sauce=/a"),
        ("gpus", "some"),
    ],
)
def test_refuses_a_bad_value_with_key_and_value(key: str, value: str) -> None:
    with pytest.raises(LaunchRefused) as refusal:
        request_for((key, value))
    assert f"{key!r} has the value {value!r}" in str(refusal.value)


def test_refuses_volumes_and_networks_that_cannot_be_written() -> None:
    around = Surroundings("c", Path("/shared"), "busybox:1", "host", has_init=True)
    for container, field in (
        (Container(volumes=(Volume("/b", "/a:x"),)), "container.volumes"),
        (Container(network="USER"), "container.networkName"),
    ):
        with pytest.raises(LaunchRefused, match=f"^{field}: "):
            container_request(Task(name="t", command="x", container=container), around)


@pytest.mark.docker
def test_parameters_have_their_effect_inside(
    docker_pool: DockerPool, docker_client: docker.APIClient, task_name: str, tmp_path: Path
) -> None:
    parameters = {
        "workdir": "/var/tmp",
        "hostname": "worker",
        "network": "bridge",
        "add-host": "db:10.9.8.7",
        "dns": "10.9.8.6",
        "cap-drop": "ALL",
        "read-only": "true",
        "tmpfs": "/cache:size=1m",
        "ulimit": "nofile=100:200",
        "shm-size": "2m",
        "sysctl": "net.ipv4.ip_local_port_range=20000 30000",
        "group-add": "4242",
        "memory": "48m",
        "pids-limit": "50",
        "cpus": "0.5",
        "publish": "127.0.0.1::8000",
        "label": "team=blue",
        "volume": f"{tmp_path}:/host:ro",
        "log-opt": "max-file=1",
    }
    line = """
        pwd; hostname; grep -c 10.9.8.7.db /etc/hosts; grep -c 10.9.8.6 /etc/resolv.conf
        grep CapEff /proc/self/status | tr -d '\\t'; touch /x 2>/dev/null || echo read-only
        grep -c '/cache tmpfs' /proc/mounts; ulimit -Sn; ulimit -Hn
        df -m /dev/shm | tail -n 1 | tr -s ' ' | cut -d' ' -f2
        cat /proc/sys/net/ipv4/ip_local_port_range | tr '\\t' '-'; id -G
        touch /host/x 2>/dev/null || echo no-write"""
    container = Container(parameters=tuple(Parameter(*each) for each in parameters.items()))
    status, output = run(docker_pool, Task(name=task_name, command=line, container=container))
    assert output.splitlines() == [
        "/var/tmp",
        "worker",
        "1",
        "1",
        "CapEff:0000000000000000",
        "read-only",
        "1",
        "100",
        "200",
        "2",
        "20000-30000",
        "0 4242",
        "no-write",
    ]
    found = docker_client.inspect_container(status.handle)
    assert found["Config"]["Labels"]["team"] == "blue"
    assert found["HostConfig"]["NanoCpus"] == 500_000_000
    assert found["HostConfig"]["Memory"] == 48 * 2**20
    assert found["HostConfig"]["PidsLimit"] == 50
    assert found["HostConfig"]["PortBindings"] == {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}
    assert found["HostConfig"]["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "1"}}
