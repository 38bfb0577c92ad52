"""Tasks that are plain processes survive their server, and nobody is fooled about what became of them."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chronos_py.model.task import Limits, Task
from chronos_py.pools import Pool, PoolUnavailable, TaskState
from chronos_py.pools.process import pool as process_pool
from chronos_py.pools.process.pool import ProcessPool
from chronos_py.pools.process.supervisor import ProcessFacts, boot_id, existing, identity

from .conftest import PoolFactory
from .waiting import eventually, final, has_written, present, status_of

UNTIL_GO = 'while [ ! -e "$CHRONOS_SHARED_DIR/go" ]; do sleep 0.02; done'

SERVER = """
import sys, time
from pathlib import Path
from chronos_py.model.task import Task
from chronos_py.pools import PoolUnavailable
from chronos_py.pools.process import pool as process_pool
from chronos_py.pools.process.pool import ProcessPool

process_pool.BEGINNING_SECONDS, process_pool.BEGINNING_LOOKS = 60.0, 1200
data_dir = Path(sys.argv[1])
pool = ProcessPool(data_dir, data_dir / "shared")
print("ready", flush=True)
for line in sys.stdin:
    verb, name, pause, command = line.rstrip().split(" ", 3)
    permit = lambda: time.sleep(float(pause))
    try:
        print(getattr(pool, verb)(Task(name=name, command=command), permit), flush=True)
    except PoolUnavailable as error:
        print("unavailable:", error, flush=True)
"""


class Server:
    """A server process with a pool of its own, to be told what to launch and to be killed."""

    def __init__(self, data_dir: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, data_dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.answer() == "ready"

    def tell(self, verb: str, name: str, command: str, pause: float = 0) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{verb} {name} {pause} {command}\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def start_server(data_dir: Path) -> Iterator[Callable[[], Server]]:
    started: list[Server] = []

    def start() -> Server:
        started.append(Server(data_dir))
        return started[-1]

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def pool_factory(process_pool_factory: PoolFactory) -> PoolFactory:
    return process_pool_factory


def allow() -> None:
    """The permit of a leader whose term goes on."""


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever recovers a task waits for as long as it may take another one to begin it, or to end, here."""
    monkeypatch.setattr(process_pool, "BEGINNING_SECONDS", 60.0)
    monkeypatch.setattr(process_pool, "BEGINNING_LOOKS", 1200)


def records(data_dir: Path, name: str) -> dict[str, Any]:
    """What the supervisor of a task wrote when it began it."""
    file = data_dir / "tasks" / name / "running.json"
    eventually(file.exists)
    running: dict[str, Any] = json.loads(file.read_text())
    return running


def kill_supervisor(data_dir: Path, name: str) -> None:
    os.kill(records(data_dir, name)["supervisor"]["pid"], signal.SIGKILL)


def times_run(data_dir: Path, name: str) -> int:
    file = data_dir / "shared" / name
    return len(file.read_text().splitlines()) if file.exists() else 0


# --- the server dies -------------------------------------------------------------------------------------


def test_tasks_of_a_killed_server_go_on_and_are_adopted(
    start_server: Callable[[], Server], pool_again: Callable[[], Pool], data_dir: Path
) -> None:
    server = start_server()
    server.tell("submit", "t", f"echo before; {UNTIL_GO}; echo after; exit 4")
    assert server.answer() == "t"
    server.kill()
    pool = pool_again()
    has_written(pool, "t", b"before\n")
    assert present(pool, "t").state is TaskState.RUNNING
    (data_dir / "shared" / "go").touch()
    assert final(pool, "t").exit_code == 4
    assert pool.logs("t", "stdout", 0, 100) == b"before\nafter\n"


@pytest.mark.usefixtures("patience")
def test_a_server_killed_at_any_moment_of_a_launch_loses_and_repeats_nothing(data_dir: Path) -> None:
    """Killed 0 to 15 ms after its start or after it took the name; the new leader recovers what it finds."""
    pool = ProcessPool(data_dir, data_dir / "shared")
    for round_number in range(60):
        task = Task(name=f"t{round_number}", command=f"echo ran >> $CHRONOS_SHARED_DIR/t{round_number}")
        child = os.fork()
        if child == 0:
            try:
                ProcessPool(data_dir, data_dir / "shared").submit(task, allow)
                signal.pause()
            finally:
                os._exit(1)
        if round_number % 2:
            eventually((data_dir / "tasks" / task.name).exists)
        subprocess.run(["sleep", f"{round_number * 0.00025}"], check=True)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pool.recover(task, allow)
        assert final(pool, task.name).exit_code == 0
        assert times_run(data_dir, task.name) == 1
    pool.close()


