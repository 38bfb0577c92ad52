"""The socket, and the production server on it."""

from __future__ import annotations

import errno
import logging
import socket
import threading
import time
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.server import create_server

from chronos_py.errors import ConfigurationError
from chronos_py.http.addresses import is_loopback

THREADS = 16
# Beyond this the server does not even read a body on; what is smaller gets the application's own words.
UPLOAD_LIMIT = 16 << 20
CLOSE_SECONDS = 5.0


class Server:
    """A bound address, and the WSGI server on it once it is started."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._waitress: Any = None
        self._thread: threading.Thread | None = None
        host, port = listener.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def start(self, wsgi: Flask) -> None:
        """Serve in threads of the background."""
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._waitress = create_server(
            wsgi, sockets=[self._listener], threads=THREADS, ident="chronos", max_request_body_size=UPLOAD_LIMIT
        )
        self._thread = threading.Thread(target=self._waitress.run, name="http", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more requests, answer those in hand, let go of the address. From any thread, once or more."""
        waitress, self._waitress = self._waitress, None
        if waitress is None or self._thread is None:
            self._listener.close()
            return
        # Everything below touches the server's own data, so its loop does it; this thread only waits.
        waitress.trigger.pull_trigger(lambda: wasyncore.dispatcher.close(waitress))
        waitress.task_dispatcher.shutdown(timeout=CLOSE_SECONDS)
        waitress.trigger.pull_trigger(lambda: _hang_up(waitress))
        deadline = time.monotonic() + CLOSE_SECONDS
        while waitress.active_channels and time.monotonic() < deadline:
            self._thread.join(0.01)
        waitress.trigger.pull_trigger(lambda: wasyncore.close_all(waitress._map))
        self._thread.join(CLOSE_SECONDS)


def _hang_up(waitress: Any) -> None:
    for channel in list(waitress.active_channels.values()):
        channel.close_when_flushed = True


def bind(listen: str) -> Server:
    """Take the address ``host:port``; port 0 takes a free one. Raises ConfigurationError."""
    host, port = _split(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"{listen} is in use already; stop the other server or choose another --listen."
            ) from error
        raise ConfigurationError(f"--listen {listen} cannot be used: {error.strerror or error}.") from error
    return Server(listener)


def check_listen(listen: str, credentials: str | None, insecure: bool) -> None:
    """Refuse to be open to a network by accident. Raises ConfigurationError."""
    if credentials is not None and not all(credentials.partition(":")):
        raise ConfigurationError("--http-credentials must be of the form user:password.")
    host, _ = _split(listen)
    if credentials is None and not insecure and not is_loopback(host):
        raise ConfigurationError(
            f"--listen {listen} would let everyone on the network run commands here;"
            " set --http-credentials user:password, or say --insecure if you mean it."
        )


def _split(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ConfigurationError(f'--listen "{listen}" must be host:port, such as 127.0.0.1:4400.')
    return host.removeprefix("[").removesuffix("]"), int(port)


def own_names(listen: str, advertise: str, credentials: str | None, insecure: bool) -> frozenset[str] | None:
    """The names that an open server on loopback answers to, beside the loopback ones; None: it answers to any."""
    host, _ = _split(listen)
    if credentials is not None or insecure or not is_loopback(host):
        return None
    return frozenset({advertise.rpartition(":")[0].strip("[]").lower()} - {""})
