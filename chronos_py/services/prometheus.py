"""The figures as Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from chronos_py import __version__
from chronos_py.services.application import Application
from chronos_py.services.metrics import Figures, JobFigures, collect_figures

QUANTILES = (0.5, 0.75, 0.95, 0.99)


def metrics_registry(app: Application) -> CollectorRegistry:
    """A registry that reads the database whenever its metrics are collected."""
    registry = CollectorRegistry()
    registry.register(_Figures(app))
    return registry


class _Figures(Collector):
    def __init__(self, app: Application) -> None:
        self._app = app

    def describe(self) -> Iterable[Metric]:
        """Nothing: to register must not read the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        figures = collect_figures(self._app)
        yield from _of_cluster(figures)
        yield from _of_jobs(figures.jobs)


def _of_cluster(figures: Figures) -> Iterable[Metric]:
    info = GaugeMetricFamily("chronos_build_info", "The version of this node.", labels=["version"])
    info.add_metric([__version__], 1)
    yield info
    yield GaugeMetricFamily("chronos_leader", "1 on the node that leads, else 0.", value=int(figures.is_leader))
    yield GaugeMetricFamily("chronos_epoch", "The number of the leader's term.", value=figures.epoch)
    yield GaugeMetricFamily("chronos_problems", "What is wrong on this node, see /readyz.", value=figures.problems)
    yield GaugeMetricFamily("chronos_jobs", "Jobs that are defined.", value=len(figures.jobs))
    unfinished = GaugeMetricFamily("chronos_runs_unfinished", "Runs that have not ended.", labels=["state"])
    for state, count in sorted(figures.unfinished.items()):
        unfinished.add_metric([state.value], count)
    yield unfinished
    yield GaugeMetricFamily(
        "chronos_queue_oldest_seconds",
        "How long the run that waits longest could have started already.",
        value=figures.queue_seconds,
    )


def _of_jobs(jobs: Iterable[JobFigures]) -> Iterable[Metric]:
    successes = CounterMetricFamily("chronos_job_successes", "Runs of the job that succeeded.", labels=["job"])
    failures = CounterMetricFamily("chronos_job_failures", "Runs of the job that failed for good.", labels=["job"])
    in_a_row = GaugeMetricFamily("chronos_job_failures_in_a_row", "Since the last success.", labels=["job"])
    paused = GaugeMetricFamily("chronos_job_paused", "1 for a job that is paused.", labels=["job"])
    instants = {
        name: GaugeMetricFamily(f"chronos_job_{name}_timestamp_seconds", words, labels=["job"])
        for name, words in (
            ("last_success", "When a run of the job succeeded last."),
            ("last_failure", "When a run of the job failed for good last."),
            ("next_run", "When the job runs next."),
        )
    }
    times = GaugeMetricFamily(
        "chronos_job_run_seconds", "How long the job's last 100 successful runs took.", labels=["job", "quantile"]
    )
    for job in jobs:
        successes.add_metric([job.name], job.counters.success_count)
        failures.add_metric([job.name], job.counters.error_count)
        in_a_row.add_metric([job.name], job.counters.errors_since_last_success)
        paused.add_metric([job.name], int(job.disabled))
        known = (job.counters.last_success, job.counters.last_error, job.next_run)
        for family, moment in zip(instants.values(), known, strict=True):
            if moment is not None:
                family.add_metric([job.name], moment.timestamp())
        for quantile in QUANTILES if job.run_times.count else ():
            times.add_metric([job.name, str(quantile)], job.run_times.percentile(quantile))
    yield from (successes, failures, in_a_row, paused, *instants.values(), times)
