"""Real servers on loopback that take what a node sends to others: mail, webhooks, metrics."""

from __future__ import annotations

import asyncio
import json
import socket
import socketserver
import threading
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


@dataclass
class MailServer:
    """Takes mail for everyone but those it ``refuses``, by the answer to give them."""

    letters: list[tuple[list[str], Message]] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    address: tuple[str, int] = ("", 0)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        letter = message_from_bytes(envelope.content, policy=default)
        self.letters.append((list(envelope.rcpt_tos), letter))
        return "250 OK"


class _MailController(Controller):
    """On a port that nobody can take before it listens there, and with time to start."""

    def __init__(self, handler: MailServer, **more: Any) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        super().__init__(handler, *self._listener.getsockname(), ready_timeout=60, **more)

    def _create_server(self) -> Awaitable[asyncio.AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._listener)


@contextmanager
def mail_server(password: str = "") -> Iterator[MailServer]:
    """A mail server; with a ``password`` it asks for it, of the user ann."""
    handler = MailServer()

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=(data.login, data.password) == (b"ann", password.encode()))

    more = {"authenticator": authenticate, "auth_required": True, "auth_require_tls": False} if password else {}
    controller = _MailController(handler, **more)
    controller.start()
    assert controller.server is not None
    handler.address = controller.server.sockets[0].getsockname()[:2]
    yield handler
    controller.stop()


@dataclass
class Posted:
    path: str
    headers: dict[str, str]
    body: Any


class WebhookServer(ThreadingHTTPServer):
    """Keeps what is posted and answers with ``status``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Webhook)
        self.posted: list[Posted] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Webhook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, WebhookServer)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.posted.append(Posted(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(server.status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Not a word on standard error."""


class MetricsServer(socketserver.ThreadingTCPServer):
    """Takes lines, as Graphite does."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Lines)
        self.pushes: list[list[str]] = []

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.server_address[:2]
        return str(host), port


class _Lines(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, MetricsServer)
        self.server.pushes.append(self.rfile.read().decode().splitlines())


@contextmanager
def refusing_address() -> Iterator[tuple[str, int]]:
    """An address at which nobody answers, and which nobody else can take meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        host, port = taken.getsockname()
        yield host, port


@contextmanager
def serving(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)
