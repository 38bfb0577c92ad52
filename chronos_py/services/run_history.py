"""Runs as people look at them: one with all that belongs to it, and lists with what their words name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from chronos_py.model.document import read_stored_definition
from chronos_py.model.environment import task_environment
from chronos_py.model.job import Definition
from chronos_py.model.run import Attempt, Run
from chronos_py.model.secrets import is_secret, mask_value
from chronos_py.services.application import Application
from chronos_py.services.jobs import require_job
from chronos_py.services.runs import require_run
from chronos_py.services.waiting import what_it_waits_for
from chronos_py.store import attempts, run_history, runs
from chronos_py.store.run_history import RunQuery

MOST_OF_WAVE = 200

__all__ = ["RunPage", "RunQuery", "RunView", "Variable", "definition_of_run", "find_runs", "job_history", "view_run"]


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a task's environment as it may be shown. ``origin``: parent, job, run or chronos."""

    name: str
    value: str
    origin: str
    is_secret: bool


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with what belongs to it.

    ``attempt`` is the one that is looked at, None while there is none; ``definition`` is the job as it was for that.
    ``named`` are the runs that it followed from. ``wave`` are the runs of the same root, oldest first, at most 200.
    ``waits_for`` is "" when it does not. ``has_job``: the job was not deleted meanwhile.
    """

    run: Run
    attempts: Sequence[Attempt]
    attempt: Attempt | None
    definition: Definition
    environment: Sequence[Variable]
    named: Mapping[int, Run]
    wave: Sequence[Run]
    has_job: bool
    waits_for: str = ""


@dataclass(frozen=True, slots=True)
class RunPage:
    """Runs, newest first, with the runs that they followed from and their attempts, where these were asked for.

    ``deleted`` are the ids of jobs that are gone.
    """

    runs: Sequence[Run]
    named: Mapping[int, Run]
    attempts: Mapping[int, Sequence[Attempt]] = field(default_factory=dict)
    deleted: frozenset[int] = frozenset()


def view_run(app: Application, run_id: int, number: int | None = None) -> RunView:
    """A run, looking at its attempt ``number``; at the last one where it has no such. Raises NotFound."""
    with app.database.read() as connection:
        run = require_run(connection, run_id)
        tries = attempts.attempts_of(connection, run_id)
        attempt = next((each for each in tries if each.number == number), tries[-1] if tries else None)
        revision = run.revision if attempt is None else attempt.revision
        definition = read_stored_definition(run_history.document_of(connection, run.job_id, revision))
        environment = [] if attempt is None else _environment(connection, definition, run, attempt)
        wave = run_history.wave_of(connection, run.root_run_id or run.id, MOST_OF_WAVE)
        named = _named(connection, [run])
        has_job = not run_history.deleted_jobs(connection, [run.job_id])
    waits_for = what_it_waits_for(app, run)
    return RunView(run, tries, attempt, definition, environment, named, wave, has_job, waits_for)


def definition_of_run(app: Application, run_id: int) -> tuple[Run, Mapping[str, Any], bool]:
    """A run, the document it ran with, and whether its job is still there. Raises NotFound."""
    with app.database.read() as connection:
        run = require_run(connection, run_id)
        document = run_history.document_of(connection, run.job_id, run.revision)
        return run, document, not run_history.deleted_jobs(connection, [run.job_id])


def find_runs(app: Application, query: RunQuery, before: int | None, limit: int) -> RunPage:
    """Runs of all jobs, newest first, those with an id below ``before``."""
    with app.database.read() as connection:
        found = run_history.find_runs(connection, query, before, limit)
        deleted = run_history.deleted_jobs(connection, {run.job_id for run in found})
        return RunPage(found, _named(connection, found), deleted=deleted)


def job_history(app: Application, name: str, query: RunQuery, before: int | None, limit: int) -> RunPage:
    """Runs of a job with their attempts. As :func:`find_runs` otherwise. Raises NotFound."""
    with app.database.read() as connection:
        job_id = require_job(connection, name).id
        wanted = RunQuery(query.states, query.triggers, "", job_id, query.since, query.until)
        found = run_history.find_runs(connection, wanted, before, limit)
        tries = run_history.attempts_of_runs(connection, [run.id for run in found])
        return RunPage(found, _named(connection, found), tries)


def _named(connection: Connection, found: Iterable[Run]) -> dict[int, Run]:
    """The runs that the words about these runs name."""
    wanted = {each for run in found for each in (run.parent_run_id, *run.parent_runs) if each}
    return runs.runs_by_id(connection, wanted) if wanted else {}


def _environment(connection: Connection, definition: Definition, run: Run, attempt: Attempt) -> list[Variable]:
    inherited = attempts.inherited_variables(connection, [run]).get(run.id, {})
    created_at = attempt.created_at or run.created_at
    variables = task_environment(definition, run, attempt.number, attempt.task_name, created_at, inherited)
    given = {**definition.environment, **run.overrides.environment}

    def origin(name: str) -> str:
        if variables[name] == run.overrides.environment.get(name):
            return "run"
        if variables[name] == given.get(name):
            return "job"
        return "parent" if variables[name] == inherited.get(name) else "chronos"

    return [
        Variable(name, mask_value(name, value), origin(name), is_secret(name)) for name, value in variables.items()
    ]
