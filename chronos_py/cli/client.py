"""Talking to a server's API."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import click
import requests
from requests.auth import HTTPBasicAuth

from chronos_py.errors import ChronosError

TIMEOUT_SECONDS = 30


class ServerError(ChronosError):
    """The server refused, or cannot be reached; the message is its own sentence."""


class Client:
    """A server at a URL; ``http://user:password@host:port`` sends the credentials, and no message repeats them.

    ``if_absent`` ends the sentence that nothing answers there. Raises ServerError for what is no URL.
    """

    def __init__(
        self, url: str, if_absent: str = "start one with chronos server, or say which with --server URL."
    ) -> None:
        self._if_absent = if_absent
        self.url, credentials = _without_credentials(url)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = credentials

    def call(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: object = None,
        headers: dict[str, str] | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> requests.Response:
        """The answer. Raises ServerError for refusals and when the server cannot be reached."""
        answer = self.request(method, path, timeout, params=query, json=body, headers=headers)
        if answer.status_code >= 400:
            raise ServerError(_sentence(answer))
        return answer

    def request(self, method: str, path: str, timeout: float = TIMEOUT_SECONDS, **options: Any) -> requests.Response:
        """The answer, a refusal too. Raises ServerError when the server cannot be reached."""
        try:
            return self._session.request(method, self.url + path, timeout=timeout, **options)
        except requests.exceptions.Timeout as error:
            raise ServerError(f"{self.url} did not answer within {timeout:g} s.") from error
        except requests.exceptions.SSLError as error:
            raise ServerError(f"{self.url} cannot be trusted: {error}.") from error
        except requests.exceptions.ConnectionError as error:
            raise ServerError(f"no server answers at {self.url}; {self._if_absent}") from error
        except requests.exceptions.RequestException as error:
            raise ServerError(f"{self.url} cannot be asked: {error}.") from error

    def ask(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: object = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> Any:
        """The JSON in the answer. Raises as :meth:`call`."""
        answer = self.call(method, path, query, body, timeout=timeout)
        try:
            return answer.json()
        except ValueError as error:
            raise ServerError(f"{self.url} answers, but not like a Chronos-py server; is the URL right?") from error

    def get(self, path: str, **query: Any) -> Any:
        return self.ask("GET", path, query)


def _without_credentials(url: str) -> tuple[str, HTTPBasicAuth | None]:
    """The URL as it may be shown, and the user and password that were in it."""
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        shown = url.rpartition("@")[2]
        raise ServerError(f'the server "{shown}" must be a URL such as http://127.0.0.1:4400.')
    user, at, host = parts.netloc.rpartition("@")
    bare = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
    if not at:
        return bare, None
    name, _, password = user.partition(":")
    return bare, HTTPBasicAuth(unquote(name).encode(), unquote(password).encode())


def _sentence(answer: requests.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.url} answered {answer.status_code} {answer.reason}."


def job_path(name: str) -> str:
    """Where the API has a job. Raises ServerError for a name that would lead elsewhere, which no job can have."""
    if name in ("", ".", ".."):
        raise ServerError(f'Job "{name}" not found.')
    return f"/api/jobs/{quote(name, safe='', errors='surrogateescape')}"


def with_server(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--server``, handed over as a :class:`Client`."""
    return click.option(
        "--server",
        "client",
        envvar="CHRONOS_SERVER",
        default="http://127.0.0.1:4400",
        show_default=True,
        metavar="URL",
        help="The server to talk to; user:password@ before the host is sent.  [CHRONOS_SERVER]",
        callback=lambda context, parameter, value: Client(value),
    )(command)


def with_output(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``-o json``."""
    return click.option(
        "-o", "--output", type=click.Choice(["table", "json"]), default="table", help="For people or for programs."
    )(command)


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
