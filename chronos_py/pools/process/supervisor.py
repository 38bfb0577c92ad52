"""Runs one task of the process pool, holds it to its limits and records how it ended.

The pool starts this file as a program of its own, one per task, that outlives the server:

* the working folder is the task's folder, the first argument is ``run`` and the second the task's name;
* standard input is a JSON document, the orders (see ``process_orders.Orders``);
* standard output and error are the folder's lock file, which the pool has locked: the lock lasts exactly as
  long as this process, so "is anybody in charge of this task?" is a question to the kernel.

It needs only the standard library, and little of it, because every task pays for this start. Its files:

``running.json``  who supervises and what runs; on disk before the payload's first instruction
``result.json``   how it ended; written once and last
``kill.json``     read only: the pool's request to end the task

When the payload's main process ends, whatever it left in the background is killed, as the end of a
container would do. With ``end`` as its first argument it ends a payload that has lost its supervisor.
"""

from __future__ import annotations

import ctypes
import errno
import json
import math
import os
import resource
import signal
import sys
import time

TYPE_CHECKING = False  # importing typing would cost more than all the rest
if TYPE_CHECKING:
    from chronos_py.pools.process.documents import Identity, Orders, Result

BUSY_TICK = 0.1  # seconds between two looks at a payload that is young or near its memory limit
CALM_TICK = 0.25  # ... at any other
YOUNG_SECONDS = 3.0
STRAY_SECONDS = 5.0  # how long killed processes may take to disappear
RESULT_DRAFT = "result.json.new"  # made by the pool in its full size, so that a full disk loses no result

PAGE_MB = resource.getpagesize() / 2**20
CPU_TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_CHILD_SUBREAPER = 36
REQUESTS_TO_END = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class ProcessFacts:
    """What the kernel says of a process. Making one raises OSError when there is no such process."""

    def __init__(self, pid: int) -> None:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
        fields = text[text.rindex(b")") + 2 :].split()
        self.pid = pid
        self.ended = fields[0] in (b"Z", b"X")
        self.group = int(fields[2])
        self.session = int(fields[3])
        self.cpu_seconds = sum(map(int, fields[11:15])) / CPU_TICKS  # with the children it has waited for
        self.threads = int(fields[17])
        self.start_ticks = int(fields[19])
        self.memory_mb = int(fields[21]) * PAGE_MB

    def children(self) -> list[int]:
        threads = [str(self.pid)] if self.threads == 1 else os.listdir(f"/proc/{self.pid}/task")
        pids: list[int] = []
        for thread in threads:
            with open(f"/proc/{self.pid}/task/{thread}/children", "rb") as file:
                pids.extend(map(int, file.read().split()))
        return pids

    def still_lives(self) -> bool:
        return any(now.start_ticks == self.start_ticks and not now.ended for now in existing([self.pid]))


def boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def identity(pid: int) -> Identity:
    """What tells this process from any later one with the same pid."""
    return {"pid": pid, "start_ticks": ProcessFacts(pid).start_ticks, "boot_id": boot_id()}


def is_alive(known: Identity) -> bool:
    found = existing([known["pid"]])
    return (
        bool(found)
        and not found[0].ended
        and found[0].start_ticks == known["start_ticks"]
        and boot_id() == known["boot_id"]
    )


def existing(pids: list[int]) -> list[ProcessFacts]:
    found = []
    for pid in pids:
        try:
            found.append(ProcessFacts(pid))
        except (FileNotFoundError, ProcessLookupError):  # it ended, perhaps while we looked
            continue
    return found


def descendants(ancestor: int) -> list[ProcessFacts]:
    """Every process below ``ancestor``, which is not included."""
    found: list[ProcessFacts] = []
    parents = existing([ancestor])
    while parents:
        try:
            children = existing(parents.pop().children())
        except OSError:
            continue
        found += children
        parents += children
    return found


def session_members(session: int) -> list[ProcessFacts]:
    """Every process of a session, whoever its parent is; looks at all processes of the machine."""
    everything = existing([int(entry) for entry in os.listdir("/proc") if entry.isdigit()])
    return [facts for facts in everything if facts.session == session]


