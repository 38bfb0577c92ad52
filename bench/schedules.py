"""What schedules cost, as ratios taken in one run: reading and stepping cron, refusing, and ten missed years.

    .venv/bin/python bench/schedules.py [--rounds 7]

Prints (a) how many times faster a schedule is read and stepped than by croniter, (b) how long it takes to refuse one
that never comes, (c) the first tick of the planner after ten missed years of a job of every minute against a tick
without anything missed. Exit status 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from croniter import croniter

from chronos_py.errors import ScheduleError
from chronos_py.health import Health
from chronos_py.logs import LogArchive, TaskLogs
from chronos_py.model.schedule import cron, parse_schedule, wall_clock, zone
from chronos_py.services import Application
from chronos_py.store import leadership, schema
from chronos_py.store.database import Database
from chronos_py.wake import Wake
from tests.scheduler.conftest import Leader, ManualClock, Term, elect
from tests.scheduler.scripted_pool import ScriptedPool

GOAL_CRONITER = 10.0
GOAL_REFUSAL_MS = 100.0
GOAL_MISSED = 2.0

MIXED_SET = [
    ("* * * * *", "UTC"),
    ("*/5 * * * *", "Europe/Berlin"),
    ("30 2 * * *", "Europe/Berlin"),
    ("30 1 * * *", "America/New_York"),
    ("0 3,15 * * *", "America/New_York"),
    ("15 10-14 * * 1-5", "Europe/Berlin"),
    ("0 */6 * * *", "Australia/Sydney"),
    ("5,35 8-18 * * mon-fri", "America/New_York"),
    ("0 0 1 * *", "UTC"),
    ("0 0 L * *", "Europe/Berlin"),
    ("0 9 * * 1#2", "America/New_York"),
    ("45 23 * * 0", "Asia/Tokyo"),
    ("0 12 15 */3 *", "Europe/Berlin"),
    ("0 0 29 2 *", "UTC"),
]
STARTS = 40


def starts(name: str) -> list[datetime]:
    """Instants of 2026, local in their zone as croniter takes them."""
    chance = random.Random(name)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        (begin + timedelta(seconds=chance.randrange(31_536_000))).astimezone(ZoneInfo(name)) for _ in range(STARTS)
    ]


def of_croniter(text: str, instant: datetime) -> datetime:
    found = croniter(text, instant).get_next(datetime)
    assert isinstance(found, datetime)
    return found


def of_ours(text: str, name: str, instant: datetime) -> datetime | None:
    return parse_schedule(text, name).next_after(instant)


def of_ours_anew(text: str, name: str, instant: datetime) -> datetime | None:
    cron._expression.cache_clear()
    zone._transitions_of.cache_clear()
    wall_clock._shape.cache_clear()
    return of_ours(text, name, instant)


def seconds(step: Callable[[datetime], object], instants: list[datetime]) -> float:
    """For one step, on average."""
    begin = perf_counter()
    for instant in instants:
        step(instant)
    return (perf_counter() - begin) / len(instants)


def differences() -> list[str]:
    """Where the two say different times, but for the days of a change, where their rules differ."""
    lines = []
    for text, name in MIXED_SET:
        for instant in starts(name):
            ours, theirs = of_ours(text, name, instant), of_croniter(text, instant)
            days = (theirs - timedelta(days=1), theirs + timedelta(days=1))
            if ours != theirs and len({day.utcoffset() for day in (instant, *days)}) == 1:
                lines.append(f"{text} in {name} after {instant.isoformat()}: {ours}, croniter says {theirs}")
    return lines


def against_croniter(rounds: int) -> bool:
    for line in (different := differences()):
        print(line)
    kept: list[float] = []
    anew: list[float] = []
    by_case: dict[tuple[str, str], list[float]] = {}
    rates: list[tuple[float, float]] = []
    for _ in range(rounds):
        totals = [0.0, 0.0, 0.0]
        for text, name in MIXED_SET:
            instants = starts(name)
            spent = [
                seconds(partial(of_croniter, text), instants),
                seconds(partial(of_ours_anew, text, name), instants),
            ]
            seconds(partial(of_ours, text, name), instants)  # fills the caches again
            spent.append(seconds(partial(of_ours, text, name), instants))
            totals = [total + one for total, one in zip(totals, spent, strict=True)]
            by_case.setdefault((text, name), []).append(spent[0] / spent[2])
        kept.append(totals[0] / totals[2])
        anew.append(totals[0] / totals[1])
        rates.append((len(MIXED_SET) / totals[0], len(MIXED_SET) / totals[2]))
    ratios = {case: median(values) for case, values in by_case.items()}
    slowest = min(ratios, key=lambda case: ratios[case])
    theirs, ours = (median(rate) for rate in zip(*rates, strict=True))
    print(f"read and step, {len(MIXED_SET)} schedules: {ours:,.0f}/s against croniter's {theirs:,.0f}/s,", end=" ")
    print(f"{median(kept):.1f} times as many (goal: >= {GOAL_CRONITER:g});", end=" ")
    print(
        f"median schedule {median(ratios.values()):.1f}, lowest {ratios[slowest]:.1f} ({slowest[0]}, {slowest[1]});"
    )
    print(f"with every cache emptied before each: {median(anew):.1f} times as many")
    return not different and median(kept) >= GOAL_CRONITER


def refusal(rounds: int) -> bool:
    spent = []
    for _ in range(rounds):
        cron._expression.cache_clear()
        wall_clock._shape.cache_clear()
        begin = perf_counter()
        try:
            parse_schedule("0 0 31 2 *", "Europe/Berlin")
        except ScheduleError:
            spent.append((perf_counter() - begin) * 1000)
    print(f"refuse 0 0 31 2 *: {median(spent):.1f} ms (goal: <= {GOAL_REFUSAL_MS:g} ms)")
    return len(spent) == rounds and median(spent) <= GOAL_REFUSAL_MS


def lead(folder: Path, now: datetime) -> Leader:
    """A leader of an empty cluster of its own, whose clock shows ``now``."""
    database = Database(f"sqlite:///{folder / 'chronos.db'}")
    schema.upgrade(database)
    leadership.ensure_row(database)
    clock, pool = ManualClock(now), ScriptedPool()
    logs = TaskLogs(LogArchive(str(folder / "logs")), pool)
    application = Application(database, clock, Wake(), Health(clock), logs, pool, Term(), "bench:1", now)
    return elect(application, pool, "bench")


def tick(leader: Leader, **ahead: float) -> float:
    """Milliseconds of the planner's step when the clock has gone on."""
    leader.clock.advance(**ahead)
    begin = perf_counter()
    leader.planner.step()
    return (perf_counter() - begin) * 1000


