#!/usr/bin/env python3
"""Compares the next time of random cron expressions with the oracle of the tests, and prints what differs.

    .venv/bin/python script/verify_cron.py [--count 1000000] [--seed 20261121] [--processes 2]

Every triple is an expression drawn from the whole language, any zone, and an instant of 2020 to 2040, half of them
within 30 hours of a change of that zone's offset. Exit status 1 when anything differs.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chronos_py.errors import ScheduleError
from chronos_py.model.schedule.cron import CronExpression, parse_cron
from tests.unit.cron_oracle import ALIASES, FIRST_YEAR, LAST_YEAR, MONTHS, WEEKDAYS, Oracle, changes, zone_names

SEED = 20261121
SHOWN = 20
CHUNK = 2000

_START = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
_SECONDS = int((datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC) - _START).total_seconds())
_HASHED = re.compile(r"H(\(\d+-\d+\))?(/\d+)?")


def spelled(chance: random.Random, number: int, low: int, names: list[str]) -> str:
    """A number or its name, in any case."""
    if not names or chance.random() < 0.5:
        return f"{number:02d}" if chance.random() < 0.05 else str(number)
    return chance.choice((str.upper, str.lower, str.title))(names[(number - low) % len(names)])


def plain_item(chance: random.Random, low: int, high: int, names: list[str]) -> str:
    """One item of a list: a number, a range either way round, or either with a step."""
    first, last = (chance.randint(low, high) for _ in range(2))
    step = chance.choice((1, 2, 3, 5, 7, 10, 15, 20, 40, high, high + 1))
    one, other = (spelled(chance, number, low, names) for number in (first, last))
    return chance.choice((one, one, one, f"{one}-{other}", f"{one}-{other}/{step}", f"{one}/{step}", f"*/{step}"))


def plain_field(chance: random.Random, low: int, high: int, names: list[str] = []) -> str:  # noqa: B006
    if chance.random() < 0.35:
        return chance.choice(("*", "*", f"*/{chance.randint(1, high + 2)}", f"{low}-{high}"))
    return ",".join(plain_item(chance, low, high, names) for _ in range(chance.choice((1, 1, 1, 2, 3, 6))))


def fixed_hours(chance: random.Random) -> str:
    """Without a wildcard and without a step."""
    first, last = sorted(chance.randint(0, 23) for _ in range(2))
    several = ",".join(str(chance.randint(0, 23)) for _ in range(chance.randint(2, 5)))
    return chance.choice((str(chance.randint(0, 23)), str(chance.randint(0, 4)), f"{first}-{last}", several))


def hashed_field(chance: random.Random, low: int, high: int) -> str:
    first = chance.randint(low, high)
    last = chance.randint(first, high)
    return chance.choice(
        ("H", f"H({first}-{last})", f"H/{chance.randint(1, high - low + 1)}", f"H({first}-{last})/{last - first + 1}")
    )


def month_days(chance: random.Random) -> str:
    special = (
        "L",
        "LW",
        "lw",
        f"{chance.randint(1, 31)}W",
        f"{chance.randint(1, 31)}w",
        f"{chance.randint(1, 31)}-L",
    )
    kind = chance.random()
    if kind < 0.45:
        return chance.choice("***?")
    if kind < 0.7:
        return plain_field(chance, 1, 31)
    items = [chance.choice(special) for _ in range(chance.choice((1, 1, 2)))]
    if chance.random() < 0.4:
        items.insert(0, plain_field(chance, 1, 31))
    return ",".join(items)


def weekdays(chance: random.Random) -> str:
    one, other = (
        chance.choice((WEEKDAYS[number], WEEKDAYS[number].upper())) for number in chance.sample(range(7), 2)
    )
    count = chance.randint(1, 5)
    special = (f"{chance.randint(0, 7)}#{count}", f"{one}#{count}", f"{one}-{other}#{count}", f"L{count}", "l7", "L0")
    kind = chance.random()
    if kind < 0.45:
        return chance.choice("***?")
    if kind < 0.7:
        return plain_field(chance, 0, 7, WEEKDAYS)
    items = [chance.choice(special) for _ in range(chance.choice((1, 1, 2)))]
    if chance.random() < 0.3:
        items.append(plain_field(chance, 0, 7, WEEKDAYS))
    return ",".join(items)


def expression(chance: random.Random) -> str:
    """A text of the whole language; a few of them can never come."""
    if chance.random() < 0.01:
        return chance.choice(sorted(ALIASES))
    hours = fixed_hours(chance) if chance.random() < 0.4 else plain_field(chance, 0, 23)
    months = "*" if chance.random() < 0.6 else plain_field(chance, 1, 12, MONTHS)
    fields = [plain_field(chance, 0, 59), hours, month_days(chance), months, weekdays(chance)]
    if chance.random() < 0.1:
        for index, (low, high) in enumerate(((0, 59), (0, 23), (1, 28), (1, 12), (0, 6))):
            if chance.random() < 0.5:
                fields[index] = hashed_field(chance, low, high)
    if chance.random() < 0.2:
        fields.insert(0, plain_field(chance, 0, 59))
    return chance.choice((" ", " ", " ", "  ", "\t")).join(fields)


def instant(chance: random.Random, zone: str) -> datetime:
    """Half of them within 30 hours of a change of the zone's offset, if it has any."""
    history = changes(zone)
    if not history or chance.random() < 0.5:
        return _START + timedelta(seconds=chance.randrange(_SECONDS))
    kind = chance.random()
    away = timedelta(seconds=chance.randint(-108_000, 108_000))
    if kind < 0.1:
        away = timedelta(microseconds=chance.choice((-1, 0, 1)))
    elif kind < 0.4:
        away = timedelta(minutes=chance.randint(-180, 180))
    return chance.choice(history).at + away


