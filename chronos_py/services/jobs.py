"""Define, change, find and delete jobs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection

from chronos_py.errors import Conflict, InvalidDefinition, NotFound, Outdated
from chronos_py.model.chain import find_cycle, parents_first
from chronos_py.model.document import complete, read_definition
from chronos_py.model.environment import unbound_task
from chronos_py.model.job import Counters, Definition, Job, Kind
from chronos_py.model.labels import Labels
from chronos_py.model.overlap import Unfinished
from chronos_py.model.reader import shown
from chronos_py.model.restrictions import WHEN
from chronos_py.model.run import Outcome, Reason, Trigger
from chronos_py.services.announcing import announce
from chronos_py.services.application import Application
from chronos_py.services.ending import end_or_kill
from chronos_py.services.following import follow
from chronos_py.services.renaming import rename_job
from chronos_py.services.scheduling import schedule_job
from chronos_py.store import backfills, chains, jobs, limits, runs
from chronos_py.store.jobs import NewJob

Children = Literal["refuse", "detach", "convert"]
Change = Literal["created", "changed", "unchanged"]

# As ``if_revision``: whichever revision there is, but the job must exist.
ANY_REVISION = -1
LAST_RUNS = 20
_BATCH = 500


@dataclass(frozen=True, slots=True)
class JobSummary:
    """A job and how it stands. ``last_runs`` are ``(run id, state)``, newest first."""

    job: Job
    unfinished: Unfinished
    last_runs: Sequence[tuple[int, str]]
    children: Sequence[str] = ()

    @property
    def active(self) -> int:
        return self.unfinished.active

    @property
    def waiting(self) -> int:
        return self.unfinished.waiting


def get_job(app: Application, name: str) -> JobSummary:
    """A job by name. Raises NotFound."""
    with app.database.read() as connection:
        return _summary(connection, require_job(connection, name))


def view_job(app: Application, job: Job) -> JobSummary:
    """How a job stands that is known already, such as one that was just saved."""
    with app.database.read() as connection:
        return _summary(connection, job)


def list_jobs(
    app: Application,
    text: str = "",
    disabled: bool | None = None,
    after: str = "",
    limit: int | None = None,
    kind: Kind | None = None,
    last_runs: int = LAST_RUNS,
    labels: Labels = (),
) -> list[JobSummary]:
    """Jobs by name, those after ``after``; ``text`` is a part of the name or the command, ``labels`` they all have.

    ``last_runs`` says how many of each job's runs to tell; 0 saves looking at any.
    """
    with app.database.read() as connection:
        if kind is None:
            found = jobs.list_jobs(connection, text, disabled, after, limit, labels)
        else:
            found = _list_kind(connection, kind, text, disabled, after, limit, labels)
        return _summaries(connection, found, last_runs)


def _list_kind(
    connection: Connection,
    kind: Kind,
    text: str,
    disabled: bool | None,
    after: str,
    limit: int | None,
    labels: Labels,
) -> list[Job]:
    """Jobs of one kind. The kind is not a column, so batches are read until there are enough."""
    found: list[Job] = []
    while limit is None or len(found) < limit:
        batch = jobs.list_jobs(connection, text, disabled, after, _BATCH, labels)
        found += [job for job in batch if job.definition.kind == kind]
        if len(batch) < _BATCH:
            break
        after = batch[-1].name
    return found[:limit]


def require_job(connection: Connection, name: str, lock: bool = False) -> Job:
    """The job of that name. Raises NotFound."""
    job = jobs.find_job(connection, name, lock)
    if job is None:
        raise NotFound(f"Job {shown(name)} not found.")
    return job


def _summary(connection: Connection, job: Job) -> JobSummary:
    """The whole summary of one job, with its children."""
    summary = _summaries(connection, [job], LAST_RUNS)[0]
    return replace(summary, children=chains.children_of(connection, job.id))


def _summaries(connection: Connection, found: Sequence[Job], last_runs: int) -> list[JobSummary]:
    ids = [job.id for job in found]
    counts = runs.count_unfinished(connection, ids, with_backfills=True)
    states = jobs.last_states(connection, ids, last_runs) if last_runs else {}
    return [JobSummary(job, counts[job.id], states.get(job.id, ())) for job in found]


def save_job(
    app: Application,
    document: Mapping[str, Any],
    author: str = "",
    if_revision: int | None = None,
    counters: Counters | None = None,
    note: str = "",
) -> tuple[Job, bool]:
    """Create a job or replace its definition; the job, and whether it is new.

    ``if_revision`` is the revision that the author saw (0: none, the job must be new); Outdated when it is
    another one by now. ``counters`` overwrites the job's, which otherwise stay. ``note`` says in its history why.
    Saving a document that says the same changes nothing. Raises InvalidDefinition.
    """
    now = app.clock.now()
    document = app.defaults.written_into(document)
    definition = read_definition(document)
    with app.database.write() as connection:
        chains.lock_definitions(connection)
        job = jobs.find_job(connection, definition.name, lock=True)
        check_revision(definition.name, job, if_revision)
        refuse_unrunnable(app, definition, None if job is None else job.definition)
        store_definition(connection, job, definition, document, author, now, note)
        saved = require_job(connection, definition.name)
        if counters is not None:
            jobs.set_counters(connection, saved.id, counters)
            saved = replace(saved, counters=counters)
    app.wake.all()
    return saved, job is None


def save_jobs(app: Application, documents: Sequence[Mapping[str, Any]], author: str = "") -> list[tuple[Job, Change]]:
    """Create or replace several jobs in one transaction, parents first: all of them or, on any error, none.

    None is due before all are there, so a chain never begins without its later steps. Raises InvalidDefinition.
    """
    now = app.clock.now()
    documents = [app.defaults.written_into(document) for document in documents]
    definitions = {definition.name: definition for definition in map(_read_one_of_many, documents)}
    if len(definitions) < len(documents):
        raise InvalidDefinition("name is the same for two of these jobs; give each its own.", "name")
    by_name = {document["name"]: document for document in documents}
    order = parents_first({name: definition.parents for name, definition in definitions.items()})
    saved: list[tuple[Job, Change]] = []
    with app.database.write() as connection:
        chains.lock_definitions(connection)
        for name in order:
            before = jobs.find_job(connection, name, lock=True)
            refuse_unrunnable(app, definitions[name], None if before is None else before.definition)
            store_definition(connection, before, definitions[name], by_name[name], author, now)
            after = require_job(connection, name)
            saved.append((after, _change(before, after)))
    app.wake.all()
    return saved


def refuse_unrunnable(app: Application, definition: Definition, before: Definition | None = None) -> None:
    """Raises InvalidDefinition for a job that the pool can never run.

    A job that it could not run ``before`` either may still be changed, and be paused above all.
    """
    objection = app.pool.objection(unbound_task(definition))
    if objection and not (before is not None and app.pool.objection(unbound_task(before)) == objection):
        raise InvalidDefinition(objection, objection.partition(" ")[0])


def _read_one_of_many(document: Mapping[str, Any]) -> Definition:
    try:
        return read_definition(document)
    except InvalidDefinition as error:
        raise InvalidDefinition(f"Job {shown(document.get('name'))}: {error}", error.field) from error


def _change(before: Job | None, after: Job) -> Change:
    if before is None:
        return "created"
    return "unchanged" if before.revision == after.revision else "changed"


def patch_job(
    app: Application, name: str, changes: Mapping[str, Any], author: str = "", if_revision: int | None = None
) -> Job:
    """Change some fields of a job; null takes a field back to its default (RFC 7396).

    Another ``name`` renames the job. Raises InvalidDefinition, NotFound, Outdated, and Conflict for a name that is
    taken.
    """
    return _change_job(app, name, lambda job: _merge(job.document, changes), author, if_revision)


def replace_job(
    app: Application, name: str, document: Mapping[str, Any], author: str = "", if_revision: int | None = None
) -> Job:
    """Replace the definition of a job that exists; another ``name`` in it renames the job. Raises as patch_job."""
    return _change_job(app, name, lambda _: dict(document), author, if_revision)


def _change_job(
    app: Application,
    name: str,
    new_document: Callable[[Job], dict[str, Any]],
    author: str,
    if_revision: int | None,
) -> Job:
    now = app.clock.now()
    with app.database.write() as connection:
        chains.lock_definitions(connection)
        job = require_job(connection, name, lock=True)
        check_revision(name, job, if_revision)
        document = app.defaults.written_into(new_document(job))
        definition = read_definition(document)
        refuse_unrunnable(app, definition, job.definition)
        if definition.name != name:
            job = rename_job(connection, job, definition.name, author, now)
        store_definition(connection, job, definition, document, author, now)
        saved = require_job(connection, definition.name)
    app.wake.all()
    return saved


def _merge(target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON merge patch (RFC 7396): objects are merged, null takes a member away, all else replaces."""
    merged = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            present = merged.get(name)
            merged[name] = _merge(present if isinstance(present, Mapping) else {}, value)
        else:
            merged[name] = value
    return merged