def send(number: int, target: int) -> bool:
    """Signal a process, or a group when ``target`` is negative. False when there is none of ours."""
    try:
        os.kill(target, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def fair_memory_mb(processes: list[ProcessFacts]) -> float:
    """Resident memory with shared pages counted once: exact, but slow for large processes."""
    total = 0.0
    for facts in processes:
        try:
            with open(f"/proc/{facts.pid}/smaps_rollup", "rb") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith(b"Pss:")) / 1024
        except (OSError, StopIteration):  # not ours to read, or ended while we looked
            total += sum(found.memory_mb for found in existing([facts.pid]))
    return total


def write_atomically(path: str, document: object, draft: str) -> None:
    """Replace a file durably, in the space that ``draft``, beside it, may have reserved on the disk."""
    data = json.dumps(document).encode()
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(handle, data, 0)
        os.ftruncate(handle, len(data))
        os.fsync(handle)
    finally:
        os.close(handle)
    os.rename(draft, path)
    sync_folder(os.path.dirname(path) or ".")


def sync_folder(path: str) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def record(result: Result) -> None:
    """Write the result, waiting while the disk has no room for it, until we are asked to end."""
    while True:
        try:
            return write_atomically("result.json", result, RESULT_DRAFT)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or signal.sigtimedwait(REQUESTS_TO_END, 1):
                raise


def begin_payload(orders: Orders, started_at: float) -> int:
    """Fork the payload, put its identity on disk, then let it go. Returns its pid.

    Raises OSError when it cannot be started; nothing of it has run then.
    """
    go_read, go_write = os.pipe()
    failure_read, failure_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go_write)
        become_payload(orders, go_read, failure_write)
    os.close(go_read)
    os.close(failure_write)
    try:
        running = {"supervisor": identity(os.getpid()), "payload": identity(pid), "started_at": started_at}
        write_atomically("running.json", running, "running.json.new")
        os.write(go_write, b"g")
    finally:
        os.close(go_write)  # without the byte before it, this tells the child to give up
    failure = os.read(failure_read, 16)
    os.close(failure_read)
    if failure:
        os.waitpid(pid, 0)
        raise OSError(int(failure), os.strerror(int(failure)))
    return pid


def become_payload(orders: Orders, go_read: int, failure_write: int) -> None:
    """In the child: wait for the word, drop everything that is the supervisor's, and become the program."""
    try:
        os.setsid()
        if not os.read(go_read, 1):
            os._exit(127)
        for number in signal.valid_signals():
            if signal.getsignal(number) == signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        for name, descriptor in (("stdout", 1), ("stderr", 2)):
            os.dup2(os.open(name, os.O_WRONLY | os.O_APPEND), descriptor)
        os.chdir("work")
        os.umask(0o022)
        limit_cpu(orders["cpu_seconds"])
        account = orders["account"]
        if account:
            os.setgroups(account["groups"])
            os.setgid(account["gid"])
            os.setuid(account["uid"])
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        environment = {as_bytes(name): as_bytes(value) for name, value in orders["environment"].items()}
        os.execve(as_bytes(orders["program"]), [as_bytes(each) for each in orders["argv"]], environment)
    except OSError as error:
        os.write(failure_write, str(error.errno).encode())
    finally:
        os._exit(127)


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def limit_cpu(seconds: float | None) -> None:
    """Let the kernel end a process that alone uses far more than the whole task may use.

    That is the second line, for when the supervisor is gone: for this limit the kernel samples what a process
    uses at its clock ticks, which was seen to err by a seventh on a busy machine, while we count it exactly.
    """
    if seconds is not None:
        soft = math.ceil(seconds * 1.5) + 1
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        if hard == resource.RLIM_INFINITY or soft < hard:
            resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


