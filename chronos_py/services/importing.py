"""Take over jobs that were defined elsewhere: all of them in one transaction or, with every reason told, none.

Everything is decided before that transaction begins, which only writes: thousands of jobs keep nobody waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from chronos_py.errors import Conflict, InvalidDefinition
from chronos_py.model.chain import find_cycle, parents_first
from chronos_py.model.document import complete, read_definition
from chronos_py.model.job import Counters, Definition, Job
from chronos_py.model.reader import shown
from chronos_py.model.schedule.calendar import Calendar
from chronos_py.services.application import Application
from chronos_py.services.jobs import Change, refuse_unrunnable, require_limits, require_parents
from chronos_py.services.revisions import difference
from chronos_py.services.scheduling import first_schedule
from chronos_py.store import calendars, chains, jobs, limits, schedules
from chronos_py.store.jobs import NewJob
from chronos_py.store.schedules import StoredSchedule

# So often an import begins anew when somebody changes jobs meanwhile.
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A job as it would be here. ``notes`` say in sentences what it does otherwise than where it comes from."""

    document: Mapping[str, Any]
    counters: Counters | None = None
    notes: Sequence[str] = ()


# Reads a foreign document; it is told the job of that name that is here. Raises InvalidDefinition.
Reading = Callable[[Job | None], Candidate]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a job cannot be taken over."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A job that was taken over, or would be. ``next_run`` is aware UTC, None when there is none."""

    definition: Definition
    next_run: datetime | None
    change: Change
    notes: Sequence[str] = ()


