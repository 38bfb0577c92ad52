"""Collect what ended tasks left: what they printed, for the archive, and the values for their children."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from chronos_py.errors import Deposed
from chronos_py.logs import TaskLogs
from chronos_py.model.outputs import LIMIT, Outputs, read_outputs
from chronos_py.pools import Permit, PoolUnavailable, TaskState, TaskStatus
from chronos_py.scheduler.context import TermContext
from chronos_py.store.attempts import LiveAttempt, SettledTask

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# So long the run of an ended task waits for a machine that does not give what the task left; then it ends without.
UNREAD_PATIENCE = timedelta(minutes=10)
# So long when only what it printed is missing: children wait for the run, and the archive can have it later.
UNPRINTED_PATIENCE = timedelta(seconds=30)
# Between two trials then, of the tasks of one machine; twice as long after each in vain, and given up after a day.
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=10)
LATEST = timedelta(hours=24)


class NotYet(Exception):
    """What a task left cannot be collected now, for a reason in words."""


class _NotHere(NotYet):
    """The archive is full, or this node's term in doubt: no run ends without its output for that."""


class Collector:
    """Asks the pool for what ended tasks left.

    A machine that does not answer holds up its own tasks only, is asked once in a pass, and not for ever.
    """

    def __init__(self, term: TermContext, logs: TaskLogs, permit: Permit) -> None:
        """``permit`` raises Deposed once this node may archive no more."""
        self._term = term
        self._logs = logs
        self._permit = permit
        self._unread: dict[int, datetime] = {}  # since when, by attempt
        self._silent: dict[tuple[str, str], str] = {}  # what machines were asked for in vain in this pass, and why
        self._archived: set[str] = set()  # tasks' names
        self._unprinted: dict[str, datetime] = {}  # since when settled tasks are asked again, by their names
        self._pauses: dict[str, tuple[datetime, timedelta]] = {}  # of their machines: until when, and how long

    def begin_pass(self, names: Collection[str]) -> None:
        """``names`` are those of all tasks that the pool sees."""
        self._silent.clear()
        self._archived.intersection_update(names)
        self._unprinted = {name: since for name, since in self._unprinted.items() if name in names}
        if not self._unprinted:
            self._pauses.clear()

    def collect(self, entry: LiveAttempt, status: TaskStatus) -> Outputs:
        """What an ended task left for its children, once what it printed is kept. Raises NotYet."""
        attempt = entry.attempt
        now = self._term.now()
        waited = now - self._unread.setdefault(attempt.id, now)
        unprinted = ""
        try:
            self._archive(attempt.run_id, attempt.number, status)
        except _NotHere:
            raise
        except NotYet as reason:
            if waited < UNPRINTED_PATIENCE:
                raise
            unprinted = str(reason)
        try:
            outputs = self._ask("values", status, partial(self._read_outputs, status))
        except NotYet as reason:
            if waited < UNREAD_PATIENCE:
                raise
            printed = "Neither what it printed nor what" if unprinted else "What"
            could = "could" if unprinted else "could not"
            outputs = Outputs({}, f"{printed} it left for its children {could} be read: {reason}")
        else:
            if unprinted:
                words = f"What it printed could not be read at its end: {unprinted}"
                outputs = replace(outputs, warning=f"{words} {outputs.warning}".rstrip())
        del self._unread[attempt.id]
        return outputs

    def may_be_forgotten(self, task: SettledTask, status: TaskStatus) -> bool:
        """Whether nothing is left to collect of a task whose attempt has ended; tries to, now and then."""
        if status.state is TaskState.CREATED or task.name in self._archived:
            return True
        now = self._term.now()
        if now - self._unprinted.setdefault(task.name, now) >= LATEST:
            return True
        until, pause = self._pauses.get(status.node, (now, FIRST_PAUSE))
        if now < until:
            return False
        try:
            self._archive(task.run_id, task.number, status, again=True)
        except NotYet:
            # From now on, as it may have taken long to say nothing.
            self._pauses[status.node] = (self._term.now() + pause, min(2 * pause, LONGEST_PAUSE))
            return False
        return True

    def _archive(self, run_id: int, number: int, status: TaskStatus, again: bool = False) -> None:
        """``again``: an earlier leader may have done it. Raises NotYet."""
        if status.handle and status.name not in self._archived:
            self._ask("output", status, partial(self._keep_output, run_id, number, status.handle, again))
        self._archived.add(status.name)

    def _ask(self, what: str, status: TaskStatus, question: Callable[[], Answer]) -> Answer:
        if (status.node, what) in self._silent:
            raise NotYet(self._silent[status.node, what])
        try:
            return question()
        except NotYet:
            raise
        except PoolUnavailable as error:
            if status.node:
                self._silent[status.node, what] = str(error)
            raise NotYet(str(error)) from error
        except Exception as error:  # a bug, or an odd file: of this task only
            logger.exception("What task %s has left cannot be read", status.name)
            raise NotYet("an internal error; see the server's log") from error

    def _keep_output(self, run_id: int, number: int, handle: str, again: bool) -> None:
        try:
            if not (again and self._logs.is_archived(run_id, number)):
                self._logs.archive(run_id, number, handle, self._permit)
        except OSError as error:
            reason = error.strerror or str(error)
            message = f"The output of ended tasks cannot be kept: {reason}. Their runs end when there is room again."
            if self._term.health.report("log archive", message):
                logger.error("%s", message)
            raise _NotHere from error
        except Deposed as error:
            raise _NotHere from error
        if self._term.health.clear("log archive"):
            logger.info("The output of ended tasks can be kept again.")

    def _read_outputs(self, status: TaskStatus) -> Outputs:
        """What an ended task wrote for its children; one byte more than it may shows that it is too much."""
        if not status.handle or status.state is not TaskState.EXITED:
            return Outputs({})
        return read_outputs(self._term.pool.outputs(status.handle, LIMIT + 1))
