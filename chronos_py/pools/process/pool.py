"""The pool of plain processes: each task a program of this machine, which outlives the server.

Every task has a folder with its output and its records (``process_folder``) and a small supervisor
process of its own (``process_supervisor``) that starts it, holds it to its limits and writes down how it ended. The
pool itself keeps nothing that it could not read again, so a restarted server, or a second one over the same
folder, finds every task as it is.

What it does not do: limit processor share (``cpus``) or disk space, hide the machine's files from tasks, or
protect tasks of the same user from each other. A service manager that stops the server must leave the other
processes alone (systemd: ``KillMode=process``), or it ends the tasks, too.
"""

from __future__ import annotations

import builtins
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import cache_from_source
from pathlib import Path

from chronos_py.model.task import Task
from chronos_py.pools import (
    NO_EXECUTORS,
    Capacity,
    LaunchRefused,
    Permit,
    PoolNode,
    PoolOptions,
    PoolUnavailable,
    Stream,
    TaskState,
    TaskStatus,
)
from chronos_py.pools.fetch.fetching import Fetching
from chronos_py.pools.fetch.sources import files_of
from chronos_py.pools.node_attributes import attributes_of, configured_attributes
from chronos_py.pools.process import supervisor as process_supervisor
from chronos_py.pools.process.documents import Orders
from chronos_py.pools.process.endings import Endings
from chronos_py.pools.process.folder import TaskFolder, remove_tree
from chronos_py.pools.process.orders import folder_name, orders_for, refuse_unusable_name, task_name, user_objection

WATCH_SECONDS = 0.5  # how often a watcher looks whether it shall stop
BEGINNING_SECONDS = 2.0  # how long to wait for another server that is about to begin a task
BEGINNING_LOOKS = 40

Stamp = tuple[int, int]


