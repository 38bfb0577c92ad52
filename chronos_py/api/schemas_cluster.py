"""The shape of what the API tells of the cluster."""

from __future__ import annotations

from chronos_py.api.shapes import (
    COUNT,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    TIME,
    TIME_OR_NULL,
    WHOLE,
    WHOLE_OR_NULL,
    YES_OR_NO,
    Schema,
    always,
    described,
)

_NUMBER: Schema = {"type": "number"}
_NUMBER_OR_NULL: Schema = {"type": ["number", "null"]}
_CAPACITY: Schema = {
    "cpusTotal": _NUMBER_OR_NULL,
    "cpusFree": _NUMBER_OR_NULL,
    "memoryTotalMb": _NUMBER_OR_NULL,
    "memoryFreeMb": _NUMBER_OR_NULL,
}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_NODE = always(
    {
        "address": TEXT,
        "host": TEXT,
        "version": TEXT,
        "pool": TEXT,
        "startedAt": TIME,
        "secondsSinceSeen": described("By the database's clock.", _NUMBER),
        "isAway": described("It has not been heard of for more than three of its beats.", YES_OR_NO),
        "isLeader": YES_OR_NO,
        "isThis": described("Whether it is the node that answers.", YES_OR_NO),
    }
)
_HOST = always({"name": TEXT, "state": TEXT, "attributes": {"type": "object"}, "engine": TEXT, **_CAPACITY})

CLUSTER = always(
    {
        "leader": TEXT_OR_NULL,
        "epoch": WHOLE,
        "since": TIME_OR_NULL,
        "election": described("sql or zookeeper; empty where the node that answers has not said so yet.", TEXT),
        "nodes": _list(_NODE),
        "lag": described(
            "Launch time minus scheduled time, in seconds, of what was launched in the last hour.",
            always({"count": COUNT, "median": _NUMBER, "p95": _NUMBER, "longest": _NUMBER}),
        ),
        "oldestDue": described("What should have begun and has not: since when.", TIME_OR_NULL),
        "jobs": COUNT,
        "unfinished": described("Runs by state.", {"type": "object", "additionalProperties": COUNT}),
        "waiting": described(
            "Why the first runs in the queue wait.",
            _list(always({"reason": TEXT, "runs": _list(WHOLE)})),
        ),
        "pool": always(
            {
                "name": TEXT,
                "problem": described("Why it does not answer, empty when it does.", TEXT),
                "slotsFree": WHOLE_OR_NULL,
                **_CAPACITY,
                "hosts": _list(_HOST),
            }
        ),
        "database": always(
            {"version": TEXT, "url": TEXT, "sizeBytes": COUNT, "revision": TEXT, "pingSeconds": _NUMBER}
        ),
        "zookeeper": {
            **always({"hosts": TEXT, "path": TEXT, "problem": TEXT}),
            "type": ["object", "null"],
            "description": "What decides who may lead, null where the database does. No problem: it answers.",
        },
        "problems": described("What is wrong and what to do, in sentences.", TEXTS),
    }
)
