"""Which process is that, and is it surely dead?

A process id alone is used again. The kernel's boot, the pid namespace, the pid and its start time together
name one process for ever.
"""

from __future__ import annotations

import os
from pathlib import Path


def this_process() -> str:
    """The identity of this process."""
    return f"{_machine()}/{os.getpid()}/{_start_ticks(os.getpid())}"


def is_surely_dead(identity: str) -> bool:
    """Whether that process cannot be running any more. False when it lives, or when nobody here can tell."""
    machine, _, process = identity.partition("/")
    pid, _, ticks = process.partition("/")
    if machine != _machine() or not pid.isdigit():
        return False
    return _start_ticks(int(pid)) != ticks


def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}:{os.readlink('/proc/self/ns/pid')}"


def _start_ticks(pid: int) -> str:
    """Field 22 of /proc/PID/stat (proc(5)); "" when there is no such process, or it is a zombie."""
    try:
        # The command in field 2 may hold blanks and brackets: count from the last bracket.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]
