"""Jitter: a delay that spreads what is due at once, the same on every node and after every restart."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta


def jitter(name: str, occurrence: datetime, most: timedelta) -> timedelta:
    """From nothing to ``most``, to the millisecond, made of the job's name and the occurrence."""
    digest = hashlib.sha256(f"{name}|{occurrence.astimezone(UTC).isoformat()}".encode()).digest()
    milliseconds = int(most / timedelta(milliseconds=1))
    return timedelta(milliseconds=int.from_bytes(digest[:8]) % (milliseconds + 1))
