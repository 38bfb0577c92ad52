"""How long the server takes for the list of many jobs, against a page with nothing on it, in one run.

    .venv/bin/python bench/pages.py [--jobs 10000] [--runs 20] [--rounds 30] [--database-url postgresql+psycopg://...]

Fills a database of its own (SQLite in a temporary folder unless one is named, which must be empty) and asks for each
page in turn, without a socket. Prints p50 and p95 in milliseconds, p50 as so many empty pages, and what of it the
program computed, which a busy machine does not stretch. Exit status 1 when p50 of the first page is over 150 ms.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from flask.testing import FlaskClient
from sqlalchemy import insert, text

from chronos_py.bootstrap import open_node
from chronos_py.config import Settings
from chronos_py.http import create_wsgi_app
from chronos_py.model.standing import name_prefix, search_text
from chronos_py.services import Application
from chronos_py.store.tables import JobLabelRow, JobRevisionRow, JobRow, RunRow, ScheduleRow, Table

GOAL_MS = 150.0
EMPTY = "an empty page"
PAGES: Mapping[str, str] = {
    EMPTY: "/limits",
    "the first page": "/",
    "page 150": "/?page=150",
    "a text": "/?q=orders",
    "a label": "/?label=team%3Detl",
    "failed ones": "/?state=failed",
    "late ones": "/?state=late",
    "by state": "/?sort=state",
    "by next run": "/?sort=next",
    "by success": "/?sort=rate",
    "by label": "/?group=label:team&open=etl",
}
TEAMS = ("etl", "bi", "finance", "ops", "web")
SCHEDULES = ("*/5 * * * *", "0 3 * * *", "30 6 * * 1-5", "R/2026-01-01T00:00:00Z/PT1H", "15 2 1 * *")


def fill(app: Application, count: int, runs_each: int) -> None:
    """So many jobs, one of ten paused and one of eight failed last, each with so many runs; in an empty database."""
    chance, now = random.Random(1), app.clock.now()
    rows: dict[type[Table], list[dict[str, Any]]] = {
        table: [] for table in (JobRow, JobRevisionRow, JobLabelRow, ScheduleRow, RunRow)
    }
    for number in range(1, count + 1):
        document = _document(number, chance)
        has_failed, last = number % 8 == 0, now - timedelta(minutes=number % 600)
        rows[JobRow].append(
            {
                "id": number,
                "name": document["name"],
                "document": document,
                "disabled": document["disabled"],
                "overlap": "forbid-queue-one",
                "owner": document["owner"],
                "name_prefix": name_prefix(document["name"]),
                "search_text": search_text(*(document[part] for part in ("name", "command", "description", "owner"))),
                "last_outcome": "failure" if has_failed else "success",
                "success_count": runs_each,
                "error_count": int(has_failed),
                "last_success": last - timedelta(days=has_failed),
                "last_error": last if has_failed else None,
                "created_at": now,
                "updated_at": now,
            }
        )
        rows[JobRevisionRow].append({"job_id": number, "revision": 1, "document": document, "created_at": now})
        rows[JobLabelRow] += [
            {"job_id": number, "key": key, "value": value} for key, value in document["labels"].items()
        ]
        due = None if document["disabled"] else now + timedelta(seconds=30 * number)
        rows[ScheduleRow].append(
            {
                "job_id": number,
                "expression": document["schedule"],
                "defined_at": now,
                "next_due": due,
                "next_run": due,
            }
        )
        runs = [_run(number, now - timedelta(hours=age), chance) for age in range(runs_each, 0, -1)]
        if number % 50 == 0:
            runs[-1] |= {"state": "running", "finished_at": None}
        rows[RunRow] += runs
    with app.database.write() as connection:
        for table, values in rows.items():
            connection.execute(insert(table), values)
    with app.database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))


def _document(number: int, chance: random.Random) -> dict[str, Any]:
    team = chance.choice(TEAMS)
    return {
        "name": f"{team}.{chance.choice(('orders', 'stock', 'mail', 'logs'))}-{number:05}",
        "command": f"python -m jobs.{team} --part {number}",
        "owner": f"{team}@example.com",
        "schedule": chance.choice(SCHEDULES),
        "labels": {"team": team, "tier": str(number % 3)},
        "description": "Brings the figures of the day where they are looked at.",
        "disabled": number % 10 == 0,
    }


def _run(job_id: int, at: datetime, chance: random.Random) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "trigger": "schedule",
        "state": chance.choices(("succeeded", "failed", "skipped"), (90, 8, 2))[0],
        "occurrence": at,
        "scheduled_at": at,
        "not_before": at,
        "revision": 1,
        "attempts": 1,
        "created_at": at,
        "started_at": at,
        "finished_at": at + timedelta(seconds=chance.expovariate(1 / 40)),
    }


Times = Mapping[str, Sequence[float]]


def measure(client: FlaskClient, rounds: int) -> tuple[Times, Times]:
    """Milliseconds for each page, and those that this process computed, in order of size; the pages take turns."""
    found: dict[str, list[float]] = {name: [] for name in PAGES}
    computed: dict[str, list[float]] = {name: [] for name in PAGES}
    for _ in range(rounds):
        for name, path in PAGES.items():
            start, begun = perf_counter(), process_time()
            answer = client.get(path)
            found[name].append((perf_counter() - start) * 1000)
            computed[name].append((process_time() - begun) * 1000)
            assert answer.status_code == 200, answer.text
    for each in (*found.values(), *computed.values()):
        each.sort()
    return found, computed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--database-url", default="")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chronos-pages-") as folder:
        url = arguments.database_url or f"sqlite:///{folder}/pages.db"
        node = open_node(Settings(database_url=url, data_dir=folder, pool="process"), "127.0.0.1:4400")
        try:
            start = perf_counter()
            fill(node.application, arguments.jobs, arguments.runs)
            print(f"{arguments.jobs:,} jobs with {arguments.runs} runs each, made in {perf_counter() - start:.0f} s")
            times, computed = measure(create_wsgi_app(node.application).test_client(), arguments.rounds)
        finally:
            node.application.pool.close()
            node.application.database.close()
    empty = times[EMPTY][len(times[EMPTY]) // 2]
    for name, sizes in times.items():
        p50, p95 = sizes[len(sizes) // 2], sizes[-1 - len(sizes) // 20]
        own = computed[name][len(sizes) // 2]
        print(
            f"{name:15} p50 {p50:6.1f} ms  p95 {p95:6.1f} ms  {p50 / empty:5.1f} empty pages  computed {own:5.1f} ms"
        )
    first = times["the first page"]
    return 0 if first[len(first) // 2] <= GOAL_MS else 1


if __name__ == "__main__":
    sys.exit(main())
