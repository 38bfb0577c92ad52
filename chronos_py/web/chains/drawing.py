"""A chain as shapes: what the template puts into SVG, and into the table that says the same."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import east_asian_width
from urllib.parse import quote, urlencode

from chronos_py.model.chain import TriggerRule
from chronos_py.model.run import Outcome
from chronos_py.services.chains import ChainEdge, ChainGraph, ChainNode
from chronos_py.web.chains.layered import Point, lay_out

MARGIN = 14
LONGEST_LABEL = 22  # in letters of usual width
BEND = 0.5  # where a line turns between two layers
ARROW = 6

RULES: Mapping[TriggerRule, str] = {
    TriggerRule.ALL_SUCCESS: "once all parents have succeeded",
    TriggerRule.ALL_DONE: "once all parents have ended, however",
    TriggerRule.ANY_SUCCESS: "once one parent has succeeded",
    TriggerRule.ANY_FAILURE: "once one parent has failed",
}


@dataclass(frozen=True, slots=True)
class Box:
    """A job in the drawing. ``folded`` says how many jobs after it are hidden, ``fold`` the address that does or
    undoes it ("": nothing runs after it)."""

    name: str
    label: str
    x: int
    y: int
    state: str
    is_paused: bool
    is_here: bool
    address: str
    parents: Sequence[str]
    children: Sequence[str]
    rule: TriggerRule
    folded: int
    fold: str

    @property
    def words(self) -> str:
        """What a screen reader says."""
        said = [self.name, self.state.replace("_", " "), *(["paused"] if self.is_paused else [])]
        if self.parents:
            said.append(f"runs after {_few(self.parents)}")
        if self.folded:
            said.append(f"{self.folded} jobs after it are hidden")
        return ", ".join(said)


@dataclass(frozen=True, slots=True)
class Line:
    """An edge in the drawing."""

    parent: str
    child: str
    path: str
    rule: TriggerRule
    done: Outcome


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing and its size; ``query`` is its address's, ``structure`` changes when it must be laid out anew."""

    boxes: Sequence[Box]
    lines: Sequence[Line]
    width: int
    height: int
    query: str
    structure: str
    rules: Sequence[tuple[TriggerRule, str]]
    states: Sequence[str]
    of_wave: bool

    @property
    def hidden(self) -> int:
        return sum(box.folded for box in self.boxes)


def draw(
    graph: ChainGraph,
    query: Sequence[tuple[str, str]] = (),
    here: str = "",
    folded: Collection[str] = (),
    opened: Sequence[str] = (),
) -> Drawing:
    """Lay a chain out. ``here`` is the job that it is about, what runs after the ``folded`` ones only is hidden.

    ``query`` leads to the same chain with nothing folded by hand; ``opened`` is what is.
    """
    parents, children = _ends(graph.edges)
    visible = _visible(graph, parents, children, folded)
    hidden = _hidden_below(visible, children)
    layout = lay_out(visible, [(edge.parent, edge.child) for edge in graph.edges])
    boxes = [
        Box(
            name=name,
            label=short(name),
            x=place.x + MARGIN,
            y=place.y + MARGIN,
            state=graph.nodes[name].state,
            is_paused=graph.nodes[name].is_paused,
            is_here=name == here,
            address=address_of(graph, graph.nodes[name]),
            parents=parents[name],
            children=children[name],
            rule=graph.nodes[name].rule,
            folded=hidden[name],
            fold=_fold_address(query, opened, name, name in folded) if children[name] else "",
        )
        for name, place in sorted(layout.places.items(), key=lambda each: (each[1].x, each[1].y))
    ]
    lines = [
        Line(edge.parent, edge.child, _path(layout.lines[edge.parent, edge.child]), edge.rule, edge.done)
        for edge in graph.edges
        if (edge.parent, edge.child) in layout.lines
    ]
    used = {line.rule for line in lines}
    return Drawing(
        boxes=boxes,
        lines=lines,
        width=layout.width + 2 * MARGIN,
        height=layout.height + 2 * MARGIN,
        query=urlencode(list(query)),
        structure=structure_of(graph),
        rules=[(rule, RULES[rule]) for rule in TriggerRule if rule in used],
        states=sorted({box.state for box in boxes}),
        of_wave=graph.wave is not None,
    )


