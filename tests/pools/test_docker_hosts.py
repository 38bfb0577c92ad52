"""Several engines as one pool. The engines are those of the swarm's hosts, used as if there were no swarm."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chronos_py.errors import Deposed
from chronos_py.model.constraints import Constraint, Operator
from chronos_py.model.task import Limits, Task
from chronos_py.pools import LaunchRefused, PartlyUnavailable, PoolOptions, PoolUnavailable, TaskState, TaskStatus
from chronos_py.pools.docker.hosts import DockerHosts

from .docker_fixtures import allow
from .swarm_hosts import Host
from .waiting import eventually, final, has_written, present

pytestmark = pytest.mark.docker

WITNESS = 'echo ran >> "$CHRONOS_SHARED_DIR/witness"'
FOREVER = "echo ready; while :; do sleep 0.1; done"


def on(node: str) -> tuple[Constraint, ...]:
    return (Constraint("hostname", Operator.EQUALS, node),)


@pytest.fixture
def make_pool(swarm_hosts: list[Host], tmp_path: Path) -> Iterator[Callable[[], DockerHosts]]:
    made: list[DockerHosts] = []

    def make() -> DockerHosts:
        options = PoolOptions(
            cluster=f"hosts-{tmp_path.name}",
            data_dir=tmp_path,
            shared_dir=tmp_path / "shared",
            docker_url=",".join(host.url for host in swarm_hosts),
        )
        pool = DockerHosts.from_options(options)
        assert isinstance(pool, DockerHosts)
        made.append(pool)
        return pool

    yield make
    pool = make()
    for status in pool.list():
        pool.kill(status.handle, 0)
    eventually(lambda: all(status.state is not TaskState.RUNNING for status in pool.list()))
    for status in pool.list():
        pool.forget(status.handle)
    for pool in made:
        pool.close()


@pytest.fixture
def pool(make_pool: Callable[[], DockerHosts]) -> DockerHosts:
    return make_pool()


def times_run(tmp_path: Path) -> int:
    return len((tmp_path / "shared" / "witness").read_text().splitlines())


def known(pool: DockerHosts) -> tuple[dict[str, TaskStatus], str]:
    """What can be seen, by name, and why it is not all."""
    try:
        return {status.name: status for status in pool.list()}, ""
    except PartlyUnavailable as error:
        return {status.name: status for status in error.statuses}, str(error)


def test_a_task_goes_where_there_is_most_room_and_its_constraints_are_met(pool: DockerHosts, task_name: str) -> None:
    large = Limits(cpus=0.5)
    names = [f"{task_name}-{number}" for number in range(4)]
    with ThreadPoolExecutor(4) as threads:  # also when they are sent at the same time
        list(threads.map(lambda name: pool.submit(Task(name, FOREVER, limits=large), allow), names))
    eventually(lambda: all(status.state is TaskState.RUNNING for status in pool.list()))
    assert sorted(status.node for status in pool.list()) == ["node1", "node1", "node2", "node2"]
    for node in ("node1", "node2"):
        name = f"{task_name}-{node}"
        handle = pool.submit(Task(name, "echo out; echo err >&2; exit 3", constraints=on(node)), allow)
        status = final(pool, name)
        assert (status.node, status.exit_code) == (node, 3)
        assert pool.logs(handle, "stderr", 0, 10) == b"err\n"
    with pytest.raises(LaunchRefused, match="no engine meets hostname EQUALS elsewhere"):
        pool.submit(Task(task_name, "true", constraints=on("elsewhere")), allow)
    nodes = pool.nodes()
    assert [node.name for node in nodes] == ["node1", "node2"]
    assert pool.capacity().cpus_total == sum(node.cpus_total or 0 for node in nodes)


def test_submits_of_one_name_at_the_same_time_go_to_one_engine(
    pool: DockerHosts, task_name: str, tmp_path: Path
) -> None:
    together = threading.Barrier(8)

    def submit() -> str:
        together.wait()
        return pool.submit(Task(task_name, WITNESS), allow)

    with ThreadPoolExecutor(8) as threads:
        handles = {answer.result() for answer in [threads.submit(submit) for _ in range(8)]}
    assert handles == {present(pool, task_name).handle}
    assert final(pool, task_name).exit_code == 0
    assert times_run(tmp_path) == 1


def test_a_new_leader_finds_a_task_wherever_it_is(
    pool: DockerHosts, make_pool: Callable[[], DockerHosts], task_name: str, tmp_path: Path
) -> None:
    def deposed() -> None:
        looks.append(1)
        if len(looks) == 2:
            raise Deposed("Another node holds a higher epoch.")

    looks: list[int] = []
    with pytest.raises(Deposed):
        pool.submit(Task(task_name, WITNESS, constraints=on("node2")), deposed)
    runs = Task(f"{task_name}-runs", FOREVER, constraints=on("node2"))
    handle = pool.submit(runs, allow)
    has_written(pool, handle, b"ready\n")
    new_leader = make_pool()
    assert new_leader.recover(runs, allow) == handle
    new_leader.recover(Task(task_name, WITNESS), allow)
    assert final(new_leader, task_name).node == "node2"
    assert times_run(tmp_path) == 1
    third = make_pool()
    assert third.logs(handle, "stdout", 0, 10) == b"ready\n"
    third.kill(handle, 0)
    assert final(third, runs.name).exit_code in (137, 143)


def test_an_engine_that_is_away_hides_its_tasks_and_nothing_is_launched_again_for_them(
    pool: DockerHosts, make_pool: Callable[[], DockerHosts], swarm_hosts: list[Host], task_name: str, tmp_path: Path
) -> None:
    hidden = Task(task_name, f"{WITNESS}; {FOREVER}", constraints=on("node2"))
    handle = pool.submit(hidden, allow)
    has_written(pool, handle, b"ready\n")
    swarm_hosts[1].kill_engine()
    try:
        statuses, why = known(pool)
        assert task_name not in statuses
        assert swarm_hosts[1].url in why
        for leader in (pool, make_pool()):
            with pytest.raises(PoolUnavailable, match="may be on an engine that is away"):
                leader.recover(Task(task_name, WITNESS), allow)
            with pytest.raises(PoolUnavailable):
                leader.kill(handle, 0)
            with pytest.raises(PoolUnavailable):
                leader.logs(handle, "stdout", 0, 10)
        other = f"{task_name}-other"
        pool.submit(Task(other, "true"), allow)  # what is new goes on
        eventually(lambda: known(pool)[0][other].is_final)
        (here,) = (node for node in pool.nodes() if not node.is_away)
        assert here.name == "node1"
        (away,) = (node for node in pool.nodes() if node.is_away)
        assert away.name in ("node2", swarm_hosts[1].url)
        with pytest.raises(PoolUnavailable, match="waits for an engine that meets hostname EQUALS node2"):
            pool.submit(Task(f"{task_name}-constrained", "true", constraints=on("node2")), allow)
    finally:
        swarm_hosts[1].start_engine()
        eventually(lambda: swarm_hosts[0].node("node2")["Status"]["State"] == "ready", 90)
    ended = eventually(lambda: known(pool)[0].get(task_name))
    assert ended.state in (TaskState.EXITED, TaskState.LOST)
    assert times_run(tmp_path) == 1


def test_one_engine_at_least_must_answer(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/a.sock,unix://{tmp_path}/b.sock"
    options = PoolOptions(cluster="x", data_dir=tmp_path, shared_dir=tmp_path, docker_url=url)
    with pytest.raises(PoolUnavailable, match=r"a\.sock does not answer.*b\.sock does not answer"):
        DockerHosts.from_options(options)
