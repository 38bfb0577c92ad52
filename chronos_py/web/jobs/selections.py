"""What is done to several jobs of the list at once, after a look at their names; and how some of it is undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, Response, render_template, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as Redirect

from chronos_py.errors import InvalidDefinition
from chronos_py.services import Application, bulk, listing, restoring, selections
from chronos_py.services.selections import Selection, read_selection
from chronos_py.web.answers import html, person
from chronos_py.web.jobs.filters import Filter, read_filter
from chronos_py.web.notices import Notice, job_address, tell

SHOWN_NAMES = 100
MOST_NAMED = 5
_SELECTION = "/selection/<any(pause, resume, run, kill, label):verb>"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for: of these jobs, those that fit a filter (``is_all``) or those that were checked."""

    verb: str
    names: Sequence[str]
    shown: Filter
    is_all: bool
    change: str

    @property
    def back(self) -> str:
        """The list that it was asked from."""
        return urlencode(self.shown.pairs)


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get(_SELECTION)
    def ask(verb: str) -> Response:
        shown = read_filter(request.args)
        checked = list(dict.fromkeys(request.args.getlist("name")))
        is_all = "all" in request.args or not (checked or "checked" in request.args)
        names = listing.matching_names(app, shown.wanted()) if is_all else checked
        return _question(app, Asked(verb, names, shown, is_all, request.args.get("change", "")))

    @routes.post(_SELECTION)
    def do(verb: str) -> Response | Redirect:
        shown = read_filter(MultiDict(parse_qsl(request.form.get("back", ""))))
        is_all = "all" in request.form
        names = listing.matching_names(app, shown.wanted()) if is_all else request.form.getlist("name")
        asked = Asked(verb, names, shown, is_all, request.form.get("change", ""))
        if is_all and str(len(names)) != request.form.get("count"):
            return _question(app, asked, f"Meanwhile other jobs fit: they are {len(names):,} now. Look again.", 409)
        chosen = read_selection({"names": list(names)})
        try:
            notice = _do(app, asked, chosen)
        except InvalidDefinition as error:
            return _question(app, asked, str(error), 400)
        return tell(f"/?{asked.back}", notice)

    @routes.post("/undo/<any(pause, resume):verb>")
    def undo_selection(verb: str) -> Redirect:
        chosen = read_selection({"names": request.form.getlist("name")})
        if verb == "pause":
            selections.pause_jobs(app, chosen, person())
        else:
            selections.resume_jobs(app, chosen, person())
        return tell(_home(chosen.names), Notice(f"{_jobs(len(chosen.names))} {verb}d again, as before."))

    @routes.post("/undo/restore")
    def restore_jobs() -> Redirect:
        names = request.form.getlist("name")
        after = [child for name in names for child in restoring.restore_job(app, name, person())]
        words = "The job is back as it was defined last; its next runs begin a new history."
        if after:
            words += (
                f" What runs after it again: {', '.join(after[:MOST_NAMED])}{' …' if after[MOST_NAMED:] else ''}."
            )
        return tell(_home(names), Notice(words))


def _home(names: Sequence[str]) -> str:
    return job_address(names[0]) if len(names) == 1 else "/"


def _question(app: Application, asked: Asked, error: str = "", status: int = 200) -> Response:
    """The page that names the jobs, and does nothing yet."""
    concerned, others = list(asked.names), list[str]()
    if asked.verb in ("pause", "resume"):
        disabled = selections.disabled_among(app, asked.names)
        concerned = [name for name in asked.names if (name in disabled) is (asked.verb == "resume")]
        others = [name for name in asked.names if name not in set(concerned)]
    values = {
        "asked": asked,
        "verb": asked.verb,
        "concerned": concerned,
        "others": others,
        "most": SHOWN_NAMES,
        "words": ", ".join(value for _, value in asked.shown.pairs) or "all",
        "error": error,
    }
    return html(render_template("selection.html", **values), status)


def _do(app: Application, asked: Asked, chosen: Selection) -> Notice:
    """Do it; the sentence that tells it. Raises NotFound, InvalidDefinition."""
    if asked.verb == "run":
        return Notice(f"{_jobs(bulk.run_jobs(app, chosen, person()))} forced to run.")
    if asked.verb == "kill":
        count = bulk.kill_runs(app, chosen, person())
        return Notice(
            f"{count:,} {'run is' if count == 1 else 'runs are'} being killed." if count else "Nothing ran."
        )
    if asked.verb == "label":
        count = len(bulk.label_jobs(app, chosen, asked.change, person()).changed)
        return Notice(f"The labels of {_jobs(count).removesuffix(' are').removesuffix(' is')} were changed.")
    if asked.verb == "pause":
        changed = selections.pause_jobs(app, chosen, person()).changed
        return Notice(f"{_jobs(len(changed))} paused.", "resume", changed)
    changed = selections.resume_jobs(app, chosen, person(), "catchUp" in request.form).changed
    return Notice(f"{_jobs(len(changed))} resumed.", "pause", changed)


def _jobs(count: int) -> str:
    return "1 job is" if count == 1 else f"{count:,} jobs are"
