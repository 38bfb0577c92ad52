"""Schedules in plain language."""

from __future__ import annotations

from datetime import timedelta

from cron_descriptor import FormatError, Options, get_description

from chronos_py.model.schedule import Schedule
from chronos_py.model.schedule.cron import ALIASES, CronExpression
from chronos_py.model.schedule.iso8601 import RepeatingInterval
from chronos_py.model.schedule.period import Period


def describe(schedule: Schedule) -> str:
    """One sentence without a full stop, such as "Every day at 03:00 (Europe/Berlin)"."""
    if isinstance(schedule, RepeatingInterval):
        return _describe_interval(schedule)
    if isinstance(schedule, CronExpression):
        return _describe_cron(schedule)
    return schedule.text


def _describe_cron(schedule: CronExpression) -> str:
    options = Options()
    options.use_24hour_time_format = True
    try:
        words = get_description(ALIASES.get(schedule.text, schedule.text), options)
    except (FormatError, ValueError, IndexError):
        words = schedule.text
    return f"{words} ({schedule.zone})"


def _describe_interval(schedule: RepeatingInterval) -> str:
    if schedule.repetitions == 0:
        return "Never"
    start = "now" if schedule.start is None else schedule.start.isoformat(" ", "minutes") + f" ({schedule.zone})"
    if schedule.repetitions == 1:
        return f"Once, at {start}" if schedule.start else "Once, now"
    times = "" if schedule.repetitions is None else f", {schedule.repetitions} times"
    period = schedule.period
    daily = period.months == 0 and period.elapsed == timedelta(0)
    if daily and period.days and schedule.start is not None:
        return f"Every {_period(period)} at {schedule.start:%H:%M} ({schedule.zone}){times}"
    return f"Every {_period(period)}{times}, starting {start}"


def _period(period: Period) -> str:
    years, months = divmod(period.months, 12)
    weeks, days = divmod(period.days, 7) if period.days % 7 == 0 else (0, period.days)
    seconds = period.elapsed.total_seconds()
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    amounts = [
        (years, "year"),
        (months, "month"),
        (weeks, "week"),
        (days, "day"),
        (hours, "hour"),
        (minutes, "minute"),
        (seconds, "second"),
    ]
    named = [(amount, unit) for amount, unit in amounts if amount]
    if len(named) == 1 and named[0][0] == 1:
        return named[0][1]
    return " and ".join(f"{amount:g} {unit}{'' if amount == 1 else 's'}" for amount, unit in named)
