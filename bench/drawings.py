"""What it costs to lay chains out, in processor time of one round (the fastest of some).

    .venv/bin/python bench/drawings.py [--rounds 5]

Prints milliseconds for an ETL chain of 500 jobs in ten layers, for one with edges over many layers, and for 250
chains of two jobs. Exit status 1 when one of them takes longer than the goal.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path
from time import process_time

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chronos_py.web.chains.layered import Edge, lay_out

GOAL_MS = 600.0
JOBS = 500


def layered() -> list[Edge]:
    """Ten layers of fifty, one to three parents each in the layer before."""
    chance = random.Random(2)
    return [
        (f"job {layer - 1} {parent:02}", f"job {layer} {number:02}")
        for layer in range(1, 10)
        for number in range(50)
        for parent in chance.sample(range(50), chance.choice((1, 1, 2, 3)))
    ]


def long_edges() -> list[Edge]:
    """A graph in some fifty layers whose edges often pass several of them."""
    chance = random.Random(1)
    found: set[Edge] = set()
    while len(found) < 700:
        parent = chance.randrange(JOBS - 1)
        child = min(JOBS - 1, parent + 1 + int(chance.expovariate(1 / 15)))
        found.add((f"job {parent:03}", f"job {child:03}"))
    return sorted(found)


def pairs() -> list[Edge]:
    return [(f"parent {number:03}", f"child {number:03}") for number in range(JOBS // 2)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds: int = parser.parse_args().rounds
    is_missed = False
    for name, edges in (("ten layers", layered()), ("long edges", long_edges()), ("pairs", pairs())):
        names = {end for edge in edges for end in edge}
        fastest = min(_spent(names, edges) for _ in range(rounds))
        is_missed = is_missed or fastest > GOAL_MS
        print(f"{name}: {len(names)} jobs, {len(edges)} edges: {fastest:.0f} ms (goal: {GOAL_MS:.0f})")
    return 1 if is_missed else 0


def _spent(names: set[str], edges: list[Edge]) -> float:
    began = process_time()
    lay_out(names, edges)
    return (process_time() - began) * 1000


if __name__ == "__main__":
    sys.exit(main())
