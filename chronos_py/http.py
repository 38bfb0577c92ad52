"""HTTP: the Flask application of a node, what holds for every request, and the server under it."""

from __future__ import annotations

import base64
import binascii
import errno
import hmac
import ipaddress
import logging
import secrets
import socket
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Flask, Response, g, request
from waitress.server import create_server
from werkzeug.exceptions import HTTPException

from chronos_py import api, compat, web
from chronos_py.errors import (
    ChronosError,
    ConfigurationError,
    Conflict,
    DatabaseUnavailable,
    InvalidDefinition,
    NotFound,
    Outdated,
)
from chronos_py.pools import PoolUnavailable
from chronos_py.services import Application

logger = logging.getLogger(__name__)

BODY_LIMIT = 1 << 20
THREADS = 16
STATUS_OF: tuple[tuple[type[ChronosError], int], ...] = (
    (NotFound, 404),
    (Outdated, 412),
    (Conflict, 409),
    (DatabaseUnavailable, 503),
    (PoolUnavailable, 503),
)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def create_wsgi_app(app: Application, credentials: str | None = None) -> Flask:
    """Everything a node serves. ``credentials`` is ``user:password``, asked of everyone by HTTP Basic."""
    flask = Flask("chronos_py", static_folder="web/static", template_folder="templates")
    flask.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT
    flask.json.sort_keys = False  # type: ignore[attr-defined]
    flask.json.compact = True  # type: ignore[attr-defined]
    flask.url_map.strict_slashes = False
    flask.register_blueprint(api.blueprint(app), url_prefix="/api")
    flask.register_blueprint(api.health_blueprint(app))
    for blueprint, prefix in compat.blueprints(app):
        flask.register_blueprint(blueprint, url_prefix=prefix)
    flask.register_blueprint(web.blueprint(app))
    flask.before_request(lambda: _refuse_strangers(credentials))
    flask.before_request(_refuse_other_sites)
    flask.after_request(_finish)
    flask.register_error_handler(Exception, _explain)
    return flask


def _refuse_strangers(credentials: str | None) -> Response | None:
    """HTTP Basic over every path, where credentials are set. Notes who asks."""
    g.person = ""
    if credentials is None:
        return None
    given = _basic_credentials(request.headers.get("Authorization", ""))
    if hmac.compare_digest(given.encode(), credentials.encode()):
        g.person = credentials.partition(":")[0]
        return None
    answer = _render(401, "Give the user name and password of this server.")
    answer.headers["WWW-Authenticate"] = 'Basic realm="chronos", charset="UTF-8"'
    return answer


def _basic_credentials(header: str) -> str:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _refuse_other_sites() -> Response | None:
    """A page of another site must not act in the name of who reads it. Old clients send neither header and pass."""
    if request.method in SAFE_METHODS:
        return None
    origin = request.headers.get("Origin")
    is_foreign = request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
    if origin is not None:
        is_foreign = urlsplit(origin).netloc != request.host
    if is_foreign:
        words = f"This request comes from a page of another site ({origin or 'unknown'}) and was refused."
        return _render(403, words)
    return None


def _finish(answer: Response) -> Response:
    for name, value in SECURITY_HEADERS.items():
        answer.headers.setdefault(name, value)
    if compat.serves(request.path):
        answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer


def _render(status: int, detail: str, field: str | None = None) -> Response:
    """An error in the form that this part of the site answers in."""
    if compat.serves(request.path):
        return compat.error(status, detail)
    if request.path.startswith(("/api/", "/healthz", "/readyz")):
        return api.error(status, detail, field)
    return web.error(status, detail)


def _explain(error: Exception) -> Response:
    """Every error that a view lets out, as a status and a sentence. Never a stack trace."""
    if isinstance(error, HTTPException):
        return _render(error.code or 500, _words_of(error))
    if isinstance(error, InvalidDefinition):
        return _render(400, str(error), error.field)
    for kind, status in STATUS_OF:
        if isinstance(error, kind):
            answer = _render(status, str(error))
            if status == 503:
                answer.headers["Retry-After"] = "5"
            return answer
    reference = secrets.token_hex(4)
    logger.error("Request %s %s failed (%s)", request.method, request.path, reference, exc_info=error)
    return _render(500, f"The server made a mistake (reference {reference}); its log says more.")


def _words_of(error: HTTPException) -> str:
    if error.code == 404:
        return f"There is nothing at {request.path}."
    if error.code == 405:
        return f"{request.method} is not possible at {request.path}."
    if error.code == 413:
        return f"The request body is larger than {BODY_LIMIT} bytes."
    return error.description or error.name


class Server:
    """A bound address, and the WSGI server on it once it is started."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._close: Callable[[], None] = listener.close
        host, port = listener.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def start(self, wsgi: Flask) -> None:
        """Serve in threads of the background."""
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        server = create_server(wsgi, sockets=[self._listener], threads=THREADS, ident="chronos")
        threading.Thread(target=server.run, name="http", daemon=True).start()

        def close() -> None:
            server.close()
            server.task_dispatcher.shutdown(timeout=5)

        self._close = close

    def close(self) -> None:
        self._close()


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
    if credentials is None and not insecure and not _is_loopback(host):
        raise ConfigurationError(
            f"--listen {listen} would let everyone on the network run commands here;"
            " set --http-credentials user:password, or say --insecure if you mean it."
        )


def _split(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ConfigurationError(f'--listen "{listen}" must be host:port, such as 127.0.0.1:4400.')
    return host.strip("[]"), int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
