"""Pause or resume the jobs that the list shows, after a look at their names."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, Response, redirect, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as Redirect

from chronos_py.services import Application, selections
from chronos_py.services.selections import read_selection
from chronos_py.web.answers import page, person
from chronos_py.web.filters import find_jobs, read_filter

_SELECTION = "/selection/<any(pause, resume):verb>"


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get(_SELECTION)
    def ask(verb: str) -> Response:
        shown = read_filter(request.args)
        found = [summary.job for summary in find_jobs(app, shown)]
        return page(
            "selection.html",
            verb=verb,
            concerned=[job for job in found if job.definition.disabled is (verb == "resume")],
            others=[job for job in found if job.definition.disabled is (verb == "pause")],
            words=", ".join(value for _, value in shown.pairs) or "all",
            back=urlencode(shown.pairs),
        )

    @routes.post(_SELECTION)
    def do(verb: str) -> Redirect:
        chosen = read_selection({"names": request.form.getlist("name")})
        if verb == "pause":
            selections.pause_jobs(app, chosen, person())
        else:
            selections.resume_jobs(app, chosen, person(), "catchUp" in request.form)
        back = read_filter(MultiDict(parse_qsl(request.form.get("back", ""))))
        return redirect(f"/?{urlencode(back.pairs)}", 303)
