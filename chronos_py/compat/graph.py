"""How the jobs stand, in the forms that clients use as their status API: csv, dot and the summary."""

from __future__ import annotations

from flask import Blueprint, Response, request

from chronos_py.compat.answers import json_answer
from chronos_py.compat.documents import advanced_schedule, write_document
from chronos_py.errors import NotFound
from chronos_py.model.job import last_outcome
from chronos_py.services import Application, jobs
from chronos_py.services.cluster import view_graph
from chronos_py.services.jobs import JobSummary


def add_routes(routes: Blueprint, app: Application, generation: str) -> None:
    @routes.get("/graph/csv")
    def csv() -> Response:
        lines = [
            f"node,{summary.job.name},{last_outcome(summary.job.counters)},{state(summary, generation)}\n"
            for summary in jobs.list_jobs(app)
        ]
        lines += [f"link,{parent},{child}\n" for parent, child in view_graph(app).edges]
        return Response("".join(lines), content_type="text/plain")

    @routes.get("/graph/dot")
    def dot() -> Response:
        graph = view_graph(app)
        numbers = {name: number for number, name in enumerate(graph.nodes, 1)}
        lines = [f'  {number} [ label="{name}" ];\n' for name, number in numbers.items()]
        lines += [f"  {numbers[parent]} -> {numbers[child]};\n" for parent, child in graph.edges]
        return Response("".join(["digraph G {\n", *lines, "}\n"]), content_type="text/plain")

    @routes.get("/jobs/summary")
    def summary() -> Response:
        return json_answer({"jobs": [_summary(found, generation) for found in jobs.list_jobs(app)]})

    @routes.get("/jobs/search")
    def search() -> Response:
        wanted = {key: request.args.get(key, "").lower() for key in ("name", "command", "any")}
        found = [found.job for found in jobs.list_jobs(app) if _matches(found, wanted)]
        offset, limit = _slice("offset", 0), _slice("limit", 10)
        return json_answer([write_document(job, generation) for job in found[offset : offset + limit]])


def state(summary: JobSummary, generation: str) -> str:
    """``idle``, ``queued`` or running; 3.x prints how many run."""
    if summary.active:
        return f"{summary.active} running" if generation == "3" else "running"
    return "queued" if summary.waiting else "idle"


def _summary(summary: JobSummary, generation: str) -> dict[str, object]:
    job = summary.job
    return {
        "name": job.name,
        "status": last_outcome(job.counters),
        "state": state(summary, generation),
        "schedule": advanced_schedule(job) if job.definition.schedule else "",
        "parents": list(job.definition.parents),
        "disabled": job.definition.disabled,
    }


def _matches(summary: JobSummary, wanted: dict[str, str]) -> bool:
    name, command = summary.job.name.lower(), summary.job.definition.command.lower()
    return (
        wanted["name"] in name
        and wanted["command"] in command
        and (wanted["any"] in name or wanted["any"] in command)
    )


def _slice(name: str, default: int) -> int:
    text = request.args.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit():
        raise NotFound(f"{name} must be a whole number.")
    return int(text)
