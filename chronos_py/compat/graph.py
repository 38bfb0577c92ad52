"""How the jobs stand, in the forms that clients use as their status API: csv, dot and the summary."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from chronos_py.compat.answers import json_answer, text_answer
from chronos_py.compat.documents import write_document
from chronos_py.compat.schedules import shown_schedule
from chronos_py.model.job import last_outcome
from chronos_py.model.reader import shown
from chronos_py.services import Application, jobs
from chronos_py.services.cluster import JobStanding, view_graph, view_standings
from chronos_py.services.jobs import JobSummary

_LARGEST = 2**31 - 1


def add_routes(routes: Blueprint, app: Application, generation: str) -> None:
    @routes.get("/graph/csv")
    def csv() -> Response:
        standings, edges = view_standings(app)
        lines = [f"node,{job.name},{job.outcome},{state(job, generation)}\n" for job in standings]
        lines += [f"link,{parent},{child}\n" for parent, child in edges]
        return text_answer("".join(lines))

    @routes.get("/graph/dot")
    def dot() -> Response:
        graph = view_graph(app)
        numbers = {name: number for number, name in enumerate(graph.nodes, 1)}
        lines = [f'  {number} [ label="{name}" ];\n' for name, number in numbers.items()]
        lines += [f"  {numbers[parent]} -> {numbers[child]};\n" for parent, child in graph.edges]
        return text_answer("".join(["digraph G {\n", *lines, "}\n"]))

    @routes.get("/jobs/summary")
    def summary() -> Response:
        found = jobs.list_jobs(app, last_runs=0)
        return json_answer({"jobs": [_summary(each, generation) for each in found]})

    @routes.get("/jobs/search")
    def search() -> Response:
        wanted = {key: request.args.get(key, "").lower() for key in ("name", "command", "any")}
        offset, limit = _whole_number("offset", 0), _whole_number("limit", 10)
        found = [each.job for each in jobs.list_jobs(app, last_runs=0) if _matches(each, wanted)]
        page, epsilon = found[offset : offset + limit], app.defaults.epsilon
        return json_answer([write_document(job, generation, epsilon) for job in page])


def state(job: JobSummary | JobStanding, generation: str) -> str:
    """``idle``, ``queued`` or running; 3.x prints how many run."""
    if job.active:
        return f"{job.active} running" if generation == "3" else "running"
    return "queued" if job.waiting else "idle"


def _summary(summary: JobSummary, generation: str) -> dict[str, object]:
    job = summary.job
    return {
        "name": job.name,
        "status": last_outcome(job.counters),
        "state": state(summary, generation),
        "schedule": "" if job.definition.parents else shown_schedule(job),
        "parents": list(job.definition.parents),
        "disabled": job.definition.disabled,
    }


def _matches(summary: JobSummary, wanted: dict[str, str]) -> bool:
    """By name and command, and beside those by ``any`` in either of them, as in the original; but ``any`` filters."""
    name, command, anywhere = (wanted[key] for key in ("name", "command", "any"))
    its_name, its_command = summary.job.name.lower(), summary.job.definition.command.lower()
    if anywhere and (anywhere in its_name or anywhere in its_command):
        return True
    asks_only_for_any = bool(anywhere) and not name and not command
    return not asks_only_for_any and name in its_name and command in its_command


def _whole_number(name: str, default: int) -> int:
    """A parameter of the search. What is no number is not found, as in the original."""
    text = request.args.get(name)
    if text is None:
        return default
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(_LARGEST))
    if not is_number or int(text) > _LARGEST:
        raise NotFound(f"{name} is {shown(text)} but must be a whole number from 0 to {_LARGEST}.")
    return int(text)
