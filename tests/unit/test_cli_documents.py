"""What the documentation lists is what there is."""

from __future__ import annotations

import re
from pathlib import Path

from chronos_py.config import OPTIONS
from chronos_py.model.document import DEFAULTS

DOCS = Path(__file__).parents[2] / "docs"


def first_cells(page: str) -> set[str]:
    """What is set in code in the first cell of the rows of a page's tables."""
    rows = [line for line in (DOCS / page).read_text().splitlines() if line.startswith("| `")]
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row.split("|")[1])}


def test_every_option_of_the_server_is_told_of() -> None:
    told = {name for name in first_cells("configuration.md") if not name.startswith("--")}  # those of the original
    assert told == {option.flag.removeprefix("--") for option in OPTIONS}


def test_every_field_of_a_job_is_told_of() -> None:
    text = (DOCS / "jobs.md").read_text()
    assert [name for name in DEFAULTS if f"`{name}`" not in text] == []
