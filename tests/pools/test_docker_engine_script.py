"""``script/engine``: starts a private engine, and leaves nothing of it behind."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from .docker_fixtures import ENGINE, start_engine

pytestmark = pytest.mark.docker


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="engine", ignore_cleanup_errors=True) as name:
        yield Path(name) / "own"
        subprocess.run([ENGINE, "stop", Path(name) / "own"], check=True, timeout=60)


def traces_of(marks: list[str]) -> list[str]:
    """Processes, mounts, interfaces, firewall rules, control groups and sockets that carry one of the marks."""
    seen = [
        Path("/proc/self/mountinfo").read_text(),
        Path("/proc/net/unix").read_text(),
        Path("/proc/net/route").read_text(),
    ]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            seen.append((process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " "))
        except OSError:
            continue
    seen += [str(each) for each in Path("/sys/class/net").iterdir()]
    seen.append(subprocess.run(["iptables", "-S"], capture_output=True, text=True, check=True).stdout)
    seen += [str(each) for each in Path("/sys/fs/cgroup").glob("**/chronos*")]
    seen += [str(each) for each in Path("/run/containerd/s").glob("*")]
    return [line for text in seen for line in text.splitlines() if any(mark in line for mark in marks)]


@pytest.mark.parametrize("crashed", [False, True], ids=["running", "crashed"])
def test_stop_leaves_nothing_behind(folder: Path, crashed: bool) -> None:
    url = start_engine(folder)
    assert url == f"unix://{folder}/docker.sock"
    client = docker.APIClient(url)
    network = client.create_network("own")["Id"]
    host = client.create_host_config(network_mode="own", init=True)
    container = client.create_container("busybox:1", ["sh", "-c", "sleep 600 & sleep 600"], host_config=host)["Id"]
    client.start(container)
    bridge = client.inspect_network("bridge")
    (addresses,) = bridge["IPAM"]["Config"]
    (supervisor,) = folder.glob("run/*/moby/*/address")
    marks = [
        f"{folder}/",
        f"br-{network[:12]}",
        bridge["Options"]["com.docker.network.bridge.name"],
        addresses["Subnet"].removesuffix(".0/24") + ".",
        Path(supervisor.read_text()).name,
    ]
    assert len(traces_of(marks)) > len(marks)
    if crashed:
        os.kill(int((folder / "dockerd.pid").read_text()), signal.SIGKILL)
    client.close()
    subprocess.run([ENGINE, "stop", folder], check=True, timeout=60)
    assert traces_of(marks) == []
    assert not folder.exists()
    subprocess.run([ENGINE, "stop", folder], check=True, timeout=60)


def test_start_again_finds_the_engine_and_its_containers(folder: Path) -> None:
    url = start_engine(folder)
    client = docker.APIClient(url)
    pid = (folder / "dockerd.pid").read_text()
    container = client.create_container("busybox:1", "true")["Id"]
    assert start_engine(folder) == url
    assert (folder / "dockerd.pid").read_text() == pid
    assert client.inspect_container(container)["State"]["Status"] == "created"
    client.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["start", f"/tmp/{'long' * 20}"], "is longer than"),
        (["start"], "usage: script/engine start|stop DIR"),
        (["restart", "/tmp/x"], "usage: script/engine start|stop DIR"),
    ],
)
def test_refuses_in_one_line(arguments: list[str], words: str) -> None:
    done = subprocess.run([ENGINE, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert words in done.stderr
    assert done.stderr.startswith("script/engine: ")
    assert done.stderr.count("\n") == 1
