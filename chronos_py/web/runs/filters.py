"""Which runs a list shows; the address keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from werkzeug.datastructures import MultiDict

from chronos_py.model.instant import read_instant
from chronos_py.model.reader import shown
from chronos_py.model.run import RunState, Trigger
from chronos_py.services.run_history import RunQuery

_FAILURES = (RunState.FAILED, RunState.LOST, RunState.KILLED)
_ACTIVE = (RunState.QUEUED, RunState.STARTING, RunState.RUNNING, RunState.WAITING_RETRY)
# Words that stand for several states.
GROUPS: Mapping[str, Sequence[RunState]] = {"unfinished": _ACTIVE, "unsuccessful": _FAILURES}
TRIGGERS: Mapping[Trigger, str] = {
    Trigger.SCHEDULE: "on schedule",
    Trigger.DEPENDENCY: "after other jobs",
    Trigger.MANUAL: "forced",
    Trigger.BACKFILL: "backfill",
    Trigger.RERUN: "run again",
}


@dataclass(frozen=True, slots=True)
class RunFilter:
    """What somebody looks for, as typed, as a query, and what of it cannot be read, by field."""

    query: RunQuery
    state: str = ""
    trigger: str = ""
    job: str = ""
    since: str = ""
    until: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def pairs(self) -> dict[str, str]:
        """As the address has it."""
        found = {name: getattr(self, name) for name in ("state", "trigger", "job", "since", "until")}
        return {name: value for name, value in found.items() if value}

    @property
    def states(self) -> Sequence[str]:
        """What may be chosen."""
        return (*GROUPS, *(state.value for state in RunState))

    @property
    def triggers(self) -> Mapping[Trigger, str]:
        return TRIGGERS


def read_run_filter(query: MultiDict[str, str]) -> RunFilter:
    """The filter of an address. A state or a trigger that there is not counts as any."""
    state, trigger = query.get("state", ""), query.get("trigger", "")
    errors: dict[str, str] = {}
    states = GROUPS.get(state, (RunState(state),) if state in set(RunState) else ())
    triggers = (Trigger(trigger),) if trigger in set(Trigger) else ()
    job, since, until = (query.get(name, "").strip() for name in ("job", "since", "until"))
    wanted = RunQuery(states, triggers, job, None, _time("since", since, errors), _time("until", until, errors))
    return RunFilter(wanted, state if states else "", trigger if triggers else "", job, since, until, errors)


def _time(name: str, text: str, errors: dict[str, str]) -> datetime | None:
    if not text:
        return None
    moment = read_instant(text, UTC)
    if moment is None or not 1 < moment.year < 9999:
        errors[name] = (
            f"{name} is {shown(text)} but must be a time such as 2026-01-31T06:00, in UTC without an offset."
        )
        return None
    return moment
