"""``chronos runs``, ``run``, ``kill`` and ``logs``"""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from chronos_py.cli.client import Client, job_path, print_json, with_output, with_server
from chronos_py.cli.tables import duration, moment, print_table

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
@with_server
def run(client: Client, run_id: int) -> None:
    """Show a run with its attempts as JSON."""
    print_json(client.get(f"/api/runs/{run_id}"))


@click.command()
@click.argument("run_id", type=int)
@with_server
def kill(client: Client, run_id: int) -> None:
    """Kill a run."""
    client.call("POST", f"/api/runs/{run_id}/kill")
    click.echo(f"run {run_id}: asked to end")


@click.command()
@click.argument("run_id", type=int)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
@click.option("--stream", type=click.Choice(["stdout", "stderr"]), default="stdout", show_default=True)
@click.option("--attempt", type=int, default=None, help="Which try; the last one by default.")
@with_server
def logs(client: Client, run_id: int, follow: bool, stream: str, attempt: int | None) -> None:
    """Print what a run's task printed."""
    offset = 0
    while True:
        query = {"stream": stream, "offset": offset, "limit": CHUNK, "attempt": attempt}
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
