"""What is special about tasks that are plain processes: their surroundings, users, names and limits."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chronos_py.model.task import Container, Limits, Parameter, Task, Volume
from chronos_py.pools import LaunchRefused, Pool, PoolOptions, PoolUnavailable, TaskState
from chronos_py.pools.process import pool as process_pool
from chronos_py.pools.process import supervisor
from chronos_py.pools.process.pool import ProcessPool
from chronos_py.pools.process.supervisor import existing

from .conftest import PoolFactory
from .waiting import final, has_written, present, status_of

BURN = "while :; do :; done"
GROW = "x=0123456789abcdef; while :; do x=$x$x; done"


@pytest.fixture
def pool_factory(process_pool_factory: PoolFactory) -> PoolFactory:
    return process_pool_factory


def allow() -> None:
    """The permit of a leader whose term goes on."""


def output_of(pool: Pool, task: Task) -> str:
    handle = pool.submit(task, allow)
    assert final(pool, task.name).exit_code == 0, pool.logs(handle, "stderr", 0, 1000)
    return pool.logs(handle, "stdout", 0, 100_000).decode()


# --- surroundings ----------------------------------------------------------------------------------------


def test_gives_a_task_its_own_environment_and_none_of_the_servers(
    pool: Pool, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "hidden-value")
    script = 'env; echo; tr "\\0" "\\n" < /proc/$PPID/environ'
    whole = output_of(pool, Task(name="t", command=script, environment={"GREETING": "hello", "HOST": "mine"}))
    assert "hidden-value" not in whole
    own, _, supervisors = whole.partition("\n\n")
    assert supervisors.strip() == ""
    variables = dict(line.split("=", 1) for line in own.splitlines())
    work_dir = str(data_dir / "tasks" / "t" / "work")
    assert variables["GREETING"] == "hello"
    assert variables["HOST"] == os.uname().nodename
    assert variables["CHRONOS_SHARED_DIR"] == str(data_dir / "shared")
    assert variables["HOME"] == pwd.getpwuid(os.geteuid()).pw_dir
    assert variables["PWD"] == variables["TMPDIR"] == work_dir
    assert {"PATH", "LANG"} < variables.keys()


def test_a_task_may_set_its_usual_variables(pool: Pool) -> None:
    given = {"PATH": "/bin:/usr/bin", "HOME": "/", "LANG": "C"}
    assert output_of(pool, Task(name="t", command='echo "$PATH $HOME $LANG"', environment=given)) == (
        "/bin:/usr/bin / C\n"
    )


def test_standard_input_is_empty_and_nothing_else_is_open(pool: Pool) -> None:
    listing = output_of(pool, Task(name="t", command="cat; ls -l /proc/$$/fd"))
    opened = [line.rpartition(" -> ")[2] for line in listing.splitlines() if "->" in line]
    assert [Path(path).name for path in opened] == ["null", "stdout", "stderr"]


def test_signals_reach_the_payload_as_if_freshly_started(pool: Pool) -> None:
    script = "grep -E 'SigBlk|SigIgn' /proc/self/status"
    masks = [line.split()[1] for line in output_of(pool, Task(name="t", command=script)).splitlines()]
    assert [int(mask, 16) for mask in masks] == [0, 0]


def test_tasks_have_folders_of_their_own(pool: Pool) -> None:
    assert output_of(pool, Task(name="a", command="echo one > file; cat file")) == "one\n"
    assert output_of(pool, Task(name="b", command="ls")) == ""


@pytest.mark.parametrize("name", ["../up", "a/b c", ".hidden", "..", "100%", "%41", "ümläut", "two\nlines", "x:1:y"])
def test_any_name_is_one_folder(pool: Pool, data_dir: Path, name: str) -> None:
    handle = pool.submit(Task(name=name, command="exit 3"), allow)
    assert final(pool, name).exit_code == 3
    assert len(list((data_dir / "tasks").iterdir())) == 1
    pool.forget(handle)
    assert list((data_dir / "tasks").iterdir()) == []
    assert list((data_dir / "trash").iterdir()) == []


# --- refusals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "field"),
    [
        (Task(name="t", command="true", container=Container(image="busybox:1")), "container.image"),
        (Task(name="t", command="true", container=Container(volumes=(Volume("/x"),))), "container.volumes"),
        (Task(name="t", command="true", container=Container(parameters=(Parameter("a", "b"),))), "container.param"),
        (Task(name="t", command="true", container=Container(network="NONE")), "container.network"),
        (Task(name="t", command="true", user="no-such-user"), "runAsUser"),
        (Task(name="t", command="no-such-program", shell=False), "command"),
        (Task(name="t", command="./no-such-program", shell=False), "command"),
        (Task(name="t", command="/etc/passwd", shell=False), "command"),
        (Task(name="t", command="", shell=False), "command"),
        (Task(name="t", command="echo \0"), "command"),
        (Task(name="t", command="echo \ud800"), "command"),
        (Task(name="t", command="true", environment={"A=B": "x"}), "environment"),
        (Task(name="t", command="true", environment={"A": "\0"}), "environment"),
        (Task(name="", command="true"), "name"),
        (Task(name="n" * 300, command="true"), "name"),
    ],
)
def test_refuses_what_it_cannot_run_in_one_sentence(pool: Pool, task: Task, field: str) -> None:
    for launch in (pool.submit, pool.recover):
        with pytest.raises(LaunchRefused, match=f"^{field}[^\n]*\\.$"):
            launch(task, allow)
    assert pool.list() == []


def test_a_container_without_wishes_is_a_plain_process(pool: Pool) -> None:
    assert output_of(pool, Task(name="t", command="echo hi", container=Container())) == "hi\n"


def test_a_program_that_cannot_be_executed_is_a_final_status(pool: Pool, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    pool.submit(Task(name="t", command=str(broken), shell=False), allow)
    status = final(pool, "t")
    assert (status.exit_code, status.started_at) == (127, None)
    assert str(broken) in status.message


def test_says_why_its_folder_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PoolUnavailable, match=r"^The process pool in .*/file could not .*: Not a directory\.$"):
        ProcessPool.from_options(
            PoolOptions(cluster="test", data_dir=tmp_path / "file", shared_dir=tmp_path / "shared")
        )


# --- users -----------------------------------------------------------------------------------------------

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run tasks as another user")
not_as_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may run tasks as anybody")


@pytest.fixture
def open_pool() -> Iterator[ProcessPool]:
    """A pool whose folder other users can reach."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        data_dir = Path(name)
        data_dir.chmod(0o755)
        pool = ProcessPool(data_dir, data_dir / "shared")
        yield pool
        pool.close()


