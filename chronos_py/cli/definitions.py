"""``chronos job history``, ``diff``, ``restore``, ``rename``, ``pause`` and ``resume``"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any

import click

from chronos_py.cli.client import Client, job_path, print_json, with_output, with_server
from chronos_py.cli.tables import moment, print_table
from chronos_py.errors import ChronosError

_REVISION = click.IntRange(min=1)


@click.command()
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True)
@with_output
@with_server
def history(client: Client, name: str, limit: int, output: str) -> None:
    """Show who changed a job, when and how, newest first."""
    found: list[dict[str, Any]] = client.get(f"{job_path(name)}/revisions", limit=limit)["revisions"]
    if output == "json":
        return print_json(found)
    rows = (
        (
            each["revision"],
            moment(each["createdAt"]),
            each["author"],
            " - ".join(filter(None, (each["summary"], each["note"]))),
        )
        for each in found
    )
    return print_table(("REVISION", "WHEN", "WHO", "WHAT"), rows)


@click.command()
@click.argument("name")
@click.argument("old", metavar="[A]", required=False, type=_REVISION)
@click.argument("new", metavar="[B]", required=False, type=_REVISION)
@with_output
@with_server
def diff(client: Client, name: str, old: int | None, new: int | None, output: str) -> None:
    """Show what is different between revisions A and B of a job.

    Without B, between A and the job as it is now; without both, what its last change did.
    """
    number = new or client.get(job_path(name))["revision"]
    query = {} if old is None else {"against": old}
    found = client.get(f"{job_path(name)}/revisions/{number}", **query)
    if output == "json":
        return print_json(found["changes"])
    if found["against"] is None:
        return click.echo(f"{name}: revision {number} is the first one")
    if not found["changes"]:
        return click.echo(f"{name}: revisions {found['against']} and {number} say the same")
    click.echo(f"--- {name} revision {found['against']}\n+++ {name} revision {number}")
    for change in found["changes"]:
        click.echo(f"@@ {change['field']} @@")
        for line in _difference(_lines(change["before"]), _lines(change["after"])):
            click.echo(line)
    return None


def _difference(before: list[str], after: list[str]) -> Iterator[str]:
    """All lines of both, those that went marked with -, those that came with +."""
    lines = difflib.unified_diff(before, after, lineterm="", n=max(len(before), len(after)))
    yield from list(lines)[3:]  # the names and the place, which are told already


def _lines(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    return (value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)).split("\n")


@click.command()
@click.argument("name")
@click.argument("number", type=_REVISION)
@with_server
def restore(client: Client, name: str, number: int) -> None:
    """Go back to revision NUMBER of a job; it becomes the newest one."""
    before = client.get(job_path(name))["revision"]
    after = client.ask("POST", f"{job_path(name)}/revisions/{number}/restore")["revision"]
    if after == before:
        return click.echo(f"{name}: says what revision {number} says already")
    return click.echo(f"{name}: went back to revision {number}, as revision {after}")


@click.command()
@click.argument("old")
@click.argument("new")
@with_server
def rename(client: Client, old: str, new: str) -> None:
    """Rename job OLD to NEW; its history stays, and the jobs after it follow."""
    job = client.ask("PATCH", job_path(old), body={"name": new})
    click.echo(f"{old}: renamed to {job['name']}")
    for child in job["children"] if old != new else ():
        click.echo(f"{child}: runs after {new} now")


_NAMES = click.argument("names", nargs=-1)
_LABELS = click.option(
    "--label", "labels", multiple=True, metavar="KEY[=VALUE]", help="All jobs with it; repeatable."
)


@click.command()
@_NAMES
@_LABELS
@with_server
def pause(client: Client, names: tuple[str, ...], labels: tuple[str, ...]) -> None:
    """Pause jobs by name, or all that have the labels: all of them or, on any error, none."""
    _print_outcome(client.ask("POST", "/api/jobs/pause", body=_selection(names, labels)), "paused", "was paused")


@click.command()
@_NAMES
@_LABELS
@click.option("--catch-up", is_flag=True, help="What came meanwhile counts as missed, and is not just skipped.")
@with_server
def resume(client: Client, names: tuple[str, ...], labels: tuple[str, ...], catch_up: bool) -> None:
    """Resume jobs by name, or all that have the labels: all of them or, on any error, none."""
    body = {**_selection(names, labels), "catchUp": catch_up}
    _print_outcome(client.ask("POST", "/api/jobs/resume", body=body), "resumed", "was active")


def _selection(names: tuple[str, ...], labels: tuple[str, ...]) -> dict[str, Any]:
    if bool(names) is bool(labels):
        raise click.UsageError("Say which jobs: by their names, or by --label.")
    if names:
        return {"names": list(names)}
    wanted: dict[str, str | None] = {}
    for text in labels:
        key, sign, value = text.partition("=")
        if key in wanted:
            raise click.UsageError(f'The label "{key}" is given twice; no job has two of it.')
        wanted[key] = value if sign else None
    return {"labels": wanted}


def _print_outcome(outcome: dict[str, list[str]], changed: str, unchanged: str) -> None:
    if not outcome["changed"] and not outcome["unchanged"]:
        raise ChronosError("no job has these labels.")
    for name in outcome["changed"]:
        click.echo(f"{name}: {changed}")
    for name in outcome["unchanged"]:
        click.echo(f"{name}: {unchanged} already")


COMMANDS = (history, diff, restore, rename, pause, resume)
