"""What must become of jobs and runs, as a small model: lists in memory, one rule a method, nothing of the product.

A step of the product is told to the model, which changes its runs as they must change; :meth:`Model.compare` then
holds them against the rows of the database. Which waiting runs are started is the product's choice; the model says
whether each may.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import zip_longest

from chronos_py.model.overlap import Overlap
from chronos_py.model.run import Reason, RunState, Trigger
from tests.scheduler.model_of_jobs import BEGUN, BUSY, Backfill, Definition, Job, Place, Row, Run, Task


@dataclass
class Model:
    now: datetime
    jobs: list[Job] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    marks: set[tuple[int, str]] = field(default_factory=set)  # (child, parent that succeeded since the child ran)
    owed: set[tuple[int, datetime]] = field(default_factory=set)  # (job, occurrence that the planner has looked at)
    starts: int = 0

    def job(self, name: str) -> Job | None:
        return next((job for job in self.jobs if job.definition.name == name and not job.deleted), None)

    def live_jobs(self) -> list[Job]:
        return [job for job in self.jobs if not job.deleted]

    def children(self, job: Job) -> list[Job]:
        name = job.definition.name
        return [] if job.deleted else [child for child in self.live_jobs() if name in child.definition.parents]

    def unfinished(self, job: Job) -> list[Run]:
        return [run for run in self.runs if run.job is job and not run.is_final]

    def wave_of(self, run: Run) -> list[Run]:
        return [other for other in self.runs if run.wave in (other.root, other.id)]

    def live(self) -> list[Run]:
        """The runs that have a task, or are about to, in the order in which they were started."""
        return sorted((run for run in self.runs if run.task), key=lambda run: run.task.serial if run.task else 0)

    def compare(self, rows: Sequence[Row]) -> None:
        """Hold the runs against the database's, and learn the numbers of new ones."""
        known = [run.row() for run in self.runs if run.id]
        new = sorted((run for run in self.runs if not run.id), key=Run.row)
        found = sorted(row for row in rows[len(known) :])  # numbers grow, but some are left out
        wanted = [*known, *(run.row(0) for run in new)]
        there = [*rows[: len(known)], *(row._replace(id=0) for row in found)]
        for ours, theirs in zip_longest(wanted, there):
            assert ours == theirs, f"the model says\n{ours}, the database\n{theirs}"
        for run, row in zip(new, found, strict=True):
            run.id = row.id
        self.runs.sort(key=lambda run: run.id)

    # What people do

    def makes_cycle(self, definition: Definition) -> bool:
        seen, pending = set(), list(definition.parents)
        while pending:
            name = pending.pop()
            parent = self.job(name)
            if name not in seen and parent is not None:
                seen.add(name)
                pending += parent.definition.parents
        return definition.name in seen or definition.name in definition.parents

    def save(self, definition: Definition) -> None:
        job = self.job(definition.name)
        if job is None:
            job = Job(len(self.jobs) + 1, replace(definition, disabled=False, timetable=None, parents=()))
            self.jobs.append(job)
        before, job.definition = job.definition, definition
        self.marks -= {(job.id, name) for name in before.parents if name not in definition.parents}
        timetable = definition.timetable
        self._tell_of_pause(job, before, definition)
        if timetable != before.timetable:
            job.defined_at = self.now
        if definition.disabled != before.disabled:
            job.paused_at = self.now if definition.disabled else None
        if timetable is None or definition.disabled:
            job.next_due = None
        elif timetable != before.timetable:
            job.next_due = timetable.first(self.now)
        elif before.disabled:
            job.next_due = timetable.following(self.now)
        if definition.disabled and not before.disabled:
            for run in self.unfinished(job):
                if run.state is RunState.QUEUED and run.trigger in (Trigger.SCHEDULE, Trigger.DEPENDENCY):
                    self._end(run, RunState.SKIPPED, Reason.DISABLED)

    def _tell_of_pause(self, job: Job, before: Definition, definition: Definition) -> None:
        """One row for what a pause held back, when it ends or the timetable changes; for what is due as it begins."""
        first: datetime | None = None
        if before.disabled and job.paused_at and job.defined_at:
            if definition.timetable != before.timetable or not definition.disabled:
                first = max(job.paused_at, job.defined_at) + timedelta(microseconds=1)
        elif definition.disabled and job.next_due is not None and job.next_due <= self.now:
            first = job.next_due
        times = before.timetable.between(first, self.now) if before.timetable and first else []
        if times:
            row = Run(job, Trigger.SCHEDULE, times[0], self.now, RunState.SKIPPED, Reason.DISABLED)
            row.occurrences = len(times)
            self.runs.append(row)

    def delete(self, job: Job, convert: bool) -> None:
        for child in self.children(job):
            gone = job.definition
            parents = [name for name in child.definition.parents if name != gone.name]
            if convert:
                parents += [name for name in gone.parents if name not in parents]
            takes_schedule = convert and not parents and gone.timetable is not None
            timetable = gone.timetable if takes_schedule else child.definition.timetable
            self.save(replace(child.definition, parents=tuple(parents), timetable=timetable))
        for run in self.unfinished(job):
            self.kill(run, Reason.DELETED)
        self.marks = {(child, parent) for child, parent in self.marks if child != job.id}
        job.deleted, job.next_due = True, None

    def kill(self, run: Run, reason: Reason) -> None:
        if run.task is None:
            self._end(run, RunState.KILLED, reason)
        elif run.task.kill_at is None:
            run.task.kill_at, run.task.kill_reason = self.now, reason

    def force(self, job: Job, with_children: bool) -> None:
        self.marks = {(child, parent) for child, parent in self.marks if child != job.id}
        self.runs.append(Run(job, Trigger.MANUAL, self.now, self.now, starts_children=with_children))

    def rerun(self, old: Run, from_failure: bool) -> None:
        run = Run(old.job, Trigger.RERUN, old.scheduled_at, self.now, root=old.wave, parent=old.id, in_wave=True)
        run.backfill, run.starts_children = old.backfill, from_failure
        self.runs.append(run)

    def overrule(self, run: Run) -> None:
        """A person says that it counts as successful."""
        run.has_succeeded = True
        self._start_children(run)

    def occurrences_to_fill(self, job: Job, first: datetime, last: datetime, force: bool) -> list[datetime] | None:
        """What a backfill would run; None: there are no occurrences at all then."""
        timetable = job.definition.timetable
        assert timetable is not None
        times = timetable.between(first, min(last, self.now))
        return [time for time in times if self._may_fill(job, time, force)] if times else None

    def _may_fill(self, job: Job, time: datetime, force: bool) -> bool:
        there = [run for run in self.runs if run.job is job and run.scheduled_at == time]
        return all(run.is_final for run in there) and (force or not any(run.attempts for run in there))

    def backfill(self, backfill: Backfill, times: Sequence[datetime], with_children: bool) -> None:
        for run in self.runs:
            if run.job is backfill.job and run.occurrence in times:
                run.occurrence = None
        for time in times:
            run = Run(backfill.job, Trigger.BACKFILL, time, self.now, occurrence=time, backfill=backfill)
            run.starts_children, run.in_wave = with_children, True
            self.runs.append(run)

    def cancel(self, backfill: Backfill, kill: bool) -> None:
        backfill.cancelled = True
        for run in self.runs:
            if run.backfill is backfill and not run.is_final and (run.task is None or kill):
                self.kill(run, Reason.CANCELLED)

    # What the leader does

    def plan(self) -> None:
        """Of all that is due the latest occurrence runs, and one row stands for those before."""
        for job in self.jobs:
            due, timetable = job.next_due, job.definition.timetable
            if due is None or due > self.now or timetable is None:
                continue
            latest = timetable.latest(self.now)
            assert latest is not None
            job.next_due = latest + timetable.period
            self.owed |= {(job.id, time) for time in timetable.between(due, latest)}
            taken = {run.occurrence for run in self.runs if run.job is job}
            missed = timetable.between(due, latest - timetable.period)
            if not taken.issuperset(missed):  # a backfill may be faster
                row = Run(job, Trigger.SCHEDULE, due, self.now, RunState.SKIPPED, Reason.MISSED)
                row.occurrence, row.occurrences = None if due in taken else due, len(missed)
                self.runs.append(row)
            if latest not in taken:
                self._add_unless_it_overlaps(Run(job, Trigger.SCHEDULE, latest, self.now, occurrence=latest))

    def _add_unless_it_overlaps(self, run: Run) -> None:
        others = [other for other in self.unfinished(run.job) if other.backfill is None]
        policy = run.job.definition.overlap
        waits = any(other.state is RunState.QUEUED for other in others)
        if (others and policy is Overlap.FORBID_SKIP) or (waits and policy is Overlap.FORBID_QUEUE_ONE):
            run.state, run.reason = RunState.SKIPPED, Reason.OVERLAP
        if policy is Overlap.REPLACE:
            for other in others:
                if other.state is RunState.QUEUED:
                    self._end(other, RunState.SKIPPED, Reason.REPLACED)
                else:
                    self.kill(other, Reason.REPLACED)
        self.runs.append(run)

    def may_start(self, run: Run) -> bool:
        if run.state not in (RunState.QUEUED, RunState.WAITING_RETRY) or run.not_before > self.now:
            return False
        backfill, is_new = run.backfill, run.state is RunState.QUEUED
        if backfill is not None and is_new:
            begun = sum(other.backfill is backfill and other.state in BEGUN for other in self.runs)
            if begun >= backfill.parallel:
                return False
        return run.job.definition.overlap is Overlap.ALLOW or not any(
            other is not run and self._holds_back(other, run) for other in self.unfinished(run.job)
        )

    def _holds_back(self, other: Run, run: Run) -> bool:
        """Whether a run waits for another of its job; neither waits for the other for ever."""
        if run.backfill is not None and other.backfill is run.backfill:
            return False
        is_new = run.state is RunState.QUEUED
        if other.state in BUSY or (other.state is RunState.WAITING_RETRY and is_new):
            return True
        gives_way = run.backfill is not None and is_new and other.backfill is None
        return gives_way and other.state is RunState.QUEUED and other.not_before <= self.now

    def start(self, run: Run) -> None:
        """The intent is committed."""
        self.starts += 1
        run.state, run.reason = RunState.STARTING, Reason.NONE
        run.attempts += 1
        run.task = Task(run.job.definition, self.starts)

    def launch(self, run: Run, reply_arrives: bool) -> None:
        assert run.task is not None
        run.task.place = Place.RUNNING
        if reply_arrives:
            run.state = RunState.RUNNING

    def watch(self, reply_arrives: bool, may_launch: bool = True) -> None:
        """Launch what was only intended, note what runs, settle what has ended before."""
        over: list[Run] = []
        for run in self.live():
            match run.task and run.task.place:
                case Place.INTENDED:
                    if may_launch:
                        self.launch(run, reply_arrives)
                case Place.RUNNING:
                    run.state = RunState.RUNNING
                case _:
                    over.append(run)
        judged = [(run, *self._judge(run.task)) for run in over if run.task]  # before any of them ends others
        for run, state, reason in sorted(judged, key=lambda each: each[0].job.id):
            self._settle(run, state, reason)

    @staticmethod
    def _judge(task: Task) -> tuple[RunState, Reason]:
        if task.kill_at is not None and (task.ended_at is None or task.ended_at >= task.kill_at):
            return RunState.KILLED, task.kill_reason
        if task.exit_code is None:
            return RunState.LOST, Reason.LOST
        return (RunState.SUCCEEDED, Reason.NONE) if task.exit_code == 0 else (RunState.FAILED, Reason.EXIT)

    def _settle(self, run: Run, state: RunState, reason: Reason) -> None:
        task, run.task = run.task, None
        assert task is not None
        has_failed = state in (RunState.FAILED, RunState.LOST)
        if has_failed and task.kill_at is None and run.attempts <= task.definition.retries:
            run.state, run.reason = RunState.WAITING_RETRY, reason
            run.not_before = self.now + task.definition.retry_delay
            return
        self._end(run, state, reason)
        if state is RunState.SUCCEEDED or (has_failed and task.definition.soft_error):
            self.overrule(run)

    def _end(self, run: Run, state: RunState, reason: Reason) -> None:
        run.state, run.reason = state, reason

    def _start_children(self, run: Run) -> None:
        if not run.starts_children:
            return
        for child in self._ready_in_wave(run) if run.in_wave else self._ready(run):
            new = Run(child, Trigger.DEPENDENCY, run.scheduled_at, self.now, backfill=run.backfill)
            new.root, new.parent, new.in_wave = run.wave, run.id, run.in_wave
            if child.definition.disabled:
                new.state, new.reason = RunState.SKIPPED, Reason.DISABLED
            if run.in_wave or new.is_final:
                self.runs.append(new)
            else:
                self._add_unless_it_overlaps(new)

    def _ready(self, run: Run) -> list[Job]:
        """The children of which now all parents have succeeded since they last ran; their marks are consumed."""
        children = self.children(run.job)
        self.marks |= {(child.id, run.job.definition.name) for child in children}
        ready = [
            child for child in children if all((child.id, name) in self.marks for name in child.definition.parents)
        ]
        self.marks -= {(child.id, name) for child in ready for name in child.definition.parents}
        return ready

    def _ready_in_wave(self, run: Run) -> list[Job]:
        """The jobs below that have no run in the wave, or failed in it, and whose parents in it have all succeeded.

        What has succeeded in it already is passed through.
        """
        if run.backfill is not None and run.backfill.cancelled:
            return []
        root = next(other.job for other in self.runs if other.id == run.wave)
        of_wave = self._below(root)
        ours = self.wave_of(run)
        succeeded = {other.job.definition.name for other in ours if other.has_succeeded and not other.job.deleted}
        ready: list[Job] = []
        seen: set[int] = set()
        pending = [run.job]
        while pending:
            for child in self.children(pending.pop()):
                parents = set(child.definition.parents) & of_wave
                if child.id in seen or not parents or not parents <= succeeded:
                    continue
                seen.add(child.id)
                there = [other for other in ours if other.job is child and other.root]
                if any(other.has_succeeded for other in there):
                    pending.append(child)
                elif all(other.is_final for other in there):
                    ready.append(child)
        return ready

    def _below(self, job: Job) -> set[str]:
        """The names of a job and of all that run after it, directly or not."""
        names, pending = set() if job.deleted else {job.definition.name}, [job]
        while pending:
            below = [child for child in self.children(pending.pop()) if child.definition.name not in names]
            names |= {child.definition.name for child in below}
            pending += below
        return names
