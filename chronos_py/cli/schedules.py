"""``chronos preview`` and ``chronos calendar``"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from chronos_py.cli.client import Client, print_json, with_output, with_server
from chronos_py.cli.tables import print_table
from chronos_py.errors import InvalidDefinition


@click.command()
@click.argument("schedule")
@click.option("--zone", default="", help="Time zone, such as Europe/Berlin.")
@click.option("--count", default=10, show_default=True)
@click.option("--from", "start", default=None, metavar="TIME", help="The times after this one.  [default: now]")
@click.option("--name", default="", help="The job's name, for H and jitter.")
@click.option(
    "--exclude-calendar", "exclude", multiple=True, metavar="NAME", help="Not on its days; may be repeated."
)
@click.option("--only-calendar", "only", multiple=True, metavar="NAME", help="Only on its days; may be repeated.")
@click.option(
    "--on-blocked-day",
    type=click.Choice(["skip", "next", "previous"]),
    default="skip",
    show_default=True,
    help="What an occurrence does on a day that the calendars block.",
)
@click.option("--start-time", default=None, metavar="TIME", help="No occurrence before it.")
@click.option("--end-time", default=None, metavar="TIME", help="No occurrence after it.")
@click.option("--jitter", default=None, metavar="SECONDS", help="Start up to so much later.")
@with_output
@with_server
def preview(client: Client, schedule: str, output: str, **given: Any) -> None:
    """Show what a schedule means and when it comes next."""
    body: dict[str, Any] = {
        "schedule": schedule,
        "scheduleTimeZone": given["zone"],
        "count": given["count"],
        "from": given["start"],
        "name": given["name"],
        "excludeCalendars": list(given["exclude"]),
        "onlyCalendars": list(given["only"]),
        "onBlockedDay": given["on_blocked_day"],
        "startTime": given["start_time"],
        "endTime": given["end_time"],
        "jitter": _duration(given["jitter"]),
    }
    found = client.ask("POST", "/api/schedules/preview", body={name: value for name, value in body.items() if value})
    if output == "json":
        return print_json(found)
    click.echo(found["description"])
    for time in found["next"]:
        click.echo(f"  {time}")
    if not found["next"]:
        click.echo("  no more")
    for note in found["notes"]:
        click.echo(f"note: {note}")
    return None


def _duration(text: str | None) -> float | str | None:
    """Seconds, or an ISO 8601 duration as it is."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


@click.group()
def calendar() -> None:
    """Define and look at calendars of days on which jobs run, or do not."""


def _path(name: str) -> str:
    return f"/api/calendars/{quote(name, safe='', errors='surrogateescape')}"


@calendar.command("list")
@with_output
@with_server
def list_calendars(client: Client, output: str) -> None:
    """List the calendars that people defined."""
    found = client.get("/api/calendars")
    if output == "json":
        return print_json(found)
    rows = ((each["name"], each.get("description", ""), each["revision"]) for each in found["calendars"])
    return print_table(("CALENDAR", "ABOUT", "REVISION"), rows)


@calendar.command()
@click.argument("name")
@click.option("--year", type=int, default=None, help="Which year's days.  [default: this one]")
@with_output
@with_server
def show(client: Client, name: str, year: int | None, output: str) -> None:
    """Show the days of a calendar, such as weekends, DE, US-CA, NYSE or one of your own."""
    found = client.get(_path(name), year=year)
    if output == "json":
        return print_json(found)
    print_table(("DAY", "NAME"), ((day["date"], day["name"]) for day in found["days"]))
    if found["jobs"]:
        click.echo(f"obeyed by {', '.join(found['jobs'])}")
    return None


@calendar.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@with_server
def apply(client: Client, paths: tuple[Path, ...]) -> None:
    """Create or replace calendars from JSON files, each with a name and dates."""
    for path in paths:
        document = _read(path)
        answer = client.call("PUT", _path(document["name"]), body=document)
        click.echo(f"{document['name']}: {'created' if answer.status_code == 201 else 'saved'}")


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidDefinition(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise InvalidDefinition(f"{path} is not JSON: {error}.") from error
    if not isinstance(document, dict) or not isinstance(document.get("name"), str) or not document["name"]:
        raise InvalidDefinition(f"{path} must hold a calendar: a JSON object with a name.")
    return document


@calendar.command()
@click.argument("name")
@with_server
def delete(client: Client, name: str) -> None:
    """Delete a calendar that no job obeys."""
    client.call("DELETE", _path(name))
    click.echo(f"{name}: deleted")
