"""Waits for the sample chain to end, prints what ran, and tells by its exit status whether it succeeded."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from typing import Any

from chronos_py.cli.client import Client, ServerError, job_path

CHAIN = ("extract_orders", "transform_products", "transform_customers", "load_warehouse", "report_sales")
SHOWN = (*CHAIN, "flaky_import")
FINAL = {"succeeded", "failed", "killed", "lost", "skipped"}
SECONDS = 240


def last_run(server: Client, job: str) -> dict[str, Any] | None:
    runs = server.get(f"{job_path(job)}/runs", limit=1)["runs"]
    return runs[0] if runs else None


def wait_for_chain(server: Client) -> dict[str, dict[str, Any] | None]:
    """The last run of every job that is shown, once all have ended or one of the chain has failed."""
    deadline = time.monotonic() + SECONDS
    while True:
        runs = {job: last_run(server, job) for job in SHOWN}
        states = {job: run["state"] if run else None for job, run in runs.items()}
        broken = any(states[job] in FINAL - {"succeeded"} for job in CHAIN)
        if broken or all(state in FINAL for state in states.values()) or time.monotonic() > deadline:
            return runs
        time.sleep(0.2)


def took(run: dict[str, Any]) -> str:
    if not run["startedAt"] or not run["finishedAt"]:
        return "-"
    return f"{(moment(run['finishedAt']) - moment(run['startedAt'])).total_seconds():.2f} s"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def main(server: Client) -> int:
    print("Waiting for the sample chain to end ...", flush=True)
    runs = wait_for_chain(server)
    print(f"\n{'JOB':<20} {'RUN':>4} {'TRIGGER':<11} {'STATE':<14} {'TRIES':>5} {'STARTED':<12} {'TOOK':>8}")
    for job, run in runs.items():
        if run is None:
            print(f"{job:<20}    - has not run")
            continue
        started = f"{moment(run['startedAt']):%H:%M:%S.%f}"[:12] if run["startedAt"] else "-"
        print(
            f"{job:<20} {run['id']:>4} {run['trigger']:<11} {run['state']:<14} {run['attemptCount']:>5}"
            f" {started:<12} {took(run):>8}"
        )
        if run["message"]:
            print(f"{'':<20}      {run['message']}")
    report = runs["report_sales"]
    if report is not None:
        print("\n" + server.call("GET", f"/api/runs/{report['id']}/logs").text, end="")
    succeeded = all(run is not None and run["state"] == "succeeded" for job, run in runs.items() if job in CHAIN)
    print("\nThe sample chain succeeded." if succeeded else "\nThe sample chain did not succeed.")
    return 0 if succeeded else 1


if __name__ == "__main__":
    try:
        sys.exit(main(Client(sys.argv[1])))
    except ServerError as error:
        sys.exit(f"script/demo: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