@dataclass(slots=True)
class Import:
    """What an import does, parents first; with any problem it does nothing. ``looked_at``: when it was decided."""

    looked_at: datetime
    jobs: list[Taken] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def import_jobs(
    app: Application, readings: Mapping[str, Reading], author: str = "", note: str = "", apply: bool = False
) -> Import:
    """Create the jobs of ``readings``, by name; those that are here and say the same stay as they are.

    Without ``apply``, or with any problem, nothing is kept of it: the answer says what would be. Raises Conflict
    where others change these jobs all the time.
    """
    for _ in range(_TRIES):
        plan = _Plan(app, readings)
        if plan.result.problems or not apply:
            return plan.result
        if plan.carry_out(author, note):
            app.wake.all()
            return plan.result
    raise Conflict("Nothing was imported: jobs were being changed all the while; try again.")


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What an import depends on: jobs that are here (id and revision by name), calendars, limits that are not."""

    revisions: Mapping[str, tuple[int, int]]
    calendars: Mapping[str, Calendar]
    unknown_limits: Sequence[str]


class _Plan:
    """What an import would do, decided from what was here a moment ago."""

    def __init__(self, app: Application, readings: Mapping[str, Reading]) -> None:
        self._app = app
        self.result = Import(app.clock.now())
        self._refused: set[str] = set()
        self._done: dict[str, None] = {}  # in the order in which they are made
        self._candidates: dict[str, Candidate] = {}
        self._definitions: dict[str, Definition] = {}
        self._new: list[NewJob] = []
        self._schedules: dict[str, StoredSchedule] = {}
        with app.database.read() as connection:
            present = jobs.find_jobs(connection, list(readings))
        for name, reading in readings.items():
            self._read(name, reading, present.get(name))
        self._names = list(dict.fromkeys([*readings, *self._of_all(lambda each: each.parents)]))
        with app.database.read() as connection:
            seen = self._look(connection)
        others = {name: each for name, each in seen.revisions.items() if name not in readings}
        as_read = {name: (job.id, job.revision) for name, job in present.items()}
        self._seen = replace(seen, revisions={**others, **as_read})
        self._known = set(self._seen.revisions)
        graph = {name: definition.parents for name, definition in self._definitions.items()}
        for name in parents_first(graph):
            if self._can_be_linked(name, graph, readings):
                self._take(name, present.get(name))

    def carry_out(self, author: str, note: str) -> bool:
        """Write it all in one transaction; False, and nothing is written, where what it depends on has changed."""
        now = self.result.looked_at
        with self._app.database.write() as connection:
            chains.lock_definitions(connection)
            if self._look(connection) != self._seen:
                return False
            ids = jobs.insert_jobs(connection, self._new, author, now, note)
            known = {**{name: job_id for name, (job_id, _) in self._seen.revisions.items()}, **ids}
            definitions = {known[each.definition.name]: each.definition for each in self._new}
            edges = [(known[parent], child) for child, each in definitions.items() for parent in each.parents]
            chains.add_edges(connection, edges)
            schedules.add_schedules(connection, {known[name]: each for name, each in self._schedules.items()})
            calendars.add_job_calendars(
                connection, {job_id: _calendars(each) for job_id, each in definitions.items()}
            )
            limits.add_job_limits(
                connection, {job_id: each.concurrency.limits for job_id, each in definitions.items()}
            )
        return True

    def _look(self, connection: Connection) -> _Surroundings:
        return _Surroundings(
            jobs.stored_revisions(connection, self._names),
            calendars.calendars_named(connection, self._of_all(_calendars)),
            limits.unknown_limits(connection, self._of_all(lambda each: each.concurrency.limits)),
        )

    def _of_all(self, names: Callable[[Definition], Iterable[str]]) -> list[str]:
        return list(dict.fromkeys(name for definition in self._definitions.values() for name in names(definition)))

    def _read(self, name: str, reading: Reading, present: Job | None) -> None:
        try:
            candidate = reading(present)
            candidate = replace(candidate, document=self._app.defaults.written_into(candidate.document))
            definition = read_definition(candidate.document)
            refuse_unrunnable(self._app, definition, None if present is None else present.definition)
            candidate = replace(candidate, notes=[*candidate.notes, *self._notes_on_pool(definition)])
        except InvalidDefinition as error:
            self._refuse(name, str(error))
        else:
            self._candidates[name], self._definitions[name] = candidate, definition

    def _notes_on_pool(self, definition: Definition) -> Iterator[str]:
        """An image is no reason to refuse a job: the pool is chosen at each start of the server."""
        if definition.container is not None and definition.container.image and self._app.pool.name == "process":
            yield "this server runs no images, so its runs will fail; start it with another --pool, such as docker"

    def _can_be_linked(self, name: str, graph: Mapping[str, Sequence[str]], readings: Mapping[str, Reading]) -> bool:
        """Whether all parents that come with it are there. One that is below a refused job is refused silently."""
        missing = [parent for parent in graph[name] if parent in readings and parent not in self._done]
        if not missing:
            return True
        cycle = find_cycle(graph, name)
        if cycle is not None and not self._refused.intersection(cycle):
            self._refuse(name, f"parents would make a cycle: {' -> '.join(cycle)}; take one of these edges away.")
        self._refused.add(name)
        return False

    def _take(self, name: str, before: Job | None) -> None:
        candidate, definition = self._candidates[name], self._definitions[name]
        if before is not None:
            changes = difference(complete(before.document), complete(candidate.document))
            if changes:
                fields = ", ".join(change.field for change in changes)
                self._refuse(
                    name, f"there is such a job here already, which differs in {fields}; delete one of them."
                )
            else:
                self._done[name] = None
                self.result.jobs.append(Taken(before.definition, before.next_run, "unchanged"))
            return
        try:
            require_parents(definition, self._known)
            require_limits(definition, self._seen.unknown_limits)
            schedule = first_schedule(0, definition, self._seen.calendars, self.result.looked_at)
        except InvalidDefinition as error:
            self._refuse(name, str(error))
            return
        self._done[name] = None
        self._known.add(name)
        self._new.append(NewJob(definition, candidate.document, candidate.counters or Counters()))
        if schedule is not None:
            self._schedules[name] = schedule
        next_run = None if schedule is None else schedule.next_run
        self.result.jobs.append(Taken(definition, next_run, "created", candidate.notes))

    def _refuse(self, name: str, reason: str) -> None:
        self._refused.add(name)
        self.result.problems.append(Problem(name, reason))


def _calendars(definition: Definition) -> Sequence[str]:
    return definition.restrictions.calendars if definition.schedule else ()


def refusal(problems: Sequence[Problem]) -> InvalidDefinition:
    """All problems in one error."""
    reasons = " ".join(f"Job {shown(each.name)}: {each.reason}" for each in problems)
    return InvalidDefinition(f"Nothing was imported. {reasons}", "jobs")