def check_revision(name: str, job: Job | None, if_revision: int | None) -> None:
    """Raises Outdated unless the job is at that revision; see :func:`save_job`."""
    if if_revision is None:
        return
    if job is None and if_revision != 0:
        raise Outdated(f"Job {shown(name)} was deleted meanwhile; save it again as a new job if you want it back.")
    if job is not None and if_revision not in (job.revision, ANY_REVISION):
        reason = "exists already" if if_revision == 0 else "was changed by someone else meanwhile"
        raise Outdated(f"Job {shown(name)} {reason} (revision {job.revision}); load it again and repeat your change.")


def store_definition(
    connection: Connection,
    job: Job | None,
    definition: Definition,
    document: Mapping[str, Any],
    author: str,
    now: datetime,
    note: str = "",
    catch_up: bool = False,
) -> None:
    """Create ``job`` (None), or bring it to a definition of the same name; one that says the same changes nothing.

    The transaction has locked the definitions and the job. ``note`` says why, in the history; ``catch_up`` is for a
    job that is resumed, see :func:`chronos_py.services.scheduling.schedule_job`. Raises InvalidDefinition.
    """
    if job is not None and complete(job.document) == complete(document):
        return
    keeps_parents = job is not None and job.definition.parents == definition.parents
    parents = [] if keeps_parents else _resolve_parents(connection, definition, is_new=job is None)
    if job is None:
        job_id = jobs.insert_jobs(connection, [NewJob(definition, document)], author, now, note)[definition.name]
    else:
        job_id = job.id
        jobs.update_job(connection, job, definition, document, author, now, note)
    if not keeps_parents:
        chains.set_parents(connection, job_id, [parent.id for parent in parents])
    schedule_job(connection, job_id, definition, job, now, catch_up)
    _share_limits(connection, job_id, definition)
    if definition.disabled and not (job is not None and job.definition.disabled):
        skip_waiting(connection, job_id, now)


