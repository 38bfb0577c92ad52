"""Values in words, for the templates."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

from chronos_py.model.job import Counters
from chronos_py.model.outputs import parent_variables
from chronos_py.model.retry import LONGEST_DELAY, RetryPolicy
from chronos_py.model.run import FINAL_RUN_STATES, Outcome, Reason, Run, RunState, Trigger
from chronos_py.model.schedule import parse_zone
from chronos_py.model.schedule.calendar import WEEKDAYS
from chronos_py.services.schedules import describe_definition
from chronos_py.web.viewer import viewer

# A shape beside the colour, so that the colour is never the only sign.
SIGNS: Mapping[str, str] = {
    "queued": "◔",
    "starting": "◑",
    "running": "▶",
    "waiting_retry": "↻",
    "succeeded": "✓",
    "failed": "✕",
    "killed": "■",
    "lost": "?",
    "cancelled": "■",
    "skipped": "⤼",
    "idle": "·",
    "paused": "‖",
    "fresh": "○",
    "ready": "✓",
    "late": "!",
    "planned": "◷",
}
# States whose own name says little to a newcomer.
NAMES: Mapping[str, str] = {"fresh": "no result yet"}
_LINKED = re.compile(r"\b(?P<kind>run|backfill) #(?P<number>\d+)")
_TIME = re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\b", re.ASCII)
# How a try ended, where neither its state nor its exit code says it.
REASONS: Mapping[Reason, str] = {
    Reason.MEMORY: "out of memory",
    Reason.CPU_TIME: "out of CPU time",
    Reason.TIMEOUT: "timeout",
    Reason.LAUNCH_ERROR: "not launched",
}
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def badge(state: str) -> Markup:
    """A state as a coloured word with its sign."""
    name = str(state)
    return Markup('<span class="badge state-{}"><span aria-hidden="true">{}</span> {}</span>').format(
        name, SIGNS.get(name, ""), NAMES.get(name, name.replace("_", " "))
    )


def moment(value: datetime | None) -> Markup:
    """A time on the viewer's clock; where that is not known yet in UTC, until a module writes it anew."""
    if value is None:
        return Markup("–")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        value.isoformat(), value.isoformat(" ", "seconds"), viewer().clock(value)
    )


def in_zone(value: datetime, zone: tzinfo) -> datetime:
    """A time on the wall clock of a zone; as it is where that one has no such year."""
    try:
        return value.astimezone(zone)
    except OverflowError:
        return value


def zoned(value: datetime | None) -> Markup:
    """A time on the wall clock of its own zone, with the day of the week; no module turns it into another one."""
    if value is None:
        return Markup("–")
    offset = f"{value:%z}"
    clock = f"{value:%H:%M:%S}" if value.second else f"{value:%H:%M}"
    return Markup('<time datetime="{}" data-zoned>{} {:%Y-%m-%d} {} {}</time>').format(
        value.isoformat(),
        WEEKDAYS[value.weekday()][:3].capitalize(),
        value,
        clock,
        "UTC" if offset == "+0000" else f"{offset[:3]}:{offset[3:5]}",
    )


def relative(value: datetime | None, now: datetime, zone: str = "") -> Markup:
    """How far a time is from ``now``; on hover the exact one, and that on the clock of ``zone``, if it is named."""
    if value is None:
        return Markup("–")
    words = f"in {distance(value - now)}" if value > now else f"{distance(now - value)} ago"
    title, own = value.isoformat(" ", "seconds"), Markup("")
    if zone:
        own = Markup(' data-job-zone="{}"').format(zone)
        title += f"\n{in_zone(value, parse_zone(zone)):%Y-%m-%d %H:%M:%S} ({zone})"
    return Markup('<time datetime="{}" data-relative{} title="{}">{}</time>').format(
        value.isoformat(), own, title, words
    )


def distance(value: timedelta) -> str:
    """How far away something is: in two units from an hour on, in minutes below, in seconds below a minute."""
    seconds = max(0, int(value.total_seconds()))
    if seconds < 3600:
        return f"{seconds // 60} min" if seconds >= 60 else f"{seconds} s"
    return span(timedelta(seconds=seconds - seconds % 60))


