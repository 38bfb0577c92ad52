"""What every pool must do. The payloads need nothing but busybox, so the same text runs on all of them."""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from chronos_py.errors import Deposed
from chronos_py.model.task import Limits, Task
from chronos_py.pools import LaunchRefused, LaunchWaits, Permit, Pool, PoolUnavailable, TaskState

from .waiting import eventually, final, has_written, present, status_of

WITNESS = 'echo ran >> "$CHRONOS_SHARED_DIR/$WITNESS"'


@pytest.fixture
def name() -> str:
    """A name that no other test has: engines outlive tests."""
    return f"test-{uuid.uuid4().hex[:12]}"


def allow() -> None:
    """The permit of a leader whose term goes on."""


def deposed_at(call: int) -> Permit:
    """The permit of a leader that learns at the given call that its term is over."""
    calls = itertools.count(1)

    def permit() -> None:
        if next(calls) >= call:
            raise Deposed("Another node holds a higher epoch.")

    return permit


def witness(name: str, then: str = "true") -> Task:
    """A task that leaves a line each time it runs."""
    return Task(name=name, command=f"{WITNESS}; {then}", environment={"WITNESS": name})


def times_run(data_dir: Path, name: str) -> int:
    file = data_dir / "shared" / name
    return len(file.read_text().splitlines()) if file.exists() else 0


def run(pool: Pool, task: Task) -> bytes:
    """Run a task to a successful end and return its standard output."""
    handle = pool.submit(task, allow)
    status = final(pool, task.name)
    assert (status.state, status.exit_code) == (TaskState.EXITED, 0), status
    return pool.logs(handle, "stdout", 0, 100_000)


def is_running(pool: Pool, name: str) -> None:
    """What has begun is listed as running; a master or a manager hears of it later than its task does."""
    if pool.name in ("mesos", "swarm"):
        eventually(lambda: present(pool, name).state is TaskState.RUNNING)
    assert present(pool, name).state is TaskState.RUNNING


# --- running ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 3])
def test_reports_the_exit_code_and_when_it_ran(pool: Pool, name: str, code: int) -> None:
    handle = pool.submit(Task(name=name, command=f"exit {code}"), allow)
    status = final(pool, name)
    assert (status.state, status.exit_code, status.cause) == (TaskState.EXITED, code, "")
    assert (status.name, status.handle) == (name, handle)
    assert status.node
    assert status.started_at is not None
    assert status.finished_at is not None
    assert status.started_at <= status.finished_at
    assert status.started_at.utcoffset() is not None


def test_is_running_until_it_ends(pool: Pool, name: str, data_dir: Path) -> None:
    wait = 'while [ ! -e "$CHRONOS_SHARED_DIR/go" ]; do sleep 0.05; done'
    pool.submit(Task(name=name, command=wait), allow)
    eventually(lambda: present(pool, name).state is TaskState.RUNNING)
    assert present(pool, name).exit_code is None
    (data_dir / "shared" / "go").touch()
    assert final(pool, name).exit_code == 0


def test_keeps_the_streams_apart(pool: Pool, name: str) -> None:
    handle = pool.submit(Task(name=name, command="echo out; echo err >&2"), allow)
    final(pool, name)
    assert pool.logs(handle, "stdout", 0, 100) == b"out\n"
    assert pool.logs(handle, "stderr", 0, 100) == b"err\n"


def test_reads_output_by_byte_offset(pool: Pool, name: str) -> None:
    handle = pool.submit(Task(name=name, command="echo 0123456789; echo 'äöü'"), allow)
    final(pool, name)
    whole = "0123456789\näöü\n".encode()
    assert pool.logs(handle, "stdout", 0, 100) == whole
    assert pool.logs(handle, "stdout", 3, 4) == b"3456"
    assert pool.logs(handle, "stdout", 12, 100) == whole[12:]
    assert pool.logs(handle, "stdout", len(whole), 100) == b""
    assert pool.logs(handle, "stdout", len(whole) + 50, 100) == b""


def test_shows_the_output_of_a_running_task(pool: Pool, name: str) -> None:
    handle = pool.submit(Task(name=name, command="echo early; while :; do sleep 0.1; done"), allow)
    has_written(pool, handle, b"early\n")
    is_running(pool, name)


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "two words",
        "Grüße 你好 🎉",
        "'single' \"double\" `tick`",
        "$HOME $(date) \\n %s",
        "first\nsecond\n",
        "",
    ],
    ids=["plain", "blank", "unicode", "quotes", "shell", "newlines", "empty"],
)
def test_passes_environment_unchanged(pool: Pool, name: str, value: str) -> None:
    line = "printf '[%s]\\n' \"$VALUE\""
    task = Task(name=name, command=line, environment={"VALUE": value}, labels={"chronos.note": value})
    assert run(pool, task).decode() == f"[{value}]\n"


