"""What a job asks to be fetched, and the task that comes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronos_py.errors import InvalidDefinition
from chronos_py.model.document import complete, read_definition
from chronos_py.model.environment import build_task, unbound_task
from chronos_py.model.fetch import Fetch, command_fetch, file_name
from chronos_py.model.run import Overrides, Run, RunState, Trigger
from chronos_py.model.task import ExternalVolume, Task, Volume

MOMENT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def run(*arguments: str) -> Run:
    overrides = Overrides(arguments) if arguments else Overrides()
    return Run(
        id=7,
        job_id=1,
        job_name="job",
        trigger=Trigger.MANUAL,
        state=RunState.QUEUED,
        scheduled_at=MOMENT,
        created_at=MOMENT,
        not_before=MOMENT,
        revision=1,
        overrides=overrides,
    )


def task_of(*override: str, **fields: Any) -> Task:
    definition = read_definition({"name": "job", "command": "true", **fields})
    return build_task(
        definition, run(*override), 2, "task", datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC), {"A": "parent"}
    )


# --- reading -----------------------------------------------------------------------------------------------


def test_fetch_and_uris_are_read() -> None:
    definition = read_definition(
        {
            "name": "a",
            "command": "true",
            "fetch": [{"uri": "http://h/x.tgz", "extract": False, "output_file": "sub/y", "cache": True}],
            "uris": ["ftp://h/z", " /local/file "],
        }
    )
    assert definition.fetch == (
        Fetch("http://h/x.tgz", extract=False, cache=True, output_file="sub/y"),
        Fetch("ftp://h/z"),
        Fetch("/local/file"),
    )


def test_what_is_asked_for_twice_is_fetched_once() -> None:
    document = {"name": "a", "command": "true", "fetch": [{"uri": "http://h/x"}], "uris": ["http://h/x"]}
    assert read_definition(document).fetch == (Fetch("http://h/x"),)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"fetch": [{}]}, "fetch[0].uri"),
        ({"fetch": [{"uri": "http://h/x y"}]}, "fetch[0].uri"),
        ({"fetch": [{"uri": "http://h/"}]}, "fetch[0].uri"),
        ({"fetch": [{"uri": "http://h/x"}, {"uri": 3}]}, "fetch[1].uri"),
        ({"fetch": [{"uri": "http://h/x", "output_file": "/etc/x"}]}, "fetch[0].output_file"),
        ({"fetch": [{"uri": "http://h/x", "output_file": "a/../../x"}]}, "fetch[0].output_file"),
        ({"fetch": [{"uri": "http://h/x", "output_file": "a/"}]}, "fetch[0].output_file"),
        ({"fetch": [{"uri": "http://h/x", "extract": "yes"}]}, "fetch[0].extract"),
        ({"fetch": [{"uri": "http://h/x"}] * 101}, "fetch"),
        ({"fetch": "http://h/x"}, "fetch"),
        ({"uris": ["http://h/x", ""]}, "uris[1]"),
        ({"uris": [3]}, "uris"),
        ({"command": "http://h/"}, "command"),
        ({"container": {"image": "x", "type": "VM"}}, "container.type"),
        ({"container": {"image": "x", "volumes": [{"containerPath": "/a", "hostPath": "../b"}]}},
         "container.volumes[0].hostPath"),
        ({"container": {"image": "x", "volumes": [{"containerPath": "/a", "external": {}}]}},
         "container.volumes[0].external.name"),
        ({"container": {"volumes": [{"containerPath": "/a", "hostPath": "/b", "external": {"name": "n"}}]}},
         "container.volumes[0].hostPath"),
        ({"container": {"image": "x", "networkInfos": [{"portMappings": [{"containerPort": 0}]}]}},
         "container.networkInfos[0].portMappings[0].containerPort"),
        ({"container": {"image": "x", "networkInfos": [{"portMappings": [{"containerPort": 1, "protocol": "x"}]}]}},
         "container.networkInfos[0].portMappings[0].protocol"),
        ({"container": {"image": "x", "networkInfos": [{"labels": [{"key": ""}]}]}},
         "container.networkInfos[0].labels[0].key"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_its_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        read_definition({"name": "a", "command": "true", **fields})
    assert refused.value.field == field


def test_volumes_are_the_hosts_the_engines_or_the_tasks_own() -> None:
    external = {"name": "n", "provider": "rexray", "options": [{"key": "size", "value": "1"}]}
    volumes = [
        {"containerPath": "/a", "hostPath": "/h", "mode": "ro"},
        {"containerPath": "/b", "hostPath": "relative"},
        {"containerPath": "/c", "external": external},
    ]
    container = read_definition({"name": "a", "container": {"image": "x", "volumes": volumes}}).container
    assert container is not None
    assert container.volumes == (
        Volume("/a", "/h", "RO"),
        Volume("/b"),
        Volume("/c", None, "RW", ExternalVolume("n", "rexray", {"size": "1"})),
    )


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("http://h/a/b.tgz?x=/c#d", "b.tgz"),
        ("http://h/a%20b", "a b"),
        ("/local/x", "x"),
        ("file:///local/x", "x"),
        ("s3://bucket/key", "key"),
        ("http://h", ""),
        ("http://h/..", ""),
        ("http://h/%2e%2e", ""),
        ("http://h/a%2Fb", "b"),
        ("http://[broken", ""),
    ],
)
def test_the_last_part_of_the_path_is_the_name(uri: str, name: str) -> None:
    assert file_name(uri) == name


@given(st.text())
def test_no_uri_leads_out_of_the_directory(uri: str) -> None:
    name = file_name(uri)
    assert "/" not in name
    assert name not in (".", "..")


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://h/x", "http://h/x"),
        ("http://ann:secret@h/x?token=1", "http://***@h/x?..."),
        ("ftp://ann@h/x", "ftp://***@h/x"),
    ],
)
def test_what_is_secret_in_a_uri_is_not_shown(uri: str, shown: str) -> None:
    assert Fetch(uri).shown_uri == shown


# --- the task ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["http://h/bin/tool", "https://h/bin/tool?v=2", "ftp://h/tool"])
def test_a_command_that_is_a_uri_is_fetched_and_run(command: str) -> None:
    task = task_of(command=command, uris=["http://h/data"])
    assert task.command == "./tool"
    assert task.fetch == (Fetch("http://h/data"), Fetch(command, extract=False, executable=True))


def test_such_a_command_takes_arguments_as_others_do() -> None:
    assert task_of("x", "y", command="http://h/a%20tool").command == "'./a tool' x y"
    task = task_of(command="http://h/tool", shell=False, arguments=["a b"])
    assert (task.command, task.arguments) == ("./tool", ("a b",))


@pytest.mark.parametrize("command", ["curl http://h/x", "http://h/x | sh", "httpd", "file:///x", "HTTP://h/x"])
def test_other_commands_are_commands(command: str) -> None:
    assert command_fetch(command) is None
    assert task_of(command=command).command == command


def test_the_environment_of_the_original() -> None:
    environment = task_of("1;2", "x", arguments=["own"], owner="me", mem=128, cpus=0.5, disk=1e8).environment
    task_id = "ct:1772366401000:1:job:12 x"
    assert (
        environment.items()
        >= {
            "mesos_task_id": task_id,
            "MESOS_TASK_ID": task_id,
            "CHRONOS_JOB_NAME": "job",
            "CHRONOS_JOB_OWNER": "me",
            "CHRONOS_JOB_RUN_TIME": "1772366400000",
            "CHRONOS_JOB_RUN_ATTEMPT": "1",
            "CHRONOS_RESOURCE_MEM": "128.0",
            "CHRONOS_RESOURCE_CPU": "0.5",
            "CHRONOS_RESOURCE_DISK": "1.0E8",
            "A": "parent",
        }.items()
    )


def test_built_in_variables_win_and_of_two_the_first_counts() -> None:
    pairs = [("mesos_task_id", "mine"), ("CHRONOS_JOB_NAME", "mine"), ("A", "1"), ("A", "2")]
    variables = [{"name": name, "value": value} for name, value in pairs]
    environment = task_of(environmentVariables=variables, arguments=["own", "args"]).environment
    assert environment["mesos_task_id"] == "ct:1772366401000:1:job:own args"
    assert (environment["CHRONOS_JOB_NAME"], environment["A"]) == ("job", "1")


def test_a_custom_executor_gets_the_originals_data() -> None:
    data = [
        task_of(executor="/x", executorFlags="-v", command="c").executor_data,
        task_of(executor="/x", taskInfoData="d").executor_data,
    ]
    assert data == ["-v|c", "d"]
    assert unbound_task(read_definition({"name": "a", "command": "c", "executor": "/x"})).executor == "/x"


def test_a_document_that_says_nothing_of_it_is_complete_all_the_same() -> None:
    full = complete({"name": "a", "command": "c"})
    assert (full["fetch"], full["uris"], full["constraints"], full["executor"]) == ([], [], [], "")