def test_an_old_leader_that_starts_late_and_a_new_one_that_recovers_run_it_once(
    start_server: Callable[[], Server], data_dir: Path
) -> None:
    """Two processes meet at the same task, each pausing for some time between its permit and what it permits."""
    old, new = start_server(), start_server()
    pauses = random.Random(7)
    names = [f"t{number}" for number in range(150)]
    for name in names:
        command = f"echo ran >> $CHRONOS_SHARED_DIR/{name}"
        old.tell("submit", name, command, pauses.uniform(0, 0.004))
        new.tell("recover", name, command, pauses.uniform(0, 0.008))
        assert old.answer() == name
        assert new.answer() == name
    pool = ProcessPool(data_dir, data_dir / "shared")
    for name in names:
        assert final(pool, name).exit_code == 0
        assert times_run(data_dir, name) == 1
    pool.close()


def test_recover_waits_for_nobody_who_is_stopped_just_before_the_start(pool: ProcessPool, data_dir: Path) -> None:
    """A server that holds the right to begin and does not go on: nobody knows, so nobody starts it again."""
    task = Task(name="t", command="echo ran >> $CHRONOS_SHARED_DIR/t")
    with pytest.raises(PoolUnavailable):
        pool.submit(task, Refusal(at=2))
    folder = pool._folder("t")
    claim = folder.claim()
    assert claim is not None
    assert present(pool, "t").state is TaskState.RUNNING
    with pytest.raises(PoolUnavailable, match="just being started by another server"):
        pool.recover(task, allow)
    os.close(claim)
    assert present(pool, "t").state is TaskState.CREATED
    pool.recover(task, allow)
    assert final(pool, "t").exit_code == 0
    assert times_run(data_dir, "t") == 1


