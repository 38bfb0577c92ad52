"""A real ZooKeeper ensemble on loopback ports, whose servers can be killed, stopped and started again."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.server import free_port, wait_for

JARS = "/usr/share/java/zookeeper.jar:/usr/share/java/*"
TICK_MILLISECONDS = 200


class ZooKeeperServer:
    """One server of an ensemble; ``settings`` are further lines of its configuration."""

    def __init__(
        self, folder: Path, number: int, port: int, peers: list[tuple[int, int]], settings: Sequence[str] = ()
    ) -> None:
        self.port = port
        self._log = folder / "server.log"
        self._configuration = folder / "zoo.cfg"
        data = folder / "data"
        data.mkdir(parents=True)
        (data / "myid").write_text(str(number))
        lines = [
            f"tickTime={TICK_MILLISECONDS}",
            "initLimit=50",
            "syncLimit=10",
            f"dataDir={data}",
            f"clientPort={port}",
            "clientPortAddress=127.0.0.1",
            "admin.enableServer=false",
            "4lw.commands.whitelist=*",
            "minSessionTimeout=500",
            "maxSessionTimeout=60000",
            *settings,
        ]
        if len(peers) > 1:
            lines += [f"server.{place}=127.0.0.1:{first}:{second}" for place, (first, second) in enumerate(peers, 1)]
        self._configuration.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # The smallest of heaps: three of them run beside everything else.
        command = ["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", JARS]
        command += ["-Dzookeeper.forceSync=no"]  # no test cuts the power, and a slow disk would cost sessions
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(self._configuration)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def serves(self) -> bool:
        """Whether it answers as part of a quorum."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(b"srvr")
                return b"Mode: " in connection.recv(4096)
        except OSError:
            return False

    def wait_until_it_serves(self) -> None:
        wait_for("ZooKeeper to serve", self.serves, 60)

    def kill_9(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self.kill_9()


class Ensemble:
    """So many servers."""

    def __init__(self, folder: Path, size: int, settings: Sequence[str] = ()) -> None:
        peers = [(free_port(), free_port()) for _ in range(size)]
        self.servers = [
            ZooKeeperServer(folder / f"zookeeper-{number}", number, free_port(), peers, settings)
            for number in range(1, size + 1)
        ]

    @property
    def hosts(self) -> str:
        return ",".join(f"127.0.0.1:{server.port}" for server in self.servers)

    def start(self) -> None:
        for server in self.servers:
            server.start()
        for server in self.servers:
            server.wait_until_it_serves()

    def heal(self) -> None:
        """Let servers that were stopped by a signal go on, and wait until all serve."""
        for server in self.servers:
            server.send(signal.SIGCONT)
        for server in self.servers:
            server.wait_until_it_serves()

    def stop(self) -> None:
        for server in self.servers:
            server.stop()