def _share_limits(connection: Connection, job_id: int, definition: Definition) -> None:
    wanted = definition.concurrency.limits
    require_limits(definition, limits.unknown_limits(connection, list(wanted)))
    limits.set_job_limits(connection, job_id, wanted)


def require_limits(definition: Definition, unknown: Collection[str]) -> None:
    """Raises InvalidDefinition for a limit that is ``unknown``."""
    for name in definition.concurrency.limits:
        if name in unknown:
            raise InvalidDefinition(
                f"concurrencyLimits contains {shown(name)}, which is not found; define that limit first"
                f" (chronos limit set {name} UNITS).",
                "concurrencyLimits",
            )


def require_parents(definition: Definition, known: Container[str]) -> None:
    """Raises InvalidDefinition for a parent that is not ``known``."""
    for parent in definition.parents:
        if parent not in known:
            raise InvalidDefinition(
                f"parents contains {shown(parent)}, which is not found; create that job first.", "parents"
            )


def _resolve_parents(connection: Connection, definition: Definition, is_new: bool) -> list[Job]:
    """The parents' jobs. Raises InvalidDefinition for unknown ones and for a cycle, naming its path."""
    if not definition.parents:
        return []
    if definition.name in definition.parents:
        raise InvalidDefinition(
            f"parents contains {shown(definition.name)} itself; a job cannot run after itself.", "parents"
        )
    known = jobs.find_jobs(connection, definition.parents)
    require_parents(definition, known)
    if not is_new:  # nothing runs after a job that was not there
        refuse_cycle(connection, definition)
    return [known[parent] for parent in definition.parents]


