"""What docs/deploy.md and docs/failures.md quote is what the product says, to the letter."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Words of others that we pass on: PostgreSQL's, the Docker Engine's.
OF_OTHERS = {"too many clients", "on node2: No such image"}
# A number in an example stands for any number.
NUMBER = re.compile(r"\b\d+\b")


@cache
def said() -> str:
    """Every text in the program and the pages; what is filled in is left out."""
    texts = [_without_tags(page.read_text()) for page in (ROOT / "templates").rglob("*.html")]
    for module in (ROOT / "chronos_py").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.JoinedStr):
                texts.append("".join(part.value if isinstance(part, ast.Constant) else "\\0" for part in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return re.sub(r"\s+", " ", "\n".join(texts))


def _without_tags(text: str) -> str:
    return re.sub(r"<[^>]*>|\{[{%#].*?[}%#]\}", " ", text)


def quoted(page: str) -> list[str]:
    """What the rows of a page's tables have in quotes, without markup."""
    rows = [line for line in (ROOT / "docs" / page).read_text().splitlines() if line.startswith("| ")]
    found = [words for row in rows for words in re.findall(r'"([^"]+)"', row)]
    assert len(found) > 5
    return found


def fragments(words: str) -> list[str]:
    """The parts between what is filled in, each as it must occur."""
    parts = re.split(r"\.\.\.|…", NUMBER.sub("...", words))
    return [part.strip(" :;,") for part in parts if part.strip(" :;,.")]


@pytest.mark.parametrize("name", ["deploy.md", "failures.md"])
def test_what_the_tables_quote_is_said(name: str) -> None:
    missing = [
        (words, part)
        for words in quoted(name)
        if words not in OF_OTHERS
        for part in fragments(words)
        if part not in said()
    ]
    assert missing == []
