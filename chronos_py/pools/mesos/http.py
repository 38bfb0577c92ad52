"""HTTP to Mesos' masters and agents: single calls, and the stream of events.

Mesos answers a call to a follower with a redirect that has no scheme, also for a POST; it is given back as
:class:`Elsewhere` and never followed silently. A body must be announced as ``application/json`` and nothing more.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from chronos_py.pools import PoolUnavailable

CALL_SECONDS = 10.0
MOST_WORDS = 300


@dataclass(frozen=True, slots=True)
class Address:
    """Where a master or an agent listens."""

    host: str
    port: int
    is_tls: bool = False

    @classmethod
    def parse(cls, url: str, port: int = 5050) -> Address:
        """Of ``http://host:port``, ``//host:port`` or ``host:port``. Raises ValueError."""
        parts = urlsplit(url if "//" in url else f"//{url}")
        if not parts.hostname or parts.scheme not in ("", "http", "https"):
            raise ValueError(f"{url!r} is no address; write http://host:port")
        return cls(parts.hostname, parts.port or port, parts.scheme == "https")

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Elsewhere(PoolUnavailable):
    """The master asked does not lead; ``address`` is the one that does, as far as it knows."""

    def __init__(self, address: Address) -> None:
        super().__init__(f"The Mesos master at {address} leads now.")
        self.address = address


class Refused(PoolUnavailable):
    """An answer that is no success. ``status`` is that of HTTP."""

    def __init__(self, status: int, words: str, where: Address) -> None:
        self.status = status
        self.words = words[:MOST_WORDS].strip()
        super().__init__(_explained(status, self.words, where))


class BrokenCall(PoolUnavailable):
    """Nobody knows whether the call took effect."""


class TooLong(PoolUnavailable):
    """An answer that nobody wants to have in memory."""


def _explained(status: int, words: str, where: Address) -> str:
    if status == 401:
        return (
            f"The Mesos server at {where} refuses the credentials (401); check --mesos_authentication_principal and"
            " --mesos_authentication_secret_file."
        )
    if status == 503:
        return f"The Mesos master at {where} is not ready ({words or 'no leader is known'})."
    return f"The Mesos server at {where} refuses a call ({status}: {words or 'without a reason'})."


class Caller:
    """Makes calls, each on a connection of its own."""

    def __init__(self, credentials: tuple[str, str] | None = None, seconds: float = CALL_SECONDS) -> None:
        self._seconds = seconds
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if credentials:
            token = base64.b64encode(":".join(credentials).encode()).decode()
            self._headers["Authorization"] = f"Basic {token}"

    def post(self, where: Address, path: str, body: Any, stream_id: str = "", most_bytes: int | None = None) -> bytes:
        """The answer's body. Raises Refused, Elsewhere, BrokenCall, and TooLong for more than ``most_bytes``."""
        headers = self._headers | ({"Mesos-Stream-Id": stream_id} if stream_id else {})
        with self._connected(where) as connection:
            connection.request("POST", path, json.dumps(body), headers)
            return _checked(connection.getresponse(), where, most_bytes)

    def subscribe(self, where: Address, path: str, body: Any) -> EventStream:
        """Open the stream of events. Raises as :meth:`post`."""
        connection = self._connection(where)
        try:
            with _answering(where):
                connection.connect()
                peer = connection.sock
                connection.request("POST", path, json.dumps(body), self._headers)
                answer = connection.getresponse()
                if answer.status != 200:
                    _checked(answer, where)
                    raise Refused(answer.status, "no stream of events", where)
            return EventStream(where, peer, connection, answer)
        except BaseException:
            connection.close()
            raise

    @contextlib.contextmanager
    def _connected(self, where: Address) -> Iterator[http.client.HTTPConnection]:
        connection = self._connection(where)
        try:
            with _answering(where):
                yield connection
        finally:
            connection.close()

    def _connection(self, where: Address) -> http.client.HTTPConnection:
        if where.is_tls:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(where.host, where.port, timeout=self._seconds, context=context)
        return http.client.HTTPConnection(where.host, where.port, timeout=self._seconds)


class EventStream:
    """The answer to SUBSCRIBE, read piece by piece."""

    def __init__(
        self,
        where: Address,
        peer: socket.socket,
        connection: http.client.HTTPConnection,
        answer: http.client.HTTPResponse,
    ) -> None:
        self.where = where
        self.stream_id = answer.headers.get("Mesos-Stream-Id", "")
        self._peer = peer
        self._connection = connection
        self._answer = answer

    def read(self) -> bytes:
        """The next piece; b"" at the end. Raises BrokenCall when it breaks, or is silent for too long."""
        with _answering(self.where):
            return self._answer.read1(1 << 16)

    def allow_silence(self, seconds: float) -> None:
        self._peer.settimeout(seconds)

    def cut(self) -> None:
        """Wake whoever reads; from any thread."""
        with contextlib.suppress(OSError):
            self._peer.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        self._answer.close()
        self._connection.close()


@contextlib.contextmanager
def _answering(where: Address) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise BrokenCall(f"The Mesos server at {where} does not answer in time.") from error
    except http.client.IncompleteRead as error:
        raise BrokenCall(f"The connection to the Mesos server at {where} broke.") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise BrokenCall(f"The Mesos server at {where} cannot be reached: {words}.") from error


def _checked(answer: http.client.HTTPResponse, where: Address, most_bytes: int | None = None) -> bytes:
    body = answer.read() if most_bytes is None else answer.read(most_bytes + 1)
    if most_bytes is not None and len(body) > most_bytes:
        raise TooLong(f"The Mesos server at {where} answers with more than {most_bytes} bytes.")
    if answer.status in (301, 302, 307, 308) and answer.headers.get("Location"):
        location = answer.headers["Location"]
        target = Address.parse(location)
        raise Elsewhere(Address(target.host, target.port, where.is_tls or target.is_tls))
    if answer.status >= 300:
        raise Refused(answer.status, body.decode("utf-8", "replace"), where)
    return body
