"""The limits that jobs share: the table, the form, and deleting."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response as Answer

from chronos_py.errors import Conflict, InvalidDefinition, NotFound
from chronos_py.model.reader import shown
from chronos_py.services import Application, limits
from chronos_py.web.answers import html, page, person
from chronos_py.web.form.lines import read_text


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/limits")
    def list_limits() -> Answer:
        return page("limits.html", limits=limits.list_limits(app))

    @routes.get("/limits/new")
    def new_limit() -> Answer:
        return _form({"name": request.args.get("name", "")}, None)

    @routes.post("/limits/new")
    def create_limit() -> Answer:
        name = request.form.get("name", "").strip()
        if _exists(app, name):
            sentence = f"There is a limit {shown(name)} already; choose another name."
            return _form(request.form, None, 409, sentence, "name")
        return _save(app, name, None)

    @routes.get("/limits/<name>/edit")
    def edit_limit(name: str) -> Answer:
        limit = limits.get_limit(app, name).limit
        return _form({"name": name, "units": str(limit.units), "description": limit.description}, name)

    @routes.post("/limits/<name>/edit")
    def change_limit(name: str) -> Answer:
        return _save(app, limits.get_limit(app, name).limit.name, name)

    @routes.get("/limits/<name>/delete")
    def ask_to_delete_limit(name: str) -> Answer:
        return page("limit_delete.html", view=limits.get_limit(app, name))

    @routes.post("/limits/<name>/delete")
    def delete_limit(name: str) -> Answer:
        try:
            limits.delete_limit(app, name)
        except Conflict as error:
            view = limits.get_limit(app, name)
            return html(render_template("limit_delete.html", view=view, error=error), 409)
        return redirect("/limits", 303)


def address(name: str) -> str:
    return f"/limits#{quote(name, safe='')}"


def _exists(app: Application, name: str) -> bool:
    try:
        limits.get_limit(app, name)
    except NotFound:
        return False
    return True


def _form(
    values: Mapping[str, str], editing: str | None, status: int = 200, error: object = None, field: str = ""
) -> Answer:
    return html(render_template("limit_form.html", values=values, editing=editing, error=error, field=field), status)


def _save(app: Application, name: str, editing: str | None) -> Answer:
    """Save what the form says; on any error the form again, with everything that was typed."""
    try:
        limits.set_limit(app, name, _units(), read_text(request.form, "description"), person())
    except InvalidDefinition as error:
        return _form(request.form, editing, 400, error, error.field or "")
    return redirect(address(name), 303)


def _units() -> int:
    text = request.form.get("units", "").strip()
    try:
        return int(text)
    except ValueError as error:
        raise InvalidDefinition(f"units is {shown(text)} but must be a whole number such as 3.", "units") from error