@as_root
def test_runs_a_task_as_its_user(open_pool: ProcessPool) -> None:
    script = (
        "id -un; id -u; id -g; id -G; echo $HOME; echo $USER; echo mine > file; cat file; mktemp > /dev/null"
        " && echo witness > $CHRONOS_SHARED_DIR/by-nobody && echo more >> /dev/stdout; cat ../result.json.new"
    )
    nobody = pwd.getpwnam("nobody")
    open_pool.submit(Task(name="t", command=script, user="nobody"), allow)
    assert final(open_pool, "t").exit_code != 0, "the pool's own files are not for the payload"
    lines = open_pool.logs("t", "stdout", 0, 1000).decode().splitlines()
    assert lines == [
        "nobody",
        str(nobody.pw_uid),
        str(nobody.pw_gid),
        str(nobody.pw_gid),
        nobody.pw_dir,
        "nobody",
        "mine",
        "more",
    ]
    assert b"denied" in open_pool.logs("t", "stderr", 0, 1000)


@as_root
def test_holds_another_users_task_to_its_limits(open_pool: ProcessPool) -> None:
    open_pool.submit(Task(name="t", command=GROW, user="nobody", limits=Limits(memory_mb=32)), allow)
    assert final(open_pool, "t").cause == "memory"


@not_as_root
def test_refuses_another_user_when_not_root(pool: Pool) -> None:
    with pytest.raises(LaunchRefused, match=r'^runAsUser is "root", but the server runs as "'):
        pool.submit(Task(name="t", command="true", user="root"), allow)


def test_the_servers_own_user_is_no_change(pool: Pool) -> None:
    own = pwd.getpwuid(os.geteuid()).pw_name
    assert output_of(pool, Task(name="t", command="id -un", user=own)) == f"{own}\n"


# --- endings and limits ----------------------------------------------------------------------------------


def test_names_the_signal_that_ended_a_task(pool: Pool) -> None:
    pool.submit(Task(name="t", command="kill -SEGV $$"), allow)
    status = final(pool, "t")
    assert (status.exit_code, status.cause, status.message) == (139, "signal", "ended by SIGSEGV")


def test_tells_what_a_task_used(pool: Pool) -> None:
    script = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"
    pool.submit(Task(name="t", command=script), allow)
    usage = final(pool, "t").usage
    assert usage.cpu_seconds is not None
    assert 0.05 < usage.cpu_seconds < 20
    assert usage.max_memory_mb is not None
    assert 0.3 < usage.max_memory_mb < 50