def span(value: timedelta | None) -> str:
    """A duration in its two largest units; a short one with a tenth, or in milliseconds."""
    if value is None:
        return "–"
    seconds = value.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    parts, rest = [], int(seconds)
    for size, unit in _UNITS:
        amount, rest = divmod(rest, size)
        if amount:
            parts.append(f"{amount} {unit}")
    return " ".join(parts[:2])


HEIGHTS = 8


def bars(last_runs: Sequence[Any], now: datetime) -> list[tuple[Any, int]]:
    """Runs, the oldest first, each with the height of its bar from 1 to HEIGHTS: how long it took, among them."""
    seconds = [_seconds(run, now) for run in reversed(last_runs)]
    known = [value for value in seconds if value is not None]
    longest = math.log1p(max(known, default=0.0))

    def height(value: float | None) -> int:
        if value is None:
            return 3
        return 2 + round(math.log1p(value) / longest * (HEIGHTS - 2)) if longest > 0.1 else HEIGHTS - 2

    return [(run, height(value)) for run, value in zip(reversed(last_runs), seconds, strict=True)]


def _seconds(run: Any, now: datetime) -> float | None:
    if run.started_at is None:
        return None
    length: timedelta = (run.finished_at or now) - run.started_at
    return max(0.0, length.total_seconds())


def strip_words(last_runs: Sequence[Any]) -> str:
    """The last runs in words, for who cannot see the bars: "Last 20 runs: 18 succeeded, 2 failed; newest failed"."""
    if not last_runs:
        return "No runs yet"
    counts = Counter(str(run.state) for run in last_runs)
    words = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in counts.most_common())
    what = "Last run" if len(last_runs) == 1 else f"Last {len(last_runs)} runs"
    return f"{what}: {words}" + (f"; newest {last_runs[0].state}".replace("_", " ") if len(counts) > 1 else "")


def share_of_success(counters: Counters) -> Markup:
    """How many of a job's runs succeeded, in per cent; on hover the numbers."""
    ended = counters.success_count + counters.error_count
    if not ended:
        return Markup('<span class="soft">–</span>')
    share = counters.success_count / ended
    words = (
        "100 %"
        if share == 1
        else f"{min(99.9, share * 100):.1f} %"
        if share > 0.99
        else f"{share:.0%}".replace("%", " %")
    )
    return Markup('<span title="{:,} of {:,} runs succeeded">{}</span>').format(counters.success_count, ended, words)


def duration(run: Any, now: datetime) -> str:
    """How long a run or an attempt took, or has been running."""
    if run.started_at is None:
        return "–"
    return span((run.finished_at or now) - run.started_at)


def trigger(run: Run) -> Markup:
    """Why a run exists."""
    words = _trigger(run)
    if run.backfill_id is None:
        return words
    backfill = Markup('backfill <a href="/backfills/{0}">#{0}</a>').format(run.backfill_id)
    return backfill + _by(run) if run.trigger is Trigger.BACKFILL else words + ", " + backfill


def _trigger(run: Run) -> Markup:
    if run.trigger is Trigger.DEPENDENCY and run.parent_run_id:
        return Markup('after <a href="/runs/{0}">#{0}</a>').format(run.parent_run_id)
    if run.trigger is Trigger.RERUN and run.parent_run_id:
        return Markup('again, as <a href="/runs/{0}">#{0}</a>').format(run.parent_run_id) + _by(run)
    if run.trigger is Trigger.MANUAL:
        words = "forced"
        if run.overrides.arguments:
            words += f" with arguments {' '.join(run.overrides.arguments)}"
        return escape(words) + _by(run)
    return escape(run.trigger.value)


def _by(run: Run) -> Markup:
    return Markup(" by {}").format(run.requested_by) if run.requested_by else Markup("")


def why(run: Run) -> Markup:
    """The reason of a run's state in one sentence, "" where it needs none; of a row for several times, which."""
    if run.state is not RunState.SKIPPED or run.occurrences == 1:
        return escape(run.message)
    count = "many" if run.occurrences is None else f"{run.occurrences:,}"
    until = Markup(" to {}").format(moment(run.scheduled_until)) if run.scheduled_until else ""
    return Markup("{} occurrences from {}{}: {}").format(count, moment(run.scheduled_at), until, run.message)