class Refusal:
    """A permit that is refused at its n-th asking."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise PoolUnavailable("not permitted")


def test_leaves_no_zombies(pool: Pool) -> None:
    for number in range(5):
        pool.submit(Task(name=f"t{number}", command="true"), allow)
    for number in range(5):
        final(pool, f"t{number}")
    eventually(lambda: not [facts for facts in existing(ProcessFacts(os.getpid()).children()) if facts.ended])


# --- the supervisor dies ---------------------------------------------------------------------------------


def test_a_payload_without_supervisor_runs_on_and_can_be_killed(pool: Pool, data_dir: Path) -> None:
    script = "trap '' TERM; (setsid sleep 1000 &); echo ready; while :; do sleep 0.1; done"
    pool.submit(Task(name="t", command=script), allow)
    has_written(pool, "t", b"ready")
    kill_supervisor(data_dir, "t")
    payload = records(data_dir, "t")["payload"]
    eventually(lambda: "supervisor is gone" in present(pool, "t").message)
    assert present(pool, "t").state is TaskState.RUNNING
    pool.kill("t", 0.3)
    status = final(pool, "t")
    assert (status.state, status.exit_code) == (TaskState.LOST, None)
    assert "supervisor" in status.message
    assert status.started_at is not None
    eventually(lambda: not existing([payload["pid"]]) or existing([payload["pid"]])[0].ended)


def test_a_payload_without_supervisor_may_end_in_its_own_way(pool: Pool, data_dir: Path) -> None:
    script = "trap 'echo bye; exit' TERM; echo ready; while :; do sleep 0.05; done"
    pool.submit(Task(name="t", command=script), allow)
    has_written(pool, "t", b"ready")
    kill_supervisor(data_dir, "t")
    eventually(lambda: "supervisor is gone" in present(pool, "t").message)
    pool.kill("t", 300)
    assert final(pool, "t").state is TaskState.LOST
    assert pool.logs("t", "stdout", 0, 100) == b"ready\nbye\n"


def test_a_payload_without_supervisor_is_lost_once_it_ends(pool: Pool, data_dir: Path) -> None:
    pool.submit(Task(name="t", command=f"echo ready; {UNTIL_GO}"), allow)
    has_written(pool, "t", b"ready")
    kill_supervisor(data_dir, "t")
    eventually(lambda: "supervisor is gone" in present(pool, "t").message)
    (data_dir / "shared" / "go").touch()
    status = final(pool, "t")
    assert status.state is TaskState.LOST
    assert "was ended before it could record the exit code" in status.message
    pool.forget("t")
    assert status_of(pool, "t") is None


def test_the_kernel_ends_a_runaway_without_supervisor(pool: Pool, data_dir: Path) -> None:
    """It waits, without using any processor time, until its supervisor is gone."""
    go = data_dir / "shared" / "go"
    os.mkfifo(go)
    script = 'echo ready; read go < "$CHRONOS_SHARED_DIR/go"; while :; do :; done'
    pool.submit(Task(name="t", command=script, limits=Limits(cpu_seconds=0.5)), allow)
    has_written(pool, "t", b"ready")
    kill_supervisor(data_dir, "t")
    eventually(lambda: "supervisor is gone" in present(pool, "t").message)
    go.write_text("go\n")
    assert final(pool, "t").state is TaskState.LOST


@pytest.mark.usefixtures("patience")
def test_a_supervisor_killed_at_any_moment_of_a_launch_never_runs_it_twice(pool: Pool, data_dir: Path) -> None:
    others = set(ProcessFacts(os.getpid()).children())  # servers that tests share

    def supervisors() -> set[int]:
        return set(ProcessFacts(os.getpid()).children()) - others

    for round_number in range(40):
        task = Task(name=f"t{round_number}", command=f"echo ran >> $CHRONOS_SHARED_DIR/t{round_number}")
        pool.submit(task, allow)
        subprocess.run(["sleep", f"{round_number * 0.0008}"], check=True)
        for pid in supervisors():
            with contextlib.suppress(ProcessLookupError):  # it has just come to its end
                os.kill(pid, signal.SIGKILL)
        eventually(lambda: not supervisors())
        pool.recover(task, allow)
        status = final(pool, task.name)
        times = times_run(data_dir, task.name)
        assert (status.state, times) == (TaskState.EXITED, 1) or (status.state is TaskState.LOST and times <= 1)


def test_a_supervisor_asked_to_end_takes_its_payload_along(pool: Pool, data_dir: Path) -> None:
    pool.submit(Task(name="t", command="trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done"), allow)
    has_written(pool, "t", b"ready")
    os.kill(records(data_dir, "t")["supervisor"]["pid"], signal.SIGTERM)
    status = final(pool, "t")
    assert (status.exit_code, status.message) == (9, "its supervisor received SIGTERM, exited with code 9")


# --- kills come early ------------------------------------------------------------------------------------


def test_a_kill_that_comes_before_the_payload_begins_is_heeded(pool: Pool) -> None:
    for number in range(10):
        handle = pool.submit(Task(name=f"t{number}", command="sleep 1000"), allow)
        pool.kill(handle, 0)
        assert final(pool, handle).exit_code in (137, 143)


def test_a_task_killed_before_its_start_never_starts(pool: Pool, data_dir: Path) -> None:
    task = Task(name="t", command="echo ran >> $CHRONOS_SHARED_DIR/t")
    with pytest.raises(PoolUnavailable):
        pool.submit(task, Refusal(at=2))
    pool.kill("t", 5)
    status = present(pool, "t")
    assert (status.state, status.cause, status.message) == (TaskState.EXITED, "signal", "killed before it began")
    pool.recover(task, allow)
    assert present(pool, "t") == status
    assert times_run(data_dir, "t") == 0


# --- records that lie ------------------------------------------------------------------------------------


def forge(data_dir: Path, name: str, **files: object) -> None:
    """A task's folder as if left behind by an earlier server."""
    folder = data_dir / "tasks" / name
    (folder / "work").mkdir(parents=True)
    (folder / "lock").touch()
    for file, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / f"{file}.json").write_text(text)


def running(**changes: object) -> dict[str, object]:
    process = {**identity(os.getpid()), **changes}
    return {"supervisor": process, "payload": process, "started_at": 1_700_000_000.0}


