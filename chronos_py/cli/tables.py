"""Tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table

COLOURS = {"succeeded": "green", "failed": "red", "lost": "red", "running": "blue", "killed": "yellow"}


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Coloured in a terminal, plain and unwrapped elsewhere."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=10_000)
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console.print(table)


def _cell(value: object) -> str:
    text = "" if value is None else str(value).replace("[", "\\[")
    colour = COLOURS.get(text)
    return f"[{colour}]{text}[/{colour}]" if colour else text


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
