"""The framework's subscription at the leading master: opened when it is needed, kept, and given up when it is not.

Only the leader's calls need one. A subscription that another scheduler has taken over is not taken back by itself,
but by the next call that needs it: two nodes that each believe to lead for a moment do not fight for long.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from chronos_py.errors import ChronosError
from chronos_py.pools import PoolState, PoolUnavailable
from chronos_py.pools.mesos import calls
from chronos_py.pools.mesos.agents import count_recovered, read_agents
from chronos_py.pools.mesos.book import Book
from chronos_py.pools.mesos.calls import Json
from chronos_py.pools.mesos.events import TAKEN_OVER, FailedOver, Removed, events
from chronos_py.pools.mesos.http import Address, BrokenCall, Caller, Elsewhere, EventStream, Refused
from chronos_py.pools.mesos.master import open_masters
from chronos_py.pools.mesos.placing import Placing
from chronos_py.pools.mesos.settings import MesosSettings
from chronos_py.pools.mesos.status import read_update
from chronos_py.pools.mesos.task_info import Surroundings
from chronos_py.pools.mesos.usage import UsageWatch

logger = logging.getLogger(__name__)

SCHEDULER, OPERATOR = "/api/v1/scheduler", "/api/v1"
FRAMEWORK_ID = "mesos.framework_id"
READY_SECONDS = 15.0
UNUSED_SECONDS = 60.0
BACK_OFF_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0)
LASTING_SECONDS = 15.0  # what held for so long was no failure when it began
TAKE_BACK_SECONDS = 1.0
RECOVERED_LOOK_SECONDS = 2.0
FOLLOW_SECONDS = 5.0
MOST_REDIRECTS = 3

Answer = TypeVar("Answer")


class Session:
    """Keeps the subscription. All methods may be called from any thread."""

    def __init__(
        self, settings: MesosSettings, surroundings: Surroundings, caller: Caller, book: Book, state: PoolState
    ) -> None:
        """Raises PoolUnavailable when the settings name no masters."""
        self._settings = settings
        self._around = surroundings
        self._caller = caller
        self._masters = open_masters(settings.master, self.look_again)
        self._book = book
        self._state = state
        self._changed = threading.Condition()
        self._again = threading.Event()
        self._follow_again = threading.Event()  # set when it is closed
        self._stream: EventStream | None = None
        self._keeper: threading.Thread | None = None
        self._placing: Placing | None = None
        self._framework_id = ""
        self._problem = ""
        self._is_closed = False
        self._used_at = 0.0
        self._holders = 0
        self._lost_at = float("-inf")
        self._cut_because: PoolUnavailable | None = None  # why we have given up the stream ourselves

    # -------------------------------------------------------------------------------------------- for the pool

    def ready(self) -> Placing:
        """What is subscribed, once all is known that Mesos knows. Raises PoolUnavailable, with the reason."""
        deadline = time.monotonic() + READY_SECONDS
        with self._changed:
            self._used_at = time.monotonic()
            self._problem = self._problem if self._keeper else ""
            while not (self._placing and self._placing.is_ready):
                left = deadline - time.monotonic()
                if self._is_closed:
                    raise PoolUnavailable("The connection to Mesos is closed.")
                if left <= 0 or self._problem:
                    raise PoolUnavailable(self._problem or "Mesos has not answered the subscription in time.")
                self._used_at = time.monotonic()
                self._start()  # the keeper of before may have been about to end
                self._changed.wait(left)
            return self._placing

    def hold(self) -> None:
        """Somebody watches: the subscription is in use until :meth:`release`."""
        with self._changed:
            self._holders += 1
            self._used_at = time.monotonic()

    def release(self) -> None:
        with self._changed:
            self._holders -= 1
            if not self._holders:
                self._used_at = time.monotonic() - UNUSED_SECONDS
                if self._stream is not None:
                    self._stream.cut()
        self._again.set()

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            keeper, stream = self._keeper, self._stream
            self._stream = None
            self._changed.notify_all()
        self._again.set()
        self._follow_again.set()
        if stream is not None:
            stream.cut()
        if keeper is not None and keeper is not threading.current_thread():
            keeper.join(5)
        if stream is not None:
            stream.close()
        self._masters.close()

    def look_again(self) -> None:
        """Another master may lead: find out now."""
        with self._changed:
            stream, keeper = self._stream, self._keeper
        self._again.set()
        if stream is None or keeper is None:
            return
        threading.Thread(target=self._follow, args=(stream,), name="mesos master", daemon=True).start()

    def ask_master(self, question: Json) -> Json:
        """An answer of the operator API, of whichever master leads; needs no subscription. Raises PoolUnavailable."""
        with self._changed:
            stream = self._stream
        if stream is not None:
            return self._operator(stream.where, question)
        return self._of_leader(lambda where: self._operator(where, question))

    def teardown(self, framework_id: str) -> None:
        """End the framework for good: subscribe with its id, and say so, unless Mesos has done it already.

        Raises PoolUnavailable.
        """
        call = calls.subscribe(self._settings.framework, framework_id)
        stream = self._of_leader(lambda where: self._caller.subscribe(where, SCHEDULER, call))
        try:
            next(events(stream))
            self._caller.post(stream.where, SCHEDULER, calls.teardown(framework_id), stream.stream_id)
        except Removed as error:
            logger.info("%s", error)
        finally:
            stream.close()

    # -------------------------------------------------------------------------------------------- the keeper

    def _start(self) -> None:
        if self._keeper is None and not self._is_closed and time.monotonic() - self._lost_at >= TAKE_BACK_SECONDS:
            self._keeper = threading.Thread(target=self._keep, name="mesos subscription", daemon=True)
            self._keeper.start()
        elif self._keeper is None and not self._is_closed:
            raise PoolUnavailable("Another scheduler has just taken the framework over in Mesos.")

    def _keep(self) -> None:
        failures = 0
        while not self._is_closed and not self._is_unused():
            self._again.clear()
            began = time.monotonic()
            try:
                self._subscribe_and_read()
                self._end_stream("")
            except FailedOver as error:  # this node gives way
                self._book.unread()
                self._end_keeping(str(error))
                return
            except ChronosError as error:  # a stream that is given up breaks, too, and that is no problem
                self._end_stream("" if self._is_unused() else str(error))
            except Exception as error:  # a bug must not leave the pool silent for ever
                logger.exception("The Mesos subscription failed")
                self._end_stream(f"The Mesos subscription failed with an internal error: {error}.")
            failures = 1 if time.monotonic() - began > LASTING_SECONDS else failures + 1
            self._again.wait(BACK_OFF_SECONDS[min(failures, len(BACK_OFF_SECONDS)) - 1])
        self._book.unread()
        self._end_keeping("")

    def _is_unused(self) -> bool:
        with self._changed:
            return not self._holders and time.monotonic() - self._used_at >= UNUSED_SECONDS

    def _end_stream(self, problem: str) -> None:
        with self._changed:
            stream, self._stream = self._stream, None
            placing, self._placing = self._placing, None
            if problem and problem != self._problem and not self._is_closed:
                logger.warning("%s", problem)
            self._problem = problem
            self._changed.notify_all()
        if placing is not None:
            placing.stop()
        if stream is not None:
            stream.close()

    def _end_keeping(self, problem: str) -> None:
        self._end_stream(problem)
        with self._changed:
            self._keeper = None
            self._lost_at = time.monotonic() if problem else float("-inf")
            self._changed.notify_all()

    def _subscribe_and_read(self) -> None:
        """Until the stream is over, which raises; it returns when the framework is to be made anew."""
        framework_id = self._state.get(FRAMEWORK_ID)
        call = calls.subscribe(self._settings.framework, framework_id)
        stream = self._of_leader(lambda where: self._caller.subscribe(where, SCHEDULER, call))
        with self._changed:
            self._stream = stream
            self._cut_because = None
            if self._is_closed:
                stream.cut()
        try:
            for event in events(stream):
                self._handle(event, stream)
        except Removed as error:
            if not framework_id:
                raise
            self._give_up(framework_id, error)
        except BrokenCall as error:
            raise (self._cut_because or error) from error

    def _give_up(self, framework_id: str, error: Removed) -> None:
        logger.error("%s A new one is made; the tasks of the old one are lost.", error)
        self._book.lose_all(f"{error} Mesos ended its tasks.")
        if self._state.get(FRAMEWORK_ID) == framework_id:  # else another node has made a new one already
            self._state.set(FRAMEWORK_ID, "")

    def _of_leader(self, ask: Callable[[Address], Answer]) -> Answer:
        """Ask the leading master, whichever it is. Raises PoolUnavailable, with what the last one asked said."""
        problem = PoolUnavailable("No Mesos master leads.")
        for candidate in self._masters.candidates():
            where = candidate
            for _ in range(MOST_REDIRECTS):
                try:
                    return ask(where)
                except Elsewhere as elsewhere:
                    problem = elsewhere
                    where = elsewhere.address
                except PoolUnavailable as error:
                    problem = error
                    break
        raise problem

    def _operator(self, where: Address, question: Json) -> Json:
        try:
            answer = json.loads(self._caller.post(where, OPERATOR, question))
            found: Json = answer[str(question["type"]).lower()]
        except (ValueError, KeyError, TypeError) as error:
            raise PoolUnavailable(f"The Mesos master at {where} gives an answer that cannot be read.") from error
        return found

    def _follow(self, stream: EventStream) -> None:
        """Give the stream up when it is not the leading master's any more."""
        while self._stream is stream:
            try:
                leader = self._masters.candidates()[0]
            except PoolUnavailable:  # as long as the stream lives, its master leads
                self._follow_again.wait(FOLLOW_SECONDS)
                continue
            if leader != stream.where:
                self._cut(stream, Elsewhere(leader))
            return

    # ----------------------------------------------------------------------------------------------- events

    def _handle(self, event: dict[str, Any], stream: EventStream) -> None:
        placing = self._placing
        match event["type"]:
            case "SUBSCRIBED":
                self._begin(event, stream)
            case "OFFERS" if placing:
                placing.offer((event.get("offers") or {}).get("offers") or [])
            case "RESCIND" if placing:
                placing.rescind(str(((event.get("rescind") or {}).get("offer_id") or {}).get("value", "")))
            case "UPDATE" if placing:
                update = read_update((event.get("update") or {}).get("status") or {})
                if update is not None:
                    if self._book.is_undead(update):
                        placing.end_later(update)
                    placing.acknowledge_later(self._book.note(update))
            case "FAILURE" if placing:
                placing.reconcile_soon()

    def _begin(self, event: dict[str, Any], stream: EventStream) -> None:
        framework_id = str(event["subscribed"]["framework_id"]["value"])
        if framework_id != self._state.get(FRAMEWORK_ID):
            self._state.set(FRAMEWORK_ID, framework_id)
        self._book.begin()
        logger.info("Subscribed at the Mesos master %s as framework %s.", stream.where, framework_id)
        placing = Placing(
            self._settings, self._around, self._book, framework_id, lambda call: self._call(stream, call)
        )
        with self._changed:
            self._framework_id = framework_id
            self._placing = placing
        threading.Thread(
            target=self._work, args=(placing, stream, framework_id), name="mesos placing", daemon=True
        ).start()

    def _work(self, placing: Placing, stream: EventStream, framework_id: str) -> None:
        """Read in what Mesos knows, then place tasks, until the stream is over."""
        try:
            self._read_in(placing, stream, framework_id)
            with self._changed:
                self._problem = ""
                placing.is_ready = True
                self._changed.notify_all()
            watch = UsageWatch(self._caller, self._book)
            threading.Thread(
                target=watch.run, args=(lambda: placing.is_stopped,), name="mesos usage", daemon=True
            ).start()
            placing.run(lambda: not self._is_unused())
        except PoolUnavailable as error:
            self._cut(stream, error)
        except Exception:
            logger.exception("Placing tasks on Mesos failed; the subscription is made anew.")
        finally:
            stream.cut()

    def _read_in(self, placing: Placing, stream: EventStream, framework_id: str) -> None:
        while not placing.is_stopped:
            agents = self._operator(stream.where, {"type": "GET_AGENTS"})
            recovered = count_recovered(agents)
            if self._book.is_unread() and recovered:
                with self._changed:
                    self._problem = (
                        f"The Mesos master has just begun to lead and waits for {recovered} agents to register again;"
                        " until then nobody knows how tasks there are."
                    )
                    self._changed.notify_all()
                placing.decline_all()
                placing.wait_until_stopped(RECOVERED_LOOK_SECONDS)
                continue
            found = self._operator(stream.where, {"type": "GET_TASKS"})
            ours = {kind: _of_framework(tasks, framework_id) for kind, tasks in found.items()}
            placing.acknowledge_later(self._book.adopt(ours, read_agents(agents)))
            placing.reconcile(settled_seconds=0)
            return

    def _call(self, stream: EventStream, call: Json) -> None:
        """Make a call of the scheduler's. One that fails ends the subscription, so that nothing stays in doubt."""
        try:
            self._caller.post(stream.where, SCHEDULER, call, stream.stream_id)
        except PoolUnavailable as error:
            is_older = isinstance(error, Refused) and "didn't match the stream ID" in error.words
            self._cut(stream, FailedOver(TAKEN_OVER) if is_older else error)
            raise

    def _cut(self, stream: EventStream, because: PoolUnavailable) -> None:
        with self._changed:
            if self._stream is stream and self._cut_because is None:
                self._cut_because = because
        stream.cut()


def _of_framework(tasks: Any, framework_id: str) -> list[Json]:
    if not isinstance(tasks, list):
        return []
    return [each for each in tasks if (each.get("framework_id") or {}).get("value") == framework_id]
