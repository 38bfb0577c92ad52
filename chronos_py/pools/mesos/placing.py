"""Placing waiting tasks on offers, for as long as one subscription lasts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from chronos_py.errors import ChronosError
from chronos_py.model.constraints import Attribute
from chronos_py.model.task import Task
from chronos_py.pools import LaunchRefused
from chronos_py.pools.mesos import calls
from chronos_py.pools.mesos.book import Book
from chronos_py.pools.mesos.entry import Entry
from chronos_py.pools.mesos.http import Elsewhere, Refused
from chronos_py.pools.mesos.offers import Json, Offer, Placement, Portion, best_fit, read_offer
from chronos_py.pools.mesos.settings import MesosSettings
from chronos_py.pools.mesos.status import Update
from chronos_py.pools.mesos.task_info import Surroundings, task_info
from chronos_py.pools.node_attributes import attributes_of

logger = logging.getLogger(__name__)

IDLE_REFUSE_SECONDS = 3600.0  # REVIVE ends it
LOOK_SECONDS = 1.0
RECONCILE_SECONDS = 30.0
SETTLED_SECONDS = 10.0
PERMIT_SECONDS = 5.0

Call = Callable[[Json], None]


class Placing:
    """Holds the offers of one subscription, and gives back at once what nothing waits for.

    ``run`` belongs to one thread; everything else may be called from any. Its calls end with the subscription: Mesos
    refuses what comes with an older stream's id, so nothing is launched for a leader that another one has followed.
    """

    def __init__(
        self, settings: MesosSettings, surroundings: Surroundings, book: Book, framework_id: str, call: Call
    ) -> None:
        self.framework_id = framework_id
        self.is_ready = False
        self.is_stopped = False
        self._settings = settings
        self._around = surroundings
        self._book = book
        self._call = call
        self._fresh: list[Offer] = []
        self._rescinded: list[str] = []
        self._to_acknowledge: list[Update] = []
        self._to_end: list[Update] = []
        self._suppressed = False
        self._asked_for: set[str] = set()
        self._revived_at = float("-inf")
        self._reconciled_at = time.monotonic()
        self._permits_seen_at = time.monotonic()

    # ------------------------------------------------------------------------------- what comes, and is wanted

    def offer(self, found: Sequence[Json]) -> None:
        """Take in offers; one that cannot be read is left to run out."""
        with self._book.changed:
            for each in found:
                try:
                    self._fresh.append(read_offer(each))
                except (KeyError, TypeError, ValueError, AttributeError) as error:
                    logger.warning("An offer of Mesos cannot be read: %r.", error)
            self._book.changed.notify_all()

    def rescind(self, offer_id: str) -> None:
        with self._book.changed:
            self._rescinded.append(offer_id)

    def acknowledge_later(self, updates: Sequence[Update]) -> None:
        if updates:
            with self._book.changed:
                self._to_acknowledge += updates
                self._book.changed.notify_all()

    def end_later(self, update: Update) -> None:
        """A task that was taken for over runs on: it is to end, since another attempt may have followed it."""
        logger.warning("Mesos says that the task %s, which is over here, runs; it is killed.", update.task_id)
        with self._book.changed:
            self._to_end.append(update)
            self._book.changed.notify_all()

    def reconcile_soon(self) -> None:
        self._reconciled_at = float("-inf")

    def stop(self) -> None:
        with self._book.changed:
            self.is_stopped = True
            self._book.changed.notify_all()

    def wait_until_stopped(self, seconds: float) -> None:
        with self._book.changed:
            self._book.changed.wait_for(lambda: self.is_stopped, seconds)

    def decline_all(self) -> None:
        """Before ``run``, while nobody knows what may be launched: no offer is kept from others."""
        with self._book.changed:
            offers, self._fresh = self._fresh, []
        self._give_back(offers)

    def kill(self, entry: Entry, grace_seconds: float) -> None:
        """Raises PoolUnavailable."""
        self._call(calls.kill(self.framework_id, entry.task_id, entry.agent_id, grace_seconds))

    def reconcile(self, settled_seconds: float) -> None:
        """Ask for all that the master knows, and for each that should still be there."""
        self._reconciled_at = time.monotonic()
        self._call(calls.reconcile(self.framework_id, []))
        tasks = self._book.to_reconcile(settled_seconds)
        if tasks:
            self._call(calls.reconcile(self.framework_id, tasks))

    # ------------------------------------------------------------------------------------------------ placing

    def run(self, is_needed: Callable[[], bool]) -> None:
        """Until it is stopped, or not needed any more. Raises PoolUnavailable when a call fails."""
        while is_needed():
            with self._book.changed:
                has_work = self._fresh or self._to_acknowledge or self._to_end
                if not (has_work or self._wants_offers() or self.is_stopped):
                    self._book.changed.wait(LOOK_SECONDS)
                if self.is_stopped:
                    return
                updates, self._to_acknowledge = self._to_acknowledge, []
                undead, self._to_end = self._to_end, []
                fresh, self._fresh = self._fresh, []
                rescinded, self._rescinded = self._rescinded, []
            for update in updates:
                self._call(calls.acknowledge(self.framework_id, update.agent_id, update.task_id, update.uuid))
            for update in undead:
                self._call(calls.kill(self.framework_id, update.task_id, update.agent_id, 0))
            self._look_at_permits()
            self._place([offer for offer in fresh if offer.id not in rescinded])
            if time.monotonic() - self._reconciled_at >= RECONCILE_SECONDS:
                self.reconcile(SETTLED_SECONDS)

    def _look_at_permits(self) -> None:
        """Whoever waits for long may not be wanted any more, offers or not."""
        if time.monotonic() - self._permits_seen_at >= PERMIT_SECONDS:
            self._permits_seen_at = time.monotonic()
            for entry in self._book.waiting():
                self._is_permitted(entry)

    def _wants_offers(self) -> bool:
        """Whether a task waits for which no offers were asked for yet, and they may be asked for now."""
        waiting = {entry.name for entry in self._book.waiting()}
        is_new = bool(waiting - self._asked_for) or (bool(waiting) and self._suppressed)
        return is_new and time.monotonic() - self._revived_at >= self._settings.revive_seconds

    def _place(self, offers: list[Offer]) -> None:
        waiting = self._book.waiting()
        if not waiting:
            self._give_back(offers)
            self._asked_for = set()
            return
        if offers:
            self._launch_on(offers, waiting)
        elif self._wants_offers():
            self._suppressed = False
            self._asked_for = {entry.name for entry in waiting}
            self._revived_at = time.monotonic()
            self._call(calls.revive(self.framework_id))
        self._book.explain({entry.name: "waiting for an offer of Mesos" for entry in waiting if not entry.reason})

    def _give_back(self, offers: Sequence[Offer]) -> None:
        """And ask for no more, until something waits."""
        self._decline(offers, IDLE_REFUSE_SECONDS)
        if not self._suppressed:
            self._suppressed = True
            self._call(calls.suppress(self.framework_id))

    def _launch_on(self, offers: list[Offer], waiting: Sequence[Entry]) -> None:
        entries = {entry.name: entry for entry in waiting}
        tasks = [entry.task for entry in waiting if entry.task is not None]
        placements, reasons = best_fit(tasks, offers, self._attributes)
        self._book.explain(reasons)
        used = {placement.offer.id for placement in placements if self._accept(placement, entries)}
        self._decline([offer for offer in offers if offer.id not in used], self._settings.refuse_seconds)

    def _accept(self, placement: Placement, entries: Mapping[str, Entry]) -> bool:
        """Launch what may still be launched; False when that is nothing. Raises PoolUnavailable."""
        chosen = [(entries[task.name], task, portion) for task, portion in placement.tasks]
        allowed = [each for each in chosen if self._is_permitted(each[0])]
        infos: list[Json] = []
        entries_sent: list[Entry] = []
        for entry, task, portion in allowed:
            info = self._info(entry, task, placement.offer, portion)
            if info is not None and self._book.send(entry, placement.offer, self.framework_id):
                infos.append(info)
                entries_sent.append(entry)
        if not infos:
            return False
        self._asked_for -= {entry.name for entry in entries_sent}  # one that waits again needs offers again
        try:
            # The rest of the offer comes back with the next one.
            self._call(calls.accept(self.framework_id, placement.offer.id, infos, 0))
        except (Refused, Elsewhere):
            self._book.take_back(entries_sent, placement.offer)
            raise
        self._book.sent(entries_sent)  # without an answer nobody knows; the next subscription finds out
        return True

    def _info(self, entry: Entry, task: Task, offer: Offer, portion: Portion) -> Json | None:
        """None for a task that Mesos cannot be told of: it is refused, and holds up nobody."""
        try:
            return task_info(task, offer, portion, self.framework_id, self._around)
        except Exception as error:
            logger.exception("The task %s cannot be told to Mesos; it is refused.", entry.name)
            self._book.refuse(entry, LaunchRefused(f"The task cannot be told to Mesos: {error}."))
            return None

    def _attributes(self, offer: Offer) -> Mapping[str, Attribute]:
        return attributes_of(offer.hostname, offer.attributes, self._around.attributes)

    def _is_permitted(self, entry: Entry) -> bool:
        permit = entry.permit
        try:
            if permit is not None:
                permit()
        except ChronosError as error:
            self._book.refuse(entry, error)
            return False
        return permit is not None

    def _decline(self, offers: Sequence[Offer], seconds: float) -> None:
        if offers:
            self._call(calls.decline(self.framework_id, [offer.id for offer in offers], seconds))