def test_passes_a_shell_line_unchanged(pool: Pool, name: str) -> None:
    line = """X='it'"'"'s "fine"'; Y=ä; printf '%s|' "$X" "$((1 + 1))" `echo "$Y"` '*' \\$X "a\\\\b" && true"""
    assert run(pool, Task(name=name, command=line)).decode() == 'it\'s "fine"|2|ä|*|$X|a\\b|'


def test_runs_a_program_with_arguments_without_a_shell(pool: Pool, name: str) -> None:
    script = 'for each; do echo "<$each>"; done'
    given = ("two words", "$HOME", "*", "it's", 'a "b"', "", "ä")
    task = Task(name=name, command="sh", shell=False, arguments=("-c", script, "sh", *given))
    assert run(pool, task).decode().splitlines() == [f"<{each}>" for each in given]


def test_says_that_a_program_does_not_exist(pool: Pool, name: str) -> None:
    task = Task(name=name, command="no-such-program", shell=False)
    try:
        pool.submit(task, allow)
    except LaunchRefused as refusal:
        message = str(refusal)
    else:
        status = final(pool, name)
        assert status.exit_code == 127
        message = status.message
    assert "no-such-program" in message


def test_runs_different_tasks_at_the_same_time(pool: Pool, name: str, data_dir: Path) -> None:
    names = [f"{name}-{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda each: pool.submit(witness(each, f"echo {each}"), allow), names))
    for each in names:
        assert final(pool, each, 60).exit_code == 0
        assert pool.logs(present(pool, each).handle, "stdout", 0, 100).decode() == f"{each}\n"
        assert times_run(data_dir, each) == 1


# --- once ------------------------------------------------------------------------------------------------


def test_a_second_submit_starts_nothing(pool: Pool, name: str, data_dir: Path) -> None:
    wait = 'while [ ! -e "$CHRONOS_SHARED_DIR/go" ]; do sleep 0.05; done'
    handle = pool.submit(witness(name, wait), allow)
    assert pool.submit(witness(name, wait), allow) == handle
    (data_dir / "shared" / "go").touch()
    ended = final(pool, name)
    assert pool.submit(witness(name, wait), allow) == handle
    assert pool.recover(witness(name, wait), allow) == handle
    assert present(pool, name) == ended
    assert times_run(data_dir, name) == 1


def test_submits_of_one_name_at_the_same_time_run_once(pool: Pool, name: str, data_dir: Path) -> None:
    together = threading.Barrier(8)

    def submit() -> str:
        together.wait()
        return pool.submit(witness(name), allow)

    with ThreadPoolExecutor(8) as threads:
        handles = {answer.result() for answer in [threads.submit(submit) for _ in range(8)]}
    assert handles == {present(pool, name).handle}
    assert final(pool, name).exit_code == 0
    assert times_run(data_dir, name) == 1


def test_without_permit_nothing_is_created(pool: Pool, name: str, data_dir: Path) -> None:
    with pytest.raises(Deposed):
        pool.submit(witness(name), deposed_at(1))
    assert status_of(pool, name) is None
    assert times_run(data_dir, name) == 0


def test_losing_the_permit_before_the_start_leaves_a_task_that_never_ran(
    pool: Pool, name: str, data_dir: Path
) -> None:
    with pytest.raises(Deposed):
        pool.submit(witness(name), deposed_at(2))
    assert present(pool, name).state is TaskState.CREATED
    assert times_run(data_dir, name) == 0


def test_recover_launches_what_was_never_created(pool: Pool, name: str, data_dir: Path) -> None:
    pool.recover(witness(name), allow)
    assert final(pool, name).exit_code == 0
    assert times_run(data_dir, name) == 1


def test_recover_launches_what_was_created_but_never_started(
    pool: Pool, pool_again: Callable[[], Pool], name: str, data_dir: Path
) -> None:
    with pytest.raises(Deposed):
        pool.submit(witness(name), deposed_at(2))
    new_leader = pool_again()
    handle = new_leader.recover(witness(name), allow)
    assert present(new_leader, name).handle == handle
    assert final(new_leader, name).exit_code == 0
    assert times_run(data_dir, name) == 1


def test_recover_adopts_what_runs(pool: Pool, pool_again: Callable[[], Pool], name: str, data_dir: Path) -> None:
    wait = 'echo ready; while [ ! -e "$CHRONOS_SHARED_DIR/go" ]; do sleep 0.05; done'
    handle = pool.submit(witness(name, wait), allow)
    has_written(pool, handle, b"ready\n")
    new_leader = pool_again()
    assert new_leader.recover(witness(name, wait), allow) == handle
    is_running(new_leader, name)
    (data_dir / "shared" / "go").touch()
    assert final(new_leader, name).exit_code == 0
    assert times_run(data_dir, name) == 1


def test_recover_without_permit_starts_nothing(pool: Pool, name: str, data_dir: Path) -> None:
    with pytest.raises(Deposed):
        pool.recover(witness(name), deposed_at(1))
    assert status_of(pool, name) is None
    assert times_run(data_dir, name) == 0


def test_a_late_start_of_the_old_leader_does_nothing(
    pool: Pool, pool_again: Callable[[], Pool], name: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old leader is paused after its last look at its term; meanwhile the new one brings the intent to an end."""
    monkeypatch.setattr("chronos_py.pools.mesos.pool.LAUNCH_SECONDS", 3.0)  # the old leader's wait is in vain
    paused, resume = threading.Event(), threading.Event()
    calls = itertools.count(1)

    def permit() -> None:
        if next(calls) == 2:
            paused.set()
            assert resume.wait(100)

    def old_leader() -> str:
        try:
            return pool.submit(witness(name), permit)
        except (PoolUnavailable, LaunchRefused) as refusal:
            return str(refusal)
        except LaunchWaits as wait:
            if pool.name == "mesos":
                return str(wait)
            raise

    with ThreadPoolExecutor(1) as threads:
        late = threads.submit(old_leader)
        assert paused.wait(60)
        new_leader = pool_again()
        with contextlib.suppress(LaunchWaits):  # Mesos may take longer for its offer
            new_leader.recover(witness(name), allow)
        ended = final(new_leader, name)
        resume.set()
        late.result(60)
    assert present(new_leader, name) == ended
    assert times_run(data_dir, name) == 1


# --- ending ----------------------------------------------------------------------------------------------

OBEDIENT = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done"
STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.1; done"


def test_kill_lets_the_task_end_in_its_own_way(pool: Pool, name: str) -> None:
    handle = pool.submit(Task(name=name, command=OBEDIENT, grace_seconds=300), allow)
    has_written(pool, handle, b"ready\n")
    pool.kill(handle, 300)
    status = final(pool, name)
    assert (status.state, status.exit_code) == (TaskState.EXITED, 7)


def test_kill_does_not_wait_for_the_end(pool: Pool, name: str, data_dir: Path) -> None:
    until_go = 'while [ ! -e "$CHRONOS_SHARED_DIR/go" ]; do sleep 0.1; done'
    task = Task(name=name, command=f"trap '' TERM; echo ready; {until_go}; exit 7", grace_seconds=300)
    handle = pool.submit(task, allow)
    has_written(pool, handle, b"ready\n")
    pool.kill(handle, 300)
    is_running(pool, name)
    (data_dir / "shared" / "go").touch()
    assert final(pool, name).exit_code == 7


def test_kill_ends_the_stubborn_after_the_grace(pool: Pool, name: str) -> None:
    handle = pool.submit(Task(name=name, command=STUBBORN, grace_seconds=3), allow)
    has_written(pool, handle, b"ready\n")
    asked = time.monotonic()
    pool.kill(handle, 3)
    status = final(pool, name)
    assert time.monotonic() - asked >= 2.5
    assert (status.state, status.exit_code) == (TaskState.EXITED, 137)


def test_a_new_leader_kills_what_the_old_one_started(pool: Pool, pool_again: Callable[[], Pool], name: str) -> None:
    handle = pool.submit(Task(name=name, command=STUBBORN, grace_seconds=3), allow)
    has_written(pool, handle, b"ready\n")
    pool.close()
    new_leader = pool_again()
    new_leader.kill(handle, 0)
    assert final(new_leader, name).exit_code == 137


def test_kill_of_ended_and_vanished_tasks_is_silent(pool: Pool, name: str) -> None:
    handle = pool.submit(Task(name=name, command="exit 3"), allow)
    ended = final(pool, name)
    pool.kill(handle, 1)
    assert present(pool, name) == ended
    pool.forget(handle)
    pool.kill(handle, 1)
    assert status_of(pool, name) is None


def test_names_the_memory_limit_as_the_cause(pool: Pool, name: str) -> None:
    greedy = "x=0123456789abcdef; while :; do x=$x$x; done"
    pool.submit(Task(name=name, command=greedy, limits=Limits(memory_mb=32)), allow)
    status = final(pool, name)
    assert (status.state, status.exit_code, status.cause) == (TaskState.EXITED, 137, "memory")
    assert status.message


# --- afterwards ------------------------------------------------------------------------------------------


def test_lists_an_ended_task_until_it_is_forgotten(pool: Pool, name: str, data_dir: Path) -> None:
    handle = pool.submit(witness(name, "echo kept"), allow)
    ended = final(pool, name)
    assert [present(pool, name) for _ in range(3)] == [ended] * 3
    assert pool.logs(handle, "stdout", 0, 100) == b"kept\n"
    pool.forget(handle)
    assert status_of(pool, name) is None
    assert pool.logs(handle, "stdout", 0, 100) == b""
    pool.forget(handle)


def test_a_forgotten_name_is_free(pool: Pool, name: str, data_dir: Path) -> None:
    for time_run in (1, 2):
        handle = pool.submit(witness(name, f"exit {time_run}"), allow)
        assert final(pool, name).exit_code == time_run
        pool.forget(handle)
        assert times_run(data_dir, name) == time_run


def test_forgetting_the_unknown_is_silent(pool: Pool, name: str) -> None:
    pool.forget(name)


# --- a new leader ----------------------------------------------------------------------------------------


def test_a_new_leader_finds_running_and_ended_tasks(
    pool: Pool, pool_again: Callable[[], Pool], name: str, data_dir: Path
) -> None:
    wait = 'while [ ! -e "$CHRONOS_SHARED_DIR/go" ]; do sleep 0.05; done'
    task = Task(name=name, command=f"echo before; {wait}; echo after; exit 4")
    earlier = replace(task, name=f"{name}-earlier", command="echo done; exit 5")
    pool.submit(earlier, allow)
    final(pool, earlier.name)
    handle = pool.submit(task, allow)
    has_written(pool, handle, b"before\n")
    pool.close()

    new_leader = pool_again()
    is_running(new_leader, name)
    assert present(new_leader, earlier.name).exit_code == 5
    (data_dir / "shared" / "go").touch()
    assert final(new_leader, name).exit_code == 4
    assert new_leader.logs(handle, "stdout", 0, 100) == b"before\nafter\n"


def hints_of(pool: Pool, stop: threading.Event) -> queue.SimpleQueue[str]:
    """Watch in the background; the hints come through the queue."""
    hints: queue.SimpleQueue[str] = queue.SimpleQueue()
    begun = threading.Event()

    def watch() -> None:
        watching = pool.watch(stop)
        begun.set()
        for hint in watching:
            hints.put(hint)

    threading.Thread(target=watch, name="watching").start()
    assert begun.wait(60)
    return hints


def await_hint(hints: queue.SimpleQueue[str], name: str) -> None:
    while hints.get(timeout=60) != name:
        pass


def test_watch_tells_that_a_task_ended(pool: Pool, name: str) -> None:
    stop = threading.Event()
    try:
        hints = hints_of(pool, stop)
        pool.submit(Task(name=name, command="sleep 0.3"), allow)
        while not present(pool, name).is_final:
            await_hint(hints, name)
    finally:
        stop.set()


def test_watch_of_a_new_leader_tells_that_an_adopted_task_ended(
    pool: Pool, pool_again: Callable[[], Pool], name: str, data_dir: Path
) -> None:
    wait = 'echo ready; while [ ! -e "$CHRONOS_SHARED_DIR/go" ]; do sleep 0.05; done'
    handle = pool.submit(Task(name=name, command=wait), allow)
    has_written(pool, handle, b"ready\n")
    new_leader = pool_again()
    stop = threading.Event()
    try:
        hints = hints_of(new_leader, stop)
        (data_dir / "shared" / "go").touch()
        while not present(new_leader, name).is_final:
            await_hint(hints, name)
    finally:
        stop.set()


def test_watch_ends_when_it_is_stopped_or_the_pool_is_closed(pool_again: Callable[[], Pool]) -> None:
    stopped, closed = pool_again(), pool_again()
    stop = threading.Event()
    stop.set()
    assert list(stopped.watch(stop)) == []
    watching = threading.Thread(target=lambda: list(closed.watch(threading.Event())))
    watching.start()
    closed.close()
    watching.join(60)
    assert not watching.is_alive()


def test_tells_its_capacity(pool: Pool) -> None:
    capacity = pool.capacity()
    assert capacity.cpus_total is None or capacity.cpus_total >= 1
    assert capacity.memory_total_mb is None or capacity.memory_total_mb > 64
