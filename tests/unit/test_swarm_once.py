"""The shell before a command of a swarm's task: the first start runs the command, no later one does."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
from pathlib import Path

from chronos_py.pools.swarm.once import NOT_RUN_CODE, once


def start(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program, arguments = once(command, str(folder / "start"))
    return subprocess.run([*program, *arguments], capture_output=True, text=True, check=False)


def test_the_first_start_runs_the_command_as_it_stands(tmp_path: Path) -> None:
    command = """echo "$0" $# "it's \\"so\\""; echo over > out; echo over > out; exit 7"""
    first = start(f"cd '{tmp_path}'; {command}", tmp_path)
    assert (first.returncode, first.stdout, first.stderr) == (7, '/bin/sh 0 it\'s "so"\n', "")


def test_the_command_has_the_process_of_its_shell(tmp_path: Path) -> None:
    """So that signals reach it."""
    program, arguments = once("echo $$", str(tmp_path / "start"))
    with subprocess.Popen([*program, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.communicate()[0] == f"{process.pid}\n"


def test_a_later_start_leaves_a_mark_instead(tmp_path: Path) -> None:
    assert start("exit 3", tmp_path).returncode == 3
    assert [path.name for path in tmp_path.iterdir()] == ["start"]
    again = start("echo ran", tmp_path)
    assert (again.returncode, again.stdout) == (NOT_RUN_CODE, "")
    assert again.stderr == "chronos: started a second time; nothing was run\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["start", "start.again"]


def test_nothing_runs_whose_start_cannot_be_noted(tmp_path: Path) -> None:
    first = start("echo ran", tmp_path / "missing")
    assert (first.returncode, first.stdout) == (NOT_RUN_CODE, "")
    assert first.stderr == f"chronos: nothing was run, as {tmp_path}/missing/start cannot be written\n"


def test_it_takes_no_process_of_its_own() -> None:
    """A user, or a task, may have no more than one."""

    def allow_no_other() -> None:
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))

    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        program, arguments = once("echo ran", f"{folder}/start")
        first = subprocess.run(
            [*program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=allow_no_other,
            user=4242 if os.geteuid() == 0 else None,  # root may have any number
        )
    assert (first.returncode, first.stdout, first.stderr) == (0, "ran\n", "")