class ProcessPool:
    """Runs tasks as processes of this machine. Its folder belongs to it alone."""

    name = "process"

    def __init__(self, data_dir: Path, shared_dir: Path, attributes: str = "") -> None:
        """Make the folders. Raises :class:`PoolUnavailable` when this machine cannot run the pool."""
        if not hasattr(os, "pidfd_open"):
            raise PoolUnavailable("The process pool needs Linux 5.3 or later; start the server with --pool docker.")
        self._data_dir = data_dir.absolute()
        self._shared_dir = shared_dir.absolute()
        self._tasks = self._data_dir / "tasks"
        self._trash = self._data_dir / "trash"
        self._fetching = Fetching(self._data_dir)
        self._machine = os.uname()
        self._node = self._machine.nodename
        self._attributes = configured_attributes(attributes)
        self._final: dict[str, tuple[Stamp, TaskStatus]] = {}
        with self._reporting("make its folders"):
            self._make_folders()
        self._endings = Endings()

    @classmethod
    def from_options(cls, options: PoolOptions) -> ProcessPool:
        return cls(options.data_dir, options.shared_dir, options.attributes)

    def objection(self, task: Task) -> str:
        return NO_EXECUTORS.format(task.executor, self.name) if task.executor else user_objection(task.user)

    def submit(self, task: Task, permit: Permit) -> str:
        refuse_unusable_name(task.name)
        folder = self._folder(task.name)
        orders = self._orders(task, folder)
        if folder.exists():
            return task.name
        with self._fetching.staged(task, permit, files_of(orders["account"])) as files:
            permit()
            with self._reporting(f"start {task.name!r}"):
                if folder.create():
                    self._begin(folder, orders, files, permit)
        return task.name

    def recover(self, task: Task, permit: Permit) -> str:
        refuse_unusable_name(task.name)
        folder = self._folder(task.name)
        with self._reporting(f"start {task.name!r}"):
            if folder.has_begun():
                return task.name
            try:
                orders = self._orders(task, folder)
                with self._fetching.staged(task, permit, files_of(orders["account"])) as files:
                    return self._begin_or_adopt(folder, orders, files, permit)
            except LaunchRefused:
                if folder.exists():
                    self._withdraw(folder)
                raise

    def kill(self, handle: str, grace_seconds: float) -> None:
        folder = self._folder(handle)
        with self._reporting(f"kill {handle!r}"):
            sight = folder.look()
            if sight is None or sight.status.is_final:
                return
            if sight.status.state is TaskState.CREATED and folder.end_before_it_begins():
                return
            folder.request_kill(grace_seconds)
            sight = folder.look()  # again: a supervisor that ended before the request cannot heed it
            if sight and not sight.supervised:
                self._end_orphan(folder, grace_seconds)

    def list(self) -> builtins.list[TaskStatus]:
        statuses = []
        final = {}
        with self._reporting("list its tasks"), os.scandir(self._tasks) as entries:
            for entry in entries:
                task = task_name(entry.name)
                stamp = _stamp(entry)
                if stamp is None:
                    continue
                known = self._final.get(task)
                status = known[1] if known and known[0] == stamp else self._look(task)
                if status is None:
                    continue
                if status.is_final:
                    final[task] = (stamp, status)
                statuses.append(status)
        self._final = final
        return statuses

    def watch(self, stop: threading.Event) -> Iterator[str]:
        endings = self._endings.subscribe()
        self.list()  # so that the tasks of earlier servers are awaited, too
        return self._hints(endings, stop)

    def logs(self, handle: str, stream: Stream, offset: int, limit: int) -> bytes:
        with self._reporting(f"read the output of {handle!r}"):
            return self._folder(handle).read_output(stream, offset, limit)

    def outputs(self, handle: str, limit: int) -> bytes:
        with self._reporting(f"read the outputs of {handle!r}"):
            return self._folder(handle).read_task_outputs(limit)

    def capacity(self) -> Capacity:
        with self._reporting("learn the size of this machine"), open("/proc/meminfo") as file:
            kilobytes = {line.partition(":")[0]: int(line.split()[1]) for line in file}
        return Capacity(
            cpus_total=float(len(os.sched_getaffinity(0))),
            memory_total_mb=kilobytes["MemTotal"] / 1024,
            memory_free_mb=kilobytes["MemAvailable"] / 1024,
        )

    def nodes(self) -> Sequence[PoolNode]:
        """This machine."""
        capacity, machine = self.capacity(), self._machine
        found = {"os": machine.sysname.lower(), "arch": machine.machine}
        return [
            PoolNode(
                name=self._node,
                attributes=attributes_of(self._node, found, self._attributes),
                cpus_total=capacity.cpus_total,
                memory_total_mb=capacity.memory_total_mb,
                memory_free_mb=capacity.memory_free_mb,
                engine=f"{machine.sysname} {machine.release}",
            )
        ]

    def forget(self, handle: str) -> None:
        folder = self._folder(handle)
        with self._reporting(f"forget {handle!r}"):
            sight = folder.look()
            if sight and sight.status.is_final:
                folder.remove(self._trash)

    def close(self) -> None:
        self._endings.close()

    def _make_folders(self) -> None:
        self._tasks.mkdir(parents=True, exist_ok=True)
        self._tasks.chmod(0o711)
        self._trash.mkdir(mode=0o700, exist_ok=True)
        for left_over in self._trash.iterdir():
            remove_tree(left_over)
        if not self._shared_dir.exists():
            self._shared_dir.mkdir(parents=True, exist_ok=True)
            if os.geteuid() == 0:  # tasks may run as any user, each keeps its own files
                self._shared_dir.chmod(0o1777)
        process_supervisor.sync_folder(str(self._data_dir))

    def _folder(self, task: str) -> TaskFolder:
        return TaskFolder(self._tasks / folder_name(task), task, self._node)

    def _orders(self, task: Task, folder: TaskFolder) -> Orders:
        return orders_for(task, folder.work_dir, folder.output_file, self._shared_dir, self._node)

    def _look(self, task: str) -> TaskStatus | None:
        """Look at one folder, and await the process whose end will change it."""
        sight = self._folder(task).look()
        if sight is None:
            return None
        if sight.process:
            self._endings.await_stranger(task, sight.process)
        return sight.status

    def _begin_or_adopt(self, folder: TaskFolder, orders: Orders, files: Path | None, permit: Permit) -> str:
        """Begin what nobody has begun, or wait a little for the one who is about to."""
        if not folder.exists():
            permit()
            folder.create()
        for _ in range(BEGINNING_LOOKS):
            if self._begin(folder, orders, files, permit) or folder.has_begun():
                return folder.task
            time.sleep(BEGINNING_SECONDS / BEGINNING_LOOKS)
        raise _about_to_begin(folder.task)

    def _begin(self, folder: TaskFolder, orders: Orders, files: Path | None, permit: Permit) -> bool:
        """Begin the payload. False when somebody has, or is just about to."""
        permit()
        claim = folder.claim()
        if claim is None:
            return False
        try:
            folder.prepare(orders["account"], files)
            child = self._start_supervisor(folder, orders, claim)
        except OSError:
            folder.remove(self._trash)  # nothing ran: a later recover shall find nothing
            raise
        finally:
            os.close(claim)
        self._endings.await_child(folder.task, child)
        return True

    def _withdraw(self, folder: TaskFolder) -> None:
        """Remove a folder whose payload never began, so that nobody begins it later."""
        claim = folder.claim()
        if claim is None:
            raise _about_to_begin(folder.task)
        try:
            folder.remove(self._trash)
        finally:
            os.close(claim)

    def _start_supervisor(self, folder: TaskFolder, orders: Orders, claim: int) -> subprocess.Popen[bytes]:
        with open(os.memfd_create("orders"), "w+b") as document:
            document.write(json.dumps(orders).encode())
            document.seek(0)
            return _spawn(folder, "run", stdin=document.fileno(), output=claim)

    def _end_orphan(self, folder: TaskFolder, grace_seconds: float) -> None:
        child = _spawn(folder, "end", str(grace_seconds))
        self._endings.await_child(folder.task, child)

    def _hints(self, endings: queue.SimpleQueue[str], stop: threading.Event) -> Iterator[str]:
        try:
            while not stop.is_set() and not self._endings.closed:
                try:
                    yield endings.get(timeout=WATCH_SECONDS)
                except queue.Empty:
                    continue
        finally:
            self._endings.unsubscribe(endings)

    @contextmanager
    def _reporting(self, purpose: str) -> Iterator[None]:
        """Turn what the operating system refuses into one sentence."""
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise PoolUnavailable(f"The process pool in {self._data_dir} could not {purpose}: {reason}.") from error


