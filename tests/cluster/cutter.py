"""A TCP proxy that cuts what lies behind it off, in one direction or both, as lost packets would.

While it is cut, nothing passes and nobody is told; what was sent meanwhile arrives once it is healed.
"""

from __future__ import annotations

import contextlib
import socket
import threading


class Cutter:
    """Listens on a free port and passes everything on to ``port`` until it is told to cut."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._target = ("127.0.0.1", port)
        self._passes = {"to": threading.Event(), "from": threading.Event()}
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]
        self.heal()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, *directions: str) -> None:
        """Let nothing pass ``to`` the target, nothing ``from`` it, or neither."""
        for direction in directions:
            self._passes[direction].clear()

    def heal(self) -> None:
        for passes in self._passes.values():
            passes.set()

    def close(self) -> None:
        self.heal()
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the end of the proxy closes the listener
            while True:
                client = self._listener.accept()[0]
                try:
                    target = socket.create_connection(self._target)
                except OSError:
                    client.close()
                    continue
                self._sockets += [client, target]
                for source, sink, direction in ((client, target, "to"), (target, client, "from")):
                    pump = (source, sink, self._passes[direction])
                    threading.Thread(target=self._pump, args=pump, daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket, passes: threading.Event) -> None:
        with contextlib.suppress(OSError):  # one end hung up
            while data := source.recv(65536):
                passes.wait()
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
