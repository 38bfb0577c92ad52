"""The tasks that the scheduler knows of, and what Mesos said of each: in memory, told again by Mesos to a new leader.

A final state is never overwritten: Mesos answers that a finished and acknowledged task is gone. An update is kept
until it may be acknowledged: one that ends a task when the task is forgotten, which comes after its end is committed;
any other when it was listed, and the next listing shows that its reader is through with it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from chronos_py.model.task import Task
from chronos_py.pools import Permit, TaskStatus, Usage
from chronos_py.pools.mesos.entry import Agent, Entry, Phase, task_id_of
from chronos_py.pools.mesos.offers import Json, Offer
from chronos_py.pools.mesos.status import Meaning, Update, read_update
from chronos_py.pools.mesos.task_info import LABEL_CLUSTER, LABEL_TASK, mesos_task_id

MOST_FORGOTTEN = 100_000
_WITHDRAWN = "withdrawn before Mesos offered room for it; it never began"
_TAKEN_AS_LOST = "Mesos does not know the task any more, and it was asked to be killed; it is taken as lost"


class Book:
    """The tasks of one scheduler. All methods may be called from any thread."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self.changed = threading.Condition(threading.RLock())
        self._entries: dict[str, Entry] = {}  # by task id
        self._names: dict[str, str] = {}  # task ids by names
        self._past: dict[str, Entry] = {}  # ended and acknowledged before this leader's time, by name
        self._forgotten: dict[str, None] = {}
        self._nameless: dict[str, list[Update]] = {}
        self._is_read = False
        self._knows_all = False  # also what another leader launched before this subscription
        self._hints: list[queue.SimpleQueue[str]] = []

    # ------------------------------------------------------------------------------------------- launching

    def by_name(self, name: str) -> Entry | None:
        with self.changed:
            return self._entries.get(self._names.get(name, ""))

    def by_handle(self, handle: str) -> Entry | None:
        with self.changed:
            return self._entries.get(task_id_of(handle))

    def is_forgotten(self, handle: str) -> bool:
        with self.changed:
            return task_id_of(handle) in self._forgotten

    def take_past(self, name: str) -> Entry | None:
        """A task that Mesos remembers as ended and acknowledged; it is listed again from now on."""
        with self.changed:
            entry = self._past.pop(name, None)
            if entry is not None:
                self._add(entry)
            return entry

    def wait(self, task: Task, permit: Permit) -> Entry:
        """Let a task wait for an offer, or wait on with another permit; one that Mesos knows stays as it is."""
        with self.changed:
            entry = self.by_name(task.name)
            if entry is None:
                entry = Entry(task.name, mesos_task_id(task), Phase.WAITING)
                self._forgotten.pop(entry.task_id, None)
                self._add(entry)
            if entry.phase is Phase.WAITING:
                entry.task, entry.permit, entry.error = task, permit, None
            self.changed.notify_all()
            return entry

    def waiting(self) -> list[Entry]:
        """Those that wait for an offer and may be launched, the oldest first."""
        with self.changed:
            return [entry for entry in self._entries.values() if entry.phase is Phase.WAITING and not entry.error]

    def explain(self, reasons: Mapping[str, str]) -> None:
        with self.changed:
            for name, reason in reasons.items():
                entry = self.by_name(name)
                if entry is not None and entry.phase is Phase.WAITING and entry.reason != reason:
                    entry.reason = reason
                    self._hint(name)

    def refuse(self, entry: Entry, error: Exception) -> None:
        """It may not be launched, for now or ever."""
        with self.changed:
            entry.error = error
            self.changed.notify_all()

    def send(self, entry: Entry, offer: Offer, framework_id: str) -> bool:
        """Mesos is about to be told to launch it; False when it was withdrawn meanwhile."""
        with self.changed:
            if entry.phase is not Phase.WAITING or self._entries.get(entry.task_id) is not entry:
                return False
            entry.phase, entry.is_sending = Phase.SENT, True
            entry.framework_id, entry.agent_id = framework_id, offer.agent_id
            entry.address, entry.hostname, entry.reason = offer.address, offer.hostname, ""
            entry.offer_id, entry.sent_at = offer.id, time.monotonic()
            return True

    def sent(self, entries: Iterable[Entry]) -> None:
        """Mesos has taken them."""
        with self.changed:
            for entry in entries:
                self._is_sent(entry)

    def take_back(self, entries: Iterable[Entry], offer: Offer) -> None:
        """Surely not launched on this offer: they wait again, unless more has been found out about them meanwhile."""
        with self.changed:
            for entry in entries:
                if entry.is_in_doubt and entry.offer_id == offer.id:
                    self._wait_again(entry)

    def withdraw(self, entry: Entry) -> bool:
        """End a task that waits; False when it does not."""
        with self.changed:
            if entry.phase is not Phase.WAITING:
                return False
            self._end(entry, _WITHDRAWN)
            return True

    def take_as_lost(self, entry: Entry) -> None:
        with self.changed:
            if entry.phase is Phase.SENT:
                self._end(entry, _TAKEN_AS_LOST)

    def drop(self, entry: Entry) -> None:
        """Forget a task that waits; nobody will ask for it again."""
        with self.changed:
            if entry.phase is Phase.WAITING:
                self._remove(entry)

    # --------------------------------------------------------------------------------------------- updates

    def is_undead(self, update: Update) -> bool:
        """Whether the master says now that a task runs which is over here: it was given up, and has come back."""
        if update.uuid or update.meaning not in (Meaning.UNDER_WAY, Meaning.RUNNING):
            return False
        with self.changed:
            entry = self._entries.get(update.task_id)
            return entry.phase is Phase.OVER if entry else update.task_id in self._forgotten

    def note(self, update: Update) -> list[Update]:
        """Take in what Mesos says of a task; the updates that may be acknowledged at once."""
        with self.changed:
            entry = self._entries.get(update.task_id)
            if entry is None:
                if not update.uuid:
                    return []
                if update.task_id in self._forgotten or self._knows_all:
                    return [update]  # settled already, or no task of ours
                self._nameless.setdefault(update.task_id, []).append(update)
                return []
            return self._note(entry, update)

    def _note(self, entry: Entry, update: Update) -> list[Update]:
        if update.uuid in entry.acknowledged:
            return [update]
        is_new = not update.uuid or update.uuid not in entry.seen
        if update.uuid and is_new:
            entry.seen.add(update.uuid)
            entry.unacknowledged.append(update)
        if is_new and entry.phase is not Phase.OVER:
            self._apply(entry, update)
            self._hint(entry.name)
            self.changed.notify_all()
        return []

    def _apply(self, entry: Entry, update: Update) -> None:
        never_heard_of = entry.update is None and not update.uuid
        if never_heard_of and _was_not_launched(update):
            if entry.task is not None:
                self._wait_again(entry)
                return
        elif not update.uuid and update.state == "TASK_ERROR" and "duplicate ID" in update.message:
            self._is_sent(entry)  # an earlier call has launched it; what Mesos knows of that comes by itself
            return
        if entry.phase is Phase.WAITING:
            entry.phase = Phase.SENT
        self._is_sent(entry)
        entry.agent_id = update.agent_id or entry.agent_id
        if update.meaning is Meaning.RUNNING and entry.started_at is None and update.uuid:
            entry.started_at = update.at
        before = entry.update.meaning if entry.update else Meaning.UNDER_WAY
        if update.meaning is Meaning.UNDER_WAY and before is Meaning.RUNNING:
            return  # an old update that comes late
        entry.update = update
        if update.is_final:
            entry.phase = Phase.OVER
            entry.finished_at = update.at or datetime.now(UTC)

    def adopt(self, found: Json, agents: Mapping[str, Agent]) -> list[Update]:
        """Take in what the master knows of all tasks (GET_TASKS); updates that may be acknowledged at once."""
        with self.changed:
            for kind in ("tasks", "unreachable_tasks", "pending_tasks"):
                for each in found.get(kind) or []:
                    self._adopt(each, agents)
            self._past = {}
            for each in found.get("completed_tasks") or []:
                entry = self._read(each, agents)
                if entry is not None and entry.phase is Phase.OVER and entry.name not in self._names:
                    self._past[entry.name] = entry
            self._is_read = self._knows_all = True
            nameless, self._nameless = self._nameless, {}
            at_once: list[Update] = []
            for updates in nameless.values():
                for update in updates:
                    at_once += self.note(update)
            self.changed.notify_all()
            return at_once

    def locate(self, agents: Mapping[str, Agent]) -> None:
        """Where the tasks are whose agents were away when they were taken in."""
        with self.changed:
            for entry in self._entries.values():
                agent = agents.get(entry.agent_id)
                if agent is not None and not entry.address:
                    entry.address, entry.hostname = agent.address, agent.hostname

    def _adopt(self, found: Json, agents: Mapping[str, Agent]) -> None:
        entry = self._read(found, agents)
        if entry is None or entry.task_id in self._forgotten:
            return  # an end is told again until it is acknowledged, and what runs though it is over is ended
        known = self._entries.get(entry.task_id)
        if known is None:
            self._add(entry)
            self._hint(entry.name)
        elif known.phase is Phase.WAITING:  # an earlier leader had launched it
            self._remove(known)
            self._add(entry)
            self._hint(entry.name)
        else:
            self._is_sent(known)
            self._catch_up(known, entry)

    def _catch_up(self, known: Entry, found: Entry) -> None:
        """It may have ended while nobody listened: only this, and the update when it comes again, says how."""
        if found.phase is Phase.OVER and found.update is not None and known.phase is not Phase.OVER:
            known.started_at = known.started_at or found.started_at
            self._apply(known, found.update)
            self._hint(known.name)

    def _read(self, found: Json, agents: Mapping[str, Agent]) -> Entry | None:
        """A task of the master's; None when it is none of this cluster's."""
        pairs = (found.get("labels") or {}).get("labels") or []
        labels = {str(pair.get("key")): str(pair.get("value", "")) for pair in pairs}
        if labels.get(LABEL_CLUSTER) != self._cluster or not labels.get(LABEL_TASK):
            return None
        agent_id = str((found.get("agent_id") or {}).get("value", ""))
        agent = agents.get(agent_id, Agent("", ""))
        entry = Entry(
            labels[LABEL_TASK],
            found["task_id"]["value"],
            Phase.SENT,
            framework_id=found["framework_id"]["value"],
            agent_id=agent_id,
            address=agent.address,
            hostname=agent.hostname,
        )
        for status in found.get("statuses") or []:
            update = read_update({"task_id": found["task_id"], **status})
            if update is not None and entry.phase is not Phase.OVER:
                self._apply(entry, update)
        return entry

    def is_unread(self) -> bool:
        with self.changed:
            return not self._is_read

    def begin(self) -> None:
        """A subscription has begun: until the master's tasks are read, one that is not known may be ours, too."""
        with self.changed:
            self._knows_all = False

    def unread(self) -> None:
        """Another leader has a hand in: what the master knows is to be read anew."""
        with self.changed:
            self._is_read = False

    def lose_all(self, message: str) -> None:
        """The framework is gone, and all its tasks with it."""
        with self.changed:
            for entry in self._entries.values():
                if entry.phase is Phase.SENT:
                    self._end(entry, message)
            self._past.clear()

    # --------------------------------------------------------------------------------------------- listing

    def statuses(self) -> tuple[list[TaskStatus], list[Update]]:
        """Every task, and the updates that may be acknowledged now that they were listed before."""
        with self.changed:
            due: list[Update] = []
            again: list[str] = []
            for entry in self._entries.values():
                ready = [each for each in entry.unacknowledged if each.uuid in entry.listed and not each.is_final]
                for update in ready:
                    entry.unacknowledged.remove(update)
                    entry.acknowledged.add(update.uuid)
                due += ready
                fresh = [each for each in entry.unacknowledged if not each.is_final]
                if fresh:
                    entry.listed |= {each.uuid for each in fresh}
                    again.append(entry.name)
            for name in again:  # whoever lists is to come again soon, or Mesos holds back what follows
                self._hint(name)
            return [entry.status() for entry in self._entries.values()], due

    def forget(self, entry: Entry) -> list[Update]:
        """Free the name of an ended task; the updates to be acknowledged. One that runs is left alone."""
        with self.changed:
            if entry.phase is Phase.SENT or self._entries.get(entry.task_id) is not entry:
                return []
            self._remove(entry)
            self._forgotten[entry.task_id] = None
            while len(self._forgotten) > MOST_FORGOTTEN:
                del self._forgotten[next(iter(self._forgotten))]
            return entry.unacknowledged

    def to_reconcile(self, settled_seconds: float) -> list[tuple[str, str]]:
        """Ids and agents of what Mesos was told to launch so long ago and has not said to be over."""
        before = time.monotonic() - settled_seconds
        with self.changed:
            sent = [each for each in self._entries.values() if each.phase is Phase.SENT and each.sent_at <= before]
            return [(each.task_id, each.agent_id) for each in sent]

    def addresses_of_running(self) -> set[str]:
        """Of the agents whose tasks run, as far as anybody knows."""
        with self.changed:
            return {each.address for each in self._entries.values() if each.phase is Phase.SENT and each.started_at}

    def note_usage(self, found: Mapping[tuple[str, str], Usage]) -> None:
        """What tasks were seen to use, by the ids of framework and task: the most that was ever seen counts."""
        with self.changed:
            for (framework_id, task_id), usage in found.items():
                entry = self._entries.get(task_id)
                if entry is not None and entry.framework_id == framework_id:
                    entry.usage = Usage(
                        _most(entry.usage.cpu_seconds, usage.cpu_seconds),
                        _most(entry.usage.max_memory_mb, usage.max_memory_mb),
                    )

    def subscribe_hints(self) -> queue.SimpleQueue[str]:
        hints: queue.SimpleQueue[str] = queue.SimpleQueue()
        with self.changed:
            self._hints.append(hints)
        return hints

    def unsubscribe_hints(self, hints: queue.SimpleQueue[str]) -> None:
        with self.changed:
            self._hints.remove(hints)

    # ---------------------------------------------------------------------------------------------------

    def _hint(self, name: str) -> None:
        for hints in self._hints:
            hints.put(name)

    def _add(self, entry: Entry) -> None:
        self._entries[entry.task_id] = entry
        self._names[entry.name] = entry.task_id

    def _remove(self, entry: Entry) -> None:
        self._entries.pop(entry.task_id, None)
        self._names.pop(entry.name, None)

    def _is_sent(self, entry: Entry) -> None:
        if entry.is_sending:
            entry.is_sending = False
            self._hint(entry.name)
            self.changed.notify_all()

    def _wait_again(self, entry: Entry) -> None:
        if entry.phase is Phase.SENT:
            entry.phase, entry.is_sending = Phase.WAITING, False
            entry.agent_id, entry.address, entry.hostname = "", "", ""
            self._hint(entry.name)
            self.changed.notify_all()

    def _end(self, entry: Entry, message: str) -> None:
        entry.phase, entry.message, entry.finished_at = Phase.OVER, message, datetime.now(UTC)
        entry.is_sending = False
        self._hint(entry.name)
        self.changed.notify_all()


def _most(before: float | None, now: float | None) -> float | None:
    return max((each for each in (before, now) if each is not None), default=None)


def _was_not_launched(update: Update) -> bool:
    """Whether the master itself says of a task nothing was heard of that it never came to an agent."""
    return update.reason == "REASON_INVALID_OFFERS" or (
        update.is_reconciliation and update.state in ("TASK_UNKNOWN", "TASK_GONE", "TASK_DROPPED")
    )
