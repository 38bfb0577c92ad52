"""Launching a container at most once, by this leader or the next.

Nothing here trusts a call whose answer it did not get. What decides is what the engine shows afterwards: whether
the name is taken, whether the container ever began, and what the engine's events say.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from chronos_py.model.task import Container, Task
from chronos_py.pools import LaunchLost, LaunchRefused, Permit, PoolUnavailable
from chronos_py.pools.docker.engine import TIMEOUTS, Engine, is_verdict, parse_time, words_of
from chronos_py.pools.docker.networks import networks_of
from chronos_py.pools.docker.outputs import OutputFiles
from chronos_py.pools.docker.parameters import Request
from chronos_py.pools.docker.request import LABEL_CLUSTER, LABEL_TASK, Surroundings, container_request
from chronos_py.pools.docker.sandbox import begin_in_sandbox, put_files
from chronos_py.pools.docker.status import Inspected, broke_in_the_start, was_started
from chronos_py.pools.fetch.fetching import Fetching
from chronos_py.pools.fetch.file_tree import Unfit
from chronos_py.pools.fetch.sources import own_files

CREATION_SECONDS = 30.0
REMOVAL_SECONDS = 30.0
PAUSE_SECONDS = 0.05
RECOVERIES = 3  # an earlier leader may create once more under our hands, but its permit is over by then


class DockerLaunch:
    """The launches of one pool."""

    def __init__(self, engine: Engine, outputs: OutputFiles, around: Surroundings, data_dir: Path) -> None:
        self._engine = engine
        self._client = engine.client
        self._outputs = outputs
        self._around = around
        self._fetching = Fetching(data_dir)
        self._local_files = own_files if engine.is_local else _refuse_local_files

    def submit(self, task: Task, permit: Permit) -> str:
        """Launch, or find the name taken. Takes as long as pulling the image takes, when it must be pulled."""
        handle, _ = self._launch(task, permit)
        return handle

    def recover(self, task: Task, permit: Permit) -> str:
        """Adopt what was ever started; else destroy what was only created, and launch."""
        for _ in range(RECOVERIES):
            found = self._find(task.name)
            if found is None:
                self.refuse_if_removed(task.name)
            elif was_started(found) or self._destroy(found, task.name, permit):
                return str(found["Id"])
            handle, is_ours = self._launch(task, permit)
            if is_ours:
                return handle
        raise PoolUnavailable(f"The container {task.name!r} is being created again and again by another server.")

    def find(self, name: str) -> str:
        """The id of the container of that name; "" for none. Raises LaunchRefused when it is somebody else's."""
        found = self._find(name)
        return str(found["Id"]) if found else ""

    def _launch(self, task: Task, permit: Permit) -> tuple[str, bool]:
        """The container's id, and whether it was made and started here; it was not when the name was taken."""
        request = container_request(task, self._around)
        force_pull = task.container is not None and task.container.force_pull
        if force_pull or task.fetch:
            present = self._find(task.name)
            if present:
                return str(present["Id"]), False
        if force_pull:
            self._pull(request["Image"])
        if task.fetch:
            begin_in_sandbox(request, self._image_directory(request["Image"]))
        with self._fetching.staged(task, permit, self._local_files) as files:
            handle, is_new = self._create(task.name, request, permit)
            if is_new:
                self._complete(handle, task, request, files)
                permit()
                self._start(handle, task.name, permit)
        return handle, is_new

    def _complete(self, handle: str, task: Task, request: Request, files: Path | None) -> None:
        """Give a container what it must have before its start. Raises LaunchRefused, and removes it then."""
        try:
            if task.container is not None:
                self._join_networks(handle, task.container)
            self._outputs.give(handle, task, request)
            if files is not None:
                put_files(self._engine, handle, files, request["WorkingDir"])
        except LaunchRefused:
            with contextlib.suppress(PoolUnavailable):  # what is left over says itself that it never began
                self._remove(handle)
            raise

    def _join_networks(self, handle: str, container: Container) -> None:
        """One by one: engines before 25.0 take a single network at the creation."""
        for name, options in networks_of(container).others.items():
            with self._engine.answering():
                try:
                    self._client.connect_container_to_network(handle, name, driver_opt=options or None)
                except APIError as error:
                    if not is_verdict(error):
                        raise
                    raise LaunchRefused(
                        f"The container cannot join the network {name!r} (container.networkInfos): {words_of(error)}."
                    ) from error

    def _image_directory(self, image: str) -> str:
        """The working directory of an image, which is pulled when it is not there; "" for none."""
        for may_pull in (True, False):
            with self._engine.answering():
                try:
                    config = self._client.inspect_image(image)["Config"]  # type: ignore[no-untyped-call]
                    return str((config or {}).get("WorkingDir") or "")
                except NotFound as error:
                    missing = error
                except APIError as error:
                    if not is_verdict(error):
                        raise
                    raise LaunchRefused(f"The Docker engine refuses the image: {words_of(error)}.") from error
            if may_pull:
                self._pull(image)
        raise LaunchRefused(f"The Docker engine refuses the image: {words_of(missing)}.")

    # ------------------------------------------------------------------------------------- create and start

    def _create(self, name: str, request: Request, permit: Permit) -> tuple[str, bool]:
        """The container's id, and whether it was made now."""
        has_pulled = False
        deadline = time.monotonic() + CREATION_SECONDS
        while True:
            permit()
            with self._engine.answering():
                try:
                    created = self._client.create_container_from_config(request, name)  # type: ignore[no-untyped-call]
                    return str(created["Id"]), True
                except APIError as error:
                    if not is_verdict(error):
                        raise
                    refusal = error
            # Whatever the engine objects to: a container that has the name already may have been started, so
            # only its absence makes it certain that nothing was.
            present = self._find(name)
            if present:
                return str(present["Id"]), False
            if isinstance(refusal, ImageNotFound) and not has_pulled:
                self._pull(request["Image"])
                has_pulled = True
            elif refusal.status_code != 409:
                raise LaunchRefused(f"The Docker engine refuses the container: {words_of(refusal)}.")
            elif time.monotonic() > deadline:
                raise PoolUnavailable(
                    f"The name of the container {name!r} is taken, but nothing is there to have it."
                )
            else:
                time.sleep(PAUSE_SECONDS)  # a container takes its name some time before it can be seen

    def _start(self, handle: str, name: str, permit: Permit) -> None:
        """Start a container made here. When the engine fails to: make certain that nothing ran, and remove it."""
        words = self._failure_to_start(handle)
        if words is None:
            return
        found = self._engine.inspect(handle)
        if found is None:
            permit()  # a later leader removed it: then this one's term is over
            raise LaunchRefused(f"The container {name!r} was removed before it was started.")
        if was_started(found):
            return
        if broke_in_the_start(words, name):
            raise LaunchLost(f"The Docker engine broke while it started {name!r}, which may have run: {words}.")
        with contextlib.suppress(PoolUnavailable):  # what is left over says itself that it never began
            self._remove(handle)
        raise LaunchRefused(f"The Docker engine cannot start the container: {words}.")

    def _failure_to_start(self, handle: str) -> str | None:
        with self._engine.answering():
            try:
                self._client.start(handle)
            except APIError as error:
                if not is_verdict(error):
                    raise
                return words_of(error)
        return None

    def _pull(self, image: str) -> None:
        with self._engine.answering():
            try:
                for progress in self._client.pull(image, stream=True, decode=True):
                    if "error" in progress:
                        raise LaunchRefused(f'The image "{image}" cannot be pulled: {progress["error"].rstrip(".")}.')
            except DockerException as error:
                if isinstance(error, APIError) and not is_verdict(error):
                    raise
                raise LaunchRefused(f'The image "{image}" cannot be pulled: {words_of(error)}.') from error
            except TIMEOUTS as error:
                self._engine.ping()  # it is not the engine that is silent
                raise LaunchRefused(f'The image "{image}" cannot be pulled: its registry has gone silent.') from error

    # ------------------------------------------------------------------------------------------- what is there

    def _find(self, name: str) -> Inspected | None:
        """The container of that name. Raises LaunchRefused when it is somebody else's."""
        found = self._engine.inspect(name)
        if found is None or found["Name"] != f"/{name}":
            return None  # the engine also finds containers by the beginning of their ids
        labels = found["Config"]["Labels"] or {}
        if labels.get(LABEL_TASK) != name or labels.get(LABEL_CLUSTER) != self._around.cluster:
            raise LaunchRefused(
                f"The name {name!r} is taken by a container of somebody else; remove that one with docker rm."
            )
        return found

    def _destroy(self, found: Inspected, name: str, permit: Permit) -> bool:
        """Remove a container that never began, so that a late start finds nothing. True: it began all the same.

        Raises LaunchLost when the payload ran, or may have run, without leaving anything to adopt.
        """
        words = found["State"]["Error"]
        if words and broke_in_the_start(words, name):
            raise LaunchLost(f"The Docker engine broke while it started {name!r}, which may have run: {words}.")
        if not words and self._may_have_come_up_after(found):
            raise LaunchLost(
                f"The Docker engine went down between the creation of {name!r} and its start, "
                "and cannot tell whether it ran."
            )
        permit()
        handle = found["Id"]
        if not self._remove(handle):
            return True
        if self._saw_start({"container": handle}):
            raise LaunchLost(f"The container {name!r} ran just before it was removed; how it ended is not known.")
        return False

    def _remove(self, handle: str) -> bool:
        """Remove a container unless it runs, without force: a payload that began meanwhile goes on. False: it did."""
        deadline = time.monotonic() + REMOVAL_SECONDS
        while time.monotonic() < deadline:
            with self._engine.answering():
                try:
                    self._client.remove_container(handle, v=True)
                    return True
                except NotFound:
                    return True
                except APIError as error:
                    if error.status_code != 409:
                        raise
            found = self._engine.inspect(handle)
            if found is None:
                return True
            if was_started(found):
                return False
            time.sleep(PAUSE_SECONDS)  # somebody else is removing it
        raise PoolUnavailable(f"The Docker engine at {self._engine.url} does not remove the container {handle[:12]}.")

    def refuse_if_removed(self, name: str) -> None:
        """Raises LaunchLost when the engine remembers that such a container began."""
        if self._saw_start({"label": [f"{LABEL_CLUSTER}={self._around.cluster}", f"{LABEL_TASK}={name}"]}):
            raise LaunchLost(f"The container {name!r} was started and then removed; how it ended is not known.")

    def _saw_start(self, filters: dict[str, Any]) -> bool:
        return bool(self._engine.past_events({"type": "container", "event": "start", **filters}))

    def _may_have_come_up_after(self, found: Inspected) -> bool:
        created_at, up_since = parse_time(found["Created"]), self._engine.up_since()
        if created_at is not None and up_since is not None and created_at < up_since:
            return True
        if not self._engine.facts().get("LiveRestoreEnabled"):
            return False
        # While containers run, such an engine keeps the network that tells when it came up. Its memory does not last.
        creation = {"type": "container", "event": "create", "container": found["Id"]}
        return not self._engine.past_events(creation)


def _refuse_local_files(path: str) -> AbstractContextManager[Iterator[bytes]]:
    raise Unfit("it is a file of the server's machine, and the tasks run on another; use http, https or ftp")
