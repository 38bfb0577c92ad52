"""The commands in docs/deploy.md."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "deploy.md"


def section(title: str) -> str:
    """What the page says below a heading."""
    (text,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return str(text)


def blocks(title: str) -> list[str]:
    """The indented blocks below a heading."""
    found = re.findall(r"(?:^    .*\n|^\n(?=    ))+", section(title), re.MULTILINE)
    return [textwrap.dedent(block).strip("\n") for block in found]


def commands_of(title: str, beginnings: tuple[str, ...]) -> Iterator[str]:
    """The blocks below a heading that begin with one of ``beginnings``, which are never none."""
    chosen = [block for block in blocks(title) if block.startswith(beginnings)]
    assert chosen, f"no {beginnings} below {title}"
    yield from chosen
