"""Job documents as old clients may send them, drawn from the fields and values that they are known to use."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.server.client import OWN_NUMBER, OWN_USER


def some(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


TEXTS = some("", None, "null", "x", "<b>ü</b>", 'a "b"', 5)
FLAGS = some(True, False, None, "true", "false", 0, 1)
NUMBERS = some(0, 1, 0.5, 1000, "0.5", "512", None)
MOMENTS = some("", None, "2016-11-17T00:54:09.777Z", "2016-11-17T00:54:09+02:00", "TODAY")
COUNTS = some(0, 7, "7", None)
PAIRS = st.fixed_dictionaries({"name": some("A", "B_1"), "value": some("", None, "null", "v", 5)})
FILES = st.fixed_dictionaries(
    {"uri": some("http://h/x", "http://h/y.tgz?v=1")},
    optional={
        **dict.fromkeys(("extract", "cache", "executable"), FLAGS),
        "output_file": some("", None, "z", "a/b"),
        "theirs": some(1, None),
    },
)
EXTERNAL = st.fixed_dictionaries(
    {"name": some("vol"), "provider": some("dvdi", "")},
    optional={"options": st.lists(some({"key": "k", "value": "v"}), max_size=1)},
)
VOLUMES = st.one_of(
    st.fixed_dictionaries(
        {"containerPath": some("/a", "/b")},
        optional={"hostPath": some("/h", "sandbox", None), "mode": some("ro", "RW", "rO")},
    ),
    st.fixed_dictionaries({"containerPath": some("/a"), "external": EXTERNAL}, optional={"mode": some("RO")}),
)
PORTS = st.fixed_dictionaries(
    {"containerPort": some(80, "8080")}, optional={"hostPort": some(0, 9000, "9001"), "protocol": some("tcp", "udp")}
)
NETWORK_INFOS = st.fixed_dictionaries(
    {"name": some("n", "dcos")},
    optional={
        "protocol": some("IPv4", "IPv6", None),
        "labels": st.lists(some({"key": "k", "value": "v"}), max_size=1),
        "portMappings": st.lists(PORTS, max_size=2),
    },
)
CONSTRAINTS = st.lists(
    some(
        ["rack", "EQUALS", "1"],
        ["hostname", "LIKE", "node[0-9]+"],
        ["zone", "UNLIKE", "eu-.*"],
        ["cpus_class", "LIKE", "1.0"],
    ),
    max_size=3,
)
CONTAINERS = st.one_of(
    some(None, {"type": "", "image": ""}),
    st.fixed_dictionaries(
        {"image": some("busybox", "h:5000/i:1")},
        optional={
            "type": some("DOCKER", "docker", "Mesos", None, ""),
            "network": some("HOST", "BRIDGE", "USER", None),
            "networkName": some("", "n"),
            "volumes": st.lists(VOLUMES, max_size=2),
            "parameters": st.lists(st.fixed_dictionaries({"key": some("env"), "value": some("x", 5)}), max_size=2),
            "forcePullImage": FLAGS,
            "networkInfos": st.one_of(st.none(), st.lists(NETWORK_INFOS, max_size=2)),
            "extra": some(1, {"a": [None]}),
        },
    ),
)
FILES_FIELDS = st.one_of(
    st.fixed_dictionaries(
        {}, optional={"uris": st.one_of(st.none(), st.lists(some("http://h/x", "http://h/y"), max_size=2))}
    ),
    st.fixed_dictionaries({"fetch": st.lists(FILES, max_size=2)}),
)
KINDS = st.one_of(
    st.fixed_dictionaries({"parents": st.lists(some("p", "q r", "s"), min_size=1, max_size=3)}),
    st.fixed_dictionaries(
        {
            "schedule": some(
                "R/2020-01-31T09:00:00+01:00/P1M",
                "R5/2030-01-01T00:00:00Z/PT60M",
                "R//PT10M",
                "R1//PT2M",
                "R0//PT0M",
                "0 3 * * *",
            )
        },
        optional={"scheduleTimeZone": some("", None, "null", "LMT", "Europe/Berlin", "UTC")},
    ),
)
OTHERS = st.fixed_dictionaries(
    {"name": some("a", "service instance", 36, "tmp #1.x"), "command": some("true", "x 'y'", "null-ish")},
    optional={
        **dict.fromkeys(("owner", "ownerName", "description", "executorFlags", "taskInfoData"), TEXTS),
        "runAsUser": some("", None, "null", OWN_USER, OWN_NUMBER),
        "executor": some("", None, "null"),  # pools without executors refuse any other
        **dict.fromkeys(("shell", "disabled", "concurrent", "softError", "highPriority", "async"), FLAGS),
        **dict.fromkeys(("cpus", "mem", "disk"), NUMBERS),
        **dict.fromkeys(("lastSuccess", "lastError"), MOMENTS),
        **dict.fromkeys(("successCount", "errorCount", "errorsSinceLastSuccess"), COUNTS),
        "retries": some(0, 2, "3", None),
        "arguments": st.one_of(st.none(), st.lists(some("", "a b", "null"), max_size=2)),
        "environmentVariables": st.one_of(st.none(), st.lists(PAIRS, max_size=2)),
        "constraints": st.one_of(st.none(), CONSTRAINTS),
        "epsilon": some("PT60S", "PT15M", "P1D", "", "null", None),
        "startupTimeout": some(600, 0),
        "labels": some({}, {"team": "data"}),
        "container": CONTAINERS,
        "maxCompletionTime": some(0, 60, "60"),
        "overlap": some("allow", "forbid-skip"),
        "theirs": some(1, None, {"a": [1, None]}),
    },
)
DOCUMENTS = st.builds(lambda *parts: {k: v for part in parts for k, v in part.items()}, OTHERS, FILES_FIELDS, KINDS)

# For the pool mesos, which takes custom executors (but no container beside one), and users that only an agent knows.
EXECUTED = st.builds(
    lambda document, others: {**document, **others, "container": None},
    DOCUMENTS,
    st.fixed_dictionaries({"executor": some("/bin/executor", "./x -v"), "runAsUser": TEXTS}),
)