def structure_of(graph: ChainGraph) -> str:
    """A short text that changes when jobs or edges come or go."""
    edges = [(edge.parent, edge.child, edge.rule.value) for edge in graph.edges]
    return hashlib.sha256(repr((sorted(graph.nodes), sorted(edges))).encode()).hexdigest()[:16]


def states_of(graph: ChainGraph) -> dict[str, Any]:
    """What changes in a drawing that stays as it is."""
    return {
        "structure": structure_of(graph),
        "nodes": {
            name: {"state": node.state, "paused": node.is_paused, "address": address_of(graph, node)}
            for name, node in graph.nodes.items()
        },
        "edges": [[edge.parent, edge.child, edge.done.value] for edge in graph.edges],
    }


def address_of(graph: ChainGraph, node: ChainNode) -> str:
    """Where a click on a node leads: in a wave to its run, else to the job."""
    if graph.wave is not None and node.run is not None:
        return f"/runs/{node.run.id}"
    return f"/jobs/{quote(node.name, safe='')}"


def short(name: str, longest: int = LONGEST_LABEL) -> str:
    """A name that fits into its box, cut in the middle: chains often share how their names begin."""
    if _wide(name) <= longest:
        return name
    head, tail = "", ""
    for first, last in zip(name, reversed(name), strict=True):
        if _wide(head + first + tail) < longest:
            head += first
        if _wide(head + tail + last) < longest:
            tail = last + tail
    return f"{head}…{tail}"


def _wide(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _few(names: Sequence[str], most: int = 4) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def _ends(edges: Sequence[ChainEdge]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    parents: dict[str, list[str]] = defaultdict(list)
    children: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        parents[edge.child].append(edge.parent)
        children[edge.parent].append(edge.child)
    return parents, children


def _visible(
    graph: ChainGraph,
    parents: Mapping[str, Sequence[str]],
    children: Mapping[str, Sequence[str]],
    folded: Collection[str],
) -> set[str]:
    """What can be come to from a job without parents, not by way of a folded one."""
    pending = [name for name in graph.nodes if not parents[name]]
    visible = set(pending)
    while pending:
        name = pending.pop()
        if name not in folded:
            fresh = [child for child in children[name] if child not in visible]
            visible.update(fresh)
            pending += fresh
    return visible


def _hidden_below(visible: Collection[str], children: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How many jobs are hidden after each visible one."""
    counts = {}
    for name in visible:
        pending = [child for child in children[name] if child not in visible]
        below = set(pending)
        while pending:
            fresh = [child for child in children[pending.pop()] if child not in visible and child not in below]
            below.update(fresh)
            pending += fresh
        counts[name] = len(below)
    return counts


def _fold_address(query: Sequence[tuple[str, str]], opened: Sequence[str], name: str, is_folded: bool) -> str:
    by_hand = [each for each in opened if each != name] if is_folded else [*opened, name]
    return "/chains?" + urlencode([*query, *(("fold", each) for each in by_hand)])


def _path(points: Sequence[Point]) -> str:
    """Bows between the layers, straight on through them, and an arrow head at the end."""
    shifted = [(x + MARGIN, y + MARGIN) for x, y in points]
    (x, y), *rest = shifted
    path = [f"M{x} {y}"]
    for index, (to_x, to_y) in enumerate(rest):
        if index % 2:
            path.append(f"H{to_x}")
        else:
            turn = round((to_x - x) * BEND)
            path.append(f"H{to_x}" if y == to_y else f"C{x + turn} {y} {to_x - turn} {to_y} {to_x} {to_y}")
        x, y = to_x, to_y
    path.append(f"M{x - ARROW} {y - ARROW // 2 - 1}L{x} {y}L{x - ARROW} {y + ARROW // 2 + 1}")
    return "".join(path)
