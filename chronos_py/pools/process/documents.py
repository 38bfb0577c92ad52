"""The JSON documents that the process pool and its supervisors leave for each other."""

from __future__ import annotations

from typing import TypedDict


class Account(TypedDict):
    """Who the payload runs as."""

    uid: int
    gid: int
    groups: list[int]


class Orders(TypedDict):
    """What the supervisor is to run, on its standard input: never on disk, since it may hold secrets.

    Times are seconds, sizes mebibytes, None means unlimited or unchanged.
    """

    program: str
    argv: list[str]
    environment: dict[str, str]
    account: Account | None
    grace_seconds: float
    wall_seconds: float | None
    cpu_seconds: float | None
    memory_mb: float | None


class Identity(TypedDict):
    """What tells a process from any later one with the same pid.

    ``start_ticks`` is field 22 of /proc/PID/stat; it counts from the boot that ``boot_id`` names.
    """

    pid: int
    start_ticks: int
    boot_id: str


class Running(TypedDict):
    """``running.json``: written by the supervisor before the payload's first instruction. Seconds since 1970."""

    supervisor: Identity
    payload: Identity
    started_at: float


class KillRequest(TypedDict):
    """``kill.json``: written by the pool, read by the supervisor."""

    grace_seconds: float


class Result(TypedDict):
    """``result.json``: how the payload ended. Seconds since 1970, processor seconds, mebibytes."""

    exit_code: int
    cause: str
    message: str
    started_at: float | None
    finished_at: float
    cpu_seconds: float
    max_memory_mb: float | None
