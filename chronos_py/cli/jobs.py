"""``chronos job`` and ``chronos preview``"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from chronos_py.cli.client import Client, job_path, print_json, with_output, with_server
from chronos_py.cli.runs import wait_for_end
from chronos_py.cli.tables import moment, print_fields, print_table
from chronos_py.errors import InvalidDefinition


@click.group()
def job() -> None:
    """Define, look at, run and delete jobs."""


@job.command("list")
@click.option("-q", "--query", default="", help="A part of the name or the command.")
@click.option("--label", "labels", multiple=True, metavar="KEY[=VALUE]", help="Only those with it; repeatable.")
@with_output
@with_server
def list_jobs(client: Client, query: str, labels: tuple[str, ...], output: str) -> None:
    """List jobs."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get("/api/jobs", q=query, label=labels, cursor=cursor, limit=500)
        found += page["jobs"]
        cursor = page["next"]
    if output == "json":
        return print_json(found)
    rows = (
        (
            each["name"],
            "paused" if each["disabled"] else each["state"],
            each["lastOutcome"],
            moment(each["nextRun"]),
            each["scheduleDescription"],
        )
        for each in found
    )
    return print_table(("JOB", "STATE", "LAST", "NEXT RUN", "WHEN"), rows)


@job.command()
@click.argument("name")
@with_output
@with_server
def show(client: Client, name: str, output: str) -> None:
    """Show a job."""
    found: dict[str, Any] = client.get(job_path(name))
    if output == "json":
        return print_json(found)
    image = (found["container"] or {}).get("image")
    last_runs = ", ".join(f"{run['id']} {run['state']}" for run in found["lastRuns"][:5])
    return print_fields(
        (
            ("Job", found["name"]),
            ("About", found["description"]),
            ("State", "paused" if found["disabled"] else found["state"]),
            ("When", found["scheduleDescription"]),
            ("Next run", moment(found["nextRun"]) if found["nextRun"] else None),
            ("Children", ", ".join(found["children"])),
            ("Owner", found["owner"]),
            ("Labels", ", ".join(f"{key}={value}" for key, value in found["labels"].items())),
            ("Retries", found["retries"]),
            ("Succeeded", found["successCount"]),
            ("Failed", found["errorCount"]),
            ("Last runs", last_runs),
            ("Image", image),
            ("Command", found["command"]),
        )
    )


@job.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@with_server
def apply(client: Client, paths: tuple[Path, ...]) -> None:
    """Create or change jobs from JSON files, or folders of them: all of them or, on any error, none."""
    answer = client.ask("POST", "/api/jobs", body={"jobs": _read_all(paths)})
    for job in answer["jobs"]:
        click.echo(f"{job['name']}: {job['change']}")


def _read_all(paths: tuple[Path, ...]) -> list[dict[str, Any]]:
    files = [file for path in paths for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    if not files:
        raise InvalidDefinition(f"there is no *.json file in {', '.join(map(str, paths))}.")
    return [document for file in files for document in _read(file)]


def _read(file: Path) -> list[dict[str, Any]]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidDefinition(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InvalidDefinition(f"{file} is not JSON: {error}.") from error
    except RecursionError as error:
        raise InvalidDefinition(f"{file} is nested too deep for a job.") from error
    documents = content if isinstance(content, list) else [content]
    for document in documents:
        if not isinstance(document, dict) or not isinstance(document.get("name"), str):
            raise InvalidDefinition(f"{file} must hold a job, or a list of jobs, each with a name.")
    return documents


@job.command()
@click.argument("name")
@click.option(
    "--children",
    type=click.Choice(["refuse", "detach", "convert"]),
    default="refuse",
    help="What becomes of the jobs that run after it.",
)
@with_server
def delete(client: Client, name: str, children: str) -> None:
    """Delete a job."""
    client.call("DELETE", job_path(name), {"children": children})
    click.echo(f"{name}: deleted")


@job.command("run")
@click.argument("name")
@click.option("--argument", "arguments", multiple=True, help="An argument for this run; may be repeated.")
@click.option("-e", "--environment", multiple=True, metavar="NAME=VALUE", help="A variable for this run.")
@click.option("--time", "scheduled", default=None, metavar="TIME", help="The time it stands for.  [default: now]")
@click.option("--without-children", is_flag=True, help="Do not run the jobs after it.")
@click.option("--wait", is_flag=True, help="Wait for its end; exit 1 unless it succeeds.")
@with_server
def run_now(
    client: Client,
    name: str,
    arguments: tuple[str, ...],
    environment: tuple[str, ...],
    scheduled: str | None,
    without_children: bool,
    wait: bool,
) -> None:
    """Run a job now."""
    body: dict[str, Any] = {"scheduledTime": scheduled, "withChildren": not without_children}
    if arguments:
        body["arguments"] = list(arguments)
    if environment:
        body["environment"] = dict(_variable(text) for text in environment)
    run = client.ask("POST", f"{job_path(name)}/runs", body=body)
    click.echo(f"{name}: run {run['id']} {run['state']}")
    if wait:
        ended = wait_for_end(client, run["id"])
        click.echo(f"{name}: run {run['id']} {ended['state']} {ended['message']}".rstrip())
        if ended["state"] != "succeeded":
            raise SystemExit(1)


def _variable(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise click.BadParameter(f'"{text}" is not of the form NAME=VALUE', param_hint="--environment")
    return name, value
