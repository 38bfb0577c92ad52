"""Talking to a server's API."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import click
import requests

from chronos_py.errors import ChronosError

TIMEOUT_SECONDS = 30


class ServerError(ChronosError):
    """The server refused, or cannot be reached; the message is its own sentence."""


class Client:
    """A server at a URL; ``http://user:password@host:port`` sends the credentials."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False

    def call(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        """The answer. Raises ServerError for refusals and when the server cannot be reached."""
        try:
            answer = self._session.request(
                method, self.url + path, params=query, json=body, headers=headers, timeout=TIMEOUT_SECONDS
            )
        except requests.exceptions.ConnectionError as error:
            raise ServerError(
                f"no server answers at {self.url}; start one with chronos server, or say which with --server URL."
            ) from error
        except requests.exceptions.RequestException as error:
            raise ServerError(f"{self.url} cannot be asked: {error}.") from error
        if answer.status_code >= 400:
            raise ServerError(_sentence(answer))
        return answer

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, query).json()


def _sentence(answer: requests.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.url} answered {answer.status_code} {answer.reason}."


def job_path(name: str) -> str:
    return f"/api/jobs/{quote(name, safe='')}"


def with_server(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--server``, handed over as a :class:`Client`."""
    return click.option(
        "--server",
        "client",
        envvar="CHRONOS_SERVER",
        default="http://127.0.0.1:4400",
        show_default=True,
        help="The server to talk to.  [CHRONOS_SERVER]",
        callback=lambda context, parameter, value: Client(value),
    )(command)


def with_output(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``-o json``."""
    return click.option(
        "-o", "--output", type=click.Choice(["table", "json"]), default="table", help="For people or for programs."
    )(command)


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
