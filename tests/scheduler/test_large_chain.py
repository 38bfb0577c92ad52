"""A chain of a thousand jobs: every wave goes through it in order, each job once."""

from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest
from sqlalchemy import select

from chronos_py.model.run import RunState, Trigger
from chronos_py.services import jobs, runs
from chronos_py.store.tables import JobRow, RunRow
from tests.scheduler.conftest import Leader

LAYERS, WIDTH, WAVES = 10, 100, 2


def chain() -> dict[str, list[str]]:
    """The parents of each job: none in the first layer, then one to three of the layer above."""
    chance = random.Random(1000)
    layers = [[f"job-{layer}-{number:02d}" for number in range(WIDTH)] for layer in range(LAYERS)]
    parents: dict[str, list[str]] = {name: [] for name in layers[0]}
    for above, layer in pairwise(layers):
        parents |= {name: sorted(chance.sample(above, chance.randint(1, 3))) for name in layer}
    return parents


def drive_until_all_is_over(leader: Leader, most: int) -> dict[int, int]:
    """Every task ends at once, as in a pool that does nothing; in which turn each run began and ended."""
    turns: dict[int, int] = {}
    for turn in range(most):
        leader.dispatcher.step()
        leader.wait_for_launches()
        begun = [name for name, status in leader.pool.statuses.items() if not status.is_final]
        if not begun:
            return turns
        for name in begun:
            turns[int(name.split("-")[2])] = turn
            leader.pool.end(name, 0, finished_at=leader.clock.now())
        leader.watcher.step()
    raise AssertionError("the chain does not end")


@pytest.mark.timeout(400)
def test_a_thousand_jobs_run_in_order_once_a_wave(leader: Leader) -> None:
    parents = chain()
    documents = [
        {"name": name, "command": "true", "parents": above, "retries": 0, "overlap": "forbid-skip"}
        for name, above in parents.items()
    ]
    began = time.monotonic()
    jobs.save_jobs(leader.application, documents)
    print(f"\n{leader.database.dialect}: {len(parents)} jobs defined in {time.monotonic() - began:.1f} s")
    for wave in range(1, WAVES + 1):
        leader.clock.advance(minutes=1)
        for name in (name for name, above in parents.items() if not above):
            runs.run_now(leader.application, name)
        began = time.monotonic()
        turns = drive_until_all_is_over(leader, most=len(parents))
        spent = time.monotonic() - began
        print(f"wave {wave}: {len(parents)} runs in {spent:.1f} s, {len(parents) / spent:.0f} a second")
        check(leader, parents, wave, turns)
    assert len(leader.pool.starts) == len(set(leader.pool.starts)) == WAVES * len(parents)


def check(leader: Leader, parents: dict[str, list[str]], wave: int, turns: dict[int, int]) -> None:
    """Of this wave every job has one run, which succeeded, and began after those of all its parents had ended."""
    columns = (JobRow.name, RunRow.id, RunRow.state, RunRow.trigger, RunRow.scheduled_at)
    with leader.database.read() as connection:
        rows = connection.execute(select(*columns).join_from(RunRow, JobRow, RunRow.job_id == JobRow.id)).all()
    assert len(rows) == wave * len(parents)
    ours = {row.name: row for row in rows if row.scheduled_at == leader.clock.now()}
    assert len(ours) == len(parents)
    for name, above in parents.items():
        run = ours[name]
        assert run.state == RunState.SUCCEEDED, name
        assert run.trigger == (Trigger.DEPENDENCY if above else Trigger.MANUAL), name
        assert all(turns[ours[parent].id] < turns[run.id] for parent in above), name
