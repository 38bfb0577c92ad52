"""Jobs with constraints wait for a node that meets them, and hold nobody up meanwhile."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from sqlalchemy import QueuePool, select

from chronos_py.errors import InvalidDefinition
from chronos_py.model.run import RunState
from chronos_py.pools import PoolNode
from chronos_py.services import jobs, limits, runs
from chronos_py.services.waiting import what_it_waits_for
from chronos_py.store.tables import JobRow
from tests.scheduler.conftest import Leader

ON_RACK_A = [["rack", "EQUALS", "a"]]


def force(leader: Leader, name: str) -> None:
    runs.run_now(leader.application, name)


def waits_for(leader: Leader, name: str) -> str:
    return what_it_waits_for(leader.application, leader.runs(name)[-1])


def test_what_can_be_placed_nowhere_blocks_nobody(leader: Leader) -> None:
    leader.define("unplaceable", constraints=ON_RACK_A, highPriority=True, priority=1000, overlap="allow")
    for _ in range(20):  # more than the launcher takes at a time
        force(leader, "unplaceable")
    for name in ("b", "c"):
        leader.define(name)
        force(leader, name)
    leader.turn()
    assert leader.states("b") == leader.states("c") == [RunState.RUNNING]
    assert set(leader.states("unplaceable")) == {RunState.QUEUED}
    assert leader.launcher.free() == 8


def test_it_says_why_it_waits(leader: Leader) -> None:
    leader.define("one", constraints=ON_RACK_A)
    leader.define("two", constraints=[["rack", "LIKE", "a|b"], ["ssd", "UNLIKE", "false"]])
    for name in ("one", "two"):
        force(leader, name)
    leader.turn()
    assert waits_for(leader, "one") == "a node with rack EQUALS a: none of 1 has it"
    assert waits_for(leader, "two") == "a node with rack LIKE a|b and ssd UNLIKE false: none of 1 has them all"


def test_no_transaction_rests_while_the_pool_is_asked(leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL would end it after ten seconds, and the page of the run would say that the database is away."""
    leader.define("job", constraints=ON_RACK_A)
    force(leader, "job")
    leader.turn()
    connections, nodes = leader.database.engine.pool, leader.pool.nodes
    in_use: list[int] = []

    def nodes_of_a_slow_pool() -> Sequence[PoolNode]:
        assert isinstance(connections, QueuePool)
        in_use.append(connections.checkedout())
        return nodes()

    monkeypatch.setattr(leader.pool, "nodes", nodes_of_a_slow_pool)
    assert "none of 1 has it" in waits_for(leader, "job")
    assert in_use == [0]


def test_it_goes_when_the_attribute_appears(leader: Leader) -> None:
    leader.define("job", constraints=ON_RACK_A)
    force(leader, "job")
    leader.turn()
    assert leader.states("job") == [RunState.QUEUED]
    leader.pool.attributes["rack"] = "a"
    leader.clock.advance(seconds=5)
    leader.turn()
    assert leader.states("job") == [RunState.RUNNING]
    [task] = leader.pool.tasks.values()
    assert [str(each) for each in task.constraints] == ["rack EQUALS a"]


def test_a_host_is_found_by_its_name(leader: Leader) -> None:
    leader.define("here", constraints=[["hostname", "LIKE", "h.re"]])
    leader.define("elsewhere", constraints=[["hostname", "UNLIKE", "here"]])
    for name in ("here", "elsewhere"):
        force(leader, name)
    leader.turn()
    assert (leader.states("here"), leader.states("elsewhere")) == ([RunState.RUNNING], [RunState.QUEUED])


def test_while_the_pool_does_not_tell_its_nodes_only_constrained_jobs_wait(
    leader: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nodes() -> None:
        leader.pool.away = "The engine does not answer."
        try:
            leader.pool._reach()
        finally:
            leader.pool.away = ""

    monkeypatch.setattr(leader.pool, "nodes", nodes)
    leader.define("anywhere")
    leader.define("bound", constraints=[["hostname", "EQUALS", "here"]])
    for name in ("bound", "anywhere"):
        force(leader, name)
    leader.turn()
    assert (leader.states("anywhere"), leader.states("bound")) == ([RunState.RUNNING], [RunState.QUEUED])
    assert waits_for(leader, "bound") == (
        "a node with hostname EQUALS here, and the pool does not tell its nodes: The engine does not answer"
    )


def test_what_can_be_placed_nowhere_takes_nothing_of_a_shared_limit(leader: Leader) -> None:
    limits.set_limit(leader.application, "db", 1)
    leader.define("unplaceable", constraints=ON_RACK_A, concurrencyLimits=["db"], highPriority=True)
    leader.define("other", concurrencyLimits=["db"])
    for name in ("unplaceable", "other"):
        force(leader, name)
    leader.turn()
    assert leader.states("other") == [RunState.RUNNING]


def test_a_change_of_the_constraints_counts_for_what_waits(leader: Leader) -> None:
    leader.define("job", constraints=ON_RACK_A)
    force(leader, "job")
    leader.turn()
    leader.define("job", constraints=[])
    leader.turn()
    assert leader.states("job") == [RunState.RUNNING]


def test_a_retry_waits_for_a_node_like_any_other_try(leader: Leader) -> None:
    leader.pool.attributes["rack"] = "a"
    leader.define("job", constraints=ON_RACK_A, retries=1, retryDelay=1)
    force(leader, "job")
    leader.turn()
    leader.pool.attributes.clear()
    leader.end_last("job", 1)
    leader.clock.advance(seconds=10)
    leader.turn()
    assert leader.states("job") == [RunState.WAITING_RETRY]


def test_placements_are_kept_in_one_form(leader: Leader) -> None:
    both = [["rack", "EQUALS", "a"], ["ssd", "LIKE", "t.*"]]
    leader.define("one", constraints=both)
    leader.define("other", constraints=both[::-1])
    leader.define("free")
    with leader.database.read() as connection:
        placements = {row.name: row.placement for row in connection.execute(select(JobRow.name, JobRow.placement))}
    assert json.loads(placements["one"]) == both
    assert placements["one"] == placements["other"]
    assert placements["free"] == ""


def test_a_pool_objects_to_an_executor_when_the_job_is_saved(leader: Leader) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        leader.define("job", executor="/opt/executor")
    assert str(refused.value) == (
        'executor is "/opt/executor", but the scripted pool has no custom executors; leave it empty.'
    )
    assert refused.value.field == "executor"
    leader.define("job", executor="", executorFlags="-v", taskInfoData="x", theirs=1)
    document = jobs.get_job(leader.application, "job").job.document
    assert (document["executorFlags"], document["taskInfoData"]) == ("-v", "x")
    with pytest.raises(InvalidDefinition):
        jobs.patch_job(leader.application, "job", {"executor": "x"})
