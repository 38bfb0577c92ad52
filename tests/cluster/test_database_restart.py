"""PostgreSQL is restarted under two nodes at work: what was acknowledged and what is due runs, all of it once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
import requests

from tests.cluster.occurrences import TICK, each_occurrence_ran_once
from tests.cluster.server import ANSWER_SECONDS, ServerProcess, wait_for
from tests.databases import PostgresServer, private_postgres
from tests.pools.waiting import lines

pytestmark = pytest.mark.postgres


@contextmanager
def runs_asked_for(node: ServerProcess) -> Iterator[list[int]]:
    """Ask the node for one run after the other; those that it acknowledged."""
    acknowledged: list[int] = []
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.wait(0.3):
            answer = requests.post(f"{node.url}/api/jobs/asked/runs", json={}, timeout=ANSWER_SECONDS)
            if answer.status_code == 202:
                acknowledged.append(answer.json()["id"])
            else:
                assert answer.status_code == 503, answer.text

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield acknowledged
    finally:
        is_over.set()
        asking.join(2 * ANSWER_SECONDS)


def grows(what: str, count: Callable[[], int]) -> None:
    before = count()
    wait_for(f"more {what}", lambda: count() > before + 2)


def says_that_it_is_away(node: ServerProcess) -> bool:
    return "database" in node.problems()


def leads(node: ServerProcess) -> bool:
    answer = requests.get(f"{node.url}/api/leader", timeout=ANSWER_SECONDS)
    return answer.status_code == 200 and bool(answer.json()["isLeader"])


def restart(postgres: PostgresServer, how: signal.Signals, nodes: list[ServerProcess]) -> None:
    postgres.crash(how)
    for node in nodes:
        wait_for("the node to say so", partial(says_that_it_is_away, node))
    postgres.start()
    wait_for("one to lead", lambda: any(map(leads, nodes)))


def test_restarts_under_load(start_server: Callable[..., ServerProcess]) -> None:
    with private_postgres() as postgres:
        options = ("--pool", "process", "--database-url", postgres.url)
        first = start_server(*options)
        first.wait_until_it_leads()
        second = start_server(*options)
        witness = first.shared_dir / "witness"
        first.define(**TICK)
        first.define(name="asked", command="echo $CHRONOS_RUN_ID >> $CHRONOS_SHARED_DIR/asked", overlap="allow")
        with runs_asked_for(second) as acknowledged:
            for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                grows("launches", lambda: len(lines(witness)))
                grows("runs to be asked for", lambda: len(acknowledged))
                restart(postgres, how, [first, second])
        each_occurrence_ran_once(second)
        for run_id in acknowledged:
            assert second.wait_for_end(run_id)["state"] == "succeeded"
        ran = lines(first.shared_dir / "asked")
        assert len(ran) == len(set(ran)), "a run ran twice"
        assert {str(run_id) for run_id in acknowledged} <= set(ran)
        assert not any("Traceback" in node.log.read_text() for node in (first, second))
