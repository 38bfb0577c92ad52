"""``chronos limit``"""

from __future__ import annotations

from urllib.parse import quote

import click

from chronos_py.cli.client import Client, print_json, with_output, with_server
from chronos_py.cli.tables import print_table


@click.group()
def limit() -> None:
    """Define and look at limits that jobs share, such as three runs at a time on a database."""


def _path(name: str) -> str:
    return f"/api/limits/{quote(name, safe='', errors='surrogateescape')}"


@limit.command("list")
@with_output
@with_server
def list_limits(client: Client, output: str) -> None:
    """List limits, and what is taken of them."""
    found = client.get("/api/limits")["limits"]
    if output == "json":
        return print_json(found)
    rows = (
        (each["name"], each["units"], each["taken"], ", ".join(each["jobs"]), each["description"]) for each in found
    )
    return print_table(("LIMIT", "UNITS", "TAKEN", "JOBS", "ABOUT"), rows)


@limit.command("set")
@click.argument("name")
@click.argument("units", type=int)
@click.option("--description", default="", help="What it protects.")
@with_server
def set_limit(client: Client, name: str, units: int, description: str) -> None:
    """Create a limit or change its units."""
    client.call("PUT", _path(name), body={"units": units, "description": description})
    click.echo(f"{name}: {units}")


@limit.command()
@click.argument("name")
@with_server
def delete(client: Client, name: str) -> None:
    """Delete a limit that no job shares."""
    client.call("DELETE", _path(name))
    click.echo(f"{name}: deleted")
