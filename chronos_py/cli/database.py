"""``chronos db``"""

from __future__ import annotations

from typing import Any

import click

from chronos_py.config import load_settings


@click.group("db")
def database() -> None:
    """Look after the database."""


@database.command()
@click.option("--config", default=None, help="TOML file with the server's options.")
@click.option("--database-url", default=None, help="The server's database.")
@click.option("--data-dir", default=None, help="The server's data folder.")
def upgrade(config: str | None, **flags: Any) -> None:
    """Bring the database's schema to this version."""
    from chronos_py.bootstrap import upgrade_database  # the other commands need not load a whole server

    click.echo(upgrade_database(load_settings(flags, config)))
