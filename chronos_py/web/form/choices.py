"""What the words mean that some fields of a job may have. The first of each field is its default."""

from __future__ import annotations

from collections.abc import Mapping

from chronos_py.model.chain import DependencyMode, TriggerRule
from chronos_py.model.overlap import Overlap
from chronos_py.model.restrictions import OnBlockedDay
from chronos_py.model.schedule.catch_up import CatchUp

CHOICES: Mapping[str, Mapping[str, str]] = {
    "triggerRule": {
        TriggerRule.ALL_SUCCESS.value: "when all have succeeded",
        TriggerRule.ALL_DONE.value: "when all have ended, however",
        TriggerRule.ANY_SUCCESS.value: "as soon as one has succeeded",
        TriggerRule.ANY_FAILURE.value: "as soon as one has failed for good",
    },
    "dependencyMode": {
        DependencyMode.LATEST.value: "their runs since it last ran",
        DependencyMode.SAME_WAVE.value: "their runs for the same scheduled time",
    },
    "overlap": {
        Overlap.FORBID_QUEUE_ONE.value: "one waits, more are skipped",
        Overlap.FORBID_SKIP.value: "the new run is skipped",
        Overlap.ALLOW.value: "they run side by side",
        Overlap.REPLACE.value: "the new run replaces it: it is killed",
    },
    "catchUp": {
        CatchUp.ONE.value: "the latest one runs",
        CatchUp.NONE.value: "none of them runs",
        CatchUp.ALL.value: "each runs, the oldest first",
    },
    "onBlockedDay": {
        OnBlockedDay.SKIP.value: "is skipped",
        OnBlockedDay.NEXT.value: "moves to the next allowed day",
        OnBlockedDay.PREVIOUS.value: "moves to the previous allowed day",
    },
}
NETWORKS: Mapping[str, str] = {
    "HOST": "the host's own",
    "BRIDGE": "one of its own, behind the engine's bridge",
    "USER": "the one that is named",
    "NONE": "none",
}
CONTAINERS: Mapping[str, str] = {"DOCKER": "by the container engine", "MESOS": "by the Mesos containerizer"}
MODES: Mapping[str, str] = {"RW": "read and write", "RO": "read only"}
OPERATORS: Mapping[str, str] = {
    "EQUALS": "is",
    "LIKE": "matches",
    "UNLIKE": "does not match",
}
