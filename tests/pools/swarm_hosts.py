"""Machines for a swarm, on one machine: each has a network, a process space and a Docker Engine of its own.

Needs root, ``ip``, ``iptables``, ``nsenter``, ``unshare``, ``openssl`` and what an engine needs. All that a host
runs ends with its first process, which the kernel sees to.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import signal
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import docker

from ..certificates import certificates
from .waiting import eventually

MOST_HOSTS = 5  # in one network
TLS_PORT = 2376

# No name service answers there. One that says nothing would cost each start of a task ten seconds.
_FIRST_PROCESS = """
hostname {name} && mount --bind {resolver} /etc/resolv.conf && echo ready || exit 1
while :; do sleep 3600 & wait $!; done
"""


class Host:
    """One machine. Its engine is started and killed at will; its cable is cut and mended.

    The engine is reached by its socket, at ``url``, whatever the cable does, and over TLS at ``secure_url``.
    """

    def __init__(self, number: int, network: Network) -> None:
        self.number = number
        self.name = f"node{number}"
        self.address = network.address(number)
        self.url = f"unix://{network.folder}/{number}/docker.sock"
        self.secure_url = f"tcp://{self.address}:{TLS_PORT}"
        self.network = network
        self._folder = network.folder / str(number)
        self._space = f"{network.tag}{number}"
        self._cable = f"{network.tag}v{number}"
        self._first: subprocess.Popen[str] | None = None
        self._engine: subprocess.Popen[bytes] | None = None
        self.client: docker.APIClient

    def boot(self) -> None:
        self._folder.mkdir()
        resolver = self._folder / "resolv.conf"
        resolver.write_text("nameserver 127.0.0.1\n")
        run("ip", "netns", "add", self._space)
        run("ip", "link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", self._space)
        run("ip", "link", "set", self._cable, "master", self.network.bridge, "up")
        for words in (
            f"addr add {self.address}/24 dev eth0",
            "link set eth0 up",
            "link set lo up",
            f"route add default via {self.network.gateway}",
        ):
            run("ip", "-n", self._space, *words.split())
        space = ("--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
        script = _FIRST_PROCESS.format(name=self.name, resolver=resolver)
        self._first = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self._space}", "unshare", *space, "sh", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        assert self._first.stdout
        assert self._first.stdout.readline() == "ready\n"

    def start_engine(self, *more: str | Path) -> None:
        """Start the engine, or start it again, with more options."""
        (self._folder / "dockerd.pid").unlink(missing_ok=True)
        assert self._first
        spaces = ("-t", str(_child_of(self._first.pid)), "--mount", "--uts", "--net", "--pid")
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")  # nothing is pulled
        keys = self.network.folder
        with open(self._folder / "dockerd.log", "ab") as log:
            self._engine = subprocess.Popen(
                [
                    *("nsenter", *spaces, "dockerd", "--host", self.url, "--host", self.secure_url),
                    *("--tlsverify", "--tlscacert", keys / "ca.pem"),
                    *("--tlscert", keys / "server.pem", "--tlskey", keys / "server.key"),
                    *("--data-root", self._folder / "data", "--exec-root", self._folder / "exec"),
                    *("--pidfile", self._folder / "dockerd.pid", "--cgroup-parent", f"/{self._space}"),
                    *("--exec-opt", "native.cgroupdriver=cgroupfs", *more),
                ],
                env={**os.environ, **proxies, "NO_PROXY": f"{self.network.prefix}.0/24"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        eventually(self._answers, 90)

    def kill_engine(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End the engine; what it runs goes on after SIGKILL."""
        assert self._engine
        os.kill(_child_of(self._engine.pid), how)
        self._engine.wait(60)

    def inside(self, *words: str | Path) -> None:
        """Run a program in the host's spaces."""
        assert self._first
        spaces = ("-t", str(_child_of(self._first.pid)), "--mount", "--uts", "--net", "--pid")
        run("nsenter", *spaces, *map(str, words))

    def stop_engine(self) -> None:
        """End the engine and what it runs."""
        self.kill_engine(signal.SIGTERM)

    @property
    def log(self) -> str:
        return (self._folder / "dockerd.log").read_text(errors="replace")

    def node(self, name: str) -> dict[str, Any]:
        """A node of the swarm, as this manager sees it."""
        found: list[dict[str, Any]] = self.client.nodes()
        return next(node for node in found if node["Description"]["Hostname"] == name)

    def change_node(self, name: str, **fields: Any) -> None:
        """Change fields of a node's specification; again while others do, or the swarm has no leader."""

        def is_changed() -> bool:
            with contextlib.suppress(docker.errors.APIError):
                node = self.node(name)
                spec: Any = {**node["Spec"], **fields}
                self.client.update_node(node["ID"], node["Version"]["Index"], spec)
                return True
            return False

        eventually(is_changed, 60)

    def cut(self) -> None:
        """Pull the cable: the host reaches nobody, and nobody the host but through its engine's socket."""
        run("ip", "link", "set", self._cable, "down")

    def mend(self) -> None:
        run("ip", "link", "set", self._cable, "up")

    def drop(self, direction: str) -> None:
        """Lose all packets ``to`` the engine, at its address, or all that come ``from`` it; nobody is told."""
        chain, port = ("INPUT", "--dport") if direction == "to" else ("OUTPUT", "--sport")
        self._firewall("-A", chain, "-p", "tcp", port, str(TLS_PORT), "-j", "DROP")

    def drop_nothing(self) -> None:
        for chain in ("INPUT", "OUTPUT"):
            self._firewall("-F", chain)

    def _firewall(self, *words: str) -> None:
        run("nsenter", f"--net=/run/netns/{self._space}", "iptables", "-w", *words)

    def down(self) -> None:
        """End all processes of the host and remove what it had."""
        if self._first:
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(_child_of(self._first.pid), signal.SIGKILL)
            self._first.wait(60)
        if self._engine:
            self._engine.wait(60)
        run("ip", "netns", "delete", self._space, check=False)
        run("ip", "link", "delete", self._cable, check=False)
        for group in sorted(Path("/sys/fs/cgroup").glob(f"**/{self._space}/**/"), reverse=True):
            with contextlib.suppress(OSError):
                group.rmdir()

    def _answers(self) -> bool:
        assert self._engine
        assert self._engine.poll() is None, self.log[-2000:]
        with contextlib.suppress(docker.errors.DockerException):
            self.client = docker.APIClient(self.url, timeout=60)
            return bool(self.client.ping())
        return False


