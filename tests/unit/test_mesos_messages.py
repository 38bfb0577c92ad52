"""What is said to Mesos and heard of it, without a network: frames, states, offers, tasks, addresses."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chronos_py.config import Settings
from chronos_py.model.constraints import Constraint, Operator
from chronos_py.model.fetch import Fetch
from chronos_py.model.task import (
    Container,
    ExternalVolume,
    Limits,
    Network,
    NetworkInfo,
    Parameter,
    PortMapping,
    Task,
    Volume,
)
from chronos_py.pools import PoolUnavailable, TaskState, Usage
from chronos_py.pools.mesos.http import Address
from chronos_py.pools.mesos.master import leaders_first, open_masters, read_master_info
from chronos_py.pools.mesos.offers import Offer, Portion, Share, best_fit, read_offer
from chronos_py.pools.mesos.recordio import BrokenStream, RecordReader
from chronos_py.pools.mesos.settings import read_settings
from chronos_py.pools.mesos.status import MEANINGS, exit_code, read_update, verdict
from chronos_py.pools.mesos.task_info import Surroundings, mesos_task_id, objection, task_info
from chronos_py.pools.mesos.usage import read_usage

RECORDINGS = Path(__file__).parents[1] / "pools" / "recordings" / "mesos"
AROUND = Surroundings("test", Path("/shared"), "busybox:1", mounts_shared=False)


def test_usage_is_read_as_an_agent_tells_it() -> None:
    exchanges = json.loads(next(RECORDINGS.glob("15_*.json")).read_text())["exchanges"]
    answers = [each["response"]["body"] for each in exchanges if "GET_CONTAINERS" in (each["request"]["body"] or "")]
    found = {task_id: usage for (_, task_id), usage in read_usage(json.loads(answers[-1])).items()}
    assert found == {"op-docker": Usage(0.03, 0.051), "op-run": Usage(0.38, 386.562)}
    assert read_usage({"get_containers": {"containers": [{"executor_id": {"value": "x"}}]}}) == {("", "x"): Usage()}


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://h/d/x.tgz", ("http://h/d/x.tgz", None)),
        ("http://h/d/x.tgz?token=1", ("http://h/d/x.tgz?token=1", "x.tgz")),
        ("file:///with%20blank", ("/with blank", None)),
        ("/with%20percent", ("/with%20percent", "with percent")),
    ],
)
def test_what_is_fetched_has_the_name_that_other_pools_give_it(uri: str, expected: tuple[str, str | None]) -> None:
    offer, portion = Offer("o", "S0", "h", "h:5051"), Portion(())
    info = task_info(Task(name="a", command="true", fetch=(Fetch(uri),)), offer, portion, "f", AROUND)
    (found,) = info["command"]["uris"]
    assert (found["value"], found.get("output_file")) == expected


def recorded_events(kind: str) -> Iterator[dict[str, Any]]:
    for file in sorted(RECORDINGS.glob("[0-9]*.json")):
        for stream in json.loads(file.read_text()).get("streams", []):
            yield from (each["event"] for each in stream["events"] if each["event"]["type"] == kind)


# ------------------------------------------------------------------------------------------------------ frames


@pytest.mark.parametrize("file", sorted(RECORDINGS.glob("*.recordio")), ids=lambda file: file.name[:20])
def test_reads_the_recorded_streams_however_they_are_torn(file: Path) -> None:
    data = file.read_bytes()
    whole = RecordReader().feed(data)
    scenario, _, number = file.name.removesuffix(".recordio").rpartition(".stream")
    recording = json.loads((RECORDINGS / f"{scenario}.json").read_text())
    expected = [each["event"] for each in recording["streams"][int(number) - 1]["events"]]
    assert [json.loads(record) for record in whole] == expected
    by_byte = RecordReader()
    assert [record for byte in data for record in by_byte.feed(bytes([byte]))] == whole
    chance, torn, begin, records = random.Random(7), RecordReader(), 0, []
    while begin < len(data):
        size = chance.randint(1, 700)
        records += torn.feed(data[begin : begin + size])
        begin += size
    assert records == whole


def test_reads_a_record_of_ten_megabytes_between_small_ones() -> None:
    large = ("ä" * 5_000_000).encode()
    data = b"2\n{}%d\n%b3\n[1]" % (len(large), large)
    reader, records = RecordReader(), []
    for begin in range(0, len(data), 65_536):
        records += reader.feed(data[begin : begin + 65_536])
    assert records == [b"{}", large, b"[1]"]


@pytest.mark.parametrize("data", [b"x\n{}", b"-1\n", b"\n{}", b"9" * 30, b"99999999999\n", b"1.5\n{"])
def test_a_stream_without_lengths_is_broken(data: bytes) -> None:
    with pytest.raises(BrokenStream):
        RecordReader().feed(data)


# ------------------------------------------------------------------------------------------------------ states


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Command exited with status 0", 0),
        ("Container exited with status 137", 137),
        ("Command terminated with signal Killed", 137),
        ("Command terminated with signal Terminated", 143),
        ("Command terminated with signal Segmentation fault", 139),
        ("Executor terminated", None),
        ("", None),
    ],
)
def test_reads_the_exit_status_in_a_message(message: str, code: int | None) -> None:
    assert exit_code(message) == code


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"state": "TASK_STAGING"}, (TaskState.WAITING, None, "")),
        ({"state": "TASK_STARTING"}, (TaskState.WAITING, None, "")),
        ({"state": "TASK_RUNNING"}, (TaskState.RUNNING, None, "")),
        ({"state": "TASK_KILLING"}, (TaskState.RUNNING, None, "")),
        ({"state": "TASK_UNREACHABLE"}, (TaskState.RUNNING, None, "")),
        ({"state": "TASK_UNKNOWN"}, (TaskState.RUNNING, None, "")),
        ({"state": "TASK_OF_A_LATER_MESOS"}, (TaskState.RUNNING, None, "")),
        ({"state": "TASK_FINISHED"}, (TaskState.EXITED, 0, "")),
        ({"state": "TASK_FAILED", "message": "Command exited with status 3"}, (TaskState.EXITED, 3, "")),
        (
            {"state": "TASK_FAILED", "reason": "REASON_CONTAINER_LIMITATION_MEMORY", "message": "Memory limit"},
            (TaskState.EXITED, 137, "memory"),
        ),
        (
            {
                "state": "TASK_FAILED",
                "reason": "REASON_MAX_COMPLETION_TIME_REACHED",
                "message": "Command terminated with signal Terminated",
            },
            (TaskState.EXITED, 143, "wall_time"),
        ),
        ({"state": "TASK_FAILED", "reason": "REASON_CONTAINER_LAUNCH_FAILED"}, (TaskState.EXITED, None, "launch")),
        ({"state": "TASK_FAILED", "reason": "REASON_EXECUTOR_TERMINATED"}, (TaskState.LOST, None, "")),
        ({"state": "TASK_KILLED", "message": "Command exited with status 0"}, (TaskState.EXITED, 0, "signal")),
        ({"state": "TASK_ERROR"}, (TaskState.EXITED, None, "launch")),
        ({"state": "TASK_DROPPED"}, (TaskState.EXITED, None, "launch")),
        ({"state": "TASK_LOST"}, (TaskState.LOST, None, "")),
        ({"state": "TASK_GONE"}, (TaskState.LOST, None, "")),
        ({"state": "TASK_GONE_BY_OPERATOR"}, (TaskState.LOST, None, "")),
    ],
)
def test_what_a_state_means(status: dict[str, Any], expected: tuple[TaskState, int | None, str]) -> None:
    update = read_update({"task_id": {"value": "a"}, **status})
    assert update is not None
    found = verdict(update)
    assert (found.state, found.exit_code, found.cause) == expected
    needs_words = found.state is TaskState.LOST or found.cause or update.state in ("TASK_UNREACHABLE", "TASK_UNKNOWN")
    if needs_words:
        assert update.state in found.message
        assert str(status.get("reason", "")).removeprefix("REASON_") in found.message


def test_every_recorded_update_is_understood() -> None:
    states = set()
    for event in recorded_events("UPDATE"):
        status = event["update"]["status"]
        update = read_update(status)
        assert update is not None
        assert update.uuid == status.get("uuid", "")
        states.add(update.state)
        verdict(update)
    assert states <= set(MEANINGS)
    assert {"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST", "TASK_ERROR", "TASK_GONE"} <= states


def test_an_update_without_a_task_or_with_unknown_fields() -> None:
    assert read_update({}) is None
    assert read_update({"task_id": "a", "state": 3}) is None
    update = read_update({"task_id": {"value": "a"}, "state": "TASK_RUNNING", "timestamp": "?", "new": {"x": 1}})
    assert update is not None
    assert update.at is None


@pytest.mark.parametrize("seconds", [1e20, -1e20, float("nan"), "soon", None])
def test_a_time_that_is_none_does_not_keep_an_update_away(seconds: object) -> None:
    update = read_update({"task_id": {"value": "a"}, "state": "TASK_FINISHED", "timestamp": seconds})
    assert update is not None
    assert update.at is None


# ------------------------------------------------------------------------------------------------------ offers


def offer(name: str = "o1", cpus: float = 4, mem: float = 1024, **more: Any) -> Offer:
    shares = (Share("cpus", "*", cpus), Share("mem", "*", mem), Share("disk", "*", 4096))
    return Offer(name, f"agent-{name}", "host", "127.0.0.1:5051", shares=shares, **more)


def task(name: str = "a", cpus: float = 1, mem: float = 100, **more: Any) -> Task:
    return Task(name=name, command="true", limits=Limits(cpus=cpus, memory_mb=mem, disk_mb=0), **more)


def placed(tasks: list[Task], offers: list[Offer]) -> tuple[dict[str, list[str]], dict[str, str]]:
    placements, reasons = best_fit(tasks, offers, lambda each: {"hostname": each.hostname, **each.attributes})
    return {each.offer.id: [entry.name for entry, _ in each.tasks] for each in placements}, reasons


def test_reads_every_recorded_offer() -> None:
    offers = [read_offer(each) for event in recorded_events("OFFERS") for each in event["offers"]["offers"]]
    assert len(offers) > 20
    assert all(each.address.startswith("127.0.0.1:") and each.amount("cpus") > 0 for each in offers)
    assert offers[0].attributes == {"rack": "r1", "zone": "lab"}
    assert offers[0].ports == ((31000, 31999),)


def test_several_tasks_share_an_offer_and_each_goes_where_it_fits_best() -> None:
    tasks = [task("a", cpus=1), task("b", cpus=1), task("c", cpus=6)]
    found, reasons = placed(tasks, [offer("large", cpus=8, mem=8192), offer("small", cpus=2, mem=1024)])
    assert found == {"large": ["c"], "small": ["a", "b"]}
    assert reasons == {}


def test_a_task_that_fits_nowhere_says_why_and_holds_up_nobody() -> None:
    rack = (Constraint("rack", Operator.EQUALS, "r9"),)
    found, reasons = placed([task("big", cpus=9), task("far", constraints=rack), task("b")], [offer(cpus=4)])
    assert found == {"o1": ["b"]}
    assert reasons["big"] == "waiting for an offer that fits: needs 9 cpus, the largest offer has 4"
    assert reasons["far"].endswith("no agent that offers something meets rack EQUALS r9")


@pytest.mark.parametrize(
    ("operator", "value", "is_placed"),
    [
        (Operator.EQUALS, "r1", True),
        (Operator.EQUALS, "r", False),
        (Operator.LIKE, "r[0-9]", True),
        (Operator.UNLIKE, "r[0-9]", False),
        (Operator.UNLIKE, "s", True),
    ],
)
def test_constraints_hold_agents_attributes(operator: Operator, value: str, is_placed: bool) -> None:
    constraints = (Constraint("rack", operator, value),)
    found, _ = placed([task(constraints=constraints)], [offer(attributes={"rack": "r1"})])
    assert bool(found) is is_placed


def test_what_is_reserved_for_the_role_is_used_up_first() -> None:
    shares = (Share("cpus", "*", 4, "chronos"), Share("cpus", "chronos", 1, "chronos"), Share("mem", "*", 512))
    placements, _ = best_fit([task(cpus=1.5)], [Offer("o", "a", "h", "h:1", shares=shares)], lambda each: {})
    resources = placements[0].tasks[0][1].resources
    reserved = {"role": "chronos", "allocation_info": {"role": "chronos"}}
    assert resources[0] == {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}, **reserved}
    assert resources[1] == {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.5}}


@pytest.mark.parametrize("reservation", [{}, {"principal": "operator", "labels": {"labels": [{"key": "a"}]}}])
def test_a_dynamic_reservation_is_named_as_it_was_offered(reservation: dict[str, Any]) -> None:
    """Mesos takes it for other resources else, which the offer does not have. Not recorded, but documented by it."""
    reserved = {"role": "chronos", "reservation": reservation, "allocation_info": {"role": "chronos"}}
    whole = {"name": "cpus", "type": "SCALAR", "scalar": {"value": 2.0}, **reserved}
    memory = {"name": "mem", "type": "SCALAR", "scalar": {"value": 512.0}, "role": "*"}
    found = read_offer({"id": {"value": "o"}, "agent_id": {"value": "a"}, "resources": [whole, memory]})
    placements, _ = best_fit([task(cpus=1.5)], [found], lambda each: {})
    resources = placements[0].tasks[0][1].resources
    assert resources[0] == {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.5}, **reserved}


def test_ports_of_the_host_come_out_of_the_offer() -> None:
    ports = (PortMapping(80, 0), PortMapping(81, 31005, "udp"))
    container = Container(network="BRIDGE", network_infos=(NetworkInfo(ports=ports),))
    wanted = task(container=container)
    placements, _ = best_fit([wanted], [offer(ports=((31005, 31007),))], lambda each: {})
    portion = placements[0].tasks[0][1]
    assert portion.ports == (31006, 31005)
    info = task_info(wanted, placements[0].offer, portion, "f", AROUND)
    assert info["container"]["docker"]["port_mappings"] == [
        {"host_port": 31006, "container_port": 80, "protocol": "tcp"},
        {"host_port": 31005, "container_port": 81, "protocol": "udp"},
    ]
    assert placed([wanted], [offer(ports=((31000, 31001),))])[1]["a"].endswith("host ports that it needs")


# ------------------------------------------------------------------------------------------------------- tasks


def info_of(each: Task) -> dict[str, Any]:
    return task_info(each, offer(), Portion(()), "framework", AROUND)


def test_ids_have_the_originals_form_are_unique_and_can_name_a_folder() -> None:
    given = {"MESOS_TASK_ID": "ct:1711977600000:0:job:--path /a/b " + "ä" * 300}
    ids = {mesos_task_id(task(str(run), environment=given, labels={"chronos.run": str(run)})) for run in (1, 2)}
    assert len(ids) == 2
    for each in ids:
        assert each.startswith("ct:1711977600000:0:job:--path _a_b ")
        assert len(each.encode()) <= 200
    assert mesos_task_id(task("chronos-x-1-1")) == "chronos-x-1-1"


def test_a_command_begins_with_its_variables() -> None:
    info = info_of(task(environment={"A": "b c"}, user="nobody", labels={"chronos.job": "j"}))
    assert info["name"] == "ChronosTask:j"
    command = info["command"]
    assert command["shell"] is True
    assert command["value"].endswith("\ntrue")
    assert command["user"] == "nobody"
    variables = {each["name"]: each["value"] for each in command["environment"]["variables"]}
    assert variables["A"] == "b c"
    assert variables["HOST"] == "host"
    assert {"key": "chronos.task", "value": "a"} in info["labels"]["labels"]


def test_the_program_is_its_own_first_argument_except_in_docker() -> None:
    program = Task(name="a", command="echo", shell=False, arguments=("one two", "*"))
    assert info_of(program)["command"]["arguments"] == ["echo", "one two", "*"]
    docker = Task(name="a", command="echo", shell=False, arguments=("one two",), container=Container("busybox:1"))
    assert info_of(docker)["command"]["arguments"] == ["one two"]
    entry_point = Task(name="a", command="", arguments=("-x",), container=Container("busybox:1"))
    command = info_of(entry_point)["command"]
    assert (command["shell"], command["arguments"], "value" in command) == (False, ["-x"], False)


def test_containers_of_both_kinds() -> None:
    volumes = (
        Volume("/data", "/tmp", "RO"),
        Volume("/own"),
        Volume("/kept", external=ExternalVolume("v", "rexray", {"size": "5"})),
    )
    networks = (NetworkInfo("net", {"a": "b"}),)
    container = Container("i:1", "USER", "", volumes, (Parameter("label", "x=1"),), True, networks)
    found = info_of(task(container=container))["container"]
    assert found["docker"] == {
        "image": "i:1",
        "network": "USER",
        "parameters": [{"key": "label", "value": "x=1"}],
        "force_pull_image": True,
    }
    assert found["volumes"][0] == {"container_path": "/data", "host_path": "/tmp", "mode": "RO"}
    assert found["volumes"][1]["host_path"] == "chronos-volume-1"
    assert found["volumes"][2]["source"]["docker_volume"]["driver"] == "rexray"
    assert found["network_infos"] == [{"name": "net", "labels": {"labels": [{"key": "a", "value": "b"}]}}]
    universal = info_of(task(container=Container("i:1", is_universal=True)))["container"]
    assert universal == {
        "type": "MESOS",
        "mesos": {"image": {"type": "DOCKER", "docker": {"name": "i:1"}, "cached": True}},
    }


@pytest.mark.parametrize("network", ["HOST", "BRIDGE", "NONE"])
def test_a_docker_container_has_the_network_that_was_asked_for(network: Network) -> None:
    assert info_of(task(container=Container("i:1", network)))["container"]["docker"]["network"] == network


def test_limits_files_and_executors() -> None:
    fetch = (Fetch("http://a/b.tgz", cache=True), Fetch("http://a/run", executable=True, output_file="bin/run"))
    limits = Limits(wall_seconds=2.5)
    info = info_of(Task(name="a", command="x", fetch=fetch, limits=limits, grace_seconds=3))
    assert info["max_completion_time"] == {"nanoseconds": 2_500_000_000}
    assert info["kill_policy"] == {"grace_period": {"nanoseconds": 3_000_000_000}}
    assert info["command"]["uris"] == [
        {"value": "http://a/b.tgz", "extract": True, "executable": False, "cache": True},
        {
            "value": "http://a/run",
            "extract": False,
            "executable": True,
            "cache": False,
            "output_file": "bin/run",
        },
    ]
    custom = info_of(Task(name="a", command="x", executor="./run-it", executor_data="data"))
    assert "command" not in custom
    assert custom["executor"]["command"]["value"] == "./run-it"
    assert custom["data"] == "ZGF0YQ=="


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (Task(name="", command=""), "command"),
        (Task(name="", command="x", limits=Limits(cpus=0, memory_mb=0)), "cpus"),
        (Task(name="", command="x", limits=Limits(cpu_seconds=5)), "cpuTimeLimit"),
        (Task(name="", command="x", executor="e", container=Container("i")), "executor"),
        (
            Task(
                name="", command="x", container=Container("i", parameters=(Parameter("a", "b"),), is_universal=True)
            ),
            "container.parameters",
        ),
        (Task(name="", command="x", container=Container("i", "NONE", is_universal=True)), "container.network"),
        (Task(name="", command="x", fetch=(Fetch("file://[x/a", output_file="a"),)), "fetch"),
    ],
)
def test_objects_to_what_mesos_can_never_run(wanted: Task, field: str) -> None:
    assert objection(wanted).startswith(field)
    assert objection(task()) == ""


# ----------------------------------------------------------------------------------------- masters and settings


def test_the_master_with_the_lowest_number_leads() -> None:
    dumps = json.loads((RECORDINGS / "40_ha_zookeeper.znodes.json").read_text())["dumps"]
    for dump in dumps[1:]:
        data = {node["path"].rpartition("/")[2]: node["data"] for node in dump["nodes"]}
        names = leaders_first(list(data))
        assert names == sorted(names)
        assert "log_replicas" not in names
        for name in names:
            address = read_master_info(data[name].encode())
            assert address is not None
            assert (address.host, address.port in (5150, 5160, 5170)) == ("127.0.0.1", True)
    assert read_master_info(b"{}") is None
    assert read_master_info(b"\xff") is None


@pytest.mark.parametrize("text", ["zk://", "zk://a:1", "zk://user:secret@/x", "ftp://a", "", "http://"])
def test_masters_that_cannot_be_are_one_sentence(text: str) -> None:
    with pytest.raises(PoolUnavailable, match="--mesos-master") as caught:
        open_masters(text, lambda: None)
    assert "secret" not in str(caught.value)


def test_addresses() -> None:
    assert Address.parse("//127.0.0.1:5150/master/api/v1") == Address("127.0.0.1", 5150)
    assert Address.parse("https://m") == Address("m", 5050, True)
    assert open_masters("http://a:1,b:2", lambda: None).candidates() == (Address("a", 1), Address("b", 2))


def test_settings_come_from_the_originals_flags(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    settings = read_settings(
        {
            "mesos_master": "http://a:1",
            "mesos_role": "etl",
            "mesos_framework_name": "chronos-2",
            "mesos_failover_timeout": "60",
            "mesos_checkpoint": "false",
            "mesos_principal": "p",
            "mesos_secret_file": str(secret),
            "mesos_decline_offer_duration": "7000",
            "default_user": "batch",
            "webui_url": "http://pages.example",
        }
    )
    framework = settings.framework
    assert (framework.user, framework.webui_url) == ("batch", "http://pages.example")
    assert (framework.role, framework.name, framework.failover_seconds) == ("etl", "chronos-2", 60)
    assert (framework.checkpoint, settings.refuse_seconds) == (False, 7)
    assert settings.credentials == ("p", "s3cret")
    assert read_settings({"mesos_master": "a"}).framework.failover_seconds == 604_800


@pytest.mark.parametrize(
    ("extra", "flag"),
    [
        ({}, "--mesos-master"),
        ({"mesos_failover_timeout": "0"}, "--failover_timeout"),
        ({"mesos_failover_timeout": "soon"}, "--failover_timeout"),
        ({"mesos_secret_file": "/nowhere/secret", "mesos_principal": "p"}, "--mesos_authentication_secret_file"),
        ({"mesos_secret_file": __file__}, "--mesos_authentication_principal"),
    ],
)
def test_settings_that_cannot_be_name_their_flag(extra: dict[str, str], flag: str) -> None:
    with pytest.raises(PoolUnavailable, match=flag):
        read_settings(({"mesos_master": "http://a:1"} if extra else {}) | extra)


def test_the_password_of_the_masters_is_not_shown() -> None:
    shown = Settings(mesos_master="zk://user:s3cret@a:1/mesos").shown()
    assert shown["mesos_master"] == "zk://***@a:1/mesos"
