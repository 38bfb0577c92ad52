"""Reading what a task leaves for its children."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chronos_py.model.outputs import LIMIT, Outputs, parent_variables, read_outputs

keys = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True)
values = st.text(st.characters(codec="utf-8", exclude_characters="\n\0"), max_size=40).filter(
    lambda value: not value.endswith("\r")
)


@given(st.binary(max_size=500))
@example(b"\xff\xfe")
@example(b"=\n==\n\0\n\r\n")
def test_any_bytes_give_outputs(data: bytes) -> None:
    outputs = read_outputs(data)
    assert all(parent_variables("parent", outputs.values))
    assert "\n" not in outputs.warning
    assert outputs.warning == "" or outputs.warning.endswith(".")


@given(st.lists(st.one_of(st.binary(max_size=10), st.sampled_from([b"A=1", b"\n", b"\r\n", b"=", b"#", b"\0"]))))
def test_any_pieces_of_lines_give_outputs(pieces: list[bytes]) -> None:
    for value in read_outputs(b"".join(pieces)).values.values():
        assert not {"\n", "\0"} & set(value)


@given(st.dictionaries(keys, values, max_size=20), st.sampled_from(["\n", "\r\n"]))
def test_reading_is_the_inverse_of_writing(written: dict[str, str], line_end: str) -> None:
    text = "".join(f"{key}={value}{line_end}" for key, value in written.items())
    assert read_outputs(text.encode()) == Outputs(written)


@given(
    st.dictionaries(keys, values, max_size=5), st.sampled_from([b"no equals sign", b"1A=x", b"A=\0", b"=x", b"a b=c"])
)
def test_a_bad_line_costs_only_itself(written: dict[str, str], bad: bytes) -> None:
    good = [f"{key}={value}".encode() for key, value in written.items()]
    for place in range(len(good) + 1):
        outputs = read_outputs(b"\n".join([*good[:place], bad, *good[place:]]))
        assert outputs.values == written
        assert outputs.warning.startswith(f"1 line was left out of the task's outputs: line {place + 1} has")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", {}),
        (b"A=1", {"A": "1"}),
        (b"\n \n\t\r\n# A=0\n#\nA=1\n", {"A": "1"}),
        (b"A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        (b"A=1\nA=2\n", {"A": "2"}),
        (b"A=\n", {"A": ""}),
        (b"A=x=y==\n", {"A": "x=y=="}),
        (b'A= "two words" # no comment\n', {"A": ' "two words" # no comment'}),
        ("A=Grüße\u2028你好\n".encode(), {"A": "Grüße\u2028你好"}),
        (b"A=one\rtwo\x0bthree\x1c\n", {"A": "one\rtwo\x0bthree\x1c"}),
        (b"_a9=1\n", {"_a9": "1"}),
    ],
)
def test_reads_lines_as_they_are(data: bytes, expected: dict[str, str]) -> None:
    assert read_outputs(data) == Outputs(expected)


def test_takes_just_64_kib() -> None:
    data = b"A=" + b"x" * (LIMIT - 2)
    assert read_outputs(data) == Outputs({"A": "x" * (LIMIT - 2)})
    assert read_outputs(data + b"\n") == Outputs(
        {}, "Nothing of the task's outputs was taken: they have more than 65536 bytes (64 KiB)."
    )


def test_takes_nothing_of_what_is_not_utf_8() -> None:
    assert read_outputs(b"A=1\nB=\xff\n") == Outputs(
        {}, "Nothing of the task's outputs was taken: byte 7 of them is not UTF-8."
    )


def test_says_what_was_left_out_and_why() -> None:
    data = b"A=1\nhunter2\n2B=3\nSECRET=a\0b\nword\nword\nC=4\n"
    outputs = read_outputs(data)
    assert outputs.values == {"A": "1", "C": "4"}
    assert outputs.warning == (
        "5 lines were left out of the task's outputs: line 2 has no \"=\"; line 3 has the key '2B', which must be "
        "letters, digits and _ and must not begin with a digit; line 4 has a NUL character in the value of 'SECRET'; "
        "and 2 more."
    )


def test_a_warning_stays_short() -> None:
    assert len(read_outputs(b"\n".join([b"-" * 9_000 + b"=x"] * 7)).warning) < 600


@pytest.mark.parametrize("key", ["ä", "A-B", "A B", " A", "A ", "", "9", "A.B", "\ufeffA", "١"])
def test_refuses_keys_that_shells_would(key: str) -> None:
    outputs = read_outputs(f"{key}=1\n".encode())
    assert outputs.values == {}
    assert "has the key" in outputs.warning


@pytest.mark.parametrize(
    ("parent", "variable"),
    [
        ("load", "CHRONOS_PARENT_LOAD_ROWS"),
        ("Load-orders.v2 daily", "CHRONOS_PARENT_LOAD_ORDERS_V2_DAILY_ROWS"),
        ("größe", "CHRONOS_PARENT_GR_SSE_ROWS"),
        ("你好", "CHRONOS_PARENT____ROWS"),
        ("2load", "CHRONOS_PARENT_2LOAD_ROWS"),
    ],
)
def test_names_the_variables_of_a_child(parent: str, variable: str) -> None:
    assert parent_variables(parent, {"rows": "5"}) == {variable: "5"}


def test_of_keys_that_differ_in_case_the_later_counts() -> None:
    outputs = read_outputs(b"a=1\nA=2\na=3\n")
    assert outputs.values == {"a": "3", "A": "2"}
    assert parent_variables("p", outputs.values) == {"CHRONOS_PARENT_P_A": "3"}


@given(st.text(min_size=1, max_size=20), st.dictionaries(keys, values, max_size=5))
def test_the_variables_can_be_set_by_any_shell(parent: str, given_values: dict[str, str]) -> None:
    for variable, value in parent_variables(parent, given_values).items():
        assert variable.isascii()
        assert variable.replace("_", "A").isalnum()
        assert variable.upper() == variable
        assert value in given_values.values()
