"""A network of its own for a process, whose packets to one port outside can be dropped, in each direction alone.

Needs root, ``ip``, ``iptables`` and ``nsenter``. Nothing of it is seen outside but the other end of its cable.
"""

from __future__ import annotations

import os
import random

from tests.pools.swarm_hosts import run


class Island:
    """``address`` is the island's, ``shore`` that of this machine as the island sees it."""

    def __init__(self) -> None:
        self._space = f"island{os.getpid()}"
        self._cable = f"shore{os.getpid()}"
        net = f"198.18.{random.randrange(256)}"
        self.shore, self.address = f"{net}.1", f"{net}.2"
        self.enter = ("nsenter", f"--net=/run/netns/{self._space}")

    def build(self) -> None:
        run("ip", "netns", "add", self._space)
        run("ip", "link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", self._space)
        run("ip", "addr", "add", f"{self.shore}/30", "dev", self._cable)
        run("ip", "link", "set", self._cable, "up")
        for words in (f"addr add {self.address}/30 dev eth0", "link set eth0 up", "link set lo up"):
            run("ip", "-n", self._space, *words.split())

    def drop(self, port: int, *directions: str) -> None:
        """Drop what goes ``to`` that port of the shore, what comes ``from`` it, or both."""
        for direction in directions:
            chain, side = ("OUTPUT", "--dport") if direction == "to" else ("INPUT", "--sport")
            run(*self.enter, "iptables", "-w", "-A", chain, "-p", "tcp", side, str(port), "-j", "DROP")

    def heal(self) -> None:
        run(*self.enter, "iptables", "-w", "-F")

    def sink(self) -> None:
        run("ip", "link", "del", self._cable, check=False)
        run("ip", "netns", "del", self._space, check=False)
