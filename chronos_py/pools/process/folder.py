"""The folder of one task: its name, the one right to begin it, and what is known of it.

Making the folder takes the task's name. Beginning the payload takes two things: the exclusive lock of the
file ``lock``, which the pool passes on to the supervisor it starts and which the kernel takes back when that
ends; and that there is no ``running.json``, which the supervisor writes durably before the payload's first
instruction. So a payload begins at most once, whoever dies, sleeps or comes late, and a launch that died
before it may be repeated. A folder of a task that has not begun is removed only by the holder of its lock.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import stat
import struct
import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chronos_py.pools import TaskState, TaskStatus, Usage
from chronos_py.pools.process.documents import Account, Identity, KillRequest, Result, Running
from chronos_py.pools.process.supervisor import RESULT_DRAFT, boot_id, is_alive, sync_folder, write_atomically

KILLED_BY_TERM = 143
RESULT_BYTES = 8192
DAMAGE = (ValueError, KeyError, TypeError, OverflowError)  # what reading a damaged record raises
WHOLE_FILE = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)  # struct flock; pid must be 0


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look at a folder tells: the status, and the process whose end will change it, if any."""

    status: TaskStatus
    process: Identity | None = None
    supervised: bool = True


class TaskFolder:
    """One task on disk. Every method may raise OSError when the disk fails."""

    def __init__(self, path: Path, task: str, node: str) -> None:
        self.path = path
        self.task = task
        self.node = node

    @property
    def work_dir(self) -> Path:
        return self.path / "work"

    @property
    def output_file(self) -> Path:
        """What the payload leaves for others: its user owns the file, but not the folder it lies in."""
        return self.path / "outputs"

    def exists(self) -> bool:
        return self.path.exists()

    def create(self) -> bool:
        """Take the name. False when it is taken already."""
        try:
            self.path.mkdir(mode=0o711)
        except FileExistsError:
            return False
        return True

    def has_begun(self) -> bool:
        """Whether the payload can have begun; true also for one that was ended before."""
        return (self.path / "running.json").exists() or (self.path / "result.json").exists()

    def claim(self) -> int | None:
        """Take the one right to begin the payload: a locked descriptor, to be closed or passed on.

        None when somebody else has it or has used it. Raises FileNotFoundError when the folder is gone.
        """
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.fcntl(lock, fcntl.F_OFD_SETLK, WHOLE_FILE)
            if not os.path.samestat(os.fstat(lock), os.stat(self.path / "lock")):
                raise FileNotFoundError(errno.ENOENT, "the folder of the task was replaced meanwhile")
            if not self.has_begun():
                return lock
        except BlockingIOError:
            pass
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)
        return None

    def prepare(self, account: Account | None, files: Path | None = None) -> None:
        """With the right to begin: make everything the supervisor will need, durably, owned by the payload's user.

        The folder ``files``, when there is one, becomes the work folder with all that is in it.
        """
        self.path.chmod(0o711)  # whatever the server's umask: other users' payloads pass through it
        if files is not None:
            remove_tree(self.work_dir)  # what an earlier launch fetched that never began
            files.rename(self.work_dir)
        self.work_dir.mkdir(exist_ok=True)
        self.work_dir.chmod(0o700)
        for name in ("stdout", "stderr", "outputs"):
            os.close(os.open(self.path / name, os.O_WRONLY | os.O_CREAT, 0o600))
        if account is not None:
            for name in ("work", "stdout", "stderr", "outputs"):
                os.chown(self.path / name, account["uid"], account["gid"])
            for folder, folders, names in os.walk(self.work_dir):
                for name in (*folders, *names):
                    os.lchown(os.path.join(folder, name), account["uid"], account["gid"])
        draft = os.open(self.path / RESULT_DRAFT, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(draft, 0, RESULT_BYTES)
        finally:
            os.close(draft)
        sync_folder(str(self.path.parent))

    def end_before_it_begins(self) -> bool:
        """Make sure that the payload never begins. False when it is too late for that."""
        lock = self.claim()
        if lock is None:
            return False
        try:
            result = Result(
                exit_code=KILLED_BY_TERM,
                cause="signal",
                message="killed before it began",
                started_at=None,
                finished_at=time.time(),
                cpu_seconds=0.0,
                max_memory_mb=None,
            )
            write_atomically(str(self.path / "result.json"), result, str(self.path / RESULT_DRAFT))
        finally:
            os.close(lock)
        return True

    def request_kill(self, grace_seconds: float) -> None:
        """Leave a request for the supervisor, which sees it within a quarter of a second."""
        request = KillRequest(grace_seconds=grace_seconds)
        write_atomically(str(self.path / "kill.json"), request, str(self.path / f"kill.{uuid.uuid4().hex}"))

    def read_output(self, stream: str, offset: int, limit: int) -> bytes:
        try:
            with open(self.path / stream, "rb") as file:
                file.seek(offset)
                return file.read(limit)
        except FileNotFoundError:
            return b""

    def read_task_outputs(self, limit: int) -> bytes:
        """The first ``limit`` bytes of the output file; b"" when the payload made something else of it.

        A payload of the server's own user may have put anything there, so what it is comes first: merely opening a
        device has effects, and opening a FIFO waits for a writer.
        """
        try:
            place = os.open(self.output_file, os.O_PATH | os.O_NOFOLLOW)
        except FileNotFoundError:
            return b""
        try:
            if not stat.S_ISREG(os.fstat(place).st_mode):
                return b""
            with open(f"/proc/self/fd/{place}", "rb") as file:
                return file.read(limit)
        except PermissionError:
            return b""  # the payload took the right to read it away
        finally:
            os.close(place)

    def remove(self, trash: Path) -> None:
        """Free the name at once, then the space. Does nothing when the folder is gone."""
        moved = trash / uuid.uuid4().hex
        try:
            self.path.rename(moved)
        except FileNotFoundError:
            return
        remove_tree(moved)

    def look(self) -> Sight | None:
        """What is known of the task; None when there is no such folder.

        The order matters: who reads ``running.json`` and then finds the lock free knows that the supervisor is
        gone, and that a result would be there by now.
        """
        status = TaskStatus(name=self.task, handle=self.task, state=TaskState.LOST, node=self.node)
        try:
            if (self.path / "result.json").exists():
                return Sight(self._ended(status))
            damage, running = self._running()
            if running:
                status = replace(status, started_at=_time(running["started_at"]))
            if self._is_locked():
                process = running["supervisor"] if running else None
                return Sight(replace(status, state=TaskState.RUNNING), process)
            if (self.path / "result.json").exists():
                return Sight(self._ended(status))
            if damage:
                raise damage
            if running:
                return self._without_supervisor(running, status)
            return Sight(replace(status, state=TaskState.CREATED)) if self.exists() else None
        except DAMAGE as error:
            reason = str(error) if isinstance(error, ValueError) else "an entry is missing or of the wrong kind"
            return Sight(replace(status, message=f"its record cannot be read: {reason}"))
        except OSError as error:
            if not self.exists():
                return None
            # Out of descriptors, a failing disk: whatever became of the task, this does not make it lost.
            message = f"its folder cannot be read now: {error.strerror}"
            return Sight(replace(status, state=TaskState.RUNNING, message=message))

    def _without_supervisor(self, running: Running, status: TaskStatus) -> Sight:
        payload = running["payload"]
        if is_alive(payload):
            message = "its supervisor is gone: no limit holds it now, and its exit code will be unknown"
            running_on = replace(status, state=TaskState.RUNNING, message=message)
            return Sight(running_on, payload, supervised=False)
        if payload["boot_id"] != boot_id():
            message = "the machine was restarted while it ran, so its exit code is unknown"
        else:
            pid = running["supervisor"]["pid"]
            message = f"its supervisor (pid {pid}) was ended before it could record the exit code{self._last_words()}"
        return Sight(replace(status, message=message))

    def _running(self) -> tuple[Exception | None, Running | None]:
        """The record of the beginning, if there is one, or why it cannot be read."""
        try:
            found = self._read("running.json")
            if found is None:
                return None, None
            return None, Running(
                supervisor=_identity(found["supervisor"]),
                payload=_identity(found["payload"]),
                started_at=_time(found["started_at"]).timestamp(),  # raises when it is no time
            )
        except DAMAGE as error:
            return error, None

    def _ended(self, status: TaskStatus) -> TaskStatus:
        result: Result | None = self._read("result.json")
        if result is None:
            raise FileNotFoundError(errno.ENOENT, "result.json vanished")
        usage = Usage(_optional(result["cpu_seconds"]), _optional(result["max_memory_mb"]))
        return replace(
            status,
            state=TaskState.EXITED,
            exit_code=int(result["exit_code"]),
            cause=str(result["cause"]),
            message=str(result["message"]),
            started_at=None if result["started_at"] is None else _time(result["started_at"]),
            finished_at=_time(result["finished_at"]),
            usage=usage,
        )

    def _is_locked(self) -> bool:
        try:
            lock = os.open(self.path / "lock", os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            answer = fcntl.fcntl(lock, fcntl.F_OFD_GETLK, WHOLE_FILE)
        finally:
            os.close(lock)
        holder: int = struct.unpack_from("h", answer)[0]
        return holder != fcntl.F_UNLCK

    def _last_words(self) -> str:
        """What a supervisor that failed wrote before its end, if anything."""
        words = self.read_output("lock", 0, 100_000).decode("utf-8", "replace").strip()
        return f": {words.splitlines()[-1][:300]}" if words else ""

    def _read(self, name: str) -> Any:
        try:
            with open(self.path / name, "rb") as file:
                return json.load(file)
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ValueError(f"{name} is damaged") from error


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _optional(number: float | None) -> float | None:
    return None if number is None else float(number)


def _identity(found: Identity) -> Identity:
    return Identity(pid=int(found["pid"]), start_ticks=int(found["start_ticks"]), boot_id=str(found["boot_id"]))


def remove_tree(path: Path) -> None:
    """Remove a folder with all it holds, folders that a payload protected against writing included."""
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        for folder, names, _ in os.walk(path):
            for entry in (Path(folder, name) for name in names):
                if not entry.is_symlink():
                    entry.chmod(0o700)
        shutil.rmtree(path, ignore_errors=True)
