"""The ``chronos`` command."""

from __future__ import annotations

import sys

import click

from chronos_py import __version__
from chronos_py.cli import (
    backfills,
    database,
    definitions,
    import_chronos,
    jobs,
    limits,
    mesos,
    ready,
    runs,
    schedules,
    server,
)
from chronos_py.errors import ChronosError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="chronos")
def chronos() -> None:
    """A distributed cron: jobs on a schedule or after their parents, each run once."""


for command in (
    server.server,
    ready.ready,
    database.database,
    jobs.job,
    schedules.preview,
    schedules.calendar,
    runs.runs,
    runs.run,
    runs.kill,
    runs.rerun,
    runs.mark_successful,
    limits.limit,
    runs.logs,
    backfills.backfill,
    backfills.backfills,
    backfills.cancel_backfill,
    import_chronos.import_chronos,
    mesos.mesos,
):
    chronos.add_command(command)
for command in definitions.COMMANDS:
    jobs.job.add_command(command)


def main() -> None:
    """Run the command; what goes wrong is one line and exit status 1."""
    try:
        chronos()
    except ChronosError as error:
        click.echo(f"chronos: {error}", err=True)
        sys.exit(1)
