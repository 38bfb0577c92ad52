"""No task of a swarm runs twice or is lost in silence: nodes are cut off, engines killed, managers demoted.

The tests leave the swarm as they found it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chronos_py.errors import Deposed
from chronos_py.model.constraints import Constraint, Operator
from chronos_py.model.task import Task
from chronos_py.pools import LaunchLost, LaunchRefused, PoolUnavailable, TaskState
from chronos_py.pools.swarm.calls import remove_service
from chronos_py.pools.swarm.pool import SwarmPool
from chronos_py.pools.swarm.status import LOST_TRACK, NO_SHARED_FOLDER

from .docker_fixtures import allow
from .swarm_fixtures import pool_on
from .swarm_hosts import Host
from .waiting import as_soon_as, eventually, final, has_written, lines, present, status_of

pytestmark = [pytest.mark.docker, pytest.mark.timeout(240)]

WITNESS = 'echo ran >> "$CHRONOS_SHARED_DIR/witness"'
WAIT = 'while [ ! -e "$CHRONOS_SHARED_DIR/go" ]; do sleep 0.1; done'
FOREVER = "while :; do sleep 0.1; done"
MOST_ROUNDS = 40
ON_MANAGER = (Constraint("hostname", Operator.EQUALS, "node1"),)
ON_WORKER = (Constraint("hostname", Operator.EQUALS, "node2"),)


def times_run(tmp_path: Path) -> int:
    return len(lines(tmp_path / "shared" / "witness"))


def running(pool: SwarmPool, name: str, command: str, node: tuple[Constraint, ...] = ON_WORKER) -> str:
    """Launch a task and wait until it has begun. What is asked to end does so at once, or has much time for it."""
    task = Task(name, f"{WITNESS}; echo ready; {command}", constraints=node, grace_seconds=60)
    handle = pool.submit(task, allow)
    has_written(pool, handle, b"ready\n")
    eventually(lambda: present(pool, name).started_at)
    return handle


@contextlib.contextmanager
def cut_off(swarm_hosts: list[Host]) -> Iterator[None]:
    """The worker is cut off until its manager knows."""
    manager, worker = swarm_hosts
    worker.cut()
    try:
        eventually(lambda: manager.node("node2")["Status"]["State"] == "down", 60)
        yield
    finally:
        worker.mend()
        eventually(lambda: manager.node("node2")["Status"]["State"] == "ready", 90)


# --- nodes -----------------------------------------------------------------------------------------------


def test_a_task_on_a_node_that_is_cut_off_is_unknown_until_the_node_is_back(
    swarm_pool: SwarmPool, swarm_hosts: list[Host], task_name: str, tmp_path: Path
) -> None:
    """What ends meanwhile has its own result afterwards; what goes on is ended by Swarm, and nothing runs again."""
    goes_on = running(swarm_pool, f"{task_name}-goes-on", FOREVER)
    ends = running(swarm_pool, f"{task_name}-ends", f"{WAIT}; echo done")
    before = swarm_pool.submit(Task(f"{task_name}-before", "echo kept", constraints=ON_WORKER), allow)
    assert final(swarm_pool, f"{task_name}-before").exit_code == 0
    with cut_off(swarm_hosts):
        assert [node.state for node in swarm_pool.nodes()] == ["ready", "down"]
        for name in (f"{task_name}-goes-on", f"{task_name}-ends"):
            status = present(swarm_pool, name)
            assert (status.state, status.node) == (TaskState.RUNNING, "node2"), status
            assert "unknown: its node node2 is down" in status.message
        # Its log is there, but no manager has it; the node's own engine, where it was named, does.
        with (
            contextlib.closing(pool_on(swarm_hosts[:1], tmp_path)) as by_manager,
            pytest.raises(PoolUnavailable, match="read from node2: the node is down"),
        ):
            by_manager.logs(before, "stdout", 0, 100)
        assert swarm_pool.logs(before, "stdout", 0, 100) == b"kept\n"
        # Others go on meanwhile, and those for the node wait for it.
        swarm_pool.submit(Task(f"{task_name}-other", "true"), allow)
        assert final(swarm_pool, f"{task_name}-other").node == "node1"
        swarm_pool.submit(Task(f"{task_name}-waits", "true", constraints=ON_WORKER), allow)
        eventually(lambda: "no suitable node" in present(swarm_pool, f"{task_name}-waits").message)
        (tmp_path / "shared" / "go").touch()
    ended = final(swarm_pool, f"{task_name}-ends", 60)
    assert (ended.state, ended.exit_code) == (TaskState.EXITED, 0), ended
    assert swarm_pool.logs(ends, "stdout", 0, 100) == b"ready\ndone\n"
    assert swarm_pool.logs(before, "stdout", 0, 100) == b"kept\n"
    killed = final(swarm_pool, f"{task_name}-goes-on", 60)
    assert (killed.state, killed.exit_code) == (TaskState.EXITED, 143), killed
    assert "its node node2 had been away" in killed.message
    assert swarm_pool.logs(goes_on, "stdout", 0, 100) == b"ready\n"
    assert final(swarm_pool, f"{task_name}-waits", 60).exit_code == 0
    assert times_run(tmp_path) == 2


def test_a_worker_engine_that_is_killed_and_started_again(
    swarm_pool: SwarmPool, swarm_hosts: list[Host], task_name: str, tmp_path: Path
) -> None:
    handle = running(swarm_pool, task_name, FOREVER)
    swarm_hosts[1].kill_engine()
    try:
        swarm_pool.kill(handle, 1)  # which nobody can do now
        assert present(swarm_pool, task_name).state is TaskState.RUNNING
    finally:
        swarm_hosts[1].start_engine()
    eventually(lambda: swarm_hosts[0].node("node2")["Status"]["State"] == "ready", 90)
    status = final(swarm_pool, task_name, 60)
    assert status.state in (TaskState.EXITED, TaskState.LOST), status
    assert status.exit_code != 0
    assert swarm_pool.logs(handle, "stdout", 0, 100) == b"ready\n"
    assert times_run(tmp_path) == 1


@pytest.mark.parametrize("goes_on", ["", "; sleep 1"], ids=["over-at-once", "goes-on"])
def test_what_an_engine_was_killed_in_starting_is_not_started_again(
    swarm_pool: SwarmPool, swarm_hosts: list[Host], task_name: str, tmp_path: Path, goes_on: str
) -> None:
    """An engine notes that a program began a moment after it did, and starts again what it has no note of.

    The moment is met more often than not, and without it there is nothing to see: so it is tried until it was.
    """
    manager, worker = swarm_hosts
    for number in range(MOST_ROUNDS):
        name = f"{task_name}-{number}"
        swarm_pool.submit(Task(name, f"{WITNESS}{goes_on}", constraints=ON_WORKER), allow)
        as_soon_as(lambda number=number: times_run(tmp_path) > number)
        worker.kill_engine()
        worker.start_engine()
        eventually(lambda: manager.node("node2")["Status"]["State"] == "ready", 90)
        status = final(swarm_pool, name, 60)
        assert times_run(tmp_path) == number + 1, status
        if status.state is TaskState.LOST:
            assert status.message == LOST_TRACK
            return
    pytest.fail("the moment was never met")


def test_a_node_without_the_shared_folder_runs_nothing(
    swarm_pool: SwarmPool, swarm_hosts: list[Host], task_name: str, tmp_path: Path
) -> None:
    """A folder of that name on its own disk would swallow the task's outputs."""
    worker, shared = swarm_hosts[1], tmp_path / "shared"
    worker.inside("mount", "-t", "tmpfs", "none", shared)
    try:
        swarm_pool.submit(Task(task_name, WITNESS, constraints=ON_WORKER), allow)
        status = final(swarm_pool, task_name)
    finally:
        worker.inside("umount", shared)
    assert (status.state, status.exit_code, status.cause) == (TaskState.EXITED, None, "launch")
    assert status.message == f"on node2: {NO_SHARED_FOLDER.format(shared)}"
    swarm_pool.submit(Task(f"{task_name}-own", "exit 125", constraints=ON_WORKER), allow)
    assert final(swarm_pool, f"{task_name}-own").exit_code == 125


