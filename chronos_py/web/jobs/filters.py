"""Which jobs the list shows, in which order and groups; the address keeps all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from werkzeug.datastructures import MultiDict

from chronos_py.errors import InvalidDefinition
from chronos_py.model.labels import read_label
from chronos_py.model.standing import Sort, Standing, Wanted

LATE = "late"
PREFIX = "prefix"
LABEL = "label:"
_OUTCOME_WORDS = {"failure": "failed", "success": "ok", "fresh": "no result yet"}
OUTCOMES = tuple(_OUTCOME_WORDS.items())
# Where the first click on a column's head sorts from the greatest down.
_GREATEST_FIRST = frozenset({Sort.LAST})
_TEXTS = ("q", "state", "last", "owner", "pool", "prefix", "without", "sort", "group")


@dataclass(frozen=True, slots=True)
class Filter:
    """What somebody looks for, as typed: what is none of the words that there are counts as nothing.

    ``state`` is a :class:`Standing` or "late", ``last`` an outcome, ``sort`` a :class:`Sort` with "-" before it for
    the other way round, ``group`` "prefix" or "label:KEY"; ``opened`` are the groups that are open.
    """

    q: str = ""
    state: str = ""
    last: str = ""
    labels: Sequence[str] = ()
    owner: str = ""
    pool: str = ""
    prefix: str | None = None
    without: str = ""
    sort: str = ""
    group: str = ""
    opened: Sequence[str] = ()

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """As the address has it."""
        found = [(name, getattr(self, name) or "") for name in _TEXTS if name != "prefix"]
        found += [("label", label) for label in self.labels]
        kept = [(name, value) for name, value in found if value]
        kept += [("prefix", self.prefix)] if self.prefix is not None else []
        return kept + [("open", name) for name in self.opened]

    @property
    def narrows(self) -> bool:
        """Whether it leaves jobs out."""
        return replace(self, sort="", group="", opened=()) != Filter()

    @property
    def order(self) -> tuple[Sort, bool]:
        """What the list is sorted by, and whether the greatest comes first."""
        if not self.sort:
            return Sort.NAME, False
        return Sort(self.sort.removeprefix("-")), self.sort.startswith("-")

    def sorted_by(self, column: str) -> Filter:
        """The same list after a click on the head of a column."""
        sort, descending = self.order
        down = not descending if sort == column else column in _GREATEST_FIRST
        return replace(self, sort=("-" if down else "") + column)

    def sort_sign(self, column: str) -> str:
        """``ascending`` or ``descending`` for the column that the list is sorted by, "" for another."""
        sort, descending = self.order
        return "" if sort != column else "descending" if descending else "ascending"

    def within(self, state: str) -> Filter:
        """The same list with the jobs that stand so, "" for all."""
        return replace(self, state=state)

    def without_label(self, label: str) -> Filter:
        return replace(self, labels=tuple(each for each in self.labels if each != label))

    @property
    def parts(self) -> list[tuple[str, Filter]]:
        """What narrows the list beside the text and the state, in words, each with the list without it."""
        found = [(f"label {label}", self.without_label(label)) for label in self.labels]
        if self.last:
            found.append((f"last {_OUTCOME_WORDS[self.last]}", replace(self, last="")))
        if self.owner:
            found.append((f"owner {self.owner}", replace(self, owner="")))
        if self.pool:
            found.append((f"pool {self.pool}", replace(self, pool="")))
        if self.prefix is not None:
            found.append((f"prefix {self.prefix}", replace(self, prefix=None)))
        if self.without:
            found.append((f"without label {self.without}", replace(self, without="")))
        return found

    @property
    def group_key(self) -> str:
        """The label that jobs are grouped by, "" for the prefix of their names."""
        return self.group.removeprefix(LABEL) if self.group.startswith(LABEL) else ""

    def of_group(self, value: str | None) -> Filter:
        """The jobs of one group alone; None: those without the label."""
        alone = replace(self, group="", opened=())
        if self.group == PREFIX:
            return replace(alone, prefix=value)
        if value is None:
            return replace(alone, without=self.group_key)
        return replace(alone, labels=(*self.labels, f"{self.group_key}={value}"))

    def toggled(self, name: str) -> Filter:
        """With a group opened or closed."""
        opened = tuple(each for each in self.opened if each != name)
        return replace(self, opened=opened if name in self.opened else (*opened, name))

    def wanted(self) -> Wanted:
        """What the list is asked for. Raises InvalidDefinition for what is no label."""
        return Wanted(
            text=self.q,
            standing=Standing(self.state) if self.state and self.state != LATE else None,
            is_late=self.state == LATE,
            outcome=self.last,
            labels=[read_label(label) for label in self.labels],
            without_label=self.without,
            owner=self.owner,
            pool=self.pool,
            prefix=self.prefix,
        )


def read_filter(query: MultiDict[str, str]) -> Filter:
    """The filter of an address."""
    labels = dict.fromkeys(label.strip() for label in query.getlist("label") if label.strip())
    state, last, sort = query.get("state", ""), query.get("last", ""), query.get("sort", "")
    group = query.get("group", "").strip()
    is_group = group == PREFIX or (group.startswith(LABEL) and group != LABEL)
    return Filter(
        q=query.get("q", "").strip(),
        state=state if state in {*Standing, LATE} else "",
        last=last if last in _OUTCOME_WORDS else "",
        labels=tuple(labels),
        owner=query.get("owner", "").strip(),
        pool=query.get("pool", "").strip(),
        prefix=query.get("prefix"),
        without=query.get("without", "").strip(),
        sort=sort if sort.removeprefix("-") in set(Sort) else "",
        group=group if is_group else "",
        opened=tuple(dict.fromkeys(query.getlist("open"))) if is_group else (),
    )


def wrong_label(shown: Filter) -> tuple[str, InvalidDefinition] | None:
    """The first of the labels that can be none, and why."""
    for label in shown.labels:
        try:
            read_label(label)
        except InvalidDefinition as error:
            return label, error
    return None
