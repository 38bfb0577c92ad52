"""The original's task ids: written and read back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronos_py.model.task_id import TaskId, format_task_id, parse_task_id

MOMENT = datetime(2026, 3, 1, 12, 0, 0, 123999, tzinfo=UTC)
NAMES = st.from_regex(r"[A-Za-z0-9_ .#-]+", fullmatch=True)


def test_it_has_the_form_of_the_original() -> None:
    assert format_task_id(MOMENT, 1, "load sales", "a b") == "ct:1772366400123:0:load sales:a b"


def test_the_last_colon_is_always_written() -> None:
    assert format_task_id(MOMENT, 3, "load", "") == "ct:1772366400123:2:load:"


def test_semicolons_are_left_out() -> None:
    assert format_task_id(MOMENT, 1, "load", "x; rm -r y") == "ct:1772366400123:0:load:x rm -r y"


def test_the_zone_of_the_time_does_not_matter() -> None:
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert format_task_id(elsewhere, 1, "load", "") == format_task_id(MOMENT, 1, "load", "")


@given(
    moment=st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9000, 1, 1), timezones=st.just(UTC)),
    number=st.integers(1, 10**6),
    name=NAMES,
    arguments=st.text().filter(lambda text: ";" not in text and "\x00" not in text),
)
def test_what_is_written_is_read_back(moment: datetime, number: int, name: str, arguments: str) -> None:
    parsed = parse_task_id(format_task_id(moment, number, name, arguments))
    assert parsed is not None
    assert (parsed.attempt_number, parsed.job_name, parsed.arguments) == (number, name, arguments)
    assert abs(parsed.milliseconds / 1000 - moment.timestamp()) < 0.002


def test_an_id_without_its_last_colon_is_read() -> None:
    assert parse_task_id("ct:1420843781398:0:load") == TaskId(1420843781398, 1, "load", "")


@pytest.mark.parametrize("text", ["", "ct:", "ct:x:0:load:", "ct:1:-1:load:", "load", "ct:1:0::", "ct:1:0:a/b:"])
def test_other_texts_are_no_ids(text: str) -> None:
    assert parse_task_id(text) is None


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    parse_task_id(text)