def _about_to_begin(task: str) -> PoolUnavailable:
    return PoolUnavailable(f"Task {task!r} is just being started by another server, which may be stopped; ask again.")


def _stamp(entry: os.DirEntry[str]) -> Stamp | None:
    """Tells a folder from a later one of the same name; None when it is gone or no folder."""
    try:
        if not entry.is_dir(follow_symlinks=False):
            return None
        facts = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return facts.st_ino, facts.st_mtime_ns


def _spawn(
    folder: TaskFolder,
    duty: str,
    *arguments: str,
    stdin: int = subprocess.DEVNULL,
    output: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a supervisor that depends on nothing of this process, its environment and its terminal included."""
    library_path = os.environ.get("LD_LIBRARY_PATH")  # some Python installations start only with it
    return subprocess.Popen(
        [sys.executable, "-I", "-S", _supervisor_program(), duty, folder.task, *arguments],
        stdin=stdin,
        stdout=output,
        stderr=output,
        cwd=folder.path,
        env={"LD_LIBRARY_PATH": library_path} if library_path else {},
        start_new_session=True,
    )


def _supervisor_program() -> str:
    """The compiled file where there is one: compiling the source takes longer than all the rest of a start."""
    compiled = cache_from_source(process_supervisor.__file__)
    return compiled if os.path.exists(compiled) else process_supervisor.__file__
