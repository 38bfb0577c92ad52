"""Handing attempts to the pool, a few at a time, each in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from chronos_py.errors import DatabaseUnavailable, Deposed
from chronos_py.model.environment import build_task
from chronos_py.model.run import LIVE_ATTEMPT_STATES, AttemptState, Reason
from chronos_py.model.task import Task
from chronos_py.pools import LaunchLost, LaunchRefused, LaunchWaits, Permit, PoolUnavailable
from chronos_py.scheduler.context import TermContext
from chronos_py.scheduler.crew import Crew
from chronos_py.scheduler.settler import Settler
from chronos_py.store import attempts, runs
from chronos_py.store.attempts import Ending, LiveAttempt

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 10.0  # with the calls that are being made when a term ends


class _TooLate(LaunchRefused):
    """The job does not want to be started so late."""


class Launcher:
    """Launches committed intents. ``permit`` raises Deposed once this node may launch no more.

    An attempt is *in flight* from before its intent is committed until its outcome is; nobody else touches it then.
    """

    def __init__(self, term: TermContext, settler: Settler, permit: Permit, parallelism: int) -> None:
        self._term = term
        self._settler = settler
        self._permit = permit
        self._parallelism = parallelism
        self._crew = Crew(parallelism, "launch")
        self._lock = threading.Lock()
        self._in_flight: set[str] = set()

    def free(self) -> int:
        """How many more attempts can be taken now."""
        with self._lock:
            return max(0, self._parallelism - len(self._in_flight))

    def reserve(self, task_name: str) -> bool:
        """Take an attempt in flight, before its intent is committed. False: it is already."""
        with self._lock:
            if task_name in self._in_flight:
                return False
            self._in_flight.add(task_name)
            return True

    def release(self, task_name: str) -> None:
        """The attempt is not in flight any more."""
        with self._lock:
            self._in_flight.discard(task_name)
        self._term.wake.dispatcher.set()

    def launch(self, live: LiveAttempt) -> None:
        """Launch a reserved attempt whose intent is committed."""
        self._crew.submit(partial(self._guarded, live, self._launch))

    def recover(self, live: LiveAttempt) -> None:
        """Bring an attempt to an end whose launch another leader, or a lost reply, left in doubt."""
        if self.reserve(live.attempt.task_name):
            self._crew.submit(partial(self._guarded, live, self._recover))

    def stop(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Launch nothing more; wait at most so long for the calls that are being made.

        One may take as long as an image takes to come. The next leader recovers it, and its permit is over.
        """
        self._crew.stop(seconds)

    def _guarded(self, live: LiveAttempt, work: Callable[[LiveAttempt], None]) -> None:
        try:
            work(live)
        except Deposed:
            return  # the next leader recovers the intent
        except DatabaseUnavailable as error:
            self._term.health.report("database", str(error))
        except PoolUnavailable as error:
            # Whether it was launched is unknown; the watcher finds out when the pool is back.
            if self._term.health.report("pool", str(error)):
                logger.error("%s", error)
        except Exception:  # a bug in a launch must not take the thread's report with it
            logger.exception("The launch of task %s failed", live.attempt.task_name)
            self._term.health.report("launcher", "A launch failed with an internal error; see the server's log.")
        finally:
            self.release(live.attempt.task_name)

    def _launch(self, live: LiveAttempt) -> None:
        self._call(live, self._term.pool.submit, recovered=False)

    def _recover(self, live: LiveAttempt) -> None:
        # Only now, with the attempt reserved, does nobody else work on it: read how it really stands.
        with self._term.read() as connection:
            current = attempts.find_attempt(connection, live.attempt.run_id, live.attempt.number)
        if current is not None and current.state in LIVE_ATTEMPT_STATES:
            logger.info("Recovering task %s of an earlier launch.", live.attempt.task_name)
            self._call(live, self._term.pool.recover, recovered=True)

    def _call(self, live: LiveAttempt, call: Callable[[Task, Permit], str], recovered: bool) -> None:
        attempt = live.attempt
        created_at = attempt.created_at or live.run.created_at
        task = build_task(live.definition, live.run, attempt.number, attempt.task_name, created_at, live.inherited)
        self._permit()
        launched_at = self._term.now()
        try:
            handle = call(task, partial(self._permit_in_time, live))
        except _TooLate as error:
            self._end(live, AttemptState.FAILED, Reason.TIMEOUT, str(error))
            return
        except LaunchRefused as error:
            self._end(live, AttemptState.FAILED, Reason.LAUNCH_ERROR, str(error))
            return
        except LaunchLost as error:
            self._end(live, AttemptState.LOST, Reason.LOST, str(error))
            return
        except LaunchWaits:
            self._term.wake.watcher.set()  # which says on the run's page what it waits for
            return
        with self._term.lead() as connection:
            if attempts.mark_attempt_running(connection, attempt.id, handle, "", launched_at, None, recovered):
                runs.mark_run_running(connection, attempt.run_id, launched_at)
        self._term.health.clear("launcher")
        if live.attempt.kill_requested_at is not None:
            self._term.wake.watcher.set()

    def _permit_in_time(self, live: LiveAttempt) -> None:
        """The permit, which the pool asks again right before it starts the task: a pull may have taken long."""
        self._permit()
        seconds, since = live.definition.startup_seconds, live.attempt.created_at
        if seconds is not None and since is not None and self._term.now() - since > timedelta(seconds=seconds):
            raise _TooLate(f"it was not started: its launch took longer than {seconds:g} s (startupTimeout)")

    def _end(self, live: LiveAttempt, state: AttemptState, reason: Reason, message: str) -> None:
        self._settler.settle([(live, Ending(state, reason, message, self._term.now()))])
