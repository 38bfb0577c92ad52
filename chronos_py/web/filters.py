"""Which jobs the list shows; the address keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from werkzeug.datastructures import MultiDict

from chronos_py.errors import InvalidDefinition
from chronos_py.model.labels import read_label
from chronos_py.services import Application, jobs
from chronos_py.services.jobs import JobSummary

_DISABLED = {"paused": True, "active": False}


@dataclass(frozen=True, slots=True)
class Filter:
    """What somebody looks for: a part of the name or the command, ``paused`` or ``active`` ones, labels as typed."""

    text: str
    show: str
    labels: Sequence[str]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """As the address has it."""
        found = [("q", self.text), ("show", self.show), *(("label", label) for label in self.labels)]
        return [(name, value) for name, value in found if value]

    def without(self, label: str) -> Filter:
        return replace(self, labels=[each for each in self.labels if each != label])


def read_filter(query: MultiDict[str, str]) -> Filter:
    """The filter of an address."""
    labels = dict.fromkeys(label.strip() for label in query.getlist("label") if label.strip())
    return Filter(query.get("q", ""), query.get("show", ""), list(labels))


def wrong_label(shown: Filter) -> tuple[str, InvalidDefinition] | None:
    """The first of the labels that can be none, and why."""
    for label in shown.labels:
        try:
            read_label(label)
        except InvalidDefinition as error:
            return label, error
    return None


def find_jobs(app: Application, shown: Filter, after: str = "", limit: int | None = None) -> list[JobSummary]:
    """The jobs that fit, by name. Raises InvalidDefinition for what is no label."""
    labels = [read_label(label) for label in shown.labels]
    return jobs.list_jobs(app, shown.text, _DISABLED.get(shown.show), after, limit, labels=labels)