def note(run: Run) -> Markup:
    """What was special when a run was made, with links to the runs that it names."""
    return linked(run.note)


def linked(text: str) -> Markup:
    """A sentence with links to the runs and backfills that it names, its times on the viewer's clock."""
    pattern = r'\g<kind> <a href="/\g<kind>s/\g<number>">#\g<number></a>'
    return Markup(_TIME.sub(_told, _LINKED.sub(pattern, str(escape(text)))))


def _told(found: re.Match[str]) -> str:
    try:
        return str(moment(datetime.strptime(found[0], "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)))
    except ValueError:  # such as a 30th of February
        return found[0]


def overruled(run: Run) -> str:
    """Why a run that did not succeed counts as successful for the jobs after it, "" where it does not."""
    if run.outcome is not Outcome.SUCCESS or run.state is RunState.SUCCEEDED:
        return ""
    is_marked = any(part.startswith("marked successful") for part in run.note.split("; "))
    return "marked successful" if is_marked else "soft error"


def retry_words(policy: RetryPolicy) -> str:
    """When a job is tried again, in one phrase."""
    if not policy.retries:
        return "none"
    if not policy.delay:
        return f"{policy.retries}, at once" + _after(policy)
    words = f"{policy.retries}, {span(policy.delay)} after a failure"
    if policy.factor != 1 and policy.retries > 1:
        words += f", each wait {policy.factor:g} times the one before"
        words += f" up to {span(policy.longest)}" if policy.longest < LONGEST_DELAY else ""
    words += f", with up to {policy.jitter:.0%} more" if policy.jitter else ""
    return words + _after(policy)


def _after(policy: RetryPolicy) -> str:
    """After which failures."""
    only = f"; only after {_signs(policy.on)}" if policy.on else ""
    return only + (f"; not after {_signs(policy.never_on)}" if policy.never_on else "")


def _signs(signs: Iterable[int | str]) -> str:
    """Exit codes before words."""
    ordered = sorted(signs, key=lambda sign: (isinstance(sign, str), sign))
    return ", ".join(f"exit code {sign}" if isinstance(sign, int) else sign.replace("_", " ") for sign in ordered)


def cause(reason: Reason) -> str:
    """How a try ended, in a word or two; "" where its state or exit code says it."""
    return REASONS.get(reason, "")


def child_variable(job_name: str, key: str) -> str:
    """The name under which the children of a job find an output."""
    return next(iter(parent_variables(job_name, {key: ""})))


def tally(counts: Mapping[RunState, int]) -> str:
    """How many runs have ended, and how: "12 of 31 ended: 10 succeeded, 2 failed"."""
    ended = [(state, counts[state]) for state in RunState if state in FINAL_RUN_STATES and counts.get(state)]
    words = f"{sum(count for _, count in ended):,} of {sum(counts.values()):,} ended"
    return f"{words}: {', '.join(f'{count:,} {state}' for state, count in ended)}" if ended else words


def unfinished(counts: Mapping[RunState, int]) -> str:
    """How many runs have not ended, by state: "2 running, 18 queued"; the ones that wait come last."""
    going_on = [state for state in reversed(RunState) if state not in FINAL_RUN_STATES and counts.get(state)]
    return ", ".join(f"{counts[state]:,} {state.replace('_', ' ')}" for state in going_on)


def megabytes(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} MB"


def segment(name: str) -> str:
    """A job's name as a part of an address."""
    return quote(name, safe="")


FILTERS: Mapping[str, Callable[..., Any]] = {
    "badge": badge,
    "moment": moment,
    "relative": relative,
    "span": span,
    "bars": bars,
    "strip_words": strip_words,
    "share_of_success": share_of_success,
    "duration": duration,
    "zoned": zoned,
    "in_zone": in_zone,
    "tally": tally,
    "unfinished": unfinished,
    "trigger": trigger,
    "why": why,
    "note": note,
    "linked": linked,
    "overruled": overruled,
    "cause": cause,
    "retry_words": retry_words,
    "child_variable": child_variable,
    "megabytes": megabytes,
    "segment": segment,
    "describe": describe_definition,
}
