"""Lists of objects as rows of a form. A row has the number of the item that it shows; new rows have higher ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from chronos_py.web.form.document_path import put
from chronos_py.web.form.fields import Field, Flag, Form, Reading

Item = dict[str, Any]

_NUMBER = re.compile(r"\d{1,6}")


def _object(item: Any) -> Item | None:
    return item if isinstance(item, dict) else None


def _same(item: Item) -> Any:
    return item


@dataclass(frozen=True)
class Row:
    """A row as the form shows it: its cells with the names and values of their fields; or a spare one to fill."""

    number: str
    cells: Sequence[tuple[Field, str, str]]
    is_spare: bool = False


@dataclass(frozen=True)
class Rows(Field):
    """A list whose items have a row each.

    ``to_cells`` makes an object of an item, None for one that no row can show, which stays as it is; ``from_cells``
    makes the item again. What a row does not show of its item stays too.
    """

    cells: tuple[Field, ...] = ()
    one: str = "row"
    to_cells: Callable[[Any], Item | None] = _object
    from_cells: Callable[[Item], Any] = _same

    widget = "rows"

    def items(self, value: Any) -> list[Any] | None:
        """The items of a value, None for one that is no list of them."""
        return list(value) if isinstance(value, list) else [] if value is None else None

    def joined(self, items: list[Any]) -> Any:
        return items

    def values(self, document: Mapping[str, Any]) -> dict[str, str]:
        items = self.items(self.value_in(document)) or []
        values = {f"{self.name}.rows": str(len(items))}
        for number, item in enumerate(items):
            cells = self.to_cells(item)
            if cells is not None:
                values |= self._row_values(number, cells)
        return values

    def _row_values(self, number: int, cells: Mapping[str, Any]) -> dict[str, str]:
        return {
            f"{self.name}.{number}.{name}": text for cell in self.cells for name, text in cell.values(cells).items()
        }

    def numbers(self, form: Form) -> list[int]:
        """The rows that a form has, in order."""
        prefix = f"{self.name}."
        parts = (name.removeprefix(prefix).partition(".")[0] for name in form if name.startswith(prefix))
        return sorted({int(part) for part in parts if _NUMBER.fullmatch(part)})

    def rows(self, form: Form, spare: int = 1) -> list[Row]:
        """The rows of a form as it is shown: those of the document, those that say something, and some to fill.

        An item of the document may say nothing that a row shows; without its row it would be lost.
        """
        length = self._length(form)
        filled = [number for number in self.numbers(form) if number < length or not self._is_blank(form, number)]
        following = max((*filled, length - 1), default=-1) + 1
        spares = [self.row(form, number, is_spare=True) for number in range(following, following + spare)]
        return [*(self.row(form, number) for number in filled), *spares]

    def row(self, form: Form, number: int | str, is_spare: bool = False) -> Row:
        """One row; that of ``#`` is what a module makes new ones of."""
        names = [(cell, f"{self.name}.{number}.{cell.name}") for cell in self.cells]
        return Row(str(number), [(cell, name, form.get(name, "")) for cell, name in names], is_spare)

    def _length(self, form: Form) -> int:
        """How many items the document has that the form was made of: new rows come after them."""
        text = form.get(f"{self.name}.rows", "")
        return int(text) if _NUMBER.fullmatch(text) else 0

    def _is_blank(self, form: Form, number: int) -> bool:
        texts = [cell for cell in self.cells if not isinstance(cell, Flag) and cell.widget != "choice"]
        return not any(form.get(f"{self.name}.{number}.{cell.name}", "").strip() for cell in texts)

    def read(self, form: Form, reading: Reading) -> None:
        before = self.items(self.value_in(reading.document))
        known = before or []
        numbers = self.numbers(form)
        if f"{self.name}.rows" not in form and not numbers:
            return
        items: list[Any] = []
        rows: list[int] = []
        for number, item in enumerate(known):
            cells = self.to_cells(item)
            if cells is None:
                items.append(item)
                rows.append(-1)
            elif number in numbers:
                self._read_row(form, number, item, cells, reading, items, rows)
        for number in numbers:
            if number >= len(known):
                self._read_row(form, number, None, {}, reading, items, rows)
        reading.rows[self.name] = rows
        if items != before and not (before is None and not items):
            put(reading.document, self.name, self.joined(items))

    def _read_row(
        self, form: Form, number: int, item: Any, cells: Item, reading: Reading, items: list[Any], rows: list[int]
    ) -> None:
        if self._is_blank(form, number) and not (item is not None and self._is_untouched(form, number, cells)):
            return
        prefix = f"{self.name}.{number}."
        typed = {name.removeprefix(prefix): text for name, text in form.items() if name.startswith(prefix)}
        row = Reading(deepcopy(cells))
        for cell in self.cells:
            cell.read(typed, row)
        reading.problems |= {f"{prefix}{name}": sentence for name, sentence in row.problems.items()}
        items.append(item if item is not None and row.document == cells else self.from_cells(row.document))
        rows.append(number)

    def _is_untouched(self, form: Form, number: int, cells: Item) -> bool:
        shown = self._row_values(number, cells)
        pairs = [(cell, f"{self.name}.{number}.{cell.name}") for cell in self.cells]
        return all(cell.is_same(form.get(name, ""), shown[name]) for cell, name in pairs if name in form)


@dataclass(frozen=True)
class Members(Rows):
    """An object of texts, a row for each member."""

    cells: tuple[Field, ...] = field(default_factory=tuple)

    def items(self, value: Any) -> list[Any] | None:
        if isinstance(value, Mapping):
            return [{"key": key, "value": text} for key, text in value.items()]
        return [] if value is None else None

    def read(self, form: Form, reading: Reading) -> None:
        super().read(form, reading)
        seen: set[str] = set()
        for number in reading.rows.get(self.name, []):
            name = f"{self.name}.{number}.key"
            key = form.get(name, "").strip()
            if key in seen:
                reading.problems[name] = f'{self.name} has the key "{key}" twice; give each one value.'
            seen.add(key)

    def joined(self, items: list[Any]) -> Any:
        return {item.get("key", ""): item.get("value", "") for item in items}
