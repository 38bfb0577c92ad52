"""An engine that is away, hangs, is killed and comes back: what the pool says then is true."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chronos_py.model.task import Task
from chronos_py.pools import LaunchLost, PoolOptions, PoolUnavailable, TaskState
from chronos_py.pools.docker.pool import DockerPool

from .docker_fixtures import allow, options_on, private_engine, start_engine
from .swarm_hosts import Host
from .waiting import as_soon_as, eventually, final, has_written, lines, present

MOST_ROUNDS = 40
UNTIL_GO = "while [ ! -e /chronos/shared/go ]; do sleep 0.05; done"


class OwnEngine:
    """An engine that a test may break."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self._folder = folder

    def kill(self) -> None:
        """Kill the daemon only: the containers and their supervisors go on."""
        self._kill([self._pid("dockerd")])

    def kill_the_machine(self) -> None:
        """Kill the daemons, the supervisors and everything in the containers at once."""
        supervisors = [
            int(process.name)
            for process in Path("/proc").glob("[0-9]*")
            if f"{self._folder}/containerd.sock" in _command_line(process) and "shim" in _command_line(process)
        ]
        sockets = [
            Path(each.read_text().removeprefix("unix://")) for each in self._folder.glob("run/*/moby/*/address")
        ]
        self._kill([self._pid("dockerd"), self._pid("containerd"), *_with_children(supervisors)])
        for each in sockets:
            each.unlink(missing_ok=True)  # as /run is empty after a boot

    def come_back(self) -> None:
        assert start_engine(self._folder) == self.url

    def send(self, number: signal.Signals) -> None:
        os.kill(self._pid("dockerd"), number)

    def _pid(self, program: str) -> int:
        return int((self._folder / f"{program}.pid").read_text())

    @staticmethod
    def _kill(pids: list[int]) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # it ended with the one that was killed before it
                os.kill(pid, signal.SIGKILL)
        eventually(lambda: not any(_is_alive(pid) for pid in pids))


def _command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().decode().replace("\0", " ")
    except OSError:
        return ""


