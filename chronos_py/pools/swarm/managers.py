"""The engines of a swarm that were named: which of them to ask, and which node each of them is.

Any number of engines may be named. Those that are managers are asked for services, one of them until it fails or is
demoted, then another. Those of workers serve for what only a node's own engine knows of its containers.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from docker import APIClient
from docker.errors import APIError

from chronos_py.pools import PoolUnavailable
from chronos_py.pools.docker.engine import DEFAULT_URL, Engine, is_refusal, ping, words_of

Answer = TypeVar("Answer")

CALL_SECONDS = 20  # what is asked of a manager never has to wait for a container
LOOK_AGAIN_SECONDS = 30.0  # before engines that never answered are asked again
NOBODY_SECONDS = 1.0  # before managers that did not answer are asked again
LEAST_HISTORY = 2  # of a slot: the task, and what takes its place when it is killed


class Managers:
    """The engines at ``urls``, in the order of preference. Thread-safe."""

    def __init__(self, urls: Sequence[str], connect: Callable[[str], Engine]) -> None:
        """Raises PoolUnavailable, in a sentence, unless one of them is a manager of a swarm."""
        self._urls = tuple(urls) or (DEFAULT_URL,)
        self._connect = connect
        self._lock = threading.RLock()
        # Of the two below: an engine may answer when nobody waits for it any more.
        self._tables = threading.Lock()
        self._engines: dict[str, Engine] = {}
        self._node_ids: dict[str, str] = {}  # by URL
        self._nobody_until, self._why_nobody = 0.0, ""
        self._looked_at_rest = -LOOK_AGAIN_SECONDS
        self._current: Engine | None = None
        with self._lock:
            self._look_around()
        self.has_init = self.current().has_init

    @property
    def url(self) -> str:
        """Of the manager in use, for messages."""
        current = self._current
        return current.url if current else ", ".join(self._urls)

    @property
    def client(self) -> APIClient:
        """The connection to the manager in use. Raises PoolUnavailable."""
        return self.current().client

    def current(self) -> Engine:
        """The manager in use, or the first other one that answers. Raises PoolUnavailable."""
        with self._lock:
            if self._current:
                return self._current
            if time.monotonic() < self._nobody_until:
                raise PoolUnavailable(self._why_nobody)  # as somebody else has just found
            return self._look_around()

    def require_answer(self) -> None:
        """Leave a manager that says nothing within seconds. Raises PoolUnavailable when no other answers, either."""
        self.ask(ping)

    @contextlib.contextmanager
    def answering(self) -> Iterator[APIClient]:
        """Turn what keeps a manager from answering into PoolUnavailable, and use another one the next time.

        Its refusals pass through, and so do its failures that are a word on the call, as APIError.
        """
        engine = self.current()
        try:
            with engine.answering():
                try:
                    yield engine.client
                except APIError as error:
                    if is_refusal(error) or not is_word_of_a_swarm(error):
                        raise
                    refusal = error
                else:
                    return
        except PoolUnavailable:
            self._leave(engine)
            raise
        raise refusal

    def ask(self, question: Callable[[APIClient], Answer]) -> Answer:
        """The answer to a question that changes nothing, of whichever manager gives one."""
        for _ in self._urls[1:]:
            with contextlib.suppress(PoolUnavailable), self.answering() as client:
                return question(client)
        with self.answering() as client:
            return question(client)

    def engine_of(self, node_id: str) -> Engine | None:
        """The engine of a node, where it was named and answered once."""
        with self._lock:
            engine = self._known_as(node_id)
            is_time = time.monotonic() - self._looked_at_rest > LOOK_AGAIN_SECONDS
            if engine is None and is_time and self._unknown():
                self._look_at_the_rest()
                engine = self._known_as(node_id)
            return engine

    def close(self) -> None:
        with self._tables:
            engines = [*self._engines.values()]
        for engine in engines:
            engine.close()

    # ------------------------------------------------------------------------------------------------------

    def _leave(self, engine: Engine) -> None:
        with self._lock:
            if self._current is engine:
                self._current = None

    def _look_around(self) -> Engine:
        """Ask all at once, so that several that are away cost no more than one; the first in order is preferred."""
        reasons = []
        askers = ThreadPoolExecutor(len(self._urls), thread_name_prefix="swarm-managers")
        answers = [(url, askers.submit(self._facts, url)) for url in self._urls]
        askers.shutdown(wait=False)
        for url, answer in answers:
            try:
                reason = _why_no_manager(url, answer.result())
            except PoolUnavailable as error:
                reason = str(error)
            if not reason:
                with self._tables:
                    self._current = self._engines[url]
                return self._current
            reasons.append(reason)
        self._why_nobody = " ".join(reasons)
        self._nobody_until = time.monotonic() + NOBODY_SECONDS
        raise PoolUnavailable(self._why_nobody)

    def _look_at_the_rest(self) -> None:
        for url in self._unknown():
            with contextlib.suppress(PoolUnavailable):
                self._facts(url)
        self._looked_at_rest = time.monotonic()

    def _unknown(self) -> list[str]:
        """Those that have never answered."""
        with self._tables:
            return [url for url in self._urls if url not in self._node_ids]

    def _known_as(self, node_id: str) -> Engine | None:
        with self._tables:
            url = next((url for url, each in self._node_ids.items() if each == node_id), None)
            return self._engines.get(url) if url else None

    def _facts(self, url: str) -> dict[str, Any]:
        """What the engine says of itself and its swarm now; soon, or that it does not answer."""
        with self._tables:
            engine = self._engines.get(url)
        if engine is None:
            made = self._connect(url)
            made.client.timeout = CALL_SECONDS
            with self._tables:
                engine = self._engines.setdefault(url, made)
            if engine is not made:
                made.close()
        engine.ping()
        facts = engine.facts()
        with self._tables:
            self._node_ids[url] = str(facts["Swarm"].get("NodeID", ""))
        return facts


def _why_no_manager(url: str, facts: dict[str, Any]) -> str:
    swarm = facts["Swarm"]
    state = swarm.get("LocalNodeState", "inactive")
    if state == "inactive":
        return f"The Docker engine at {url} is in no swarm; run docker swarm init or join there, or name a manager's."
    if state == "locked":
        return f"The swarm of the Docker engine at {url} is locked; run docker swarm unlock there."
    if not swarm.get("ControlAvailable"):
        return f"The Docker engine at {url} is a worker of its swarm; name a manager's (docker_url)."
    if swarm.get("Error"):
        return f"The swarm of the Docker engine at {url} fails: {swarm['Error'].rstrip('.')}."
    cluster = swarm.get("Cluster") or {}
    history = cluster.get("Spec", {}).get("Orchestration", {}).get("TaskHistoryRetentionLimit")
    if history is not None and history < LEAST_HISTORY:
        return (
            f"The swarm of the Docker engine at {url} forgets ended tasks at once (task history limit {history}); "
            f"run docker swarm update --task-history-limit {LEAST_HISTORY} or more."
        )
    return ""


def is_word_of_a_swarm(error: APIError) -> bool:
    """Whether a failure of the status 500 is about the call, not about the manager."""
    return error.status_code == 500 and is_out_of_sequence(error)


def is_out_of_sequence(error: APIError) -> bool:
    """Whether somebody else changed the object since it was read."""
    return "out of sequence" in words_of(error)
