"""Constraints: how they are read, what meets them."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronos_py.errors import InvalidDefinition
from chronos_py.model.constraints import (
    Attribute,
    Constraint,
    Operator,
    Ranges,
    are_met,
    placement_of,
    read_attributes,
    read_constraints,
    read_placement,
)
from chronos_py.model.double import double_text
from chronos_py.model.reader import Reader

NODE: dict[str, Attribute] = {
    "hostname": "node-1.example",
    "rack": "a",
    "ssd": "true",
    "class": 3.0,
    "zones": frozenset({"west", "east"}),
    "ports": Ranges("[1000-1500]"),
}


def meets(*constraint: str) -> bool:
    return are_met(read_constraints(Reader({"constraints": [list(constraint)]})), NODE)


@pytest.mark.parametrize(
    ("attribute", "operator", "value", "expected"),
    [
        ("rack", "EQUALS", "a", True),
        ("rack", "EQUALS", "A", False),
        ("rack", "EQUALS", "a.*", False),
        ("missing", "EQUALS", "", False),
        ("class", "EQUALS", "3.0", False),  # a number is no text
        ("zones", "EQUALS", "west", False),
        ("hostname", "EQUALS", "node-1.example", True),
        ("rack", "LIKE", "[ab]", True),
        ("hostname", "LIKE", "node", False),  # the whole of it
        ("hostname", "LIKE", r"node-\d+\..*", True),
        ("class", "LIKE", r"3\.0", True),
        ("class", "LIKE", "3", False),
        ("zones", "LIKE", "w.*", True),
        ("zones", "LIKE", "north", False),
        ("ports", "LIKE", ".*", False),
        ("missing", "LIKE", ".*", False),
        ("rack", "UNLIKE", "b", True),
        ("rack", "UNLIKE", "a", False),
        ("zones", "UNLIKE", "west", False),
        ("zones", "UNLIKE", "north", True),
        ("class", "UNLIKE", r"3\.0", False),
        ("ports", "UNLIKE", "x", False),
        ("missing", "UNLIKE", "x", False),
    ],
)
def test_a_constraint(attribute: str, operator: str, value: str, expected: bool) -> None:
    assert meets(attribute, operator, value) is expected


def test_all_must_hold() -> None:
    both = read_constraints(Reader({"constraints": [["rack", "EQUALS", "a"], ["ssd", "EQUALS", "false"]]}))
    assert are_met(both[:1], NODE)
    assert not are_met(both, NODE)
    assert are_met((), {})


@pytest.mark.parametrize(
    ("constraints", "field", "words"),
    [
        ("rack", "constraints", "a list"),
        ([["rack", "EQUALS", "a"], ["rack", "UNIQUE", "a"]], "constraints[1]", "EQUALS, LIKE, UNLIKE"),
        ([["rack", "equals", "a"]], "constraints[0]", "EQUALS"),
        ([["rack", "LIKE", "(a"]], "constraints[0]", "missing )"),
        ([["rack", "UNLIKE", "(?=a)"]], "constraints[0]", "RE2"),
        ([["rack", "EQUALS"]], "constraints[0]", "three texts"),
        ([["rack", "EQUALS", 3]], "constraints[0]", "three texts"),
        ([["", "EQUALS", "a"]], "constraints[0]", "not empty"),
        ([["rack", "LIKE", "a" * 2000]], "constraints[0]", "1000 characters"),
        ([["rack", "LIKE", "\ud800"]], "constraints[0]", "surrogates"),
        ([["rack", "EQUALS", "a"]] * 51, "constraints", "at most 50"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_field(constraints: Any, field: str, words: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        read_constraints(Reader({"constraints": constraints}))
    assert refused.value.field == field
    assert words in str(refused.value)


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(.*)*x", ".*.*.*.*.*.*.*.*=", "(a?){900}a{900}"])
def test_no_pattern_hangs(pattern: str) -> None:
    began = time.thread_time()
    try:
        constraints = read_constraints(Reader({"constraints": [["rack", "LIKE", pattern]]}))
    except InvalidDefinition:
        pass
    else:
        are_met(constraints, {"rack": "a" * 1000})
    assert time.thread_time() - began < 1


def test_attributes_as_a_setting_gives_them() -> None:
    assert read_attributes("rack:a; ssd:true;cpus_class:3.0;;zones:{a,b};ports:[1-9];url:http://x") == {
        "rack": "a",
        "ssd": "true",
        "cpus_class": 3.0,
        "zones": frozenset({"a", "b"}),
        "ports": Ranges("[1-9]"),
        "url": "http://x",
    }
    assert read_attributes("") == {}


@pytest.mark.parametrize("text", ["rack", "rack:", ":a", "a b:c", "x:" + "y" * 1001])
def test_other_attributes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="attribute"):
        read_attributes(text)


CONSTRAINTS = st.builds(Constraint, st.text(min_size=1), st.sampled_from(list(Operator)), st.text())


@given(st.lists(CONSTRAINTS, max_size=4))
def test_a_placement_says_the_same_in_any_order(constraints: list[Constraint]) -> None:
    placement = placement_of(constraints)
    assert placement == placement_of(reversed(constraints)) == placement_of(constraints + constraints)
    assert set(read_placement(placement)) == set(constraints)
    assert (placement == "") is (not constraints)


@given(st.text(alphabet="ab", min_size=1), st.text(alphabet="ab.*", max_size=5))
def test_unlike_is_the_opposite_of_like_where_the_attribute_is_there(text: str, pattern: str) -> None:
    try:
        like, unlike = (
            read_constraints(Reader({"constraints": [["x", operator, pattern]]})) for operator in ("LIKE", "UNLIKE")
        )
    except InvalidDefinition:
        return
    assert are_met(like, {"x": text}) is not are_met(unlike, {"x": text})
    assert not are_met(unlike, {})


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner, max_size=4), max_leaves=8))
def test_any_value_is_read_or_refused(value: Any) -> None:
    with contextlib.suppress(InvalidDefinition):
        read_constraints(Reader({"constraints": value}))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (128, "128.0"),
        (0.1, "0.1"),
        (0, "0.0"),
        (0.001, "0.001"),
        (0.0001, "1.0E-4"),
        (9999999, "9999999.0"),
        (1e7, "1.0E7"),
        (12345678.5, "1.23456785E7"),
        (-2.5e10, "-2.5E10"),
    ],
)
def test_numbers_as_java_prints_them(number: float, text: str) -> None:
    assert double_text(number) == text
