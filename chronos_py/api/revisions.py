"""/api/jobs/{name}/revisions, and pausing and resuming several jobs at once"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from chronos_py.api.answers import instant, tagged_job
from chronos_py.api.requests import (
    LARGEST,
    expected_revision,
    json_object,
    limit_argument,
    optional_integer_argument,
    optional_json_object,
    person,
    refuse_unknown_fields,
)
from chronos_py.model.document import complete
from chronos_py.model.reader import Reader
from chronos_py.services import Application, jobs, revisions, selections
from chronos_py.services.revisions import Change, RevisionView
from chronos_py.services.selections import KINDS, Outcome, read_selection

_REVISIONS = "/jobs/<name>/revisions"
_REVISION = f"{_REVISIONS}/<int(max={LARGEST}):number>"


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get(_REVISIONS)
    def list_revisions(name: str) -> Response:
        limit = limit_argument()
        found = revisions.list_revisions(app, name, optional_integer_argument("cursor"), limit + 1)
        following = str(found[limit - 1].number) if len(found) > limit else None
        return jsonify(revisions=[_document(view) for view in found[:limit]], next=following)

    @routes.get(_REVISION)
    def get_revision(name: str, number: int) -> Response:
        view = revisions.get_revision(app, name, number, optional_integer_argument("against"))
        return jsonify({**_document(view), "document": complete(view.document)})

    @routes.post(f"{_REVISION}/restore")
    def restore_revision(name: str, number: int) -> Response:
        refuse_unknown_fields(optional_json_object(), ())
        job = revisions.restore_revision(app, name, number, person(), expected_revision())
        return tagged_job(jobs.view_job(app, job))

    @routes.post("/jobs/pause")
    def pause_jobs() -> Response:
        body = json_object()
        refuse_unknown_fields(body, KINDS)
        return _outcome(selections.pause_jobs(app, read_selection(body), person()))

    @routes.post("/jobs/resume")
    def resume_jobs() -> Response:
        body = json_object()
        refuse_unknown_fields(body, (*KINDS, "catchUp"))
        catch_up = Reader(body).boolean("catchUp", False)
        return _outcome(selections.resume_jobs(app, read_selection(body), person(), catch_up))


def _document(view: RevisionView) -> dict[str, Any]:
    return {
        "revision": view.number,
        "author": view.author,
        "createdAt": instant(view.created_at),
        "note": view.note,
        "summary": view.in_words,
        "against": view.against,
        "changes": [_change(change) for change in view.changes],
    }


def _change(change: Change) -> dict[str, Any]:
    document = {"field": change.field, "before": change.before, "after": change.after}
    if change.added is None:
        return document
    return {**document, "added": change.added, "removed": change.removed}


def _outcome(outcome: Outcome) -> Response:
    return jsonify(changed=list(outcome.changed), unchanged=list(outcome.unchanged))
