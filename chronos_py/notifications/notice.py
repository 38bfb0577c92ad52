"""What is said about an event, in the words that every channel uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

# How the subject goes on after "[cluster] [Chronos] "; the original's sentences, which people filter their mail by.
_SUBJECTS = {
    "run_failed": "job '{}' failed!",
    "job_disabled": "job '{}' disabled",
    "job_deleted": "Your job '{}' was deleted!",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """An event of the outbox. ``decided_at`` is aware UTC; ``payload`` is what services.announcing put there."""

    id: int
    topic: str
    payload: Mapping[str, Any]
    decided_at: datetime

    @property
    def job(self) -> str:
        return str(self.payload.get("job", ""))

    @property
    def owners(self) -> tuple[str, ...]:
        """The job's owners: addresses, as a rule, parted by commas."""
        owners = str(self.payload.get("owner", "")).split(",")
        return tuple(dict.fromkeys(owner.strip() for owner in owners if owner.strip()))

    def subject(self, cluster_name: str) -> str:
        words = _SUBJECTS.get(self.topic, self.topic + " of job '{}'").format(self.job)
        return f"[{cluster_name}] [Chronos] {words}" if cluster_name else f"[Chronos] {words}"

    def message(self, site: str) -> str:
        """Sentences, never none; with a link into the pages at the address ``site``."""
        time = self.decided_at.isoformat(timespec="seconds").replace("+00:00", "Z")
        happened = str(self.payload.get("message") or "no more is known")
        if self.topic == "run_failed":
            retries = self.payload.get("attempts", 1) - 1
            text = (
                f"{time}: run {self.payload.get('run')} failed; retries attempted: {retries}."
                f"\nTask id: {self.payload.get('task', '')}\n{happened}"
            )
        else:
            text = f"{time}: {happened}"
        link = self._link()
        return f"{text}\n{site.rstrip('/')}{link}" if link and site else text

    def _link(self) -> str:
        if self.topic == "run_failed" and "run" in self.payload:
            return f"/runs/{self.payload['run']}"
        return f"/jobs/{quote(self.job, safe='')}" if self.topic == "job_disabled" else ""

    def sentence(self) -> str:
        """One line for the server's log."""
        if self.topic == "run_failed":
            attempts = self.payload.get("attempts", 1)
            times = "once" if attempts == 1 else f"{attempts} times"
            return f"Job {self.job} failed (run {self.payload.get('run')}, tried {times}): {self._said()}"
        ending = {"job_disabled": "was disabled", "job_deleted": "was deleted"}.get(self.topic, self.topic)
        return f"Job {self.job} {ending}: {self._said()}"

    def _said(self) -> str:
        return str(self.payload.get("message", ""))
