"""``chronos ready``"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import click

from chronos_py.cli.client import Client, ServerError
from chronos_py.cli.server import settings_of, with_options
from chronos_py.config import Settings

TIMEOUT_SECONDS = 10.0
_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}


@click.command(epilog="It takes the options of chronos server, from the same flags, environment and file.")
@with_options
def ready(config: str | None, **given: Any) -> None:
    """Say whether the server of this machine is ready; status 1 and what is wrong if it is not."""
    answer = Client(own_url(settings_of(config, given))).request("GET", "/readyz", TIMEOUT_SECONDS)
    if answer.status_code == 200:
        click.echo("ready")
        return
    try:
        problems = " ".join(answer.json()["problems"])
    except (ValueError, KeyError, TypeError):  # refused, or no server of ours
        problems = f"{answer.url} answered {answer.status_code} {answer.reason}."
    raise ServerError(problems)


def own_url(settings: Settings) -> str:
    """Where the server with these settings is reached from its own machine, with what it asks for."""
    host, _, port = settings.listen.rpartition(":")
    user, _, password = settings.http_credentials.partition(":")
    credentials = f"{quote(user, safe='')}:{quote(password, safe='')}@" if settings.http_credentials else ""
    return f"http://{credentials}{_EVERYWHERE.get(host, host)}:{port}"
