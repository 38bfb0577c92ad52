"""Values in words, for the templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

from chronos_py.model.run import Run, RunState, Trigger
from chronos_py.services.schedules import describe_definition

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
    "skipped": "⤼",
    "idle": "·",
    "paused": "‖",
    "fresh": "○",
    "ready": "✓",
}
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def badge(state: str) -> Markup:
    """A state as a coloured word with its sign."""
    name = str(state)
    return Markup('<span class="badge state-{}"><span aria-hidden="true">{}</span> {}</span>').format(
        name, SIGNS.get(name, ""), name.replace("_", " ")
    )


def moment(value: datetime | None) -> Markup:
    """A time in UTC; a module turns it into the viewer's zone."""
    if value is None:
        return Markup("–")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        value.isoformat(), value.isoformat(" ", "seconds"), f"{value:%Y-%m-%d %H:%M:%S} UTC"
    )


def relative(value: datetime | None, now: datetime) -> Markup:
    """How far a time is from ``now``, with the exact one on hover."""
    if value is None:
        return Markup("–")
    words = f"in {span(value - now)}" if value > now else f"{span(now - value)} ago"
    return Markup('<time datetime="{}" data-relative title="{}">{}</time>').format(
        value.isoformat(), value.isoformat(" ", "seconds"), words
    )


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


def duration(run: Any, now: datetime) -> str:
    """How long a run or an attempt took, or has been running."""
    if run.started_at is None:
        return "–"
    return span((run.finished_at or now) - run.started_at)


def trigger(run: Run) -> Markup:
    """Why a run exists."""
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


def why(run: Run) -> str:
    """The reason of a run's state in one sentence, "" where it needs none."""
    if run.state is RunState.SKIPPED and run.occurrences and run.occurrences > 1:
        return f"{run.occurrences} occurrences: {run.message}"
    return run.message


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
    "duration": duration,
    "trigger": trigger,
    "why": why,
    "megabytes": megabytes,
    "segment": segment,
    "describe": describe_definition,
}
