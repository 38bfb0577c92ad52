"""The connection to one Docker Engine, and its errors in words for people."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import requests
import urllib3
from docker import APIClient
from docker.errors import APIError, DockerException, NotFound, StreamParseError
from docker.tls import TLSConfig
from docker.types import CancellableStream
from docker.utils import kwargs_from_env
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection

from chronos_py.pools import PoolUnavailable

DEFAULT_URL = "unix:///var/run/docker.sock"
CONNECT_SECONDS = 3
# A start takes 0.3 s alone and many times that when hundreds are asked for at once.
CALL_SECONDS = 120
# An engine tells of every step of a pull, many a second, but would wait for a silent registry for ever.
PULL_SILENCE_SECONDS = 600
CONNECTIONS = 32
# A machine that is cut off says nothing. Its engine may think for long; its kernel answers at once, or is away.
SILENT_SECONDS = 10
_NOTICING_SILENCE = [
    *HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SILENT_SECONDS // 2),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, SILENT_SECONDS // 2),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_SECONDS * 1000),
]

TIMEOUTS = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
TRANSPORT_ERRORS = (
    requests.RequestException,
    DockerException,
    StreamParseError,
    urllib3.exceptions.HTTPError,
    OSError,
)


class _NetworkAdapter(HTTPAdapter):
    """Ends calls, however long they may take, once nothing has come from the engine's machine for a while."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, socket_options=_NOTICING_SILENCE)


class _Client(APIClient):
    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        # Requests prefers $REQUESTS_CA_BUNDLE to the authority that its session was given.
        verify = self.verify if verify is None else verify
        return super().merge_environment_settings(url, proxies, stream, verify, cert)

    def post(self, url: Any, data: Any = None, json: Any = None, **kwargs: Any) -> Any:
        if kwargs.get("timeout", 0) is None:  # so the SDK pulls
            kwargs["timeout"] = PULL_SILENCE_SECONDS
        return super().post(url, data, json, **kwargs)


class Engine:
    """One Docker Engine. ``client`` may be used by many threads at once."""

    def __init__(self, url: str = "", tls: TLSConfig | None = None) -> None:
        """Connect to ``url``, else $DOCKER_HOST, else the usual socket, with ``tls``, else that of $DOCKER_CERT_PATH.

        Raises PoolUnavailable when no engine answers within a few seconds.
        """
        self.url = url or os.environ.get("DOCKER_HOST") or DEFAULT_URL
        if self.url.startswith("ssh:"):
            raise PoolUnavailable(
                f"The Docker engine at {self.url} cannot be used over ssh; forward its socket with ssh -L "
                "and give that as unix:///path."
            )
        with self.answering():
            settings = kwargs_from_env({**os.environ, "DOCKER_HOST": self.url})
            if tls is not None and not self.url.startswith("unix:"):
                settings = {"base_url": self.url.replace("tcp://", "https://"), "tls": tls}
            self.client = _Client(**settings, timeout=CONNECT_SECONDS, max_pool_size=CONNECTIONS)
            if self.url.startswith("unix:"):
                self.client.trust_env = False  # no proxy leads to a socket; looking for one costs more than the call
            else:
                adapter = _NetworkAdapter(pool_maxsize=CONNECTIONS)
                for scheme in ("http://", "https://"):
                    self.client.mount(scheme, adapter)
            try:
                facts = self.client.info()
            except APIError as error:
                raise PoolUnavailable(f"The Docker engine at {self.url} refuses: {words_of(error)}.") from error
            self.client.timeout = CALL_SECONDS
        self.host_name: str = facts["Name"]
        self.is_local = self.url.startswith("unix:")
        self.cpus = float(facts["NCPU"])
        self.memory_mb = facts["MemTotal"] / 2**20
        self.has_init = (facts.get("InitCommit") or {}).get("ID") != "N/A"

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Turn what keeps the engine from answering into PoolUnavailable; its refusals (4xx) pass through."""
        try:
            yield
        except APIError as error:
            if is_refusal(error):
                raise
            raise PoolUnavailable(f"The Docker engine at {self.url} failed: {words_of(error)}.") from error
        except TRANSPORT_ERRORS as error:
            raise PoolUnavailable(f"The Docker engine at {self.url} does not answer: {words_of(error)}.") from error

    def inspect(self, container: str) -> dict[str, Any] | None:
        """What the engine knows of a container, by name or id; None when there is none."""
        with self.answering():
            try:
                found: dict[str, Any] = self.client.inspect_container(container)
            except NotFound:
                return None
        return found

    def ping(self) -> None:
        """Raises PoolUnavailable within a few seconds unless the engine answers."""
        with self.answering():
            ping(self.client)

    def facts(self) -> dict[str, Any]:
        """What the engine says of itself and its machine now."""
        with self.answering():
            found: dict[str, Any] = self.client.info()
        return found

    def now(self) -> datetime:
        """The engine's own clock, which its events and states are written in."""
        return parse_time(self.facts()["SystemTime"]) or datetime.now(UTC)

    def up_since(self) -> datetime | None:
        """When the engine came up; None when it does not tell.

        It says so nowhere, but it makes its default bridge network anew each time; unless it has live-restore, and
        containers ran on meanwhile: then this is an earlier time.
        """
        with self.answering():
            try:
                return parse_time(self.client.inspect_network("bridge")["Created"])
            except NotFound:
                return None

    def past_events(self, filters: dict[str, Any]) -> list[dict[str, Any]]:
        """The events the engine still remembers: some 256 of all kinds, none from before it came up."""
        until = f"{self.now().timestamp() + 0.001:.6f}"
        with self.answering():
            # The SDK hands a text on as it is; the whole seconds its types want would mean waiting for the next.
            return list(self.client.events(0, until, filters, decode=True))  # type: ignore[call-overload]

    def close(self) -> None:
        self.client.close()


