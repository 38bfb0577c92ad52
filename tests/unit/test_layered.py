"""Drawings of chains: every edge leads to the right, nothing overlaps, the same graph looks the same."""

from __future__ import annotations

from itertools import combinations, pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from chronos_py.model.chain import connected
from chronos_py.web.chains.layered import GAP_DOWN, HEIGHT, WIDTH, Edge, Layout, lay_out

NAMES = [f"job {number:02}" for number in range(14)]


@some.composite
def graphs(draw: some.DrawFn) -> tuple[list[str], list[Edge]]:
    """Any graph without cycles: edges go from earlier to later names."""
    names = draw(some.lists(some.sampled_from(NAMES), min_size=1, unique=True).map(sorted))
    pairs = list(combinations(names, 2))
    edges = draw(some.lists(some.sampled_from(pairs), unique=True, max_size=30)) if pairs else []
    return names, edges


@given(graphs())
def test_every_edge_leads_to_the_right(graph: tuple[list[str], list[Edge]]) -> None:
    names, edges = graph
    layout = lay_out(names, edges)
    assert set(layout.places) == set(names)
    for parent, child in edges:
        assert layout.places[parent].x + WIDTH < layout.places[child].x
        points = layout.lines[parent, child]
        assert points[0] == (layout.places[parent].x + WIDTH, layout.places[parent].y + HEIGHT // 2)
        assert points[-1] == (layout.places[child].x, layout.places[child].y + HEIGHT // 2)
        assert all(first[0] < second[0] for first, second in pairwise(points))


@given(graphs())
def test_nothing_overlaps_and_all_is_inside(graph: tuple[list[str], list[Edge]]) -> None:
    layout = lay_out(*graph)
    for one, other in combinations(layout.places.values(), 2):
        assert abs(one.x - other.x) >= WIDTH or abs(one.y - other.y) >= HEIGHT + GAP_DOWN - 2
    for place in layout.places.values():
        assert 0 <= place.x <= layout.width - WIDTH
        assert 0 <= place.y <= layout.height - HEIGHT
    for points in layout.lines.values():
        assert all(0 <= x <= layout.width and -1 <= y <= layout.height for x, y in points)


@given(graphs())
def test_no_line_goes_through_a_job(graph: tuple[list[str], list[Edge]]) -> None:
    layout = lay_out(*graph)
    for points in layout.lines.values():
        for (x, y), (_, level) in zip(points[1:-1:2], points[2:-1:2], strict=True):
            assert y == level
            assert all(
                place.x != x or not place.y - 2 <= y <= place.y + HEIGHT + 2 for place in layout.places.values()
            )


@given(graphs(), some.randoms(use_true_random=False))
def test_the_same_graph_looks_the_same(graph: tuple[list[str], list[Edge]], random: Random) -> None:
    names, edges = graph
    before = lay_out(names, edges)
    random.shuffle(names)
    random.shuffle(edges)
    assert lay_out(names, edges) == before


def crossings(layout: Layout) -> int:
    """Pairs of short lines that cross."""
    ends = [(points[0], points[-1]) for points in layout.lines.values()]
    return sum(
        first[0] == second[0] and (first[0][1] - second[0][1]) * (first[1][1] - second[1][1]) < 0
        for first, second in combinations(ends, 2)
    )


def test_a_tangle_is_undone() -> None:
    tops, bottoms = [f"a{number}" for number in range(8)], [f"b{7 - number}" for number in range(8)]
    edges = [*zip(tops, bottoms, strict=True), *zip(tops[:-1], bottoms[1:], strict=True)]
    assert crossings(lay_out([*tops, *bottoms], edges)) == 0


def test_a_straight_chain_is_a_straight_line() -> None:
    names = list("abcdef")
    layout = lay_out(names, list(pairwise(names)))
    assert {place.y for place in layout.places.values()} == {0}


def test_a_parent_stands_right_before_its_first_child() -> None:
    layout = lay_out("abcz", [("a", "b"), ("b", "c"), ("z", "c")])
    assert layout.places["z"].layer == layout.places["b"].layer


def test_parts_stand_side_by_side_the_largest_first() -> None:
    assert connected("abcde", [("d", "e"), ("e", "c")]) == [["c", "d", "e"], ["a"], ["b"]]
    layout = lay_out("abcde", [("d", "e"), ("e", "c")])
    assert layout.places["d"].y < layout.places["a"].y


@pytest.mark.parametrize("names", ["", "a"])
def test_small_ones(names: str) -> None:
    layout = lay_out(names, [])
    assert (layout.width, layout.height) == ((WIDTH, HEIGHT) if names else (0, 0))


@settings(max_examples=1)
@given(some.just(500))
def test_a_large_one_keeps_its_promises(count: int) -> None:
    names = [f"{number:03}" for number in range(count)]
    edges = [(names[(number * 7) // 10], names[number]) for number in range(1, count)]
    edges += [(names[number - 60], names[number]) for number in range(60, count, 5)]
    layout = lay_out(names, edges)
    assert all(layout.places[parent].x < layout.places[child].x for parent, child in edges)
