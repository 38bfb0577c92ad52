"""Jobs as a list for people shows them: a page of those that fit, counted by how they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from chronos_py.model.job import Job
from chronos_py.model.standing import LastRun, Sort, Standing, Tally, Wanted, standing_of
from chronos_py.services.application import Application
from chronos_py.services.jobs import LAST_RUNS
from chronos_py.store import jobs, runs, standings

MOST_KNOWN = 200


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job on the list. ``last_runs``: newest first."""

    job: Job
    standing: Standing
    is_late: bool
    last_runs: Sequence[LastRun]


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of the list; ``total`` jobs fit, and ``tally`` counts also those that stand otherwise."""

    rows: Sequence[ListedJob]
    total: int
    tally: Tally


def view_page(
    app: Application,
    wanted: Wanted,
    sort: Sort = Sort.NAME,
    descending: bool = False,
    number: int = 1,
    size: int = 50,
) -> JobPage:
    """The page of that number, from 1, of the jobs that fit."""
    now = app.clock.now()
    with app.database.read() as connection:
        tally = standings.count_by_standing(connection, wanted, now)
        total = _total(connection, app, wanted, tally)
        found = standings.names(connection, wanted, now, sort, descending, (number - 1) * size, size)
        return JobPage(_rows(connection, app, found), total, tally)


def _total(connection: Connection, app: Application, wanted: Wanted, tally: Tally) -> int:
    if wanted.is_late:
        return tally.late if wanted.standing is None else standings.count(connection, wanted, app.clock.now())
    return tally.total if wanted.standing is None else tally.by_standing.get(wanted.standing, 0)


def _rows(connection: Connection, app: Application, names: Sequence[str]) -> list[ListedJob]:
    by_name = jobs.find_jobs(connection, names)
    ids = [job.id for job in by_name.values()]
    counts = runs.count_unfinished(connection, ids, with_backfills=True)
    last = standings.last_runs(connection, ids, LAST_RUNS)
    late = standings.late_names(connection, names, app.clock.now())
    rows = []
    for name in names:
        job = by_name[name]
        standing = standing_of(counts[job.id], job.definition.disabled, job.counters)
        rows.append(ListedJob(job, standing, name in late, last[job.id]))
    return rows


def matching_names(app: Application, wanted: Wanted) -> list[str]:
    """The names of all jobs that fit, in order."""
    with app.database.read() as connection:
        return standings.names(connection, wanted, app.clock.now())


def group_jobs(app: Application, wanted: Wanted, key: str) -> Mapping[str | None, Tally]:
    """How many of the jobs that fit stand how, by a label (None: without it); with key "" by prefix of name."""
    with app.database.read() as connection:
        return standings.count_groups(connection, wanted, app.clock.now(), key)


@dataclass(frozen=True, slots=True)
class Known:
    """What jobs can be filtered by: the owners, and the labels as key and value."""

    owners: Sequence[str]
    labels: Sequence[tuple[str, str]]

    @property
    def keys(self) -> Sequence[str]:
        """The keys of the labels."""
        return list(dict.fromkeys(key for key, _ in self.labels))


def known_words(app: Application) -> Known:
    """The first MOST_KNOWN owners and labels."""
    with app.database.read() as connection:
        return Known(standings.known_owners(connection, MOST_KNOWN), standings.known_labels(connection, MOST_KNOWN))
