"""Edges: a child is ready once, when all its parents have succeeded since it last ran."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Connection, select

from chronos_py.model.chain import is_ready
from chronos_py.store import chains, jobs
from chronos_py.store.database import Database
from chronos_py.store.tables import EdgeRow
from tests.store.background import WAIT, in_background
from tests.store.building import NOW, add_job


def add_jobs(connection: Connection, *names: str) -> list[int]:
    return [add_job(connection, name) for name in names]


def marks(connection: Connection, child_id: int) -> dict[int, int | None]:
    rows = connection.execute(select(EdgeRow.parent_id, EdgeRow.satisfied_by).where(EdgeRow.child_id == child_id))
    return {row.parent_id: row.satisfied_by for row in rows}


def mark_success(connection: Connection, parent_id: int, run_id: int) -> list[int]:
    """Mark the success of a parent; the children that are ready now, and whose marks are consumed."""
    child_ids = chains.lock_children(connection, parent_id)
    chains.mark(connection, parent_id, run_id, succeeded=True)
    marks = chains.latest_marks(connection, child_ids)
    ready = [child_id for child_id in child_ids if is_ready(marks[child_id])]
    chains.consume(connection, ready)
    return ready


def test_a_child_is_ready_when_its_last_parent_succeeds(database: Database) -> None:
    with database.write() as connection:
        a, b, child = add_jobs(connection, "a", "b", "child")
        chains.set_parents(connection, child, [a, b, a])
        assert mark_success(connection, a, 1) == []
        assert mark_success(connection, a, 2) == [], "surplus successes collapse into one mark"
        assert marks(connection, child) == {a: 2, b: None}
        assert mark_success(connection, b, 3) == [child]
        assert marks(connection, child) == {a: None, b: None}, "they count from here again"
        assert mark_success(connection, b, 4) == []
        assert mark_success(connection, a, 5) == [child]
        assert mark_success(connection, child, 6) == []


def test_one_parent_makes_several_children_ready(database: Database) -> None:
    with database.write() as connection:
        parent, other, *children = add_jobs(connection, "parent", "other", "x", "y", "z")
        for child in children:
            chains.set_parents(connection, child, [parent])
        chains.set_parents(connection, children[1], [parent, other])
        assert mark_success(connection, parent, 1) == [children[0], children[2]]
        assert mark_success(connection, other, 2) == [children[1]]
        assert mark_success(connection, parent, 3) == [children[0], children[2]]


def test_edges_that_stay_keep_their_mark(database: Database) -> None:
    with database.write() as connection:
        a, b, c, child = add_jobs(connection, "a", "b", "c", "child")
        chains.set_parents(connection, child, [a, b])
        mark_success(connection, a, 1)
        chains.set_parents(connection, child, [a, c])
        assert marks(connection, child) == {a: 1, c: None}
        assert mark_success(connection, c, 2) == [child]
        chains.set_parents(connection, child, [])
        assert marks(connection, child) == {}
        assert mark_success(connection, a, 3) == []


def test_looking_at_edges(database: Database) -> None:
    with database.write() as connection:
        a, b, c, d = add_jobs(connection, "a", "b", "c", "d")
        chains.set_parents(connection, d, [c, a])
        chains.set_parents(connection, b, [a])
        assert chains.edges_by_name(connection) == [("a", "b"), ("a", "d"), ("c", "d")]
        assert chains.parents_of_all(connection) == {"b": ["a"], "d": ["a", "c"]}
        assert chains.children_of(connection, a) == ["b", "d"]
        assert chains.children_of(connection, d) == []


def test_a_child_of_parents_that_end_at_once_is_ready_once(database_url: str, database: Database) -> None:
    """Many rounds of parents that settle in transactions of their own, begun together."""
    with database.write() as connection:
        child, *parents = add_jobs(connection, "child", "a", "b", "c")
        chains.set_parents(connection, child, parents)
    own = [Database(database_url) for _ in parents]
    rounds = 40

    def settle(number: int) -> int:
        ready = 0
        for run_id in range(rounds):
            together.wait(WAIT)
            with own[number].write() as connection:
                jobs.count_success(connection, parents[number], NOW)
                ready += len(mark_success(connection, parents[number], run_id))
            together.wait(WAIT)
        return ready

    together = threading.Barrier(len(parents))
    with ThreadPoolExecutor(len(parents)) as settlers:
        assert sum(settlers.map(settle, range(len(parents)))) == rounds
    for one in own:
        one.close()


def test_the_second_parent_waits_for_the_first_and_sees_its_mark(database_url: str, database: Database) -> None:
    with database.write() as connection:
        a, b, child = add_jobs(connection, "a", "b", "child")
        chains.set_parents(connection, child, [a, b])
    other = Database(database_url)

    def settle_b() -> list[int]:
        with other.write() as connection:
            return mark_success(connection, b, 2)

    with database.write() as connection:
        assert mark_success(connection, a, 1) == []
        ready = in_background(settle_b)
        assert not ready.done()
    assert ready.result(WAIT) == [child]
    other.close()


def test_a_random_net_counts_right(database: Database) -> None:
    """Against a plain model: marks per child, taken away when all are there."""
    chance = random.Random(20260601)
    with database.write() as connection:
        ids = add_jobs(connection, *(f"job {number}" for number in range(8)))
        parents = {
            child: set(chance.sample(ids[:index], chance.randint(1, index)))
            for index, child in enumerate(ids)
            if index
        }
        for child, above in parents.items():
            chains.set_parents(connection, child, sorted(above))
        marked: dict[int, set[int]] = {child: set() for child in parents}
        seen: Counter[int] = Counter()
        for run_id in range(200):
            parent = chance.choice(ids)
            expected = []
            for child, above in parents.items():
                if parent in above:
                    marked[child].add(parent)
                    if marked[child] == above:
                        expected.append(child)
                        marked[child].clear()
            ready = mark_success(connection, parent, run_id)
            assert ready == expected
            seen.update(ready)
    assert len(seen) == len(parents), "every child was ready some time"
