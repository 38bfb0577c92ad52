"""Output by byte offset, of ended and of running containers."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from chronos_py.model.task import Container, Parameter, Task
from chronos_py.pools import Stream
from chronos_py.pools.docker.logs import payloads
from chronos_py.pools.docker.pool import DockerPool

from .docker_fixtures import allow, run
from .waiting import eventually, final, has_written, present

LINES = 20_000
FILL = "x" * 50
BOTH_STREAMS = f"""i=0; while [ $i -lt {LINES} ]; do echo "out $i {FILL}"; echo "err $i" >&2; i=$((i+1)); done"""
WHOLE: dict[Stream, bytes] = {
    "stdout": "".join(f"out {number} {FILL}\n" for number in range(LINES)).encode(),
    "stderr": "".join(f"err {number}\n" for number in range(LINES)).encode(),
}


def read_through(pool: DockerPool, handle: str, stream: Stream, piece: int) -> bytes:
    """A stream from its beginning until there is no more."""
    whole = bytearray()
    while data := pool.logs(handle, stream, len(whole), piece):
        assert len(data) <= piece
        whole += data
    return bytes(whole)


def frame(number: int, payload: bytes) -> bytes:
    return bytes([number, 0, 0, 0]) + len(payload).to_bytes(4) + payload


def test_takes_frames_apart_wherever_the_chunks_are_cut() -> None:
    chance = random.Random(3)
    frames = [(chance.choice([1, 2]), chance.randbytes(chance.choice([0, 1, 7, 300]))) for _ in range(200)]
    wire = b"".join(frame(*each) for each in frames)
    for _ in range(50):
        cuts = sorted({0, len(wire), *(chance.randrange(len(wire)) for _ in range(chance.choice([1, 30, 900])))})
        chunks = [wire[start:end] for start, end in pairwise(cuts)]
        for stream, number in (("stdout", 1), ("stderr", 2)):
            expected = b"".join(payload for of, payload in frames if of == number)
            assert b"".join(payloads(iter(chunks), stream)) == expected  # type: ignore[arg-type]


@pytest.mark.docker
def test_reads_more_than_a_megabyte_of_mingled_streams_byte_by_byte(docker_pool: DockerPool, task_name: str) -> None:
    status, _ = run(docker_pool, Task(name=task_name, command=BOTH_STREAMS))
    assert len(WHOLE["stdout"]) > 2**20
    for stream, whole in WHOLE.items():
        assert read_through(docker_pool, status.handle, stream, 2**20) == whole
        assert read_through(docker_pool, status.handle, stream, 10_007) == whole
    whole = WHOLE["stdout"]
    for offset in (len(whole) - 5, 700_001, 1, len(whole), len(whole) + 1):
        assert docker_pool.logs(status.handle, "stdout", offset, 100) == whole[offset : offset + 100]


@pytest.mark.docker
def test_follows_a_running_task_to_its_end(docker_pool: DockerPool, task_name: str, tmp_path: Path) -> None:
    """Two readers at once, while the task writes; each gets every byte once."""
    go = tmp_path / "shared" / "go"
    line = f"echo begun; while [ ! -e /chronos/shared/go ]; do sleep 0.02; done; {BOTH_STREAMS}"
    handle = docker_pool.submit(Task(name=task_name, command=line), allow)
    has_written(docker_pool, handle, b"begun\n")
    assert docker_pool.logs(handle, "stdout", 6, 100) == b""
    gathered: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray(), "late stdout": bytearray()}

    def follow(key: str, stream: Stream, piece: int) -> None:
        is_over = False
        while True:
            data = docker_pool.logs(handle, stream, len(gathered[key]), piece)
            gathered[key] += data
            if not data and is_over:
                return
            is_over = is_over or present(docker_pool, task_name).is_final

    followers = [
        threading.Thread(target=follow, args=("stdout", "stdout", 8192)),
        threading.Thread(target=follow, args=("stderr", "stderr", 1000)),
        threading.Thread(target=follow, args=("late stdout", "stdout", 100_000)),
    ]
    followers[0].start()
    followers[1].start()
    go.touch()
    followers[2].start()
    for follower in followers:
        follower.join(60)
        assert not follower.is_alive()
    assert gathered["stdout"] == b"begun\n" + WHOLE["stdout"]
    assert gathered["late stdout"] == gathered["stdout"]
    assert gathered["stderr"] == WHOLE["stderr"]


@pytest.mark.docker
def test_a_long_line_without_an_end_is_whole(docker_pool: DockerPool, task_name: str) -> None:
    status, _ = run(docker_pool, Task(name=task_name, command="head -c 100001 /dev/zero | tr '\\0' y"))
    assert read_through(docker_pool, status.handle, "stdout", 65_536) == b"y" * 100_001


@pytest.mark.docker
def test_a_terminal_has_one_stream_without_frames(docker_pool: DockerPool, task_name: str) -> None:
    container = Container(parameters=(Parameter("tty", "true"),))
    line = "echo out; echo err >&2; while [ ! -e /chronos/shared/go ]; do sleep 0.05; done"
    handle = docker_pool.submit(Task(name=task_name, command=line, container=container), allow)
    has_written(docker_pool, handle, b"out\r\nerr\r\n")
    docker_pool.kill(handle, 0)
    final(docker_pool, task_name)
    assert docker_pool.logs(handle, "stdout", 5, 100) == b"err\r\n"
    assert docker_pool.logs(handle, "stderr", 0, 100) == b""


@pytest.mark.docker
def test_there_is_nothing_to_read_of_what_keeps_no_log_or_never_began(
    docker_pool: DockerPool, docker_pool_factory: Callable[[Path], DockerPool], task_name: str
) -> None:
    container = Container(parameters=(Parameter("log-driver", "none"),))
    handle = docker_pool.submit(Task(name=task_name, command="echo unseen", container=container), allow)
    final(docker_pool, task_name)
    assert docker_pool.logs(handle, "stdout", 0, 100) == b""
    permits = iter([None])
    with pytest.raises(StopIteration):
        docker_pool.submit(Task(name=f"{task_name}-2", command="echo unseen"), lambda: next(permits))
    assert docker_pool.logs(present(docker_pool, f"{task_name}-2").handle, "stdout", 0, 100) == b""


@pytest.mark.docker
def test_readers_end_with_their_pool(
    docker_pool_factory: Callable[[Path], DockerPool], task_name: str, tmp_path: Path
) -> None:
    pool, other = docker_pool_factory(tmp_path), docker_pool_factory(tmp_path)
    handle = pool.submit(Task(name=task_name, command="echo up; sleep 1000"), allow)
    has_written(pool, handle, b"up\n")
    pool.logs(handle, "stdout", 3, 10)
    assert _reading_threads()
    pool.close()
    eventually(lambda: not _reading_threads())
    other.kill(handle, 0)
    other.close()


def _reading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "docker-logs"]