def ping(client: APIClient) -> None:
    """Raises a transport error within a few seconds unless the engine answers."""
    client.get(f"{client.base_url}/_ping", timeout=CONNECT_SECONDS).raise_for_status()


def hang_up(stream: CancellableStream[Any]) -> None:
    """End a stream that another thread may be waiting on."""
    # The SDK looks for the socket in places that are empty once the stream has ended.
    with contextlib.suppress(AttributeError, OSError):
        stream.close()


def is_refusal(error: APIError) -> bool:
    """Whether the engine understood and said no, rather than broke."""
    return error.status_code is not None and 400 <= error.status_code < 500


def is_verdict(error: APIError) -> bool:
    """Whether the engine itself is done with the call; a proxy in front of it gives up with 502 to 504."""
    return is_refusal(error) or error.status_code == 500


def words_of(error: BaseException) -> str:
    """The innermost plain words of an error, on one line and without a full stop."""
    if isinstance(error, APIError):
        text = str(error.explanation or f"HTTP status {error.status_code}")
    elif isinstance(error, ssl.SSLError):
        text = _tls_words(error)
    elif isinstance(error, requests.Timeout | TimeoutError):
        text = "it took too long"
    elif isinstance(error, OSError) and error.strerror:
        text = error.strerror
    else:
        inner = _inner_error(error)
        return words_of(inner) if inner is not None else _one_line(str(error))
    return _one_line(text)


def _tls_words(error: ssl.SSLError) -> str:
    reason = error.reason or ""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted (docker_tls_ca): {error.verify_message}"
    if "ALERT" in reason:  # it is the engine that hangs up
        return f"it refuses this server's certificate (docker_tls_cert): {reason.rpartition('ALERT_')[2].lower()}"
    if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return "it does not speak TLS; leave docker_tls_ca, docker_tls_cert and docker_tls_key out, or protect it"
    return str(error.strerror or error)


def _inner_error(error: BaseException) -> BaseException | None:
    candidates = [*error.args, getattr(error, "reason", None), error.__cause__, error.__context__]
    return next((candidate for candidate in candidates if isinstance(candidate, BaseException)), None)


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")


def parse_time(text: str) -> datetime | None:
    """An engine's time stamp as aware UTC, to the microsecond; None for its zero time."""
    if not text or text.startswith("0001-"):
        return None
    return datetime.fromisoformat(text).astimezone(UTC)
