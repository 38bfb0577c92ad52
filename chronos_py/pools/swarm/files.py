"""The folder that a task of a swarm has in the shared folder: its outputs, the note of its start, what it fetches.

Nobody can put a file into a container of a service, nor take one out of it without its node's own engine. But every
node of the swarm, and every server, has the shared folder; so a task's files lie there, beside those of all others.
"""

from __future__ import annotations

import os
import shutil
import stat
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from chronos_py.pools import LaunchRefused
from chronos_py.pools.docker.request import SHARED_DIR

FOLDER = ".chronos"
START = "start"
START_AGAIN = "start.again"
_FOR_EVERYBODY = 0o777
_TO_PASS_THROUGH = 0o711


def output_path(cluster: str, name: str) -> str:
    """Where the task itself finds the file of its outputs."""
    return f"{SHARED_DIR}/{FOLDER}/{cluster}/{name}/out/outputs"


def start_path(cluster: str, name: str) -> str:
    """Where the task itself makes a file when it is started; see :mod:`chronos_py.pools.swarm.once`."""
    return f"{SHARED_DIR}/{FOLDER}/{cluster}/{name}/out/{START}"


@dataclass(frozen=True, slots=True)
class Start:
    """What a task's folder tells of its start."""

    is_noted: bool
    was_repeated: bool


class TaskFiles:
    """The tasks' folders of one cluster."""

    def __init__(self, shared_dir: Path, cluster: str) -> None:
        self._folder = shared_dir / FOLDER / cluster

    def make(self, name: str) -> None:
        """Make a task's folder with an empty file for its outputs, or leave it as it is. Raises LaunchRefused.

        Whoever the task runs as may write the file, or put another one in its place.
        """
        folder = self._folder / name
        try:
            for each in (self._folder.parent, self._folder, folder):
                _make_folder(each, _TO_PASS_THROUGH)
            _make_folder(folder / "out", _FOR_EVERYBODY)
            with suppress(FileExistsError):
                descriptor = os.open(folder / "out" / "outputs", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
                os.fchmod(descriptor, 0o666)
                os.close(descriptor)
        except OSError as error:
            raise LaunchRefused(
                f"There is no place for the task's outputs in {self._folder}: {error.strerror}."
            ) from error

    def take_in(self, name: str, files: Path) -> Path:
        """Copy what a task fetched into its folder; the copy, one of its own for each call. Raises LaunchRefused."""
        sandbox = self._folder / name / f"sandbox-{uuid.uuid4().hex[:8]}"
        try:
            shutil.copytree(files, sandbox, symlinks=True)
            for place, folders, names in os.walk(sandbox):
                os.chmod(place, _FOR_EVERYBODY)
                for each in (Path(place, each) for each in names + folders):
                    if not each.is_symlink():
                        is_for_running = each.is_dir() or each.stat().st_mode & 0o100
                        each.chmod(_FOR_EVERYBODY if is_for_running else 0o666)
        except (OSError, shutil.Error) as error:
            reason = error.strerror or "not all of it could be copied"
            raise LaunchRefused(f"What it fetches cannot be put into {self._folder}: {reason}.") from error
        return sandbox

    def read_outputs(self, name: str, limit: int) -> bytes:
        """The first ``limit`` bytes of the file of outputs; b"" for none, or something else there."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            folder = os.open(self._folder / name / "out", os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
        except OSError:
            return b""
        try:
            descriptor = os.open("outputs", flags, dir_fd=folder)
        except OSError:
            return b""
        finally:
            os.close(folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return b""
        with os.fdopen(descriptor, "rb") as file:
            return file.read(limit)

    def start_of(self, name: str) -> Start:
        """Where the folder cannot be read, which every task has, nobody can say that it did not run."""
        try:
            # Network file systems remember for a while that a file was not there; a folder's list is asked for anew.
            noted = os.listdir(self._folder / name / "out")
        except OSError:
            noted = [START, START_AGAIN]
        return Start(is_noted=START in noted, was_repeated=START_AGAIN in noted)

    def remove(self, name: str) -> None:
        shutil.rmtree(self._folder / name, ignore_errors=True)


def _make_folder(folder: Path, mode: int) -> None:
    with suppress(FileExistsError):
        folder.mkdir(parents=True)
        folder.chmod(mode)