def _with_children(pids: list[int]) -> list[int]:
    found = list(pids)
    for pid in found:
        with contextlib.suppress(OSError):  # it has just ended
            found += [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return found


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def engine() -> Iterator[OwnEngine]:
    with private_engine() as (url, folder):
        yield OwnEngine(url, folder)


@pytest.fixture
def pool(engine: OwnEngine, tmp_path: Path, task_name: str) -> Iterator[DockerPool]:
    pool = DockerPool.from_options(
        PoolOptions(cluster=task_name, data_dir=tmp_path, shared_dir=tmp_path / "shared", docker_url=engine.url)
    )
    yield pool
    for status in pool.list():
        if not status.is_final:
            pool.kill(status.handle, 0)
    pool.close()


@contextlib.contextmanager
def usual_patience() -> Iterator[None]:
    """What a leader has with engines, and other tests have not; see ``patience_with_engines``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chronos_py.pools.docker.engine.CONNECT_SECONDS", 3)
        yield


def unreachable(url: str, tmp_path: Path) -> str:
    """What the pool says when it cannot be made."""
    asked = time.monotonic()
    with usual_patience(), pytest.raises(PoolUnavailable) as refusal:
        DockerPool.from_options(PoolOptions("c", tmp_path, tmp_path / "shared", url))
    assert time.monotonic() - asked < 60  # where it waited, it would be for two minutes
    message = str(refusal.value)
    assert message.startswith(f"The Docker engine at {url} ")
    assert message.count(".") - url.count(".") == 1
    return message


# --- away ------------------------------------------------------------------------------------------------


def test_says_in_one_sentence_that_no_engine_answers(tmp_path: Path) -> None:
    assert "No such file or directory" in unreachable(f"unix://{tmp_path}/docker.sock", tmp_path)
    assert "Connection refused" in unreachable("tcp://127.0.0.1:9", tmp_path)
    assert "protocol" in unreachable("gopher://there", tmp_path)
    assert "ssh -L" in unreachable("ssh://somewhere", tmp_path)


def test_says_that_what_answers_is_slow_or_no_engine(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "took too long" in unreachable(f"tcp://127.0.0.1:{silent.getsockname()[1]}", tmp_path)

    def answer() -> None:
        connection, _ = chatty.accept()
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as chatty, ThreadPoolExecutor(1) as threads:
        threads.submit(answer)
        unreachable(f"tcp://127.0.0.1:{chatty.getsockname()[1]}", tmp_path)


# --- killed and back -------------------------------------------------------------------------------------


@pytest.mark.docker
def test_statuses_are_true_after_the_engine_was_killed(
    engine: OwnEngine, pool: DockerPool, task_name: str, tmp_path: Path
) -> None:
    ended, ends_meanwhile, goes_on, created = (f"{task_name}-{number}" for number in range(4))
    pool.submit(Task(ended, "exit 5"), allow)
    final(pool, ended)
    pool.submit(Task(ends_meanwhile, f"echo up; {UNTIL_GO}; touch /chronos/shared/gone; exit 6"), allow)
    long = pool.submit(Task(goes_on, "echo up; sleep 600"), allow)
    permits = iter([None])
    with pytest.raises(StopIteration):
        pool.submit(Task(created, "echo ran >> /chronos/shared/created"), lambda: next(permits))
    has_written(pool, long, b"up\n")

    engine.kill()
    for call in (
        pool.list,
        pool.capacity,
        lambda: pool.logs(long, "stdout", 0, 10),
        lambda: pool.kill(long, 0),
        lambda: pool.forget(long),
        lambda: pool.submit(Task(f"{task_name}-x", "true"), allow),
        lambda: pool.recover(Task(created, "true"), allow),
    ):
        with pytest.raises(PoolUnavailable, match=rf"^The Docker engine at {engine.url} does not answer: .+\.$"):
            call()
    (tmp_path / "shared" / "go").touch()
    eventually((tmp_path / "shared" / "gone").exists)
    engine.come_back()

    assert present(pool, ended).exit_code == 5
    assert present(pool, ends_meanwhile).exit_code == 6
    # An engine without live-restore ends on its return what outlived it.
    killed = present(pool, goes_on)
    assert (killed.state, killed.exit_code, killed.cause) == (TaskState.EXITED, 143, "signal")
    assert pool.logs(long, "stdout", 0, 10) == b"up\n"
    assert present(pool, created).state is TaskState.CREATED
    for _ in range(2):
        with pytest.raises(LaunchLost, match="cannot tell whether it ran"):
            pool.recover(Task(created, "echo ran >> /chronos/shared/created"), allow)
    assert not (tmp_path / "shared" / "created").exists()
    pool.forget(present(pool, created).handle)
    assert pool.recover(Task(created, "exit 8"), allow)
    assert final(pool, created).exit_code == 8


@pytest.mark.docker
def test_tasks_of_a_machine_that_went_down_are_lost(engine: OwnEngine, pool: DockerPool, task_name: str) -> None:
    handle = pool.submit(Task(task_name, "echo up; sleep 600"), allow)
    has_written(pool, handle, b"up\n")
    engine.kill_the_machine()
    engine.come_back()
    status = present(pool, task_name)
    assert (status.state, status.exit_code) == (TaskState.LOST, None)
    assert "came back without it" in status.message
    assert pool.recover(Task(task_name, "true"), allow) == handle
    assert pool.submit(Task(f"{task_name}-next", "exit 255"), allow)
    assert final(pool, f"{task_name}-next").exit_code == 255


@pytest.mark.docker
@pytest.mark.parametrize("round_number", range(4))
def test_an_engine_killed_in_the_middle_of_a_start_never_means_a_second_run(
    engine: OwnEngine, pool: DockerPool, task_name: str, tmp_path: Path, round_number: int
) -> None:
    witness = tmp_path / "shared" / "witness"
    task = Task(task_name, "echo ran >> /chronos/shared/witness; sleep 0.5")
    with ThreadPoolExecutor(1) as threads:
        launch = threads.submit(pool.submit, task, allow)
        eventually(witness.exists)  # the engine has not yet written down that it runs, or has just done so
        engine.kill()
        answer = launch.exception(60)
        assert answer is None or isinstance(answer, PoolUnavailable)
    engine.come_back()
    for _ in range(2):
        try:
            assert pool.recover(task, allow) == present(pool, task_name).handle
        except LaunchLost:
            assert present(pool, task_name).state is TaskState.CREATED
        else:
            assert final(pool, task_name).is_final
    assert witness.read_text() == "ran\n"


@pytest.fixture
def restoring(spare_host: Host) -> Iterator[Host]:
    """An engine whose containers go on while it is dead; the default network that tells when it came up does, too."""
    spare_host.stop_engine()
    spare_host.start_engine("--live-restore")
    yield spare_host
    spare_host.stop_engine()
    spare_host.start_engine()


@pytest.mark.docker
def test_an_engine_with_live_restore_killed_in_the_middle_of_a_start_never_means_a_second_run(
    restoring: Host, task_name: str, tmp_path: Path
) -> None:
    witness = tmp_path / "shared" / "witness"
    with (
        contextlib.closing(DockerPool.from_options(options_on([restoring.url], tmp_path))) as pool,
        ThreadPoolExecutor(1) as threads,
    ):
        goes_on = pool.submit(Task(f"{task_name}-goes-on", "echo up; sleep 600"), allow)
        has_written(pool, goes_on, b"up\n")
        for number in range(MOST_ROUNDS):
            task = Task(f"{task_name}-{number}", "echo ran >> /chronos/shared/witness; sleep 0.5")
            launch = threads.submit(pool.submit, task, allow)
            as_soon_as(lambda number=number: len(lines(witness)) > number)
            restoring.kill_engine()
            answer = launch.exception(60)
            assert answer is None or isinstance(answer, PoolUnavailable)
            restoring.start_engine("--live-restore")
            try:
                pool.recover(task, allow)
                final(pool, task.name)
                was_met = False
            except LaunchLost:
                was_met = True
            assert len(lines(witness)) == number + 1
            if was_met:
                break
        else:
            pytest.fail("the moment was never met")
        pool.kill(goes_on, 0)


@pytest.mark.docker
def test_an_engine_with_live_restore_that_did_not_die_launches_what_was_only_created(
    restoring: Host, task_name: str, tmp_path: Path
) -> None:
    with contextlib.closing(DockerPool.from_options(options_on([restoring.url], tmp_path))) as pool:
        permits = iter([None])
        with pytest.raises(StopIteration):
            pool.submit(Task(task_name, "exit 3"), lambda: next(permits))
        pool.recover(Task(task_name, "exit 3"), allow)
        assert final(pool, task_name).exit_code == 3


@pytest.mark.docker
def test_an_engine_that_hangs_is_away_not_wrong(
    engine: OwnEngine, pool: DockerPool, task_name: str, tmp_path: Path
) -> None:
    handle = pool.submit(Task(task_name, f"{UNTIL_GO}; exit 4"), allow)
    impatient = DockerPool.from_options(
        PoolOptions(cluster=task_name, data_dir=tmp_path, shared_dir=tmp_path / "shared", docker_url=engine.url)
    )
    impatient._engine.client.timeout = 1
    engine.send(signal.SIGSTOP)
    try:
        with usual_patience(), pytest.raises(PoolUnavailable, match="took too long"):
            impatient.list()
        with pytest.raises(PoolUnavailable, match="took too long"):
            impatient.outputs(handle, 100)
    finally:
        engine.send(signal.SIGCONT)
        impatient._engine.client.timeout = 60
    assert present(impatient, task_name).state is TaskState.RUNNING
    (tmp_path / "shared" / "go").touch()
    assert final(impatient, task_name).exit_code == 4
    impatient.close()


@pytest.mark.docker
def test_a_start_whose_answer_is_lost_is_adopted(
    engine: OwnEngine, pool: DockerPool, task_name: str, tmp_path: Path
) -> None:
    task = Task(task_name, "echo ran >> /chronos/shared/witness; sleep 1")
    calls: list[None] = []

    def permit_and_hang() -> None:
        calls.append(None)
        if len(calls) == 2:
            pool._engine.client.timeout = 1
            engine.send(signal.SIGSTOP)

    try:
        with pytest.raises(PoolUnavailable, match="took too long"):
            pool.submit(task, permit_and_hang)
    finally:
        engine.send(signal.SIGCONT)
        pool._engine.client.timeout = 60
    handle = pool.recover(task, allow)
    assert final(pool, task_name).handle == handle
    assert (tmp_path / "shared" / "witness").read_text() == "ran\n"


@pytest.mark.docker
def test_watch_goes_on_when_the_engine_is_back(engine: OwnEngine, pool: DockerPool, task_name: str) -> None:
    stop = threading.Event()
    hints: queue.SimpleQueue[str] = queue.SimpleQueue()

    def watch() -> None:
        for hint in pool.watch(stop):
            hints.put(hint)

    def await_hint(name: str) -> None:
        while hints.get(timeout=60) != name:
            pass

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        pool.submit(Task(task_name, "sleep 600"), allow)
        await_hint(task_name)
        engine.kill()
        engine.come_back()
        await_hint(task_name)  # the engine ended it on its return
        assert present(pool, task_name).is_final
        pool.submit(Task(f"{task_name}-2", "true"), allow)
        await_hint(f"{task_name}-2")
    finally:
        stop.set()
        watching.join(60)
    assert not watching.is_alive()


@pytest.mark.docker
def test_a_kill_outlives_the_process_that_asked_for_it(
    engine: OwnEngine, pool: DockerPool, task_name: str, tmp_path: Path
) -> None:
    handle = pool.submit(Task(task_name, "trap '' TERM; echo up; while :; do sleep 0.1; done"), allow)
    has_written(pool, handle, b"up\n")
    script = """
import os, sys
from pathlib import Path
from chronos_py.pools import PoolOptions
from chronos_py.pools.docker.pool import DockerPool
url, folder, handle = sys.argv[1:]
pool = DockerPool.from_options(PoolOptions("c", Path(folder), Path(folder), url))
kills = pool._engine.client.events(filters={"event": "kill", "container": handle}, decode=True)
pool.kill(handle, 2)
next(kills)  # the engine has the request
os._exit(9)
"""
    asked = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script, engine.url, tmp_path, handle], check=False)
    assert done.returncode == 9
    status = final(pool, task_name)
    assert status.exit_code == 137
    assert time.monotonic() - asked >= 2


@pytest.mark.docker
def test_whoever_stops_listening_leaves_no_thread_behind(pool: DockerPool, task_name: str) -> None:
    pool.submit(Task(task_name, "true"), allow)
    with contextlib.closing(pool.watch(threading.Event())) as hints:
        assert next(hints) == task_name
    eventually(lambda: not [each for each in threading.enumerate() if each.name == "docker-events"])
