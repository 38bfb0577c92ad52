"""Which of two servers leads: where a machine stands still for longer than a lease, that changes by itself."""

from __future__ import annotations

from tests.cluster.server import ServerProcess, wait_for


def let_lead(wanted: ServerProcess, other: ServerProcess) -> int:
    """Have the first of two lead, as it does unless it lost its lease meanwhile; the number of its term."""

    def own_term() -> int | None:
        if other.get("/api/leader")["isLeader"]:
            other.terminate()  # it hands over
            other.start()
        standing = wanted.get("/api/leader")
        is_its_own = standing["isLeader"] and standing["leader"] == wanted.url.removeprefix("http://")
        return int(standing["epoch"]) if is_its_own else None

    return wait_for("the first to lead", own_term)


def wait_until_over(former: ServerProcess, term: int) -> None:
    """Until a server knows that a term of its own is over; on a slow machine it may have begun another since."""
    wait_for(f"it to know that term {term} is over", lambda: f"Term {term} is over" in former.log.read_text())
