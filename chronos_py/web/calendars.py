"""The calendars: the list, the days of a year, the form, and deleting."""

from __future__ import annotations

from calendar import Calendar as MonthGrid
from calendar import month_name
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote

from flask import Blueprint, redirect, render_template, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as Answer

from chronos_py.errors import ChronosError, Conflict, InvalidDefinition, NotFound, Outdated
from chronos_py.model.reader import shown
from chronos_py.model.schedule.calendar import WEEKDAYS
from chronos_py.services import Application, calendars
from chronos_py.services.calendars import CalendarView
from chronos_py.web.answers import html, number, page, person
from chronos_py.web.form.lines import date_line, explain, read_dates, read_lines, read_names


@dataclass(frozen=True, slots=True)
class Month:
    """A month of a calendar: weeks from Monday to Sunday of (day, label), the day 0 outside of the month."""

    name: str
    weeks: Sequence[Sequence[tuple[int, str | None]]]


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/calendars")
    def list_calendars() -> Answer:
        name, year = request.args.get("name", "").strip(), request.args.get("year", "").strip()
        if not name:
            return _list(app)
        try:
            found = calendars.get_calendar(app, name, _year(year))
        except (InvalidDefinition, NotFound) as error:
            is_year = isinstance(error, InvalidDefinition)
            return _list(app, 400 if is_year else 404, error, "year" if is_year else "name")
        return redirect(f"{address(found.name)}?year={found.year}", 303)

    @routes.get("/calendars/<name>")
    def show_calendar(name: str) -> Answer:
        found = calendars.get_calendar(app, name, _year(request.args.get("year", "")))
        return page("calendar.html", calendar=found, months=months_of(found))

    @routes.get("/calendars/<name>/delete")
    def ask_to_delete_calendar(name: str) -> Answer:
        return _ask_to_delete(_own(app, name))

    @routes.post("/calendars/<name>/delete")
    def delete_calendar(name: str) -> Answer:
        try:
            calendars.delete_calendar(app, name)
        except Conflict as error:
            return _ask_to_delete(_own(app, name), error)
        return redirect("/calendars", 303)

    _add_form_routes(routes, app)


def _add_form_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/calendars/new")
    def new_calendar() -> Answer:
        return _form({"includes": request.args.get("includes", "")}, None)

    @routes.post("/calendars/new")
    def create_calendar() -> Answer:
        return _save(app, request.form.get("name", "").strip(), 0, None)

    @routes.get("/calendars/<name>/edit")
    def edit_calendar(name: str) -> Answer:
        stored = _own(app, name).stored
        assert stored is not None
        return _form({**form_values(stored.document), "revision": str(stored.revision)}, name)

    @routes.post("/calendars/<name>/edit")
    def change_calendar(name: str) -> Answer:
        stored = _own(app, name).stored
        assert stored is not None
        return _save(app, name, number(request.form.get("revision", "")) or stored.revision, name)


def address(name: str) -> str:
    return f"/calendars/{quote(name, safe='')}"


def _year(text: str) -> int | None:
    year = number(text)
    if year is None and text.strip():
        raise InvalidDefinition(f"year is {shown(text)} but must be a number such as 2026.", "year")
    return year


def _own(app: Application, name: str) -> CalendarView:
    """A calendar that people defined. Raises NotFound, and Conflict for a built-in one."""
    found = calendars.get_calendar(app, name)
    if found.stored is None:
        raise Conflict(
            f"Calendar {shown(name)} is built in and stays as it is; define one of your own that includes it."
        )
    return found


def _list(app: Application, status: int = 200, error: ChronosError | None = None, field: str = "") -> Answer:
    own = [calendars.get_calendar(app, stored.name) for stored in calendars.list_calendars(app)]
    values = {"year": str(app.clock.now().year), **request.args}
    built_in = calendars.built_in()
    if error is None:
        return page("calendars.html", own=own, built_in=built_in, values=values)
    rendered = render_template("calendars.html", own=own, built_in=built_in, values=values, error=error, field=field)
    return html(rendered, status)


def months_of(found: CalendarView) -> list[Month]:
    """The twelve months of a calendar's year."""
    labels = dict(found.days)
    grid = MonthGrid()
    return [
        Month(
            month_name[month],
            [
                [(day, labels.get(date(found.year, month, day)) if day else None) for day in week]
                for week in grid.monthdayscalendar(found.year, month)
            ],
        )
        for month in range(1, 13)
    ]


def _form(
    values: Mapping[str, Any], editing: str | None, status: int = 200, error: object = None, field: str = ""
) -> Answer:
    rendered = render_template(
        "calendar_form.html", values=values, editing=editing, error=error, field=field, weekdays=WEEKDAYS
    )
    return html(rendered, status)


def _save(app: Application, name: str, revision: int, editing: str | None) -> Answer:
    """Save what the form says; on any error the form again, with everything that was typed."""
    typed = {**request.form, "weekdays": request.form.getlist("weekdays")}
    try:
        calendars.save_calendar(app, name, read_form(request.form), person(), revision)
    except InvalidDefinition as error:
        field, sentence = explain(error, request.form)
        return _form(typed, editing, 400, sentence, field)
    except Outdated as error:
        if editing is not None:
            return _form(typed, editing, 412, error)
        return _form(typed, None, 412, f"There is a calendar {shown(name)} already; choose another name.", "name")
    return redirect(address(name), 303)


def form_values(document: Mapping[str, Any]) -> dict[str, Any]:
    """A calendar's document as the form shows it."""
    given = [word.lower() for word in document.get("weekdays") or []]
    return {
        "name": document.get("name", ""),
        "description": document.get("description", ""),
        "includes": "\n".join(document.get("includes") or []),
        "weekdays": [weekday for weekday in WEEKDAYS if weekday in given or weekday[:3] in given],
        "dates": "\n".join(map(date_line, document.get("dates") or [])),
        "exceptDates": "\n".join(document.get("exceptDates") or []),
    }


def read_form(form: MultiDict[str, str]) -> dict[str, Any]:
    """The document of a filled form, but for the name. Raises InvalidDefinition."""
    document = {
        "description": form.get("description", "").strip(),
        "includes": read_names(form.get("includes", "")),
        "weekdays": form.getlist("weekdays"),
        "dates": read_dates(form.get("dates", "")),
        "exceptDates": read_lines(form.get("exceptDates", "")),
    }
    return {field: value for field, value in document.items() if value}


def _ask_to_delete(found: CalendarView, error: Conflict | None = None) -> Answer:
    return html(render_template("calendar_delete.html", calendar=found, error=error), 409 if error else 200)
