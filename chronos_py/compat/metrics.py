"""/metrics: the original's JSON, and Prometheus' text for those who ask for it."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from chronos_py import __version__
from chronos_py.compat.answers import json_answer
from chronos_py.model.run import WAITING_RUN_STATES
from chronos_py.model.statistics import RunTimes
from chronos_py.services import Application
from chronos_py.services.metrics import Figures, collect_figures
from chronos_py.services.prometheus import metrics_registry

_TASKS = "org.apache.mesos.chronos.scheduler.jobs.TaskManager"
_QUANTILES = {"p50": 0.5, "p75": 0.75, "p95": 0.95, "p98": 0.98, "p99": 0.99, "p999": 0.999}


def add_routes(routes: Blueprint, app: Application) -> None:
    registry = metrics_registry(app)

    @routes.get("/metrics")
    def metrics() -> Response:
        if _wants_prometheus():
            return _prometheus(registry)
        document = original_metrics(collect_figures(app))
        if request.args.get("pretty", "").lower() == "true":
            text = json.dumps(document, ensure_ascii=False, indent=2)
            return Response(text + "\n", content_type="application/json")
        return json_answer(document)


def _wants_prometheus() -> bool:
    """Whether Accept names text before JSON. Whoever names neither gets what the original gave."""
    accepted = request.accept_mimetypes
    if "openmetrics" in request.headers.get("Accept", ""):
        return True
    explicit = [mime for mime, _ in accepted if mime in ("text/plain", "application/json")]
    return bool(explicit) and explicit[0] == "text/plain"


def _prometheus(registry: CollectorRegistry) -> Response:
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(registry), content_type=content_type)


def original_metrics(figures: Figures) -> dict[str, Any]:
    """The document of the original's metrics library, with its names for what we have too."""
    waiting = sum(count for state, count in figures.unfinished.items() if state in WAITING_RUN_STATES)
    high = figures.high_priority_waiting
    return {
        "version": "3.0.0",
        "gauges": {
            f"{_TASKS}.queueSize": {"value": waiting - high},
            f"{_TASKS}.highQueueSize": {"value": high},
            "chronos.epoch": {"value": figures.epoch},
            "chronos.leader": {"value": int(figures.is_leader)},
            "chronos.queue.oldest.seconds": {"value": figures.queue_seconds},
            "chronos.version": {"value": __version__},
        },
        "counters": {
            f"jobs.run.{outcome}.{job.name}": {"count": count}
            for job in figures.jobs
            for outcome, count in (
                ("success", job.counters.success_count),
                ("failure", job.counters.error_count),
            )
        },
        "histograms": {f"jobs.run.time.{job.name}": _histogram(job.run_times) for job in figures.jobs},
        "meters": {},
        "timers": {},
    }


def _histogram(times: RunTimes) -> dict[str, float]:
    """In milliseconds."""
    shortest, longest = (times.seconds[0], times.seconds[-1]) if times.seconds else (0, 0)
    return {
        "count": times.count,
        "max": longest * 1000,
        "mean": times.mean * 1000,
        "min": shortest * 1000,
        **{name: times.percentile(share) * 1000 for name, share in _QUANTILES.items()},
        "stddev": times.deviation * 1000,
    }
