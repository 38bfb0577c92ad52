"""The timeline: a day across all jobs, and a month of days."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, render_template, request
from werkzeug.datastructures import MultiDict

from chronos_py.errors import InvalidDefinition
from chronos_py.model.labels import read_label
from chronos_py.model.schedule.zone import parse_zone
from chronos_py.services import Application
from chronos_py.services.timeline import JobFilter, view_day, view_stretches
from chronos_py.web.answers import html, page
from chronos_py.web.timeline.bars import density, draw_row, month_cells, ticks
from chronos_py.web.timeline.days import ZOOMS, Window, month_of, window_of
from chronos_py.web.viewer import viewer

PAGE = 50


@dataclass(frozen=True, slots=True)
class Shown:
    """What an address shows: a month, or ``hours`` of a day from ``begin`` on, on the wall clock of ``zone``."""

    day: date
    month: date | None
    zone: ZoneInfo
    begin: str
    hours: int
    text: str
    owner: str
    label: str
    after: str
    as_table: bool

    @property
    def kept(self) -> list[tuple[str, str]]:
        """What stays when another day or another hour is looked at."""
        found = (("q", self.text), ("owner", self.owner), ("label", self.label), ("zone", self.zone.key))
        return [(name, value) for name, value in found if value]

    def at(self, day: date, begin: str = "", hours: int = 24, after: str = "", as_table: bool | None = None) -> str:
        """The address of another day, or a part of it."""
        pairs = [("day", day.isoformat()), *self.kept]
        if hours != 24:
            pairs += [("from", begin), ("hours", str(hours))]
        if after:
            pairs.append(("after", after))
        if self.as_table if as_table is None else as_table:
            pairs.append(("table", "1"))
        return f"/timeline?{urlencode(pairs)}"

    def in_month(self, month: date) -> str:
        """The address of a month."""
        return f"/timeline?{urlencode([('month', f'{month:%Y-%m}'), *self.kept])}"


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/timeline")
    def timeline() -> Response:
        now = app.clock.now()
        try:
            shown = read_shown(request.args, viewer().zone, now)
            jobs = JobFilter(shown.text, shown.owner, [read_label(shown.label)] if shown.label else ())
        except InvalidDefinition as error:
            return html(render_template("error.html", status=400, detail=str(error)), 400)
        values = _month(app, shown, shown.month, jobs) if shown.month else _day(app, shown, jobs, now)
        chosen = "zone" in request.args or viewer().zone is not None
        return page("timeline.html", shown=shown, now=now, zone_chosen=chosen, **values)


def read_shown(query: MultiDict[str, str], own: ZoneInfo | None, now: datetime) -> Shown:
    """What an address asks for; ``own`` is the zone of the viewer.

    Raises InvalidDefinition for a day, month or zone that is none.
    """
    zone = _zone(query.get("zone", "").strip(), own)
    today = now.astimezone(zone).date()
    hours = query.get("hours", "")
    return Shown(
        day=_read(query.get("day", ""), "day", "%Y-%m-%d", "2026-02-28") or today,
        month=_read(query.get("month", ""), "month", "%Y-%m", "2026-02"),
        zone=zone,
        begin=query.get("from", ""),
        hours=int(hours) if hours.isascii() and hours.isdigit() and int(hours[:3]) in ZOOMS else 24,
        text=query.get("q", "").strip(),
        owner=query.get("owner", "").strip(),
        label=query.get("label", "").strip(),
        after=query.get("after", ""),
        as_table=query.get("table") == "1",
    )


def _zone(asked: str, own: ZoneInfo | None) -> ZoneInfo:
    """The zone of the address; else the viewer's own; else UTC."""
    if asked:
        try:
            return parse_zone(asked)
        except InvalidDefinition:
            raise InvalidDefinition(
                f'zone "{asked}" is not a known time zone; use a name such as UTC or Europe/Berlin.', "zone"
            ) from None
    return own or parse_zone("UTC")


def _read(text: str, name: str, form: str, example: str) -> date | None:
    if not text:
        return None
    try:
        found = datetime.strptime(text, form).date()
    except ValueError:
        found = date.min
    if not 1971 <= found.year <= 9990:
        raise InvalidDefinition(f'{name} "{text}" is none; write it as {example}.', name)
    return found


def _day(app: Application, shown: Shown, jobs: JobFilter, now: datetime) -> dict[str, object]:
    window = window_of(shown.day, shown.zone, shown.begin, shown.hours)
    day = view_day(app, window.stretch, window.bin_seconds, jobs, shown.after, PAGE)
    rows = [draw_row(row, window, now, lambda begin: shown.at(shown.day, begin, 1)) for row in day.rows]
    return {
        "window": window,
        "day": day,
        "rows": rows,
        "density": density(day, window),
        "ticks": ticks(window),
        "now_at": window.percent(now) if window.stretch.start <= now < window.stretch.end else None,
        "is_live": window.stretch.end > now,
        "is_unread": day.unread > 0,
        "yesterday": shown.at(shown.day - timedelta(days=1)),
        "tomorrow": shown.at(shown.day + timedelta(days=1)),
        "zooms": list(_zooms(shown, window, now)),
        "earlier": shown.at(shown.day, window.earlier, shown.hours) if window.earlier else "",
        "later": shown.at(shown.day, window.later, shown.hours) if window.later else "",
        "by_hour": [(at, shown.at(shown.day, begin, 1), begin) for at, begin in window.hours_of_day()],
        "following": shown.at(shown.day, window.begin, shown.hours, day.following) if day.following else "",
    }


def _zooms(shown: Shown, window: Window, now: datetime) -> Iterable[tuple[int, str, bool]]:
    """The lengths to choose from: around now where that is in sight, else from where the present one begins."""
    in_sight = window.stretch.start <= now < window.stretch.end
    for hours in ZOOMS:
        begin = window.around(now, hours) if in_sight else window.begin
        yield hours, shown.at(shown.day, begin, hours), hours == shown.hours


def _month(app: Application, shown: Shown, month: date, jobs: JobFilter) -> dict[str, object]:
    days, stretches = month_of(month, shown.zone)
    ended, planned, unread = view_stretches(app, stretches, jobs)
    today = app.clock.now().astimezone(shown.zone).date()
    before, following = month - timedelta(days=1), (month + timedelta(days=32)).replace(day=1)
    return {
        "month": month,
        "weeks": month_cells(days, ended, planned, today, shown.at),
        "before": shown.in_month(before.replace(day=1)),
        "after": shown.in_month(following),
        "unread": unread,
        "is_unread": unread > 0,
        "is_live": today.replace(day=1) <= month,
    }