def refuse_cycle(connection: Connection, definition: Definition) -> None:
    """Raises InvalidDefinition where a job that exists would run after itself, by way of others."""
    graph = {**chains.parents_of_all(connection), definition.name: list(definition.parents)}
    cycle = find_cycle(graph, definition.name)
    if cycle is not None:
        raise InvalidDefinition(
            f"parents would make a cycle: {' -> '.join(cycle)}; take one of these edges away.", "parents"
        )


def skip_waiting(connection: Connection, job_id: int, now: datetime) -> None:
    """A job that is paused does not start what the schedule or its parents had queued; a person's runs stay."""
    message = "skipped: the job was paused before the run could start"
    skipped = runs.skip_queued(connection, job_id, (Trigger.SCHEDULE, Trigger.DEPENDENCY), message, now)
    if skipped:
        backfills.note_end(connection, skipped, now)


def delete_job(
    app: Application,
    name: str,
    author: str = "",
    children: Children = "refuse",
    if_revision: int | None = None,
) -> None:
    """Delete a job; its running tasks are killed, its history stays readable by run.

    ``children`` says what becomes of jobs that run after it: ``refuse`` (Conflict, naming them), ``detach`` (they
    lose this parent; one that had no other is run by hand from then on), or ``convert`` (they inherit its parents,
    or where nothing else is left its schedule). Raises NotFound, and Outdated as :func:`save_job`.
    """
    now = app.clock.now()
    with app.database.write() as connection:
        chains.lock_definitions(connection)
        job = require_job(connection, name, lock=True)
        check_revision(name, job, if_revision)
        names = chains.children_of(connection, job.id)
        if names and children == "refuse":
            raise Conflict(
                f"Job {shown(name)} has jobs that run after it: {', '.join(names)};"
                " delete them first, or say children=detach to keep them without this parent."
            )
        for child_name in names:
            child = require_job(connection, child_name, lock=True)
            document = _without_parent(child, job, children)
            store_definition(connection, child, read_definition(document), document, author, now)
        end_unfinished(connection, job.id, Reason.DELETED, "killed: the job was deleted", now)
        jobs.mark_deleted(connection, job.id, now)
        announce(connection, "job_deleted", job, f"deleted by {author}" if author else "deleted on request", now)
    app.wake.all()


def _without_parent(child: Job, parent: Job, children: Children) -> dict[str, Any]:
    document = dict(child.document)
    left = [name for name in child.definition.parents if name != parent.name]
    if children == "convert":
        left += [name for name in parent.definition.parents if name not in left]
    document["parents"] = left
    if children == "convert" and not left and parent.definition.schedule:
        document["schedule"] = parent.definition.schedule
        document["scheduleTimeZone"] = parent.definition.schedule_time_zone
        document.update({field: parent.document[field] for field in WHEN if field in parent.document})
    return document


def end_unfinished(connection: Connection, job_id: int, reason: Reason, message: str, now: datetime) -> int:
    """Kill every run of a job that has not ended: at once where nothing runs yet, through the leader else."""
    unfinished = {run.id: run for run in runs.unfinished_runs(connection, job_id)}
    for run_id in end_or_kill(connection, unfinished, reason, message, now):
        if reason is Reason.KILLED:
            follow(connection, unfinished[run_id], Outcome.FAILURE, now)
    backfills.note_end(connection, unfinished, now)
    return len(unfinished)
