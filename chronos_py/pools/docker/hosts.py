"""Several Docker Engines as one pool: what ``docker_url`` names with commas between.

Each engine is a pool of its own; a task goes to the one with the most room that meets its constraints. A name is
unique on one engine only. So the engine that a task was sent to is found again by asking all of them, and nothing
whose launch is in doubt is launched again while one of them is away: it may be there.

An engine that is away hides its tasks, which are unknown then; those of the others go on. It is used again as soon
as it answers.
"""

from __future__ import annotations

import builtins
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from docker.tls import TLSConfig

from chronos_py.model.constraints import are_met
from chronos_py.model.task import Task
from chronos_py.pools import (
    AWAY,
    NO_EXECUTORS,
    Capacity,
    LaunchRefused,
    PartlyUnavailable,
    Permit,
    Pool,
    PoolNode,
    PoolOptions,
    PoolUnavailable,
    Stream,
    TaskStatus,
)
from chronos_py.pools.docker.engine import Engine
from chronos_py.pools.docker.pool import DockerPool
from chronos_py.pools.docker.tls import tls_from

Answer = TypeVar("Answer")

LOOK_SECONDS = 0.5
AWAY_SECONDS = 2.0


class DockerHosts:
    """The pools of several engines, by URL."""

    name = "docker"

    def __init__(self, urls: Sequence[str], options: PoolOptions, tls: TLSConfig | None = None) -> None:
        """Raises PoolUnavailable when none of the engines answers; one that does not yet is tried again."""
        self._urls = tuple(urls)
        self._options = options
        self._tls = tls
        self._lock = threading.Lock()
        self._connected: dict[str, DockerPool] = {}
        self._away: dict[str, tuple[float, str]] = {}  # until when an engine is not asked again, and why
        self._seen: dict[str, PoolNode] = {}  # the engines' machines, as they were when last looked at
        # Never shut down: who still listens while the pool is closed may ask. Its threads end with the pool.
        self._callers = ThreadPoolExecutor(2 * len(self._urls), thread_name_prefix="docker-hosts")
        self._of_handle: dict[str, DockerPool] = {}
        self._launching: dict[str, tuple[str, Task]] = {}  # the URL that a task is being sent to
        self._closed = threading.Event()
        pools, reasons = self._reach()
        if not pools:
            raise PoolUnavailable(" ".join(reasons))

    @classmethod
    def from_options(cls, options: PoolOptions) -> Pool:
        """One engine's own pool, where only one is named."""
        urls = [url.strip() for url in options.docker_url.split(",") if url.strip()]
        tls = tls_from(options.extra)
        if len(urls) <= 1:
            return DockerPool(Engine(urls[0] if urls else "", tls), options)
        return cls(urls, options, tls)

    def objection(self, task: Task) -> str:
        return NO_EXECUTORS.format(task.executor, self.name) if task.executor else ""

    def submit(self, task: Task, permit: Permit) -> str:
        """Raises LaunchRefused when no engine meets the constraints, PoolUnavailable while one may that is away."""
        pools, reasons = self._reach()
        handle = self._find(task.name, pools)
        if handle:
            return handle
        with self._chosen(task, pools, reasons) as pool:
            return self._noted(pool.submit(task, permit), pool)

    def recover(self, task: Task, permit: Permit) -> str:
        """Where the task is, if it is anywhere; raises PoolUnavailable while that can't be told."""
        pools, reasons = self._reach()
        for pool in pools.values():
            if pool.find(task.name):
                return self._noted(pool.recover(task, permit), pool)
        if reasons:
            raise PoolUnavailable(f"{task.name} may be on an engine that is away. {' '.join(reasons)}")
        for pool in pools.values():
            pool.refuse_if_removed(task.name)
        with self._chosen(task, pools, reasons) as pool:
            return self._noted(pool.recover(task, permit), pool)

    def kill(self, handle: str, grace_seconds: float) -> None:
        self._ask_its_engine(handle, lambda pool: pool.kill(handle, grace_seconds), None)

    def list(self) -> list[TaskStatus]:
        """Raises PartlyUnavailable, with the tasks of the others, while an engine is away."""
        pools, reasons = self._reach()
        statuses: builtins.list[TaskStatus] = []
        for pool in pools.values():
            try:
                found = pool.list()
            except PoolUnavailable as error:
                reasons.append(str(error))
                continue
            statuses += found
            for status in found:
                self._noted(status.handle, pool)
        if len(reasons) == len(self._urls):
            raise PoolUnavailable(" ".join(reasons))
        if reasons:
            raise PartlyUnavailable(" ".join(reasons), statuses)
        return statuses

    def watch(self, stop: threading.Event) -> Generator[str]:
        """What all engines tell; a thread listens to each."""
        hints: queue.SimpleQueue[str] = queue.SimpleQueue()
        over = threading.Event()
        listening: set[DockerPool] = set()

        def listen(pool: DockerPool) -> None:
            for name in pool.watch(over):
                hints.put(name)

        try:
            while not stop.is_set() and not self._closed.is_set():
                for pool in set(self._reach()[0].values()) - listening:
                    listening.add(pool)
                    threading.Thread(target=listen, args=(pool,), name="docker-hosts", daemon=True).start()
                with contextlib.suppress(queue.Empty):
                    yield hints.get(timeout=LOOK_SECONDS)
        finally:
            over.set()

    def logs(self, handle: str, stream: Stream, offset: int, limit: int) -> bytes:
        return self._ask_its_engine(handle, lambda pool: pool.logs(handle, stream, offset, limit), b"")

    def outputs(self, handle: str, limit: int) -> bytes:
        return self._ask_its_engine(handle, lambda pool: pool.outputs(handle, limit), b"")

    def capacity(self) -> Capacity:
        """The sum over the engines that answer."""
        found = [capacity for _, capacity in self._capacities(self._reach()[0])]
        return Capacity(
            cpus_total=sum(each.cpus_total or 0.0 for each in found),
            cpus_free=sum(each.cpus_free or 0.0 for each in found),
            memory_total_mb=sum(each.memory_total_mb or 0.0 for each in found),
            memory_free_mb=sum(each.memory_free_mb or 0.0 for each in found),
        )

    def nodes(self) -> Sequence[PoolNode]:
        """The machines of all engines; those that do not answer are away, and named by URL if they never did."""
        pools, reasons = self._reach()
        found: dict[str, PoolNode] = {}
        for url, pool in pools.items():
            try:
                (found[url],) = pool.nodes()
            except PoolUnavailable as error:
                reasons.append(str(error))
        if not found:
            raise PoolUnavailable(" ".join(reasons))
        self._seen |= found
        missing = [url for url in self._urls if url not in found]
        away = [_gone_away(self._seen.get(url, PoolNode(url, {"hostname": url}))) for url in missing]
        return sorted([*found.values(), *away], key=lambda node: node.name)

    def forget(self, handle: str) -> None:
        self._ask_its_engine(handle, lambda pool: pool.forget(handle), None)
        with self._lock:
            self._of_handle.pop(handle, None)

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            pools = list(self._connected.values())
        for pool in pools:
            pool.close()

    # ------------------------------------------------------------------------------------------- which engine

    def _reach(self) -> tuple[dict[str, DockerPool], builtins.list[str]]:
        """The pools of the engines that answer, by URL, and why the others do not."""
        answers = zip(self._urls, self._callers.map(self._answer_of, self._urls), strict=True)
        pools: dict[str, DockerPool] = {}
        reasons = []
        for url, answer in answers:
            if isinstance(answer, str):
                reasons.append(answer)
            else:
                pools[url] = answer
        return pools, reasons

    def _answer_of(self, url: str) -> DockerPool | str:
        """The engine's pool, or why there is no answer. One caller at a time finds out that it is still away."""
        with self._lock:
            away_until, reason = self._away.get(url, (0.0, ""))
            if time.monotonic() < away_until:
                return reason
            if reason:
                self._away[url] = (time.monotonic() + AWAY_SECONDS, reason)
        try:
            pool = self._pool_at(url)
            pool.require_answer()
        except PoolUnavailable as error:
            reason, until = str(error), time.monotonic() + AWAY_SECONDS
            with self._lock:
                self._away[url] = (until, reason)
            return reason
        with self._lock:
            self._away.pop(url, None)
        return pool

    def _pool_at(self, url: str) -> DockerPool:
        with self._lock:
            known = self._connected.get(url)
        if known:
            return known
        pool = DockerPool(Engine(url, self._tls), self._options)
        with self._lock:
            first = self._connected.setdefault(url, pool)
        if first is not pool:
            pool.close()
        return first

    def _find(self, name: str, pools: dict[str, DockerPool]) -> str:
        """The handle of a task by name, on whichever engine answers; "" for none."""
        for pool in pools.values():
            handle = pool.find(name)
            if handle:
                return self._noted(handle, pool)
        return ""

    @contextlib.contextmanager
    def _chosen(self, task: Task, pools: dict[str, DockerPool], reasons: builtins.list[str]) -> Iterator[DockerPool]:
        """The engine for a task: what is sent there at the same time counts as if it ran; all that have one name go
        to one engine."""
        capacities = self._capacities(pools)
        if not capacities:
            raise PoolUnavailable(" ".join(reasons) or "No Docker engine answers.")
        fitting = [each for each in capacities if self._fits(task, each[0], pools[each[0]])]
        if not fitting:
            wanted = ", ".join(map(str, task.constraints))
            if any(self._fits(task, url, None) for url in self._urls if url not in pools):
                raise PoolUnavailable(f"{task.name} waits for an engine that meets {wanted}. {' '.join(reasons)}")
            raise LaunchRefused(f"constraints: no engine meets {wanted}.")
        with self._lock:
            sent = list(self._launching.values())
            same = self._launching.get(task.name)
            url = same[0] if same else max(fitting, key=lambda each: _room(each[1], each[0], sent))[0]
            self._launching[task.name] = (url, task)
        try:
            yield pools[url]
        finally:
            with self._lock:
                self._launching.pop(task.name, None)

    def _fits(self, task: Task, url: str, pool: DockerPool | None) -> bool:
        """Whether an engine meets the task's constraints; one that is away may do so until it is known not to."""
        if task.constraints and pool is not None:
            (self._seen[url],) = pool.nodes()
        return url not in self._seen or are_met(task.constraints, self._seen[url].attributes)

    def _capacities(self, pools: dict[str, DockerPool]) -> builtins.list[tuple[str, Capacity]]:
        found = []
        for url, pool in pools.items():
            with contextlib.suppress(PoolUnavailable):
                found.append((url, pool.capacity()))
        return found

    def _noted(self, handle: str, pool: DockerPool) -> str:
        with self._lock:
            self._of_handle[handle] = pool
        return handle

    def _ask_its_engine(self, handle: str, question: Callable[[DockerPool], Answer], nothing: Answer) -> Answer:
        """The answer of the engine that has the container; raises PoolUnavailable while that can't be told."""
        with self._lock:
            known = self._of_handle.get(handle)
        if known:
            return question(known)
        pools, reasons = self._reach()
        for pool in pools.values():
            try:
                if not pool.has(handle):
                    continue
            except PoolUnavailable as error:
                reasons.append(str(error))
                continue
            self._noted(handle, pool)
            return question(pool)
        if reasons:
            raise PoolUnavailable(" ".join(reasons))
        return nothing


def _gone_away(node: PoolNode) -> PoolNode:
    return replace(node, state=AWAY, cpus_free=None, memory_free_mb=None)


def _room(capacity: Capacity, url: str, sent: Sequence[tuple[str, Task]]) -> float:
    """The free share of an engine's processors and memory, whichever is less."""
    tasks = [task for where, task in sent if where == url]
    cpus = (capacity.cpus_free or 0.0) - sum(task.limits.cpus for task in tasks)
    memory = (capacity.memory_free_mb or 0.0) - sum(task.limits.memory_mb for task in tasks)
    return min(cpus / (capacity.cpus_total or 1.0), memory / (capacity.memory_total_mb or 1.0))
