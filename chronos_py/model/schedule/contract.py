"""What every schedule can be asked."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Protocol


class Schedule(Protocol):
    """A parsed schedule. All instants are aware UTC."""

    @property
    def text(self) -> str:
        """As the user wrote it."""

    @property
    def zone(self) -> tzinfo:
        """Whose wall clock it follows."""

    @property
    def repetitions(self) -> int | None:
        """How many occurrences may be run in all; None: any number."""

    def anchored(self, defined_at: datetime) -> Schedule:
        """The same schedule with an open start fixed at ``defined_at``. Everything below needs that first."""

    def first(self, defined_at: datetime) -> datetime | None:
        """The first occurrence owed to a job defined at ``defined_at``."""

    def next_after(self, instant: datetime) -> datetime | None:
        """The first occurrence strictly after ``instant``."""

    def latest_at_or_before(self, instant: datetime) -> datetime | None:
        """The last occurrence at or before ``instant``."""

    def count_between(self, first: datetime, last: datetime) -> int | None:
        """How many occurrences lie in [first, last]; None: more than are worth counting. Never steps through many."""
