"""Runs, and the page of one with its output."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as Redirect

from chronos_py.errors import ChronosError, InvalidDefinition
from chronos_py.model.run import RunState
from chronos_py.services import Application, logs, runs
from chronos_py.services.runs import RunDetail
from chronos_py.web.answers import LARGEST, html, number, page, person
from chronos_py.web.lines import read_text

PAGE = 50
TAIL = 64 * 1024
RUN = f"/runs/<int(max={LARGEST}):run_id>"


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/runs")
    def list_runs() -> Response:
        state = request.args.get("state", "")
        states = [RunState(state)] if state in set(RunState) else []
        before = number(request.args.get("before", ""))
        found = runs.list_runs(app, None, states, before, PAGE + 1)
        following = found[PAGE - 1].id if len(found) > PAGE else None
        return page("runs.html", runs=found[:PAGE], state=state, states=list(RunState), following=following)

    @routes.get(RUN)
    def show_run(run_id: int) -> Response:
        return page("run.html", **_values(app, run_id))

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
    detail = runs.get_run(app, run_id)
    wanted, count = number(request.args.get("attempt", "")) or 0, len(detail.attempts)
    shown = wanted if 1 <= wanted <= count else count
    return {
        "run": detail.run,
        "waits_for": detail.waits_for,
        "attempts": detail.attempts,
        "attempt": detail.attempts[shown - 1] if detail.attempts else None,
        "output": _output(app, detail, shown),
    }


def _output(app: Application, detail: RunDetail, attempt: int) -> dict[str, str]:
    """The beginning of both streams; a module goes on from there."""
    output = {}
    for stream in ("stdout", "stderr"):
        try:
            chunk = logs.read_log(
                app, detail.run.id, attempt or None, "stderr" if stream == "stderr" else "stdout", 0, TAIL
            )
            output[stream] = chunk.data.decode(errors="replace")
        except ChronosError as error:
            output[stream] = f"({error})"
    return output
