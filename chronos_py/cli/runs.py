"""``chronos runs``, ``run``, ``kill`` and ``logs``"""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from chronos_py.cli.client import Client, job_path, print_json, with_output, with_server
from chronos_py.cli.tables import duration, moment, print_fields, print_table

POLL_SECONDS = 0.3
CHUNK = 1 << 20
FINAL = frozenset({"succeeded", "failed", "killed", "lost", "skipped"})


@click.command()
@click.argument("job", required=False)
@click.option("--state", default="", help="Only these, separated by commas.")
@click.option("--limit", default=20, show_default=True)
@with_output
@with_server
def runs(client: Client, job: str | None, state: str, limit: int, output: str) -> None:
    """List runs, newest first, of one JOB or of all."""
    path = f"{job_path(job)}/runs" if job else "/api/runs"
    found: list[dict[str, Any]] = client.get(path, state=state, limit=limit)["runs"]
    if output == "json":
        return print_json(found)
    rows = (
        (
            each["id"],
            each["job"],
            each["trigger"],
            each["state"],
            each["attemptCount"],
            moment(each["scheduledTime"]),
            moment(each["startedAt"]),
            duration(each["startedAt"], each["finishedAt"]),
            each["message"],
        )
        for each in found
    )
    return print_table(("RUN", "JOB", "TRIGGER", "STATE", "TRIES", "SCHEDULED", "STARTED", "TOOK", "WHY"), rows)


@click.command()
@click.argument("run_id", type=int)
@with_output
@with_server
def run(client: Client, run_id: int, output: str) -> None:
    """Show a run with its attempts."""
    found: dict[str, Any] = client.get(f"/api/runs/{run_id}")
    if output == "json":
        return print_json(found)
    print_fields(
        (
            ("Run", found["id"]),
            ("Job", found["job"]),
            ("Trigger", found["trigger"]),
            ("State", found["state"]),
            ("Why", found["message"]),
            ("Waits for", found["waitsFor"]),
            ("Note", found["note"]),
            ("Outputs", ", ".join(f"{key}={value}" for key, value in found["outputs"].items())),
            ("Backfill", found["backfill"]),
            ("Scheduled", moment(found["scheduledTime"])),
            ("Not before", moment(found["notBefore"]) if found["notBefore"] else None),
            ("Took", duration(found["startedAt"], found["finishedAt"])),
            ("Requested by", found["requestedBy"]),
        )
    )
    if not found["attempts"]:
        return None
    click.echo()
    rows = (
        (
            each["number"],
            each["state"],
            each["exitCode"],
            each["pool"],
            moment(each["startedAt"]),
            duration(each["startedAt"], each["finishedAt"]),
            each["message"],
        )
        for each in found["attempts"]
    )
    return print_table(("TRY", "STATE", "EXIT", "POOL", "STARTED", "TOOK", "WHY"), rows)


@click.command()
@click.argument("run_id", type=int)
@click.option("--from-failure", is_flag=True, help="Also what did not succeed after it in its wave.")
@with_server
def rerun(client: Client, run_id: int, from_failure: bool) -> None:
    """Run the same again, for the same scheduled time."""
    found = client.ask("POST", f"/api/runs/{run_id}/rerun", body={"fromFailure": from_failure})
    click.echo(f"{found['job']}: run {found['id']} {found['state']}")


@click.command("mark-successful")
@click.argument("run_id", type=int)
@click.option("--note", default="", help="Why.")
@with_server
def mark_successful(client: Client, run_id: int, note: str) -> None:
    """Let a run that ended otherwise count as successful: the jobs after it run."""
    found = client.ask("POST", f"/api/runs/{run_id}/mark-successful", body={"note": note})
    click.echo(f"{found['job']}: run {found['id']} {found['state']}, {found['note']}")


@click.command()
@click.argument("run_id", type=int)
@with_server
def kill(client: Client, run_id: int) -> None:
    """Kill a run."""
    client.call("POST", f"/api/runs/{run_id}/kill")
    click.echo(f"run {run_id}: asked to end")


@click.command()
@click.argument("run_id", type=int)
@click.option("-f", "--follow", is_flag=True, help="Go on, through all tries, until the run has ended.")
@click.option("--stream", type=click.Choice(["stdout", "stderr"]), default="stdout", show_default=True)
@click.option("--attempt", type=click.IntRange(min=1), default=None, help="Only this try; the last one by default.")
@with_server
def logs(client: Client, run_id: int, follow: bool, stream: str, attempt: int | None) -> None:
    """Print what a run's task printed."""
    if attempt is not None:
        _print_attempt(client, run_id, attempt, stream, follow)
    elif follow:
        _follow_run(client, run_id, stream)
    elif last := client.get(f"/api/runs/{run_id}")["attemptCount"]:
        _print_attempt(client, run_id, last, stream, follow=False)


def _follow_run(client: Client, run_id: int, stream: str) -> None:
    """The last try, and every one that comes after it until the run has ended."""
    printed = 0
    while True:
        run: dict[str, Any] = client.get(f"/api/runs/{run_id}")
        if run["attemptCount"] > printed:
            if printed:
                click.echo(f"--- try {printed + 1}", err=True)
            printed = printed + 1 if printed else run["attemptCount"]
            _print_attempt(client, run_id, printed, stream, follow=True)
        elif run["state"] in FINAL:
            return
        else:
            time.sleep(POLL_SECONDS)


def _print_attempt(client: Client, run_id: int, number: int, stream: str, follow: bool) -> None:
    """What a try has printed so far; with ``follow`` until it has ended."""
    offset = 0
    while True:
        query = {"stream": stream, "offset": offset, "limit": CHUNK, "attempt": number}
        answer = client.call("GET", f"/api/runs/{run_id}/logs", query)
        sys.stdout.buffer.write(answer.content)
        sys.stdout.buffer.flush()
        offset = int(answer.headers["X-Next-Offset"])
        if answer.headers["X-Log-Complete"] == "true" or (not follow and not answer.content):
            return
        if not answer.content:
            time.sleep(POLL_SECONDS)


def wait_for_end(client: Client, run_id: int) -> dict[str, Any]:
    """The run once it has ended."""
    while True:
        found: dict[str, Any] = client.get(f"/api/runs/{run_id}")
        if found["state"] in FINAL:
            return found
        time.sleep(POLL_SECONDS)
