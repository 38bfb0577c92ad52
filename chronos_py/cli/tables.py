"""Tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

COLOURS = {"succeeded": "green", "failed": "red", "lost": "red", "running": "blue", "killed": "yellow"}


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows under the names of their columns."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    _print(table, rows)


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """One thing, a field in each line; those without a value are left out."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    _print(table, (field for field in fields if field[1] not in (None, "")))


def _print(table: Table, rows: Iterable[Sequence[object]]) -> None:
    """Coloured in a terminal, plain and unwrapped elsewhere."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=10_000)
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console.print(table)


def _cell(value: object) -> Text:
    """Text as it is: what people write into jobs is no markup."""
    text = "" if value is None else str(value)
    return Text(text, style=COLOURS.get(text, ""))


def moment(text: str | None) -> str:
    """An ISO 8601 time in this machine's zone, to the second."""
    if not text:
        return "-"
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(started: str | None, finished: str | None) -> str:
    if not started or not finished:
        return "-"
    seconds = (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()
    return f"{seconds:.1f} s"