def missed_years(rounds: int, text: str, name: str) -> bool:
    """Normal ticks, the one after ten years with cold caches, and normal ones again: one round."""
    ratios, normal, first = [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="chronos-bench-") as folder:
            leader = lead(Path(folder), datetime(2016, 1, 1, tzinfo=UTC))
            try:
                leader.define("minutely", schedule=text, scheduleTimeZone=name, overlap="allow")
                tick(leader, minutes=1)
                ticks = [tick(leader, minutes=1) for _ in range(20)]
                zone._transitions_of.cache_clear()
                wall_clock._shape.cache_clear()
                first.append(tick(leader, days=3653))
                (skipped,) = [run for run in leader.runs("minutely") if (run.occurrences or 1) > 1]
                assert skipped.occurrences == 3653 * 1440 - 1, skipped.occurrences
                ticks += [tick(leader, minutes=1) for _ in range(20)]
            finally:
                leader.launcher.stop()
                leader.database.close()
        normal.append(median(ticks))
        ratios.append(first[-1] / normal[-1])
    print(
        f"first tick after 10 missed years of {text} ({name}): {median(first):.1f} ms, a normal one"
        f" {median(normal):.1f} ms,"
    )
    print(f"  {median(ratios):.2f} times as long (goal: <= {GOAL_MISSED:g})")
    return median(ratios) <= GOAL_MISSED


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    met = [
        against_croniter(rounds),
        refusal(rounds),
        missed_years(rounds, "* * * * *", "Europe/Berlin"),
        missed_years(rounds, "R/2016-01-01T00:00:00Z/PT1M", "Europe/Berlin"),
    ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
