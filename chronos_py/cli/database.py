"""``chronos db``"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from chronos_py.config import load_settings


@click.group("db")
def database() -> None:
    """Look after the database."""


def with_place(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say where the database is."""
    for flag, text in (
        ("--data-dir", "The server's data folder."),
        ("--database-url", "The server's database."),
        ("--config", "TOML file with the server's options.  [CHRONOS_CONFIG]"),
    ):
        command = click.option(flag, default=None, help=text)(command)
    return command


@database.command()
@with_place
def upgrade(config: str | None, **flags: Any) -> None:
    """Bring the database's schema to this version."""
    from chronos_py.bootstrap import upgrade_database  # the other commands need not load a whole server

    click.echo(upgrade_database(load_settings(flags, config)))


@database.command()
@with_place
def restored(config: str | None, **flags: Any) -> None:
    """After a backup was put back, before a server starts: give no id again that was used since."""
    from chronos_py.bootstrap import accept_restored_database

    click.echo(accept_restored_database(load_settings(flags, config)))