_NUMBERS = itertools.count()


class Network:
    """A bridge that the hosts' cables end in, and a folder, whose path is short, with what the hosts have."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tag = f"chr{os.getpid() % 100_000}{chr(ord('a') + next(_NUMBERS) % 26)}"
        self.bridge = f"{self.tag}b"
        taken = [line.split()[1] for line in Path("/proc/net/route").read_text().splitlines()]
        free = (each for each in range(230, 250) if f"0000{each:02X}0A" not in taken)  # little-endian, as there
        second = next(free)
        self.prefix = f"10.{second}.0"
        self.gateway = self.address(254)

    def address(self, number: int) -> str:
        return f"{self.prefix}.{number}"

    def tls_options(self) -> tuple[str, ...]:
        """Options of a server that reaches the hosts' engines at their secure URLs."""
        files = {"ca": "ca.pem", "cert": "client.pem", "key": "client.key"}
        return tuple(
            word for name, file in files.items() for word in (f"--docker-tls-{name}", str(self.folder / file))
        )

    @contextmanager
    def up(self) -> Iterator[None]:
        rules = (("-i", self.bridge), ("-o", self.bridge))  # other engines let nothing through
        with ExitStack() as stack:
            run("ip", "link", "add", self.bridge, "type", "bridge")
            stack.callback(run, "ip", "link", "delete", self.bridge, check=False)
            run("ip", "addr", "add", f"{self.gateway}/24", "dev", self.bridge)
            run("ip", "link", "set", self.bridge, "up")
            certificates(self.folder, *(self.address(number) for number in range(1, MOST_HOSTS + 1)))
            for rule in rules:
                run("iptables", "-w", "-I", "FORWARD", *rule, "-j", "ACCEPT")
                stack.callback(run, "iptables", "-w", "-D", "FORWARD", *rule, "-j", "ACCEPT", check=False)
            yield


@contextmanager
def hosts(numbers: Sequence[int], network: Network) -> Iterator[list[Host]]:
    """Running hosts of a network that is up, with engines that have the image busybox:1."""
    with ExitStack() as stack:
        made = [Host(number, network) for number in numbers]
        for host in made:
            stack.callback(host.down)
            host.boot()
        for host in made:
            host.start_engine()
            host.client.import_image_from_data(busybox_image(), repository="busybox", tag="1")
        yield made


def form_swarm(made: list[Host]) -> None:
    """The first host is the manager, the others are its workers."""
    manager, *workers = made
    # A node is lost after three of these periods, and what runs there ends with its return: soon enough for tests
    # that cut one off, and late enough for a machine that stands still for a while.
    quick = manager.client.create_swarm_spec(dispatcher_heartbeat_period=3_000_000_000)
    manager.client.init_swarm(advertise_addr=manager.address, listen_addr=f"{manager.address}:2377", swarm_spec=quick)
    for worker in workers:
        join_swarm(worker, manager, "Worker")


def join_swarm(host: Host, manager: Host, role: str) -> None:
    """Make a host a "Worker" or a "Manager" of a swarm."""
    token = manager.client.inspect_swarm()["JoinTokens"][role]
    addresses = {"advertise_addr": host.address, "listen_addr": f"{host.address}:2377"}
    try:
        host.client.join_swarm([f"{manager.address}:2377"], token, **addresses)
    except docker.errors.APIError as error:
        if "continue in the background" not in str(error):  # what an engine says that is slow
            raise

    def is_ready() -> bool:
        found: list[dict[str, Any]] = manager.client.nodes()
        names = [node["Description"].get("Hostname") for node in found if node["Status"]["State"] == "ready"]
        return host.name in names

    eventually(is_ready, 60)


def run(*words: str, check: bool = True) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert not check or done.returncode == 0, f"{' '.join(words)}: {done.stderr}"


def _child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def busybox_image() -> bytes:
    """A root folder with busybox and its applets."""
    applets = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, mode in (("bin", 0o755), ("etc", 0o755), ("home", 0o755), ("tmp", 0o1777), ("var", 0o755)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        tar.add("/bin/busybox", "bin/busybox")
        for applet in sorted(set(applets) - {"busybox"}):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        for name, text in (
            ("etc/passwd", "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"),
            ("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
        ):
            file = tarfile.TarInfo(name)
            file.size = len(text)
            tar.addfile(file, io.BytesIO(text.encode()))
    return archive.getvalue()
