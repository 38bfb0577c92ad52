"""Who leads: the contract of an election.

An election decides which node may try; what decides whose writes count is the epoch in SQL. Every way of
electing ends in the same thing: a new epoch, handed to ``on_elected``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Elected = Callable[[int], None]
Deposed = Callable[[str], None]


class Election(Protocol):
    """One node's candidacy."""

    def start(self, on_elected: Elected, on_deposed: Deposed) -> None:
        """Begin to stand. ``on_elected(epoch)`` is called when a term begins, ``on_deposed(why)`` when it is over.

        Both are called from one thread of the election, never at the same time.
        """

    def may_launch(self) -> bool:
        """Whether the term is surely still ours: False from the moment that anything is in doubt."""

    def stop(self) -> None:
        """Stand no longer; end a running term (``on_deposed`` is called) and let the next node lead at once."""
