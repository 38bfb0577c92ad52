"""Every field of a job's document in the groups of its form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from chronos_py.model.document import DEFAULTS
from chronos_py.model.retry import RETRY_WORDS
from chronos_py.web.form.choices import CHOICES, CONTAINERS, MODES, NETWORKS, OPERATORS
from chronos_py.web.form.document_path import member
from chronos_py.web.form.fields import (
    Choice,
    Duration,
    Field,
    Flag,
    Items,
    Lines,
    Names,
    Number,
    Pairs,
    Parents,
    Ports,
    Program,
    Secret,
    Signs,
    Text,
    Unless,
)
from chronos_py.web.form.lines import blackout_line, read_blackouts
from chronos_py.web.form.policies import Backoff, limit_line, read_limits
from chronos_py.web.form.rows import Members, Rows

_MOST_SHOWN = 60
_SIGNS = Markup("Exit codes and words, with commas between: ") + Markup(", ").join(
    Markup("<code>{}</code>").format(word) for word in RETRY_WORDS
)


@dataclass(frozen=True)
class Group:
    """Some fields under a title. ``more`` are seldom used ones, under a title of their own."""

    key: str
    title: str
    fields: tuple[Field, ...]
    more_title: str = ""
    more: tuple[Field, ...] = ()

    @property
    def all(self) -> tuple[Field, ...]:
        return (*self.fields, *self.more)


def _hint(markup: str) -> str:
    return Markup(markup)


def _constraint_cells(item: Any) -> dict[str, Any] | None:
    if not isinstance(item, list) or len(item) != 3:
        return None
    return dict(zip(("attribute", "operator", "value"), item, strict=True))


def _constraint(cells: dict[str, Any]) -> Any:
    return [cells.get("attribute", ""), cells.get("operator") or "EQUALS", cells.get("value", "")]


def _blackout_line(item: Any) -> str:
    return blackout_line(item) if isinstance(item, Mapping) else str(item)


WHAT = Group(
    "what",
    "What to run",
    (
        Text("name", "Name", "Letters, digits, blanks and _ . # -", width="half"),
        Text("description", "Description", "What it is for, in a line.", width="half"),
        Program("command", "Command", "A line, or several, for the shell.", width="wide"),
    ),
    "Arguments, and how the command is read",
    (
        Unless("shell", "The command is a program, not a line for the shell"),
        Lines("arguments", "Arguments", "One on each line, for a program.", width="wide"),
    ),
)
WHEN = Group(
    "when",
    "When",
    (
        Text(
            "schedule",
            "Schedule",
            _hint("Cron, such as <code>30 3 * * *</code>, or ISO 8601, such as <code>R//PT1H</code>"),
            "30 3 * * *",
            "most",
        ),
        Text("scheduleTimeZone", "Time zone", "Such as Europe/Berlin; UTC when empty.", "UTC"),
    ),
    "Calendars, blackouts, start and end",
    (
        Names("excludeCalendars", "Not on days in these calendars"),
        Names("onlyCalendars", "Only on days in these calendars", "Empty: on any day."),
        Choice("onBlockedDay", "What falls on a blocked day", words=CHOICES["onBlockedDay"]),
        Items(
            "blackouts",
            "Blackouts",
            _hint(
                "One on each line: <code>2026-12-24 .. 2027-01-02 holidays</code> for once,"
                " <code>0 22 * * * for PT2H backup</code> for again and again."
            ),
            width="wide",
            line_of=_blackout_line,
            read_items=read_blackouts,
        ),
        Text("startTime", "Not before", "A date or a time, such as 2026-12-24T18:00, in the time zone above."),
        Text("endTime", "Not after", "A date, which is included, or a time."),
        Duration("jitter", "Jitter", "Seconds, or PT5M: each run starts up to so much after its time.", "0"),
    ),
)
AFTER = Group(
    "after",
    "After which jobs",
    (
        Parents("parents", "Parents", "One job on each line.", width="wide"),
        Choice("triggerRule", "It runs", words=CHOICES["triggerRule"], width="half"),
        Choice("dependencyMode", "What counts of its parents", words=CHOICES["dependencyMode"], width="half"),
    ),
)
WHERE = Group(
    "where",
    "Where: image, network, volumes, files",
    (
        Text("container.image", "Image", "The container's image; empty: the pool's default.", "busybox:1"),
        Choice("container.network", "Network", words=NETWORKS),
        Text("container.networkName", "Name of the network", "For the network USER."),
        Flag("container.forcePullImage", "Always pull the image"),
        Rows(
            "container.volumes",
            "Volumes",
            _hint(
                "A folder of the host or the name of an external volume; with neither, one of the task's own."
                " Options as <code>size=10g, tier=fast</code>."
            ),
            one="volume",
            cells=(
                Text("hostPath", "Folder here", placeholder="/srv/data"),
                Text("containerPath", "In the container", placeholder="/data"),
                Choice("mode", "Mode", words=MODES),
                Text("external.name", "External volume"),
                Text("external.provider", "Driver"),
                Pairs("external.options", "Options"),
            ),
        ),
        Rows(
            "container.parameters",
            "Parameters of the engine",
            _hint("As <code>docker run --KEY=VALUE</code> takes them."),
            one="parameter",
            cells=(Text("key", "Key", placeholder="shm-size"), Text("value", "Value", placeholder="64m")),
        ),
        Rows(
            "constraints",
            "Constraints",
            "On which nodes of the pool it may run, by their attributes.",
            one="constraint",
            cells=(
                Text("attribute", "Attribute", placeholder="hostname"),
                Choice("operator", "Operator", words=OPERATORS),
                Text("value", "Value or pattern", placeholder="node-[12]"),
            ),
            to_cells=_constraint_cells,
            from_cells=_constraint,
        ),
        Rows(
            "fetch",
            "Files to fetch",
            "Into the folder that the command begins in, before it begins.",
            one="file",
            cells=(
                Text("uri", "URI", placeholder="https://files.example/tool.tar.gz"),
                Text("output_file", "Saved as"),
                Flag("executable", "Executable"),
                Flag("cache", "May be cached"),
                Unless("extract", "Leave packed"),
            ),
        ),
    ),
    "More networks, older fields",
    (
        Rows(
            "container.networkInfos",
            "More networks",
            _hint("Ports as <code>8080:80, 53:53/udp</code>, labels as <code>key=value, key=value</code>."),
            one="network",
            cells=(Text("name", "Name"), Ports("portMappings", "Ports"), Pairs("labels", "Labels")),
        ),
        Choice("container.type", "The container runs", words=CONTAINERS),
        Lines("uris", "URIs", "One on each line; the older way to name files to fetch.", width="wide"),
    ),
)
ENVIRONMENT = Group(
    "environment",
    "Environment",
    (
        Rows(
            "environmentVariables",
            "Variables",
            "What a name such as DB_PASSWORD or API_TOKEN holds is not shown here.",
            one="variable",
            cells=(Text("name", "Name", placeholder="NAME"), Secret("value", "Value")),
        ),
    ),
)
LIMITS = Group(
    "limits",
    "Resources and limits",
    (
        Number("cpus", "CPUs"),
        Number("mem", "Memory (MB)"),
        Number("disk", "Disk (MB)"),
        Duration("timeout", "Timeout", "Seconds; then it is killed and counts as failed.", older="maxCompletionTime"),
        Duration("cpuTimeLimit", "CPU time", "Seconds of a processor that a try may use."),
        Duration("startupTimeout", "Startup timeout", "Seconds; a task that has not begun then is given up."),
        Duration("gracePeriod", "Grace period", "Seconds between the polite and the hard kill."),
        Number("maxConcurrent", "Runs at a time", "At most so many, where they may run side by side."),
        Number("priority", "Priority", "It goes before what waits so many minutes longer, -1000 to 1000."),
        Number("weight", "Weight", "Its share where a limit is short."),
        Items(
            "concurrencyLimits",
            "Limits shared with other jobs",
            width="wide",
            line_of=limit_line,
            read_items=read_limits,
        ),
        Flag("highPriority", "Goes before all others"),
    ),
)
FAILURE = Group(
    "failure",
    "When it fails",
    (
        Number("retries", "Retries", "Tries after the first."),
        Duration("retryDelay", "Retry delay", "Seconds, or PT5M."),
        Number("disableAfterFailures", "Pause it after", "So many failed runs in a row; only a person resumes it."),
        Flag("softError", "Its children run even if it fails"),
    ),
    "Growing waits, which failures",
    (
        Backoff("retryBackoff.factor", "Each wait grows by the factor", "Such as 2: twice as long each time.", "1"),
        Backoff("retryBackoff.maximum", "Longest wait", "Seconds, or PT1H."),
        Backoff(
            "retryBackoff.jitter",
            "Random share more",
            "0.2: up to a fifth more, so that not all come at once.",
            "0",
        ),
        Signs("retryOn", "Retry only after", _SIGNS, width="half"),
        Signs("noRetryOn", "Never retry after", "In the same way; it counts more.", width="half"),
    ),
)
OVERLAP = Group(
    "overlap",
    "Overlap and missed times",
    (
        Choice(
            "overlap",
            "When an earlier run is still there",
            words=CHOICES["overlap"],
            width="half",
            older="concurrent",
        ),
        Choice("catchUp", "Missed occurrences", words=CHOICES["catchUp"]),
        Number("catchUpLimit", "At most so many are caught up", "Where each one runs; the older ones are skipped."),
        Duration("startDeadline", "Start deadline", "Seconds it may be late, or PT1H; later it is skipped."),
    ),
)
OWNER = Group(
    "owner",
    "Owner, notifications, labels",
    (
        Text("owner", "Owner", "Whom to tell when it fails: addresses with commas between.", width="most"),
        Text("ownerName", "Name of the owner", "Shown with the job."),
        Members(
            "labels",
            "Labels",
            "What jobs are found and grouped by.",
            one="label",
            cells=(Text("key", "Key", placeholder="team"), Text("value", "Value", placeholder="etl")),
        ),
    ),
)
ADVANCED = Group(
    "advanced",
    "Advanced",
    (
        Text("runAsUser", "Run as user", "Empty: the user of the pool."),
        Flag("disabled", "Paused"),
        Flag("async", "Its outcome is reported later, by the work that it began"),
        Flag("dataProcessingJobType", "Its tasks report how many elements they have processed"),
        Text("executor", "Executor", "The program of a custom Mesos executor.", width="half"),
        Text("executorFlags", "Flags of the executor"),
        Text("taskInfoData", "Data for the executor", "In the place of flags and command.", width="half"),
    ),
)
GROUPS = (WHAT, WHEN, AFTER, WHERE, ENVIRONMENT, LIMITS, FAILURE, OVERLAP, OWNER, ADVANCED)
FIELDS: tuple[Field, ...] = tuple(each for group in GROUPS for each in group.all)


def summary(group: Group, document: Mapping[str, Any]) -> str:
    """What of a group is set, in a line; "" where all is as it would be anyway."""
    parts = [_short(each, each.value_in(document)) for each in group.all if is_set(each, document)]
    return " · ".join(parts)


def is_set(field: Field, document: Mapping[str, Any]) -> bool:
    """Whether a document says something about a field that is not its default."""
    value = field.value_in(document)
    if value is None or value in ("", [], {}):
        return False
    return bool(value != DEFAULTS.get(field.name))


def _short(field: Field, value: Any) -> str:
    if isinstance(field, Flag):
        return field.label
    if isinstance(field, Rows):
        count = len(field.items(value) or [])
        return f"{count} {field.one}{'s' if count != 1 else ''}"
    words = " ".join(field.shown(value).split())
    return f"{field.label}: {words if len(words) <= _MOST_SHOWN else words[: _MOST_SHOWN - 1] + '…'}"


def unknown_fields(document: Mapping[str, Any]) -> list[str]:
    """What a document has that no field of the form shows."""
    shown = {each.name.partition(".")[0] for each in FIELDS} | {each.older for each in FIELDS}
    return [name for name in document if name not in shown]


def default_text(field: Field, defaults: Mapping[str, Any]) -> str:
    """What holds where a field is empty, as its placeholder."""
    value = member(defaults, field.name)
    return field.placeholder or ("" if value in (None, "", [], {}) or isinstance(value, bool) else field.shown(value))
