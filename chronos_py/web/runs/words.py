"""Runs and their attempts in words, for the templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup, escape

from chronos_py.model.run import Attempt, Run, Trigger
from chronos_py.web.words import duration, span

_LONGEST_ARGUMENTS = 200


def because(run: Run, named: Mapping[int, Run]) -> Markup:
    """Why a run exists, with links to the runs that it followed from; ``named`` tells whose they are."""
    words = _because(run, named)
    if run.backfill_id is None or run.trigger is Trigger.BACKFILL:
        return words
    return words + ", " + _backfill(run)


def _because(run: Run, named: Mapping[int, Run]) -> Markup:
    if run.trigger is Trigger.BACKFILL:
        return _backfill(run) + _by(run)
    if run.trigger is Trigger.DEPENDENCY:
        parents = run.parent_runs or ((run.parent_run_id,) if run.parent_run_id else ())
        return (
            Markup("after ") + _list([run_link(each, named) for each in parents]) if parents else escape("after it")
        )
    if run.trigger is Trigger.RERUN and run.parent_run_id:
        return Markup('run again from <a href="/runs/{0}">#{0}</a>').format(run.parent_run_id) + _by(run)
    if run.trigger is Trigger.MANUAL:
        return Markup("forced") + _by(run) + _with_arguments(run)
    return escape("on schedule")


def run_link(run_id: int, named: Mapping[int, Run]) -> Markup:
    """A run by its job and number, as a link."""
    words = f"{named[run_id].job_name} #{run_id}" if run_id in named else f"run #{run_id}"
    return Markup('<a href="/runs/{}">{}</a>').format(run_id, words)


def _backfill(run: Run) -> Markup:
    return Markup('backfill <a href="/backfills/{0}">#{0}</a>').format(run.backfill_id)


def _by(run: Run) -> Markup:
    return Markup(" by {}").format(run.requested_by) if run.requested_by else Markup("")


def _with_arguments(run: Run) -> Markup:
    if not run.overrides.arguments:
        return Markup("")
    text = " ".join(run.overrides.arguments)
    shown = text if len(text) <= _LONGEST_ARGUMENTS else text[: _LONGEST_ARGUMENTS - 1] + "…"
    return Markup(" with arguments <code>{}</code>").format(shown)


def _list(items: Sequence[Markup]) -> Markup:
    if len(items) < 2:
        return Markup("").join(items)
    return Markup(", ").join(items[:-1]) + Markup(" and ") + items[-1]


def processor(attempt: Attempt, now: datetime) -> str:
    """The processor time of an attempt, and how many processors that was on average."""
    if attempt.cpu_seconds is None:
        return "–"
    words = f"{attempt.cpu_seconds:.2f} s"
    ended, started = attempt.finished_at or now, attempt.started_at
    seconds = (ended - started).total_seconds() if started else 0
    return f"{words}, {attempt.cpu_seconds / seconds:.1f} processors" if seconds >= 1 else words


def size(megabytes: float) -> str:
    """A size in mebibytes as people say it."""
    return f"{megabytes / 1024:.1f} GB" if megabytes >= 1024 else f"{megabytes:.3g} MB"


def seconds(value: float) -> str:
    """A duration."""
    return span(timedelta(seconds=value))


def run_bar(run: Run, now: datetime) -> str:
    """What is said of a run where only a bar of it is seen."""
    return f"run {run.id}: {run.state.replace('_', ' ')}, {duration(run, now)}"


FILTERS: Mapping[str, Callable[..., Any]] = {
    "because": because,
    "run_link": run_link,
    "processor": processor,
    "megabytes_used": size,
    "run_bar": run_bar,
    "as_duration": seconds,
}