def test_a_manager_that_is_killed_and_started_again_starts_nothing_anew(
    swarm_pool: SwarmPool, swarm_hosts: list[Host], task_name: str, tmp_path: Path
) -> None:
    """Neither what has ended, nor what runs on the worker, nor what was killed or never started."""
    ended = swarm_pool.submit(Task(f"{task_name}-ended", f"{WITNESS}; exit 3", constraints=ON_MANAGER), allow)
    assert final(swarm_pool, f"{task_name}-ended").exit_code == 3
    running(swarm_pool, f"{task_name}-killed", FOREVER)
    swarm_pool.kill(present(swarm_pool, f"{task_name}-killed").handle, 60)
    assert final(swarm_pool, f"{task_name}-killed").exit_code == 143
    runs = running(swarm_pool, f"{task_name}-runs", f"{WAIT}; exit 4")
    with pytest.raises(Deposed):
        swarm_pool.submit(Task(f"{task_name}-never", WITNESS), deposed_after(1))
    swarm_hosts[0].kill_engine()
    try:
        with pytest.raises(PoolUnavailable):
            swarm_pool.list()
    finally:
        swarm_hosts[0].start_engine()
    eventually(lambda: can_list(swarm_pool), 60)
    eventually(lambda: swarm_hosts[0].node("node2")["Status"]["State"] == "ready", 90)
    (tmp_path / "shared" / "go").touch()
    assert final(swarm_pool, f"{task_name}-runs", 60).exit_code == 4
    assert swarm_pool.logs(runs, "stdout", 0, 100) == b"ready\n"
    assert present(swarm_pool, f"{task_name}-ended").exit_code == 3
    assert present(swarm_pool, f"{task_name}-ended").handle == ended
    assert present(swarm_pool, f"{task_name}-killed").exit_code == 143
    assert present(swarm_pool, f"{task_name}-never").state is TaskState.CREATED
    assert times_run(tmp_path) == 3


