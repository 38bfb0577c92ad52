"""Definitions before they are saved: everything that is wrong with one, what it means and when it would run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from chronos_py.errors import InvalidDefinition
from chronos_py.model.document import read_definition
from chronos_py.model.job import Definition, Job
from chronos_py.model.reader import shown
from chronos_py.services.application import Application
from chronos_py.services.jobs import refuse_cycle, refuse_unrunnable
from chronos_py.services.scheduling import require_calendars
from chronos_py.store import calendars, jobs, limits

# What stands for a member without which nothing else of the document could be read.
_INSTEAD = {"name": "draft", "command": "true"}


def find_problems(
    app: Application, document: Mapping[str, Any], present: Job | None = None
) -> list[InvalidDefinition]:
    """Why a document could not be saved, one error for each of its members at most; none when it could.

    ``present`` is the job that it is a new version of, None for a new job. What changes between this and saving is
    found when it is saved.
    """
    if present is not None and present.document == document:
        return []
    left = app.defaults.written_into(document)
    problems: list[InvalidDefinition] = []
    while True:
        try:
            definition = read_definition(left)
            break
        except InvalidDefinition as error:
            problems.append(error)
            member = (error.field or "").split(".")[0].split("[")[0]
            if member in _INSTEAD and left.get(member) != _INSTEAD[member]:
                left[member] = _INSTEAD[member]
            elif member in left:
                del left[member]
            else:
                return problems
    with app.database.read() as connection:
        problems += _contradictions(connection, definition, present)
    try:
        refuse_unrunnable(app, definition, None if present is None else present.definition)
    except InvalidDefinition as error:
        problems.append(error)
    return problems


def _contradictions(
    connection: Connection, definition: Definition, present: Job | None
) -> Iterator[InvalidDefinition]:
    """What the other definitions have against one."""
    is_renamed = present is None or present.name != definition.name
    if is_renamed and jobs.find_job(connection, definition.name) is not None:
        yield InvalidDefinition(f"Job {shown(definition.name)} exists already; give this one another name.", "name")
    if definition.name in definition.parents:
        yield InvalidDefinition(
            f"parents contains {shown(definition.name)} itself; a job cannot run after itself.", "parents"
        )
    elif definition.parents:
        known = jobs.find_jobs(connection, definition.parents)
        for parent in definition.parents:
            if parent not in known:
                yield InvalidDefinition(
                    f"parents contains {shown(parent)}, which is not found; create that job first.", "parents"
                )
                break
        else:
            if present is not None and present.definition.parents != definition.parents:
                yield from _cycle(connection, replace(definition, name=present.name))
    unknown = limits.unknown_limits(connection, list(definition.concurrency.limits))
    if unknown:
        yield InvalidDefinition(
            f"concurrencyLimits contains {shown(unknown[0])}, which is not found; define that limit first.",
            "concurrencyLimits",
        )
    try:
        require_calendars(definition, calendars.calendars_named(connection, definition.restrictions.calendars))
    except InvalidDefinition as error:
        yield error


def _cycle(connection: Connection, definition: Definition) -> Iterator[InvalidDefinition]:
    try:
        refuse_cycle(connection, definition)
    except InvalidDefinition as error:
        yield error