class Supervision:
    """One payload from its start to its result."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.own_peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.started_at = time.time()
        self.started = self.next_look = self.next_fair_look = time.monotonic()
        self.main = 0
        self.wait_status: int | None = None
        self.reaped_cpu_seconds = 0.0
        self.peak_mb = 0.0
        self.kill_stamp = 0
        self.asked = False
        self.cause = self.reason = ""
        self.hard_at = math.inf  # when patience ends with a payload that was asked to end

    def run(self) -> None:
        self.look_for_kill_request()
        if self.asked:
            return self.finish(128 + signal.SIGTERM, "signal", "killed before it began")
        try:
            self.main = begin_payload(self.orders, self.started_at)
        except OSError as error:
            code = 127 if error.errno == errno.ENOENT else 126
            return self.finish(code, "", f"could not start {self.orders['program']}: {error.strerror}")
        while not self.reap():
            if time.monotonic() >= self.next_look:
                self.look_for_kill_request()
                self.hold_to_limits()
            patience = max(0.0, self.next_look - time.monotonic())
            woken = signal.sigtimedwait((signal.SIGCHLD, *REQUESTS_TO_END), patience)
            if woken and woken.si_signo != signal.SIGCHLD:
                name = signal.Signals(woken.si_signo).name
                self.ask_to_end("", f"its supervisor received {name}", self.orders["grace_seconds"])
        finished_at = time.time()
        code, cause, message = self.verdict()
        self.finish(code, cause, message + self.end_strays(), finished_at)
        return None

    def reap(self) -> bool:
        """Collect all children that ended, adopted orphans included. True once the main process has."""
        while True:
            try:
                pid, wait_status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            self.reaped_cpu_seconds += usage.ru_utime + usage.ru_stime
            if usage.ru_maxrss / 1024 > self.own_peak_mb:  # else it is our own size before the exec
                self.peak_mb = max(self.peak_mb, usage.ru_maxrss / 1024)
            if pid == self.main:
                self.wait_status = wait_status
        return self.wait_status is not None

    def look_for_kill_request(self) -> None:
        try:
            stamp = os.stat("kill.json").st_mtime_ns
        except FileNotFoundError:
            return
        if stamp != self.kill_stamp:
            self.kill_stamp = stamp
            with open("kill.json") as file:
                self.ask_to_end("", "killed on request", json.load(file)["grace_seconds"])

    def hold_to_limits(self) -> None:
        processes = descendants(os.getpid())
        self.check_memory(processes)
        self.check_times(processes)
        now = time.monotonic()
        if now >= self.hard_at:
            send(signal.SIGKILL, -self.main)
            for facts in processes:
                send(signal.SIGKILL, facts.pid)
        limit = self.orders["memory_mb"]
        near_limit = limit and sum(facts.memory_mb for facts in processes) > limit / 2
        busy = self.asked or near_limit or now - self.started < YOUNG_SECONDS
        self.next_look = now + (BUSY_TICK if busy else CALM_TICK)

    def check_memory(self, processes: list[ProcessFacts]) -> None:
        limit, now = self.orders["memory_mb"], time.monotonic()
        used = sum(facts.memory_mb for facts in processes)
        if limit and used > limit:
            if now < self.next_fair_look:
                return
            used = fair_memory_mb(processes)
            self.next_fair_look = now + 10 * (time.monotonic() - now)
            if used > limit:
                self.ask_to_end("memory", f"killed: out of memory, used {used:.0f} MB, limit {limit:g} MB", 0)
        self.peak_mb = max(self.peak_mb, used)

    def check_times(self, processes: list[ProcessFacts]) -> None:
        wall, cpu = self.orders["wall_seconds"], self.orders["cpu_seconds"]
        grace = self.orders["grace_seconds"]
        ran = time.monotonic() - self.started
        if wall is not None and ran >= wall:
            self.ask_to_end("wall_time", f"killed: ran {ran:.1f} s, limit {wall:g} s (wall time)", grace)
        used = self.reaped_cpu_seconds + sum(facts.cpu_seconds for facts in processes)
        if cpu is not None and used >= cpu:
            self.ask_to_end("cpu_time", self.too_much_cpu(used), grace)

    def too_much_cpu(self, used: float) -> str:
        return f"killed: used {used:.1f} s of processor time, limit {self.orders['cpu_seconds']:g} s (cpu time)"

    def ask_to_end(self, cause: str, reason: str, grace_seconds: float) -> None:
        """Ask politely and once. The first reason counts, the shortest patience wins."""
        self.hard_at = min(self.hard_at, time.monotonic() + grace_seconds)
        self.next_look = min(self.next_look, self.hard_at)
        if self.asked:
            return
        self.asked, self.cause, self.reason = True, cause, reason
        if self.main and grace_seconds > 0:
            send(signal.SIGTERM, -self.main)
            for facts in descendants(os.getpid()):
                if facts.group != self.main:
                    send(signal.SIGTERM, facts.pid)

    def end_strays(self) -> str:
        """Kill what the payload left in the background. Returns what to add to the message."""
        deadline = time.monotonic() + STRAY_SECONDS
        while strays := descendants(os.getpid()):
            if time.monotonic() >= deadline:
                return f"; {len(strays)} of its background processes cannot be ended"
            for facts in strays:
                send(signal.SIGKILL, facts.pid)
            signal.sigtimedwait((signal.SIGCHLD,), 0.02)
            self.reap()
        return ""

    def verdict(self) -> tuple[int, str, str]:
        """Exit code, cause and message of an ended payload."""
        assert self.wait_status is not None
        code, cause, message = os.waitstatus_to_exitcode(self.wait_status), self.cause, self.reason
        if code < 0:
            name = signal.Signals(-code).name if -code < signal.SIGRTMIN else f"signal {-code}"
            code = 128 - code
            if not cause:
                cause, message = "signal", f"{message} ({name})" if message else f"ended by {name}"
        elif not cause and (code or message):
            message = f"{message}, exited with code {code}" if message else f"exited with code {code}"
        if code == 128 + signal.SIGXCPU and self.orders["cpu_seconds"] and not self.asked:
            cause, message = "cpu_time", self.too_much_cpu(self.reaped_cpu_seconds)
        if code and not os.statvfs(".").f_bavail:
            message += "; the disk that holds its output is full"
        return code, cause, message

    def finish(self, code: int, cause: str, message: str, finished_at: float | None = None) -> None:
        record(
            {
                "exit_code": code,
                "cause": cause,
                "message": message[:1000],
                "started_at": self.started_at if self.main else None,
                "finished_at": finished_at or time.time(),
                "cpu_seconds": round(self.reaped_cpu_seconds, 3),
                "max_memory_mb": round(self.peak_mb, 1) or None,
            }
        )


def supervise() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGCHLD, *REQUESTS_TO_END))
    with open(0, "rb") as file:
        orders = json.load(file)
    os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)  # it gets the number of standard input
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans of the payload come to us
    Supervision(orders).run()


def end_orphan(grace_seconds: float) -> None:
    """End a payload whose supervisor is gone, and its background processes: ask, wait, kill."""
    with open("running.json") as file:
        payload: Identity = json.load(file)["payload"]
    family: dict[int, ProcessFacts] = {}
    asked = grace_seconds <= 0
    hard_at = time.monotonic() + grace_seconds
    while time.monotonic() < hard_at + STRAY_SECONDS:
        payload_lives = is_alive(payload)
        if payload_lives:  # what it started is only to be found while it lives
            pid = payload["pid"]
            found = existing([pid]) + descendants(pid) + session_members(pid)
            family.update({facts.pid: facts for facts in found})
        left = [facts for facts in family.values() if facts.still_lives()]
        if not left:
            return
        hard = not payload_lives or time.monotonic() >= hard_at
        if hard or not asked:
            asked = True
            for facts in left:
                send(signal.SIGKILL if hard else signal.SIGTERM, facts.pid)
        time.sleep(BUSY_TICK / 2)


if __name__ == "__main__":
    if sys.argv[1] == "run":
        supervise()
    else:
        end_orphan(float(sys.argv[3]))
    os._exit(0)  # the kernel cleans up faster than the interpreter
