"""``chronos backfill``, ``backfills`` and ``cancel-backfill``"""

from __future__ import annotations

import time
from typing import Any

import click

from chronos_py.cli.client import Client, job_path, print_json, with_output, with_server
from chronos_py.cli.tables import moment, print_table

POLL_SECONDS = 0.5


@click.command()
@click.argument("job")
@click.option("--from", "first", required=True, metavar="TIME", help="The first day or time, still in it.")
@click.option("--to", "last", required=True, metavar="TIME", help="The last day or time, still in it.")
@click.option("--parallel", type=click.IntRange(min=1), default=1, show_default=True, help="Runs at a time.")
@click.option("--dry-run", is_flag=True, help="Only tell what would run.")
@click.option("--with-children", is_flag=True, help="Run the jobs after it too.")
@click.option("--force", is_flag=True, help="Run again what has run.")
@click.option("--wait", is_flag=True, help="Show the progress until its end; exit 1 unless everything succeeds.")
@with_output
@with_server
def backfill(client: Client, job: str, first: str, last: str, output: str, **given: Any) -> None:
    """Run the past occurrences of JOB that have not run.

    Times are in the job's time zone unless they have an offset; a date stands for the whole day.
    """
    body = {
        "from": first,
        "to": last,
        "parallel": given["parallel"],
        "withChildren": given["with_children"],
        "force": given["force"],
        "dryRun": given["dry_run"],
    }
    found = client.ask("POST", f"{job_path(job)}/backfills", body=body)
    if given["dry_run"]:
        return print_json(found) if output == "json" else _print_plan(job, found)
    if output != "json":
        click.echo(f"{job}: backfill {found['id']} of {found['total']} runs, {found['parallel']} at a time")
    if given["wait"]:
        found = _wait_for_end(client, found, quiet=output == "json")
    if output == "json":
        print_json(found)
    if given["wait"] and found["state"] != "succeeded":
        raise SystemExit(1)
    return None


def _print_plan(job: str, plan: dict[str, Any]) -> None:
    for occurrence in plan["occurrences"]:
        click.echo(f"would run  {occurrence}")
    for each in plan["leftOut"]:
        click.echo(f"left out   {each['time']}  run {each['run']} {each['state']}")
    click.echo(f"{job}: {len(plan['occurrences'])} would run, {len(plan['leftOut'])} left out")


def _wait_for_end(client: Client, found: dict[str, Any], quiet: bool) -> dict[str, Any]:
    shown = ""
    while True:
        progress = _progress(found)
        if progress != shown and not quiet:
            click.echo(f"  {progress}")
        shown = progress
        if found["state"] != "running":
            return found
        time.sleep(POLL_SECONDS)
        found = client.get(f"/api/backfills/{found['id']}")


def _progress(found: dict[str, Any]) -> str:
    counts = [*found["runs"].items(), *((f"children {state}", count) for state, count in found["childRuns"].items())]
    words = ", ".join(f"{count} {state}" for state, count in sorted(counts))
    return f"{found['ended']} of {found['total']} ended: {words}"


@click.command()
@click.argument("job", required=False)
@click.option("--limit", default=20, show_default=True)
@with_output
@with_server
def backfills(client: Client, job: str | None, limit: int, output: str) -> None:
    """List backfills, newest first, of one JOB or of all, and how far they are."""
    path = f"{job_path(job)}/backfills" if job else "/api/backfills"
    found: list[dict[str, Any]] = client.get(path, limit=limit)["backfills"]
    if output == "json":
        return print_json(found)
    rows = (
        (
            each["id"],
            each["job"],
            each["state"],
            moment(each["from"]),
            moment(each["to"]),
            _progress(each),
            each["requestedBy"],
        )
        for each in found
    )
    return print_table(("BACKFILL", "JOB", "STATE", "FROM", "TO", "PROGRESS", "BY"), rows)


@click.command("cancel-backfill")
@click.argument("backfill_id", type=int)
@click.option("--kill", is_flag=True, help="Kill what runs, too.")
@with_server
def cancel_backfill(client: Client, backfill_id: int, kill: bool) -> None:
    """Begin nothing more of a backfill; what runs goes on unless --kill says otherwise."""
    found = client.ask("POST", f"/api/backfills/{backfill_id}/cancel", body={"kill": kill})
    click.echo(f"backfill {backfill_id}: cancelled, {_progress(found)}")
