"""The parts of a job's document that say where and in what its tasks run."""

from __future__ import annotations

from chronos_py.api.shapes import TEXT, TEXT_OR_NULL, TEXTS, YES_OR_NO, Schema, described


def _pairs(key: str) -> Schema:
    return {
        "type": "array",
        "items": {"type": "object", "required": [key], "properties": {key: TEXT, "value": TEXT}},
    }


_PORT: Schema = {"type": ["integer", "string"], "description": "A port; as text, too."}
_VOLUME: Schema = {
    "type": "object",
    "required": ["containerPath"],
    "properties": {
        "containerPath": TEXT,
        "hostPath": TEXT_OR_NULL,
        "mode": {"enum": ["RW", "RO"]},
        "external": {
            "type": ["object", "null"],
            "description": "A volume that a driver of the engine provides.",
            "properties": {"name": TEXT, "provider": TEXT, "options": _pairs("key")},
        },
    },
}
_NETWORK_INFO: Schema = {
    "type": "object",
    "properties": {
        "name": TEXT,
        "labels": _pairs("key"),
        "portMappings": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"hostPort": _PORT, "containerPort": _PORT, "protocol": TEXT_OR_NULL},
            },
        },
    },
}
CONTAINER: Schema = {
    "type": ["object", "null"],
    "description": "The container to run in; without one the pool's default image, or no container at all.",
    "properties": {
        "type": {"enum": ["DOCKER", "MESOS"], "default": "DOCKER"},
        "image": TEXT,
        "network": {"enum": ["HOST", "BRIDGE", "USER", "NONE"], "default": "HOST"},
        "networkName": TEXT,
        "networkInfos": {"type": "array", "items": _NETWORK_INFO},
        "forcePullImage": YES_OR_NO,
        "volumes": {"type": "array", "items": _VOLUME},
        "parameters": _pairs("key"),
    },
}
FETCH: Schema = {
    "type": "array",
    "description": "Files that are put into the working directory before the command begins.",
    "items": {
        "type": "object",
        "required": ["uri"],
        "properties": {
            "uri": TEXT,
            "extract": {**YES_OR_NO, "default": True},
            "executable": YES_OR_NO,
            "cache": YES_OR_NO,
            "output_file": TEXT,
        },
    },
}
TASK_FIELDS: Schema = {
    "fetch": FETCH,
    "uris": described("The same, with the defaults of fetch; the original's older form.", TEXTS),
    "constraints": described(
        "What a node must be like: lists of an attribute, EQUALS, LIKE or UNLIKE, and a value.",
        {"type": "array", "items": {"type": "array", "items": TEXT, "minItems": 3, "maxItems": 3}},
    ),
    "executor": described("A custom executor; only pools of Mesos have them.", TEXT),
    "executorFlags": TEXT,
    "taskInfoData": TEXT,
    "async": described("Its command only begins the work; PUT task/{id} says how that ended.", YES_OR_NO),
    "dataProcessingJobType": described("Its tasks report how many elements they have processed.", YES_OR_NO),
}