def without_hash(text: str, schedule: CronExpression) -> str:
    """The plain expression that one with ``H`` stands for, as it was read. AssertionError when it may not be that."""
    fields = schedule.fields
    words = text.split()
    by_field = [fields.minutes, fields.hours, fields.month_days, fields.months, fields.weekdays]
    for index in range(-5, 0):
        match = _HASHED.fullmatch(words[index])
        if match is None:
            continue
        low, high = ((0, 59), (0, 23), (1, 28), (1, 12), (0, 6))[index]
        if match[1]:
            low, high = map(int, match[1][1:-1].split("-"))
        numbers = sorted(by_field[index])
        step = int(match[2][1:]) if match[2] else high - low + 1
        assert low <= numbers[0] < low + step, f"{words[index]} begins with {numbers[0]}"
        assert numbers == list(range(numbers[0], high + 1, step)), f"{words[index]} is {numbers}"
        # A step of one number only is a step still: it follows elapsed time.
        words[index] = f"{numbers[0]}-{high}/{step}" if match[2] else str(numbers[0])
    return " ".join(words)


def is_hashed(text: str) -> bool:
    return "H" in text.replace("THU", "")


def without_hash_of_days(text: str, name: str) -> str:
    """As :func:`without_hash` for an expression whose days, which cannot be ``H`` then, never come."""
    words = text.split()
    any_day = [*words[:-3], "*", words[-2], "*"]
    plain = without_hash(" ".join(any_day), parse_cron(" ".join(any_day), UTC, name)).split()
    return " ".join([*plain[:-3], words[-3], plain[-2], words[-1]])


def disagreement(text: str, zone: str, after: datetime, name: str) -> str:
    """What is wrong with one triple; empty when nothing is, "never" when both say that it never comes."""
    where = f"{text!r} in {zone} after {after.isoformat()}"
    try:
        schedule = parse_cron(text, ZoneInfo(zone), name)
        plain = text
        if is_hashed(text):
            plain = without_hash(text, schedule)
            if without_hash(text, parse_cron(text, ZoneInfo("UTC"), name)) != plain:
                return f"{where}: H is not stable"
    except AssertionError as error:
        return f"{where}: {error}"
    except ScheduleError as error:
        plain = without_hash_of_days(text, name) if is_hashed(text) else text
        if "never comes" in str(error) and Oracle(plain).next_after(after, ZoneInfo(zone)) is None:
            return "never"
        return f"{where}: {error}"
    wanted, found = Oracle(plain).next_after(after, ZoneInfo(zone)), schedule.next_after(after)
    return "" if found == wanted else f"{where}: {found} but the oracle says {wanted} ({plain})"


def triples(seed: int, numbers: Iterable[int]) -> Iterator[tuple[str, str, datetime, str]]:
    """The triples of these numbers: the same for a seed, however they are shared out."""
    zones = zone_names()
    for number in numbers:
        chance = random.Random(f"{seed} {number}")
        zone = chance.choice(zones)
        yield expression(chance), zone, instant(chance, zone), f"job-{chance.randrange(1000)}"


def compare(seed: int, numbers: range) -> tuple[Counter[str], list[str]]:
    """How many triples agreed, never come or differ, and the lines that say how."""
    counts: Counter[str] = Counter()
    lines = []
    for triple in triples(seed, numbers):
        line = disagreement(*triple)
        counts["differ" if line not in ("", "never") else line or "agree"] += 1
        if line not in ("", "never"):
            lines.append(line)
    return counts, lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    begin, shown = time.monotonic(), 0
    counts: Counter[str] = Counter()
    chunks = [range(first, min(first + CHUNK, arguments.count)) for first in range(0, arguments.count, CHUNK)]
    with ProcessPoolExecutor(arguments.processes) as pool:
        for found, lines in pool.map(partial(compare, arguments.seed), chunks):
            counts += found
            for line in lines[: SHOWN - shown]:
                print(line, flush=True)
            shown += len(lines[: SHOWN - shown])
    print(
        f"seed {arguments.seed}: {counts.total():,} triples, {counts['agree']:,} agree, {counts['never']:,} refused"
        f" by both as never coming, {counts['differ']:,} differ; {time.monotonic() - begin:.0f} s"
        f" in {arguments.processes} processes"
    )
    return 1 if counts["differ"] else 0


if __name__ == "__main__":
    sys.exit(main())
