"""The history of a job's definition, what a revision changed line by line, and going back to one."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as Answer

from chronos_py.errors import InvalidDefinition, Outdated
from chronos_py.model.secrets import mask_change, mask_document
from chronos_py.services import Application, jobs, revisions
from chronos_py.services.revisions import Change, RevisionView, difference
from chronos_py.web.answers import LARGEST, html, number, page, person
from chronos_py.web.jobs.page import address

PAGE = 50
# Beyond so many pairs of lines, finding which are the same would take too long.
_MOST_PAIRS = 4_000_000
_REVISION = f"/jobs/<name>/revisions/<int(max={LARGEST}):revision>"


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it was beside the line as it is; None where there is none."""

    before: str | None
    after: str | None

    @property
    def is_same(self) -> bool:
        return self.before == self.after


@dataclass(frozen=True, slots=True)
class ShownChange:
    """A change of a field, line by line."""

    field: str
    lines: Sequence[Line]


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get("/jobs/<name>/revisions")
    def list_revisions(name: str) -> Response:
        job = jobs.get_job(app, name).job
        before = number(request.args.get("before", ""))
        found = revisions.list_revisions(app, name, before, PAGE + 1)
        following = found[PAGE - 1].number if len(found) > PAGE else None
        return page("revisions.html", job=job, revisions=found[:PAGE], following=following)

    @routes.get(_REVISION)
    def show_revision(name: str, revision: int) -> Response:
        job = jobs.get_job(app, name).job
        found = revisions.get_revision(app, name, revision, number(request.args.get("against", "")))
        return page("revision.html", job=job, revision=found, changes=shown(found.changes), json=_json(found))

    @routes.get(f"{_REVISION}/restore")
    def ask_to_restore(name: str, revision: int) -> Answer:
        return _confirmation(app, name, revision)

    @routes.post(f"{_REVISION}/restore")
    def restore(name: str, revision: int) -> Answer:
        try:
            revisions.restore_revision(app, name, revision, person(), number(request.form.get("revision", "")))
        except InvalidDefinition as error:
            return _confirmation(app, name, revision, 400, error)
        except Outdated as error:
            return _confirmation(app, name, revision, 412, error)
        return redirect(address(name), 303)


def _confirmation(
    app: Application, name: str, revision: int, status: int = 200, error: Exception | None = None
) -> Answer:
    """What going back to a revision would change, and the button that does it."""
    job = jobs.get_job(app, name).job
    found = revisions.get_revision(app, name, revision)
    changes = shown(difference(job.document, {**found.document, "name": name}))
    return html(
        render_template("revision_restore.html", job=job, revision=found, changes=changes, error=error), status
    )


def shown(changes: Sequence[Change]) -> list[ShownChange]:
    """Changes as tables show them, without secrets."""
    return [ShownChange(each.field, side_by_side(*mask_change(each.before, each.after))) for each in changes]


def side_by_side(before: Any, after: Any) -> list[Line]:
    """Two values line by line, the lines that are the same beside each other."""
    return list(_pairs(_lines(before), _lines(after)))


def _pairs(before: list[str], after: list[str]) -> Iterator[Line]:
    if len(before) * len(after) > _MOST_PAIRS:
        opcodes = [("replace", 0, len(before), 0, len(after))]
    else:
        opcodes = [*difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()]
    for _, first, last, new_first, new_last in opcodes:
        for old, new in zip_longest(before[first:last], after[new_first:new_last]):
            yield Line(old, new)


def _lines(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return text.replace("\r\n", "\n").split("\n")


def _json(view: RevisionView) -> str:
    return json.dumps(mask_document(view.document), indent=2, ensure_ascii=False)
