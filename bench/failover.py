"""How long a cluster is without a leader, with real servers over a real PostgreSQL (and ZooKeeper).

    .venv/bin/python bench/failover.py [--rounds 20] [--election sql|zookeeper|both] [--timeout 2]
        [--keep FOLDER]

A job is due every second. Each round takes the leader away in three ways, and gives it back afterwards:

* SIGKILL. With the SQL lease, servers on one machine see that the process is gone and need not wait for its lease.
* SIGSTOP, which nobody can tell from a machine that is lost: the lease or the session has to run out. Woken up again,
  it must have nothing more to say.
* SIGTERM: it hands over.

Prints median and maximum of the seconds from the signal to the first launch of the next leader (goal 1.2 x timeout
+ 1 s), for SIGTERM to the next one's term (goal 300 ms), and the occurrences of all rounds that did not run exactly
once (goal 0). At last the throughput of three nodes against one; see ``throughput.py``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from signal import Signals
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import throughput
from tests.cluster.server import ServerProcess, wait_for
from tests.cluster.zookeeper import Ensemble
from tests.databases import private_postgres

BEGINS = re.compile(r"^(\S+ \S+) INFO .*This node leads: term", re.MULTILINE)
HANDOVER_GOAL = 0.3
WAYS = [Signals.SIGKILL, Signals.SIGSTOP, Signals.SIGTERM]
TICK = {
    "name": "tick",
    "command": "echo $CHRONOS_SCHEDULED_TIME $(date +%s.%N) >> $CHRONOS_SHARED_DIR/witness",
    "schedule": "R//PT1S",
    "overlap": "allow",
    "catchUp": "all",
}


def terms(server: ServerProcess) -> list[float]:
    """When this node's terms began, in seconds since 1970."""
    found = BEGINS.findall(server.log.read_text())
    return [datetime.strptime(text, "%Y-%m-%d %H:%M:%S,%f").astimezone().timestamp() for text in found]


def launches(server: ServerProcess) -> list[tuple[str, float]]:
    """Scheduled time and start of each task that ran."""
    witness = server.shared_dir / "witness"
    words = [line.split() for line in witness.read_text().splitlines()] if witness.exists() else []
    return [(scheduled, float(started)) for scheduled, started in words]


@dataclass
class Change:
    """One change of leaders: when the signal was sent, when the next term began, when it launched first."""

    began: float
    term: float
    launch: float


def change(leader: ServerProcess, other: ServerProcess, number: Signals) -> Change:
    """Take the leader away, wait for the other's first launch, and give the first back as a follower."""
    before = len(terms(other))
    began = time.time()
    leader.signal(number)
    term = wait_for("the other to lead", lambda: terms(other)[before:], 60)[0]
    launch = wait_for("its first launch", lambda: [at for _, at in launches(other) if at > term], 60)[0]
    if number == Signals.SIGSTOP:
        leader.signal(Signals.SIGCONT)
        wait_for("the first to know", lambda: not leader.get("/api/leader")["isLeader"])
    else:
        leader.terminate()  # it has ended, or is about to
        leader.start()
    return Change(began, term, launch)


def count_wrong(ran: list[float]) -> int:
    """How many occurrences between the first and the last, each a second after the one before, did not run once."""
    seconds = [round(at - min(ran)) for at in ran]
    return len(seconds) - len(set(seconds)) + (max(seconds) + 1 - len(set(seconds)))


def tell(number: Signals, found: Change) -> None:
    """One line for each change, to be found again in the logs of the servers."""
    began = datetime.fromtimestamp(found.began).strftime("%H:%M:%S.%f")
    term, launch = found.term - found.began, found.launch - found.began
    print(f"{began} {number.name}: term after {term:.3f} s, first launch after {launch:.3f} s", file=sys.stderr)


def measure(folder: Path, options: list[str], rounds: int, timeout: float, name: str) -> bool:
    """Whether all goals are reached."""
    leader, other = ServerProcess(folder, *options), ServerProcess(folder, *options)
    changes: dict[Signals, list[Change]] = {number: [] for number in WAYS}
    loads: list[float] = []
    try:
        leader.start().wait_until_it_leads()
        other.start()
        leader.define(**TICK)
        wait_for("the first launches", lambda: launches(leader))
        for number in rounds * WAYS:
            changes[number].append(change(leader, other, number))
            tell(number, changes[number][-1])
            loads.append(os.getloadavg()[0])
            leader, other = other, leader
        leader.patch("tick", disabled=True)
        wait_for("the last run to end", lambda: all(run["finishedAt"] for run in leader.runs("tick")))
    finally:
        leader.terminate()
        other.terminate()
    print(f"{name}, {rounds} rounds, timeout {timeout:g} s, load average {min(loads):.1f} to {max(loads):.1f}")
    good = True
    for number in WAYS:
        good &= show(
            f"{number.name} to the next launch", [each.launch - each.began for each in changes[number]], timeout
        )
    handovers = [each.term - each.began for each in changes[Signals.SIGTERM]]
    good &= show("SIGTERM to the next term", handovers, timeout, HANDOVER_GOAL)
    return good & show_occurrences(leader, [each for some in changes.values() for each in some])


def show(what: str, seconds: list[float], timeout: float, goal: float | None = None) -> bool:
    goal = 1.2 * timeout + 1 if goal is None else goal
    middle, most = median(seconds), max(seconds)
    print(f"  {what}: median {middle:.3f} s, maximum {most:.3f} s,", end=" ")
    print(f"that is {middle / timeout:.2f} and {most / timeout:.2f} x timeout (goal <= {goal:.2f} s)")
    return most <= goal


def show_occurrences(server: ServerProcess, changes: list[Change]) -> bool:
    ran = [datetime.fromisoformat(scheduled).timestamp() for scheduled, _ in launches(server)]
    in_gaps = {at for at in ran if any(each.began <= at <= each.term for each in changes)}
    wrong = count_wrong(ran)
    print(f"  {len(ran)} occurrences ran, {len(in_gaps)} of them due while nobody led,", end=" ")
    print(f"{wrong} were missed or ran twice (goal 0)", flush=True)
    return wrong == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--election", choices=["sql", "zookeeper", "both"], default="both")
    parser.add_argument("--timeout", type=float, default=2.0, help="seconds of the lease or session")
    parser.add_argument("--keep", metavar="FOLDER", help="where the servers' logs stay")
    arguments = parser.parse_args()
    good = True
    with contextlib.ExitStack() as stack:
        name = arguments.keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="chronos-failover-"))
        for election in ("sql", "zookeeper"):
            if arguments.election not in (election, "both"):
                continue
            folder = Path(name) / election
            folder.mkdir(parents=True)
            ensemble = Ensemble(folder, 3)
            with private_postgres() as postgres:
                options = ["--pool", "process", "--database-url", postgres.url, "--election", election]
                options += ["--lease-seconds", str(arguments.timeout)]
                try:
                    if election == "zookeeper":
                        ensemble.start()
                        options += ["--zk-hosts", ensemble.hosts, "--zk-session-seconds", str(arguments.timeout)]
                    good &= measure(folder, options, arguments.rounds, arguments.timeout, election)
                finally:
                    ensemble.stop()
    if arguments.election == "both":
        good &= throughput.run(throughput.ROUNDS, throughput.RUNS, throughput.NODES)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