def test_a_reused_pid_is_not_taken_for_the_payload(pool: Pool, data_dir: Path) -> None:
    own = identity(os.getpid())
    forge(data_dir, "t", running=running(start_ticks=own["start_ticks"] - 1))
    status = present(pool, "t")
    assert status.state is TaskState.LOST
    assert "was ended before it could record the exit code" in status.message
    pool.kill("t", 0)  # must not reach the process that has the number now: it is this one


def test_a_restarted_machine_is_named(pool: Pool, data_dir: Path) -> None:
    forge(data_dir, "t", running=running(boot_id="00000000-0000-0000-0000-000000000000"))
    assert boot_id() != "00000000-0000-0000-0000-000000000000"
    status = present(pool, "t")
    assert status.state is TaskState.LOST
    assert "the machine was restarted while it ran" in status.message


@pytest.mark.parametrize(
    "files",
    [
        {"result": ""},
        {"result": "{"},
        {"result": "[]"},
        {"result": {"exit_code": "x"}},
        {"result": {"exit_code": 0}},
        {"running": "\0\0\0"},
        {"running": "null-ish"},
        {"running": {"supervisor": 1}},
        {"running": {"supervisor": {}, "payload": {"pid": "x"}, "started_at": 1}},
        {"running": {"supervisor": {}, "payload": {}, "started_at": 1e300}},
    ],
)
def test_damaged_records_are_lost_tasks_with_a_reason(pool: Pool, data_dir: Path, files: dict[str, object]) -> None:
    forge(data_dir, "t", **files)
    status = present(pool, "t")
    assert status.state is TaskState.LOST
    assert status.message.startswith("its record cannot be read: ")
    pool.kill("t", 0)
    pool.forget("t")
    assert pool.list() == []


def test_strange_things_in_the_folder_of_tasks_are_overlooked(pool: Pool, data_dir: Path) -> None:
    (data_dir / "tasks" / "file").touch()
    (data_dir / "tasks" / "link").symlink_to("/")
    assert pool.list() == []


def test_what_cannot_be_read_now_is_unknown_not_lost(pool: ProcessPool) -> None:
    pool.submit(Task(name="t", command="exit 3"), allow)
    ended = final(pool, "t")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        sight = pool._folder("t").look()
        with pytest.raises(PoolUnavailable, match="could not list its tasks: Too many open files"):
            pool.list()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert sight
    assert sight.status.state is TaskState.RUNNING
    assert sight.status.message == "its folder cannot be read now: Too many open files"
    assert present(pool, "t") == ended


# --- the disk fills up -----------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with room for little."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_loses_no_result_and_is_named(small_disk: Path) -> None:
    pool = ProcessPool(small_disk, small_disk / "shared")
    script = "while echo 0123456789012345678901234567890123456789; do :; done; exit 3"
    pool.submit(Task(name="t", command=script), allow)
    status = final(pool, "t")
    assert status.exit_code == 3
    assert status.message == "exited with code 3; the disk that holds its output is full"

    task = Task(name="next", command="true")
    with pytest.raises(PoolUnavailable, match="No space left on device"):
        pool.submit(task, allow)
    pool.forget("t")
    pool.recover(task, allow)
    assert final(pool, "next").exit_code == 0
    pool.close()


# --- many at once ----------------------------------------------------------------------------------------


def test_limits_hold_for_each_of_many(pool: Pool) -> None:
    names = [f"t{number}" for number in range(20)]
    tasks = [Task(name=name, command="sleep 1000", limits=Limits(wall_seconds=0.5)) for name in names]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda task: pool.submit(task, allow), tasks))
    assert {final(pool, name).cause for name in names} == {"wall_time"}


def test_listing_thousands_of_ended_tasks_reads_each_once(pool: Pool, data_dir: Path) -> None:
    pool.submit(Task(name="t", command="exit 3"), allow)
    final(pool, "t")
    for number in range(2000):
        copy = data_dir / "tasks" / f"copy-{number}"
        copy.mkdir()
        shutil.copy(data_dir / "tasks" / "t" / "result.json", copy)
    assert {status.exit_code for status in pool.list()} == {3}
    for number in range(2000):
        (data_dir / "tasks" / f"copy-{number}" / "result.json").write_bytes(b"unread")
    assert {status.exit_code for status in pool.list()} == {3}
