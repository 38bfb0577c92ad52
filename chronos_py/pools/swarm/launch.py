"""Launching a service's task at most once, by this leader or the next: see docs/decisions/0017.

A service is created without a task, and started by an update that names the version that was read. Swarm takes one
update of a version and refuses every other: of any number of starts, at any time, one is the first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import requests
from docker.errors import APIError, NotFound

from chronos_py.model.constraints import Attribute, Constraint
from chronos_py.model.task import Task
from chronos_py.pools import LaunchLost, LaunchRefused, Permit, PoolUnavailable
from chronos_py.pools.docker.engine import is_verdict, words_of
from chronos_py.pools.docker.request import LABEL_CLUSTER, LABEL_TASK, Surroundings
from chronos_py.pools.fetch.fetching import Fetching
from chronos_py.pools.fetch.file_tree import Unfit
from chronos_py.pools.swarm.calls import (
    Found,
    create_service,
    id_by_name,
    inspect_service,
    nodes_of,
    remove_service,
    update_service,
)
from chronos_py.pools.swarm.files import TaskFiles
from chronos_py.pools.swarm.managers import Managers, is_out_of_sequence
from chronos_py.pools.swarm.nodes import labels_of, pool_nodes
from chronos_py.pools.swarm.parameters import Spec
from chronos_py.pools.swarm.placement import placement_of
from chronos_py.pools.swarm.service import is_started, killed, service_spec, started

RECOVERIES = 5  # of a service that others change at the same time


class SwarmLaunch:
    """The launches of one pool."""

    def __init__(
        self,
        managers: Managers,
        files: TaskFiles,
        around: Surroundings,
        data_dir: Path,
        attributes: dict[str, Attribute],
    ) -> None:
        self._managers = managers
        self._files = files
        self._around = around
        self._fetching = Fetching(data_dir)
        self._attributes = attributes

    def submit(self, task: Task, permit: Permit) -> str:
        """Launch, or find the name taken."""
        if task.fetch and (present := self._find(task.name)):
            return str(present["ID"])
        with self._fetching.staged(task, permit, _refuse_local_files) as files:
            try:
                spec = self._spec(task, files)
                permit()
                handle = self._create(spec)
            except LaunchRefused:
                if self._find(task.name) is None:
                    self._files.remove(task.name)
                raise
            found = self._inspect(handle) if handle else self._find(task.name)
            if found is None:
                permit()  # a later leader removed it: then this one's term is over
                raise PoolUnavailable(f"The service {task.name!r} is being removed; nothing was started.")
            if not handle:
                return str(found["ID"])
            with self._nothing_left_of(found):
                return self._start(found, spec, permit)
        return str(found["ID"])

    def recover(self, task: Task, permit: Permit) -> str:
        """Adopt what was ever started; start what was only created, in a step that no earlier leader can repeat."""
        found = self._find(task.name)
        if found is None:
            self._refuse_if_removed(task.name)
            handle = self.submit(task, permit)
            found = self._inspect(handle)
        if found is None:
            raise PoolUnavailable(f"The service {task.name!r} was removed while it was launched.")
        if is_started(found):
            return str(found["ID"])
        with self._nothing_left_of(found), self._fetching.staged(task, permit, _refuse_local_files) as files:
            return self._start(found, self._spec(task, files), permit)
        return str(found["ID"])

    def replace_by_nothing(self, found: Found) -> bool:
        """End the service's task, if it has one, for good; False when the service has changed since it was read."""
        return self._update(found, killed(found["Spec"])) or self._inspect(found["ID"]) is None

    # -------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _nothing_left_of(self, found: Found) -> Iterator[None]:
        """When the launch is refused within: make certain that no late start of an earlier leader finds the service.

        Swallows the refusal when it was started all the same: then it is to be adopted.
        """
        try:
            yield
        except LaunchRefused:
            again = self._inspect(found["ID"])
            if again is not None and (is_started(again) or not self.replace_by_nothing(again)):
                return
            with contextlib.suppress(PoolUnavailable, NotFound), self._managers.answering() as client:
                remove_service(client, found["ID"])
            self._files.remove(found["Spec"]["Name"])
            raise

    def _spec(self, task: Task, files: Path | None) -> Spec:
        """The service of a task, and its files in their place. Raises LaunchRefused."""
        constraints = self._placement(task.constraints)
        service_spec(task, self._around, constraints, files)  # before anything is copied
        self._files.make(task.name)
        sandbox = self._files.take_in(task.name, files) if files else None
        spec = service_spec(task, self._around, constraints, sandbox)
        template = spec["TaskTemplate"]["ContainerSpec"]
        self._name_ids(template.get("Secrets", []), "Secret")
        self._name_ids(template.get("Configs", []), "Config")
        return spec

    def _placement(self, constraints: tuple[Constraint, ...]) -> list[str]:
        if not constraints:
            return []
        nodes = self._managers.ask(nodes_of)
        labels = {node["ID"]: labels_of(node) for node in nodes}
        return placement_of(constraints, pool_nodes(nodes, (), self._attributes), labels)

    def _name_ids(self, references: list[dict[str, Any]], kind: str) -> None:
        """Secrets and configs are given by name; Swarm wants their ids, too."""
        for reference in references:
            name = reference[f"{kind}Name"]
            found = self._managers.ask(partial(id_by_name, kind=kind, name=name))
            if found is None:
                what = f"{kind.lower()} {name!r}"
                raise LaunchRefused(f"container.parameters: the swarm has no {what}; create it first.")
            reference[f"{kind}ID"] = found

    def _create(self, spec: Spec) -> str:
        """The id of the service made now; "" when its name is taken."""
        with self._managers.answering() as client:
            try:
                return create_service(client, spec)
            except APIError as error:
                if error.status_code == requests.codes.conflict:
                    return ""
                raise _refusal(error) from error

    def _start(self, found: Found, spec: Spec, permit: Permit) -> str:
        """Let the service have its task, unless somebody else did: its id in either case."""
        for _ in range(RECOVERIES):
            permit()
            if self._update(found, started(spec)):
                return str(found["ID"])
            again = self._inspect(found["ID"])
            if again is None:
                permit()  # a later leader removed it: then this one's term is over
                raise LaunchRefused(f"The service {spec['Name']!r} was removed before it was started.")
            if is_started(again):
                return str(again["ID"])
            found = again
        raise PoolUnavailable(f"The service {spec['Name']!r} is changed again and again by somebody else.")

    def _update(self, found: Found, spec: Spec) -> bool:
        """False: it was changed, or removed, since it was read."""
        with self._managers.answering() as client:
            try:
                update_service(client, found, spec)
                return True
            except NotFound:
                return False
            except APIError as error:
                if is_out_of_sequence(error):
                    return False
                raise _refusal(error) from error

    # ------------------------------------------------------------------------------------------- what is there

    def _inspect(self, service: str) -> Found | None:
        return self._managers.ask(partial(inspect_service, service=service))

    def _find(self, name: str) -> Found | None:
        """The service of that name. Raises LaunchRefused when it is somebody else's."""
        found = self._inspect(name)
        if found is None or found["Spec"]["Name"] != name:
            return None  # Swarm also finds services by their ids
        labels = found["Spec"].get("Labels") or {}
        if labels.get(LABEL_TASK) != name or labels.get(LABEL_CLUSTER) != self._around.cluster:
            raise LaunchRefused(
                f"The name {name!r} is taken by a service of somebody else; remove that one with docker service rm."
            )
        return found

    def _refuse_if_removed(self, name: str) -> None:
        """Managers remember the last of what happened to services, for a while."""
        events = self._managers.current().past_events({"type": "service", "event": "update"})
        for event in events:
            attributes = event["Actor"]["Attributes"]
            if attributes.get("name") == name and attributes.get("replicas.new") == "1":
                raise LaunchLost(f"The service {name!r} was started and then removed; how it ended is not known.")


def _refusal(error: APIError) -> Exception:
    """What a swarm's no means for a launch."""
    if is_verdict(error):
        return LaunchRefused(f"The swarm refuses the service: {_plain(words_of(error))}.")
    return error


def _plain(words: str) -> str:
    """A swarm's words without those of its transport."""
    return words.rpartition(" desc = ")[2]


def _refuse_local_files(path: str) -> AbstractContextManager[Iterator[bytes]]:
    raise Unfit("it is a file of the server's machine, and the tasks run on others; use http, https or ftp")
