"""A client of the Mesos pool that does what the recorded client did, when the replayed stream waits for it."""

from __future__ import annotations

import builtins
import contextlib
from pathlib import Path

from chronos_py.model.fetch import Fetch
from chronos_py.model.task import Container, Limits, NetworkInfo, Parameter, PortMapping, Task, Volume
from chronos_py.pools import LaunchRefused, LaunchWaits, PoolUnavailable, TaskState, TaskStatus
from chronos_py.pools.mesos.task_info import mesos_task_id

from .mesos_double import ReplayDouble
from .mesos_fixtures import launches_wait_soon, mesos_pool
from .mesos_recordings import Json, launched_in
from .waiting import eventually

SECONDS = 50.0
LAUNCH_SECONDS = 3.0  # whatever others wait: one task of a recording fits nowhere
DOUBTS = ("TASK_UNREACHABLE", "TASK_UNKNOWN")


def task_of(info: Json) -> Task:
    """The task that becomes a recorded TaskInfo."""
    command, container = info.get("command", {}), info.get("container")
    amounts = {each["name"]: each["scalar"]["value"] for each in info.get("resources", []) if "scalar" in each}
    arguments = command.get("arguments", [])
    return Task(
        name=info["task_id"]["value"],
        command=command.get("value", ""),
        shell=command.get("shell", True),
        arguments=tuple(arguments if container else arguments[1:]),
        environment=_pairs(command.get("environment", {}).get("variables", []), "name"),
        container=_container(container["docker"], container.get("volumes", [])) if container else None,
        limits=Limits(
            cpus=amounts.get("cpus", 0),
            memory_mb=amounts.get("mem", 0),
            disk_mb=amounts.get("disk", 0),
            wall_seconds=info["max_completion_time"]["nanoseconds"] / 1e9 if "max_completion_time" in info else None,
        ),
        user=command.get("user", ""),
        grace_seconds=info.get("kill_policy", {}).get("grace_period", {}).get("nanoseconds", 1e10) / 1e9,
        labels=_pairs(info.get("labels", {}).get("labels", []), "key"),
        fetch=tuple(Fetch(**_without_value(uri), uri=uri["value"]) for uri in command.get("uris", [])),
    )


def _container(docker: Json, volumes: list[Json]) -> Container:
    ports = [
        PortMapping(each["container_port"], each["host_port"], each["protocol"])
        for each in docker.get("port_mappings", [])
    ]
    return Container(
        image=docker["image"],
        network=docker["network"],
        volumes=tuple(Volume(each["container_path"], each["host_path"], each["mode"]) for each in volumes),
        parameters=tuple(Parameter(**each) for each in docker.get("parameters", [])),
        network_infos=(NetworkInfo(ports=tuple(ports)),) if ports else (),
    )


def _pairs(found: list[Json], key: str) -> dict[str, str]:
    return {each[key]: each["value"] for each in found}


def _without_value(uri: Json) -> Json:
    return {key: value for key, value in uri.items() if key != "value"}


class Replay:
    """One recording and a pool. ``refused`` is what the pool does not launch, with its reason."""

    def __init__(self, name: str, folder: Path, **extra: str) -> None:
        self.double = ReplayDouble(name)
        extra = {"mesos_failover_timeout": "120", "mesos_min_revive_offers_interval": "0", **extra}
        self.pool = mesos_pool(self.double.url, folder, **extra)
        self.folder = folder
        self.ended: dict[str, TaskStatus] = {}
        self.seen: dict[str, list[TaskStatus]] = {}
        self.refused: dict[str, str] = {}
        self._asked: list[Json] = []
        self._waiting = contextlib.ExitStack()

    def __enter__(self) -> Replay:
        self._waiting.enter_context(launches_wait_soon(LAUNCH_SECONDS))
        return self

    def __exit__(self, *error: object) -> None:
        self._waiting.close()
        self.pool.close()
        self.double.stop()

    def run(self, *ending: str) -> None:
        """Until the recording is over, the given tasks have ended, and whatever ended is settled."""
        eventually(lambda: self.step() and self.double.is_replayed.is_set(), SECONDS)
        eventually(lambda: self.step() and self.ended.keys() >= set(ending) and self.listed() is not None, SECONDS)
        assert not self.double.problems, self.double.problems

    def step(self) -> bool:
        """What the stream waits for now; the tasks are listed, and settled when they have ended."""
        wanted = self.double.wanted
        try:
            if wanted is not None and wanted not in self._asked:
                self._do(wanted)
            for status in self.list():
                if status.is_final:
                    self._settle(status)
        except PoolUnavailable:  # between two streams
            return False
        return True

    def list(self) -> builtins.list[TaskStatus]:
        with self.double.listing():
            statuses = self.pool.list()
        for status in statuses:
            seen = self.seen.setdefault(status.name, [])
            if status not in seen:
                seen.append(status)
        return statuses

    def listed(self) -> builtins.list[TaskStatus] | None:
        """What is listed; None while ended tasks are among it."""
        listed = self.list()
        return None if any(status.is_final for status in listed) else listed

    def _settle(self, status: TaskStatus) -> None:
        self.ended[status.name] = status
        self.double.settled.add(status.name)
        self.pool.forget(status.handle)

    def _do(self, wanted: Json) -> None:
        match wanted["type"]:
            case "ACCEPT":
                if not launched_in(wanted):
                    self.double.pass_by(wanted)
                for info in launched_in(wanted):
                    self._launch(wanted, task_of(info))
            case "KILL":
                self._kill(wanted["kill"]["task_id"]["value"])
            case "REVIVE":
                self.double.pass_by(wanted)  # ours comes with the next task
        self._asked.append(wanted)

    def _kill(self, name: str) -> None:
        """As the recorded client, when it has heard what was said before."""
        state = self.double.last_said.get(name, "")

        def heard() -> builtins.list[TaskStatus]:
            found = [status for status in self.list() if status.name == name]
            return [each for each in found if each.is_final or state not in DOUBTS or state in each.message]

        if any(status.name == name for status in self.list()):
            self.pool.kill(eventually(heard)[0].handle, 2)

    def _launch(self, wanted: Json, task: Task) -> None:
        eventually(lambda: self._is_submitted(task))
        if task.name in self.refused or mesos_task_id(task) != task.name:
            self.double.pass_by(wanted)

    def _is_submitted(self, task: Task) -> bool:
        """Whether it is launched, or never will be; False while it waits for its first offer."""
        try:
            self.pool.submit(task, lambda: None)
        except LaunchRefused as refusal:
            self.refused[task.name] = str(refusal)
        except LaunchWaits as waits:
            if "needs" not in str(waits):
                return False
            self.refused[task.name] = str(waits)
        return True


def outcome(status: TaskStatus) -> tuple[TaskState, int | None, str]:
    return status.state, status.exit_code, status.cause
