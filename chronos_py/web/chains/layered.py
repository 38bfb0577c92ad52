"""Drawings of graphs without cycles, in layers from left to right. Pure, and the same for the same graph.

Four steps: every node comes one layer after its last parent; an edge over several layers gets a waypoint in each
of them, which the long edges of one parent share; the order within the layers is improved until few lines cross;
then every layer is moved up and down towards its neighbours, as far as nothing overlaps. Parts without a
connection are drawn by themselves and put side by side.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from chronos_py.model.chain import connected, parents_first

WIDTH, HEIGHT = 232, 46  # of a node
GAP_ACROSS, GAP_DOWN = 84, 16  # between layers, and between what is above each other
THIN = 6  # the height of a waypoint
GAP_PARTS = 40
SWEEPS = 12
# How much wider than high a drawing of several parts becomes, if none is wider.
SHAPE = 1.8

Edge = tuple[str, str]
Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the upper left corner of a node is, and in which layer of its part."""

    x: int
    y: int
    layer: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is.

    ``lines`` has for every edge the points that it goes through, from the right side of the parent to the left side
    of the child: where there are more than two, those between come in pairs, the ends of a level stretch.
    """

    places: Mapping[str, Place]
    lines: Mapping[Edge, Sequence[Point]]
    width: int
    height: int


def lay_out(names: Iterable[str], edges: Iterable[Edge]) -> Layout:
    """A drawing of these nodes; edges from or to others are left out."""
    known = sorted(set(names))
    within = set(known)
    edges = sorted({edge for edge in edges if within.issuperset(edge)})
    edges_of: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        edges_of[edge[0]].append(edge)
    parts = [
        _Part(part, [edge for name in part for edge in edges_of[name]]).layout() for part in connected(known, edges)
    ]
    return _side_by_side(parts)


def layers_of(names: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """One layer after the last parent each; what has no parent comes right before its first child."""
    parents: dict[str, list[str]] = {name: [] for name in names}
    children: dict[str, list[str]] = {name: [] for name in names}
    for parent, child in edges:
        parents[child].append(parent)
        children[parent].append(child)
    layer: dict[str, int] = {}
    for name in parents_first(parents):
        layer[name] = max((layer[parent] + 1 for parent in parents[name]), default=0)
    for name in names:
        if not parents[name] and children[name]:
            layer[name] = min(layer[child] for child in children[name]) - 1
    return layer


class _Part:
    """One connected part while it is laid out. Items are its nodes and waypoints, as numbers."""

    def __init__(self, names: Sequence[str], edges: Sequence[Edge]) -> None:
        self._names = names
        self._edges = edges
        self._layer = layers_of(names, edges)
        self._layer_of: list[int] = []
        self._height: list[int] = []
        self._before: list[list[int]] = []
        self._after: list[list[int]] = []
        self._item = {name: self._add(self._layer[name], HEIGHT) for name in names}
        self._waypoints: dict[str, list[int]] = {}
        for name, furthest in self._furthest().items():
            self._waypoints[name] = [self._add(layer, THIN) for layer in range(self._layer[name] + 1, furthest)]
            for first, second in pairwise((self._item[name], *self._waypoints[name])):
                self._link(first, second)
        for parent, child in edges:
            self._link(self._way(parent, child)[-1], self._item[child])

    def _furthest(self) -> dict[str, int]:
        furthest: dict[str, int] = {}
        for parent, child in self._edges:
            furthest[parent] = max(furthest.get(parent, 0), self._layer[child])
        return furthest

    def _add(self, layer: int, height: int) -> int:
        self._layer_of.append(layer)
        self._height.append(height)
        self._before.append([])
        self._after.append([])
        return len(self._height) - 1

    def _link(self, first: int, second: int) -> None:
        self._after[first].append(second)
        self._before[second].append(first)

    def _way(self, parent: str, child: str) -> list[int]:
        """The items that an edge passes before it comes to the child."""
        return [self._item[parent], *self._waypoints[parent][: self._layer[child] - self._layer[parent] - 1]]

    def layout(self) -> Layout:
        layers = self._ordered()
        middle = self._heights(layers)
        step = WIDTH + GAP_ACROSS
        places = {
            name: Place(self._layer[name] * step, round(middle[item]) - HEIGHT // 2, self._layer[name])
            for name, item in self._item.items()
        }
        lines: dict[Edge, Sequence[Point]] = {}
        for parent, child in self._edges:
            first, *between = self._way(parent, child)
            points = [(self._layer[parent] * step + WIDTH, round(middle[first]))]
            for item in between:
                x, y = self._layer_of[item] * step, round(middle[item])
                points += [(x, y), (x + WIDTH, y)]
            points.append((self._layer[child] * step, round(middle[self._item[child]])))
            lines[parent, child] = points
        lowest = max(
            *(place.y + HEIGHT for place in places.values()), *(y for points in lines.values() for _, y in points), 0
        )
        return Layout(places, lines, max(self._layer_of) * step + WIDTH, lowest)

    def _ordered(self) -> list[list[int]]:
        """The items of each layer from top to bottom: the best of several sweeps there and back."""
        layers = self._as_met()
        best, fewest = [list(layer) for layer in layers], self._crossings(layers)
        for sweep in range(SWEEPS):
            if not fewest:
                break
            forth = sweep % 2 == 0
            near = self._before if forth else self._after
            for layer in layers[1:] if forth else layers[-2::-1]:
                place = {item: index for other in layers for index, item in enumerate(other)}
                wish = {item: _mean([place[each] for each in near[item]], place[item]) for item in layer}
                layer.sort(key=lambda item: (wish[item], place[item]))
            crossings = self._crossings(layers)
            if crossings < fewest:
                best, fewest = [list(layer) for layer in layers], crossings
        return best

    def _as_met(self) -> list[list[int]]:
        """The items of each layer in the order in which a walk along the edges meets them."""
        layers: list[list[int]] = [[] for _ in range(max(self._layer_of) + 1)]
        seen: set[int] = set()
        stack = [item for item in reversed(range(len(self._height))) if not self._before[item]]
        while stack:
            item = stack.pop()
            if item not in seen:
                seen.add(item)
                layers[self._layer_of[item]].append(item)
                stack.extend(reversed(self._after[item]))
        return layers

    def _crossings(self, layers: Sequence[Sequence[int]]) -> int:
        """How many pairs of lines cross between neighbouring layers."""
        count = 0
        for layer, following in pairwise(layers):
            place = {item: index for index, item in enumerate(following)}
            passed: list[int] = []
            for item in layer:
                ends = sorted(place[each] for each in self._after[item])
                count += sum(len(passed) - bisect_right(passed, end) for end in ends)
                for end in ends:
                    insort(passed, end)
        return count

    def _heights(self, layers: Sequence[Sequence[int]]) -> list[float]:
        """How far down the middle of each item is, from 0."""
        middle = [0.0] * len(self._height)
        for layer in layers:
            for item, at in zip(layer, self._settled([0.0] * len(layer), layer), strict=True):
                middle[item] = at
        for sweep in range(SWEEPS):
            forth = sweep % 2 == 0
            near, other = (self._before, self._after) if forth else (self._after, self._before)
            for layer in layers if forth else reversed(layers):
                wished = [_mean([middle[each] for each in near[item] or other[item]], middle[item]) for item in layer]
                for item, at in zip(layer, self._settled(wished, layer), strict=True):
                    middle[item] = at
        highest = min(at - self._height[item] / 2 for item, at in enumerate(middle))
        return [at - highest for at in middle]

    def _settled(self, wished: Sequence[float], layer: Sequence[int]) -> list[float]:
        """The places nearest to the wished ones (least squares) that keep the order and the gaps.

        Without the gaps that is the nearest rising line: neighbours in the wrong order share their mean.
        """
        offset, offsets = 0.0, [0.0]
        for above, below in pairwise(layer):
            offset += (self._height[above] + self._height[below]) / 2 + GAP_DOWN
            offsets.append(offset)
        blocks: list[tuple[float, int]] = []
        for wish, offset in zip(wished, offsets, strict=False):
            total, count = wish - offset, 1
            while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
                more, number = blocks.pop()
                total, count = total + more, count + number
            blocks.append((total, count))
        level = [total / count for total, count in blocks for _ in range(count)]
        return [at + offset for at, offset in zip(level, offsets, strict=False)]


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _side_by_side(parts: Sequence[Layout]) -> Layout:
    """Several drawings as one, on shelves from top to bottom."""
    if not parts:
        return Layout({}, {}, 0, 0)
    area = sum((part.width + GAP_PARTS) * (part.height + GAP_PARTS) for part in parts)
    most = max(*(part.width for part in parts), int((area * SHAPE) ** 0.5))
    places: dict[str, Place] = {}
    lines: dict[Edge, Sequence[Point]] = {}
    left = top = shelf = width = 0
    for part in parts:
        if left and left + part.width > most:
            left, top, shelf = 0, top + shelf + GAP_PARTS, 0
        for name, place in part.places.items():
            places[name] = Place(place.x + left, place.y + top, place.layer)
        for edge, points in part.lines.items():
            lines[edge] = [(x + left, y + top) for x, y in points]
        width, shelf = max(width, left + part.width), max(shelf, part.height)
        left += part.width + GAP_PARTS
    return Layout(places, lines, width, top + shelf)
