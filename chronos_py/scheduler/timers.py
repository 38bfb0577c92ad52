"""The node's timers: exact wake-ups and periodic chores, driven by APScheduler.

Job definitions never live here: APScheduler holds a handful of timers in memory, SQL holds the rest. What must
survive a step of the wall clock (the lease, the polling of duties) waits on the monotonic clock instead.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from chronos_py.clock import Clock, SystemClock

FARTHEST = timedelta(days=7)  # what is farther away is looked at again then


class Timers:
    """Timers of one node; UTC. ``clock`` tells the times that others name, which may not be the machine's."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler = BackgroundScheduler(
            timezone="UTC", job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        # One that is going off in this moment would look for itself in vain, once APScheduler counts as stopped.
        self._scheduler.remove_all_jobs()
        self._scheduler.shutdown(wait=False)

    def wake_at(self, name: str, event: threading.Event, when: datetime | None) -> None:
        """Set ``event`` at ``when``; replaces the earlier wish of that name, None takes it away."""
        if when is None:
            self.cancel(name)
        else:
            delay = min(when - self._clock.now(), FARTHEST)
            # APScheduler's own clock is the machine's.
            trigger = DateTrigger(datetime.now(UTC) + delay, timezone=UTC)
            self._scheduler.add_job(event.set, trigger, id=name, replace_existing=True)

    def every(self, name: str, period: timedelta, chore: Callable[[], None]) -> None:
        """Call ``chore`` every ``period``, never twice at once."""
        # A trigger looks for the machine's time zone otherwise, and many containers have none.
        trigger = IntervalTrigger(seconds=period.total_seconds(), timezone=UTC)
        self._scheduler.add_job(chore, trigger, id=name, replace_existing=True)

    def cancel(self, name: str) -> None:
        try:
            self._scheduler.remove_job(name)
        except JobLookupError:
            return  # it has gone off already
