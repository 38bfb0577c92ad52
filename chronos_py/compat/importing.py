"""Jobs as a Chronos listed them, taken over whole: POST /api/imports/chronos."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from flask import Blueprint, Response, request

from chronos_py.compat.answers import json_answer, person
from chronos_py.compat.coercions import as_text, as_word
from chronos_py.compat.documents import read_document
from chronos_py.compat.zones import java_zone
from chronos_py.errors import InvalidDefinition, ScheduleError
from chronos_py.model.job import Job
from chronos_py.model.reader import Reader, shown
from chronos_py.model.schedule import parse_zone
from chronos_py.model.schedule.iso8601 import RepeatingInterval, read_repeating_interval
from chronos_py.services import Application
from chronos_py.services.bodies import parse_json_object
from chronos_py.services.importing import Candidate, Import, Problem, Reading, Taken, import_jobs, refusal
from chronos_py.services.schedules import describe_definition

_FIELDS = frozenset({"jobs", "timeZone", "ownUser", "dryRun"})
_NOTE = "imported from Chronos"


def blueprint(app: Application) -> Blueprint:
    """The route, which belongs under /api."""
    routes = Blueprint("import_chronos", __name__)

    @routes.post("/imports/chronos")
    def import_listing() -> Response:
        body = parse_json_object(request.get_data())
        for name in body:
            if name not in _FIELDS:
                raise InvalidDefinition(
                    f"There is no field {shown(name)} here; known: {', '.join(sorted(_FIELDS))}.", name
                )
        read = Reader(body)
        if body.get("jobs") is None:
            read.refuse("jobs", "the list of jobs that GET jobs of a Chronos answers")
        zone = read.text("timeZone")
        if zone:
            _check_zone(zone)
        is_dry = read.boolean("dryRun", False)
        listed = [each.document for each in read.objects("jobs")]
        if read.boolean("ownUser", False):
            listed = [{name: value for name, value in each.items() if name != "runAsUser"} for each in listed]
        readings, problems = _readings(listed, zone, app.defaults.epsilon)
        found = import_jobs(app, readings, person(), _NOTE, apply=not is_dry and not problems)
        found.problems[:0] = problems
        if found.problems and not is_dry:
            raise refusal(found.problems)
        return json_answer(_document(found))

    return routes


def _check_zone(zone: str) -> None:
    try:
        parse_zone(zone)
    except InvalidDefinition as error:
        raise InvalidDefinition(f"timeZone {shown(zone)} is not a known time zone.", "timeZone") from error


def _readings(
    documents: list[Mapping[str, Any]], zone: str, epsilon: str
) -> tuple[dict[str, Reading], list[Problem]]:
    readings: dict[str, Reading] = {}
    problems = []
    for number, document in enumerate(documents, 1):
        name = as_text(document.get("name"))
        if not name:
            problems.append(Problem("", f"the job at place {number} of the listing has no name."))
        elif name in readings:
            problems.append(Problem(name, "the listing has two jobs of this name; take one of them away."))
        else:
            readings[name] = partial(_read, document, zone, epsilon)
    return readings, problems


def _read(original: Mapping[str, Any], zone: str, epsilon: str, present: Job | None) -> Candidate:
    """A job of a listing as it would be here, with what changes in its meaning. Raises InvalidDefinition."""
    body = dict(original)
    if body.get("parents") and not isinstance(body["parents"], list):
        raise InvalidDefinition(f"parents is {shown(body['parents'])} but must be a list of names.", "parents")
    if not body.get("parents") and not as_word(body.get("schedule")).strip():
        raise InvalidDefinition("it has neither a schedule nor parents.", "schedule")
    notes = [] if body.get("parents") else _settle_zone(body, zone)
    document, counters = read_document(body, present, epsilon)
    if present is not None and _continues(document, present):
        document["schedule"] = present.definition.schedule
    if not document.get("parents"):
        notes += _notes_on_schedule(as_text(body.get("schedule")), document)
    if document.get("shell", True) and document.get("command") and document.get("arguments"):
        notes.append("Chronos put the arguments behind the command; here only a program (shell: false) gets them")
    return Candidate(document, counters, notes)


def _continues(document: Mapping[str, Any], present: Job) -> bool:
    """Whether the schedule is that of ``present`` at an earlier or a later time: Chronos moves its start on."""
    definition = present.definition
    theirs, ours = _interval(document.get("schedule") or ""), _interval(definition.schedule)
    if theirs is None or ours is None or document.get("scheduleTimeZone", "") != definition.schedule_time_zone:
        return False
    if (theirs.repetitions is None) is not (ours.repetitions is None) or theirs.period != ours.period:
        return False
    if theirs.start is None or ours.start is None:
        return theirs.start is ours.start and theirs.repetitions == ours.repetitions
    zone = None if not definition.schedule_time_zone else parse_zone(definition.schedule_time_zone)
    theirs, ours = (read_repeating_interval(each.text, zone) for each in (theirs, ours))
    earlier, later = sorted((theirs, ours), key=lambda each: each.occurrence(0))
    if earlier.period.is_zero:
        return theirs.text == ours.text
    return earlier.latest_at_or_before(later.occurrence(0)) == later.occurrence(0)


def _settle_zone(body: dict[str, Any], zone: str) -> list[str]:
    """Give the schedule a zone where Chronos had one that is not told."""
    given = as_word(body.get("scheduleTimeZone"))
    if given:
        body["scheduleTimeZone"] = java_zone(given)
        if body["scheduleTimeZone"] == given:
            return []
        return [f'Chronos took the time zone "{given}" for {body["scheduleTimeZone"]}']
    interval = _interval(as_text(body.get("schedule")))
    if interval is None or interval.start is None or _has_offset(interval.text):
        return []
    if zone:
        body["scheduleTimeZone"] = zone
    return [f"its start has no offset and is taken for a time of {zone or 'UTC'}"]


def _interval(text: str) -> RepeatingInterval | None:
    try:
        return read_repeating_interval(text.strip(), None)
    except ScheduleError:
        return None


def _has_offset(text: str) -> bool:
    time = text.split("/")[1].partition("T")[2]
    return any(sign in time for sign in "Zz+-")


def _notes_on_schedule(text: str, document: Mapping[str, Any]) -> list[str]:
    interval = _interval(text)
    if interval is None:
        return []
    if text.strip() != document["schedule"]:
        return ["Chronos would run it again and again without a pause; here it runs once"]
    if interval.start is None:
        return ["its schedule begins with the import"]
    period = text.rpartition("/")[2]
    months = "M" in period.partition("T")[0] or "Y" in period
    if months and 28 <= interval.start.day <= 30:
        return [f"it comes on day {interval.start.day}; if a later day was meant, Chronos has lost it"]
    return []


def _document(found: Import) -> dict[str, Any]:
    return {
        "jobs": [_taken(each, found.looked_at) for each in found.jobs],
        "problems": [{"name": each.name, "reason": each.reason} for each in found.problems],
    }


def _taken(taken: Taken, now: datetime) -> dict[str, Any]:
    definition, next_run, notes = taken.definition, taken.next_run, list(taken.notes)
    if next_run is not None and next_run <= now and taken.change == "created":
        allowed = definition.catch_up.allowed_lateness()
        is_too_late = allowed is not None and now - next_run > allowed
        notes.append(
            "it is overdue by more than its epsilon: that occurrence is skipped, as in Chronos 2"
            if is_too_late
            else "it is overdue and runs as soon as it is imported"
        )
    return {
        "name": definition.name,
        "change": taken.change,
        "kind": definition.kind,
        "description": describe_definition(definition),
        "disabled": definition.disabled,
        "nextRun": None if next_run is None else next_run.isoformat().replace("+00:00", "Z"),
        "parents": list(definition.parents),
        "notes": notes,
    }
