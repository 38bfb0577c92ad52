"""Runs, and the page of one with its output."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as Redirect

from chronos_py.errors import InvalidDefinition
from chronos_py.model.document import complete
from chronos_py.model.run import Run
from chronos_py.model.secrets import mask_document, mask_value
from chronos_py.services import Application, run_history, runs
from chronos_py.services.run_history import MOST_OF_WAVE, RunView, Variable
from chronos_py.web.answers import LARGEST, html, number, page, person
from chronos_py.web.form.lines import read_text
from chronos_py.web.runs import logs
from chronos_py.web.runs import words as run_words
from chronos_py.web.runs.filters import read_run_filter
from chronos_py.web.runs.logs import Piece

PAGE = 50
RUN = f"/runs/<int(max={LARGEST}):run_id>"
# Less than this between its time and its start is not worth a word.
_PUNCTUAL = timedelta(seconds=1)


def add_routes(routes: Blueprint, app: Application) -> None:
    for name, function in run_words.FILTERS.items():
        routes.add_app_template_filter(function, name)
    logs.add_routes(routes, app)

    @routes.get("/runs")
    def list_runs() -> Response:
        shown = read_run_filter(request.args)
        before = number(request.args.get("before", ""))
        found = run_history.find_runs(app, shown.query, before, PAGE + 1)
        following = found.runs[PAGE - 1].id if len(found.runs) > PAGE else None
        values = {
            "runs": found.runs[:PAGE],
            "named": found.named,
            "deleted": found.deleted,
            "shown": shown,
            "before": before,
            "following": following,
        }
        return html(render_template("runs.html", **values), 400) if shown.errors else page("runs.html", **values)

    @routes.get(RUN)
    def show_run(run_id: int) -> Response:
        return page("run.html", **_values(app, run_id))

    @routes.get(f"{RUN}/definition")
    def show_definition(run_id: int) -> Response:
        run, document, has_job = run_history.definition_of_run(app, run_id)
        text = json.dumps(mask_document(complete(document)), indent=2, ensure_ascii=False)
        return page("run_definition.html", run=run, document=text, has_job=has_job)

    @routes.post(f"{RUN}/kill")
    def kill(run_id: int) -> Redirect:
        runs.kill_run(app, run_id, person())
        return redirect(f"/runs/{run_id}", 303)

    @routes.post(f"{RUN}/rerun")
    def rerun(run_id: int) -> Redirect:
        run = runs.rerun(app, run_id, person(), from_failure=request.form.get("from") == "failure")
        return redirect(f"/runs/{run.id}", 303)

    @routes.post(f"{RUN}/mark-successful")
    def mark_successful(run_id: int) -> Redirect:
        try:
            runs.mark_successful(app, run_id, read_text(request.form, "note"), person())
        except InvalidDefinition as error:
            typed = {"error": error, "typed_note": request.form.get("note", "")}
            return html(render_template("run.html", **_values(app, run_id), **typed), 400)
        return redirect(f"/runs/{run_id}", 303)


def _values(app: Application, run_id: int) -> dict[str, object]:
    """What the page of a run shows. Raises NotFound."""
    wanted = number(request.args.get("attempt", "")) or None
    view = run_history.view_run(app, run_id, wanted)
    run, attempt = view.run, view.attempt
    pinned = attempt.number if attempt is not None and attempt.number == wanted else None
    # What only looks again, for its live parts, has modules that read the output by themselves.
    is_live = "X-Live" in request.headers
    at = number(request.args.get("at", ""))
    pieces = {} if is_live else logs.read_pieces(app, run_id, attempt.number if attempt else None, at)
    return {
        "view": view,
        "run": run,
        "attempt": attempt,
        "pinned": pinned,
        "pinned_query": f"attempt={pinned}&" if pinned else "",
        "pieces": pieces or {stream: Piece() for stream in logs.STREAMS},
        "shown": _shown(view, pieces),
        "lag": _lag(run),
        "overridden": [
            Variable(name, mask_value(name, value), "run", False) for name, value in run.overrides.environment.items()
        ],
        "outputs": [(key, mask_value(key, value)) for key, value in run.outputs.items()],
        "wave_names": {each.id: each for each in view.wave} | dict(view.named),
        "most_of_wave": MOST_OF_WAVE,
    }


def _shown(view: RunView, pieces: dict[str, Piece]) -> str:
    """Which streams are seen first: the ones that say something about a failure, the output otherwise."""
    wanted = request.args.get("view", "")
    if wanted in (*logs.STREAMS, "both"):
        return wanted
    if not pieces or not view.run.is_final or not pieces["stderr"].text:
        return "stdout"
    return "both" if pieces["stdout"].text else "stderr"


def _lag(run: Run) -> timedelta | None:
    """How much later than it might have a run began; None: not noticeably."""
    due: datetime = max(run.scheduled_at, run.created_at)
    late = run.started_at - due if run.started_at else timedelta()
    return late if late >= _PUNCTUAL else None
