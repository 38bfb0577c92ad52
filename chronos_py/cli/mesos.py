"""``chronos mesos``"""

from __future__ import annotations

from typing import Any

import click

from chronos_py.cli.server import settings_of, with_options


@click.group("mesos")
def mesos() -> None:
    """Look after this cluster's framework in Mesos."""


@mesos.command()
@click.confirmation_option(prompt="End the framework in Mesos for good, and every task of it that runs?")
@with_options
def teardown(config: str | None, **given: Any) -> None:
    """End the framework for good, and all its tasks; takes the server's options. Stop the servers first."""
    from chronos_py.bootstrap import teardown_mesos  # the other commands need not load a whole server

    click.echo(teardown_mesos(settings_of(config, given)))


@mesos.command("take-over")
@click.argument("framework_id")
@with_options
def take_over(framework_id: str, config: str | None, **given: Any) -> None:
    """Go on as the framework FRAMEWORK_ID, another scheduler's so far; before the servers start for the first time.

    Takes the server's options. Keep the role and the principal of the framework, and stop the other scheduler.
    """
    from chronos_py.bootstrap import take_over_mesos

    click.echo(take_over_mesos(settings_of(config, given), framework_id))