def test_what_a_task_left_in_the_background_ends_with_it(pool: Pool, data_dir: Path) -> None:
    """Also when it left the session and lost its parent, as daemons do."""
    daemon = "(setsid sh -c 'echo $$; touch begun; exec sleep 1000' &)"
    script = f"{daemon}; sleep 1000 & echo $!; while [ ! -e begun ]; do sleep 0.02; done; exit 5"
    handle = pool.submit(Task(name="t", command=script), allow)
    assert final(pool, "t").exit_code == 5
    left_behind = [int(line) for line in pool.logs(handle, "stdout", 0, 100).split()]
    assert len(left_behind) == 2
    assert existing(left_behind) == []


def test_ends_a_task_at_its_wall_time(pool: Pool) -> None:
    limits = Limits(wall_seconds=0.5)
    pool.submit(Task(name="t", command="sleep 1000", limits=limits), allow)
    status = final(pool, "t")
    assert (status.exit_code, status.cause) == (143, "wall_time")
    assert status.message.endswith("limit 0.5 s (wall time)")


# A supervisor whose clock begins when the task has written something: before that, the task has no trap yet.
LATER_CLOCK = """
import os, sys, time
sys.dont_write_bytecode = True
sys.path.insert(0, {folder!r})
import supervisor

class Supervision(supervisor.Supervision):
    def check_times(self, processes):
        if not os.path.getsize("stdout"):
            self.started = time.monotonic()
        super().check_times(processes)

supervisor.Supervision = Supervision
supervisor.supervise()
os._exit(0)
"""


def test_kills_a_task_that_ignores_its_wall_time(pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "later.py"
    program.write_text(LATER_CLOCK.format(folder=str(Path(supervisor.__file__).parent)))
    monkeypatch.setattr(process_pool, "_supervisor_program", lambda: str(program))
    script = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    pool.submit(Task(name="t", command=script, limits=Limits(wall_seconds=0.3), grace_seconds=0.5), allow)
    status = final(pool, "t")
    assert (status.exit_code, status.cause) == (137, "wall_time")


@pytest.mark.parametrize(
    "script",
    [BURN, f"sh -c '{BURN}'; exit $?", f"({BURN}) & ({BURN}) & wait", f"trap '' TERM XCPU; {BURN}"],
    ids=["itself", "child", "together", "stubborn"],
)
def test_ends_a_task_at_its_cpu_time(pool: Pool, script: str) -> None:
    pool.submit(Task(name="t", command=script, limits=Limits(cpu_seconds=1), grace_seconds=0.3), allow)
    status = final(pool, "t")
    assert status.cause == "cpu_time"
    assert status.exit_code != 0
    assert status.message.endswith("limit 1 s (cpu time)")
    assert status.usage.cpu_seconds is not None
    assert 0.9 <= status.usage.cpu_seconds < 20


@pytest.mark.parametrize(
    "script",
    ["sh -c 'sh -c \"$GROW\"; exit $?'; exit $?", 'setsid sh -c "$GROW" & wait $!'],
    ids=["grandchild", "other session"],
)
def test_counts_the_memory_of_everything_a_task_started(pool: Pool, script: str) -> None:
    pool.submit(Task(name="t", command=script, environment={"GROW": GROW}, limits=Limits(memory_mb=32)), allow)
    status = final(pool, "t")
    assert (status.exit_code, status.cause) == (137, "memory")
    assert status.message.startswith("killed: out of memory, used ")
    assert status.message.endswith(" MB, limit 32 MB")
    assert status.usage.max_memory_mb is not None
    assert status.usage.max_memory_mb > 32


def test_memory_that_processes_share_counts_once(pool: Pool) -> None:
    """Twelve processes share 16 MB and more of their parent: far above the limit if each counted for itself."""
    script = (
        "x=0123456789abcdef; while [ ${#x} -lt 16000000 ]; do x=$x$x; done;"
        " for i in 1 2 3 4 5 6 7 8 9 10 11 12; do (sleep 1; exit) & done; wait; exit 4"
    )
    pool.submit(Task(name="t", command=script, limits=Limits(memory_mb=128)), allow)
    status = final(pool, "t")
    assert (status.exit_code, status.cause) == (4, ""), status


# --- forgetting ------------------------------------------------------------------------------------------


def test_forgetting_a_running_task_does_nothing(pool: Pool) -> None:
    handle = pool.submit(Task(name="t", command="echo ready; sleep 1000"), allow)
    has_written(pool, handle, b"ready")
    pool.forget(handle)
    assert present(pool, "t").state is TaskState.RUNNING


def test_forgets_folders_that_the_payload_protected(pool: Pool, data_dir: Path) -> None:
    handle = pool.submit(Task(name="t", command="mkdir -p a/b; touch a/b/c; chmod 0 a/b a"), allow)
    final(pool, "t")
    pool.forget(handle)
    assert status_of(pool, "t") is None
    assert list((data_dir / "trash").iterdir()) == []