def can_list(pool: SwarmPool) -> bool:
    with contextlib.suppress(PoolUnavailable):
        pool.list()
        return True
    return False


def test_a_demoted_manager_is_left_for_another_one(own_swarm: list[Host], task_name: str, tmp_path: Path) -> None:
    first, second = own_swarm
    with contextlib.closing(pool_on(own_swarm, tmp_path)) as pool:
        handle = running(pool, task_name, WAIT, ON_MANAGER)
        first.change_node("node2", Role="manager")
        eventually(lambda: second.client.info()["Swarm"]["ControlAvailable"], 60)
        first.change_node("node1", Role="worker")
        eventually(lambda: not first.client.info()["Swarm"]["ControlAvailable"], 60)
        eventually(lambda: can_list(pool))
        assert present(pool, task_name).state is TaskState.RUNNING
        (tmp_path / "shared" / "go").touch()
        assert final(pool, task_name).exit_code == 0
        assert pool.logs(handle, "stdout", 0, 100) == b"ready\n"
        pool.submit(Task(f"{task_name}-after", "true", constraints=ON_MANAGER), allow)
        assert final(pool, f"{task_name}-after").exit_code == 0
    assert times_run(tmp_path) == 1


# --- launches --------------------------------------------------------------------------------------------


def deposed_after(calls: int) -> Callable[[], None]:
    """The permit of a leader whose term ends after so many looks at it."""
    left = [calls]

    def permit() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Deposed("Another node holds a higher epoch.")

    return permit


def test_of_many_starts_of_one_service_one_counts(
    swarm_pool: SwarmPool,
    swarm_pool_factory: Callable[[Path], SwarmPool],
    task_name: str,
    tmp_path: Path,
) -> None:
    """Old and new leaders that all hold the same service for never started."""
    task = Task(task_name, WITNESS)
    with pytest.raises(Deposed):
        swarm_pool.submit(task, deposed_after(1))
    leaders = [swarm_pool_factory(tmp_path) for _ in range(4)]
    together = threading.Barrier(8)

    def permit() -> None:
        together.wait(60)  # all have read the service, and none has started it

    with ThreadPoolExecutor(8) as threads:
        answers = [threads.submit(leaders[number % 4].recover, task, permit) for number in range(8)]
        handles = {answer.result() for answer in answers}
    assert handles == {present(swarm_pool, task_name).handle}
    assert final(swarm_pool, task_name).exit_code == 0
    assert times_run(tmp_path) == 1
    for leader in leaders:
        leader.close()


def test_a_start_after_the_service_was_forgotten_finds_nothing(
    swarm_pool: SwarmPool, task_name: str, tmp_path: Path
) -> None:
    """The next leader gave the attempt up while the old one was paused right before its start."""
    looks = []

    def permit() -> None:
        looks.append(1)
        if len(looks) == 2:
            swarm_pool.forget(present(swarm_pool, task_name).handle)
        if len(looks) == 3:
            raise Deposed("Another node holds a higher epoch.")

    with pytest.raises(Deposed):
        swarm_pool.submit(Task(task_name, WITNESS), permit)
    assert status_of(swarm_pool, task_name) is None
    assert times_run(tmp_path) == 0


def test_a_service_that_somebody_removed_is_not_launched_again(
    swarm_pool: SwarmPool, swarm_hosts: list[Host], task_name: str, tmp_path: Path
) -> None:
    task = Task(task_name, WITNESS)
    handle = swarm_pool.submit(task, allow)
    final(swarm_pool, task_name)
    remove_service(swarm_hosts[0].client, handle)
    with pytest.raises(LaunchLost, match="was started and then removed"):
        swarm_pool.recover(task, allow)
    assert times_run(tmp_path) == 1


def test_a_launch_that_is_refused_before_its_start_leaves_nothing_to_start(
    swarm_pool: SwarmPool, task_name: str, tmp_path: Path
) -> None:
    """So does one that is recovered; but what was started all the same is adopted."""
    task = Task(task_name, WITNESS)
    refuse = refused_after(1)
    with pytest.raises(LaunchRefused, match="too late"):
        swarm_pool.submit(task, refuse)
    assert status_of(swarm_pool, task_name) is None
    with pytest.raises(Deposed):
        swarm_pool.submit(task, deposed_after(1))
    with pytest.raises(LaunchRefused, match="too late"):
        swarm_pool.recover(task, refused_after(0))
    assert status_of(swarm_pool, task_name) is None
    with pytest.raises(Deposed):
        swarm_pool.submit(task, deposed_after(1))

    def start_and_refuse() -> None:
        swarm_pool.recover(task, allow)
        raise LaunchRefused("too late")

    assert swarm_pool.recover(task, start_and_refuse) == present(swarm_pool, task_name).handle
    assert final(swarm_pool, task_name).exit_code == 0
    assert times_run(tmp_path) == 1


def refused_after(calls: int) -> Callable[[], None]:
    """The permit of a job that does not want to be started so late."""
    left = [calls]

    def permit() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise LaunchRefused("too late")

    return permit
