"""What a report is made of, before it is a page: sections of paragraphs, tables and figures.

The page, the Markdown, the JSON and the cards are written from the same sections, so they cannot disagree about a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from snow.report.format import cell


@dataclass(frozen=True)
class Column:
    """A column: its key in tables.json, its heading, and the kind of quantity it holds (see `snow.report.format.KINDS`)."""

    key: str
    label: str
    kind: str = "count"


@dataclass(frozen=True)
class Table:
    """A table of raw values; None is a fact that was not measured. `strong` rows (by index) are totals or the run's own."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    notes: tuple[str, ...] = ()
    strong: frozenset[int] = frozenset()
    folded: bool = False  # long reference material: closed on the page until asked for

    def written(self) -> Iterator[list[str]]:
        """The rows as people read them."""
        for row in self.rows:
            yield [cell(value, column.kind) for value, column in zip(row, self.columns, strict=True)]

    def as_json(self) -> dict[str, Any]:
        """The table for programs: the raw values, keyed; null where not measured."""
        columns = [{"key": column.key, "label": column.label, "kind": column.kind} for column in self.columns]
        rows = [dict(zip((column.key for column in self.columns), row, strict=True)) for row in self.rows]
        return {"name": self.name, "title": self.title, "columns": columns, "rows": rows, "notes": list(self.notes)}


@dataclass(frozen=True)
class Figure:
    """One chart, or several small ones side by side, and the sentence that says what to see in it."""

    title: str
    charts: tuple[Element, ...]
    caption: str


@dataclass(frozen=True)
class Section:
    """A heading with its paragraphs (plain text), tables and figures in reading order."""

    anchor: str
    title: str
    blocks: Sequence[str | Table | Figure]


def tables_of(sections: Iterable[Section]) -> list[Table]:
    """Every table, in reading order."""
    return [block for section in sections for block in section.blocks if isinstance(block, Table)]
