"""What a report is made of, before it is a page: sections of paragraphs, tables and figures.

The page, the Markdown, the JSON and the cards are written from the same sections, so they cannot disagree about a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from snow.report.format import INAPPLICABLE, cell


@dataclass(frozen=True)
class Column:
    """A column: its key in tables.json, its heading, the kind of quantity it holds (see `snow.report.format.KINDS`), and the
    heading it shares with its neighbours, if any."""

    key: str
    label: str
    kind: str = "count"
    group: str = ""

    @property
    def full_label(self) -> str:
        """The heading where there is one row of them."""
        return f"{self.group}: {self.label}" if self.group else self.label


def columns(kind: str, group: str = "", /, **labels: str) -> list[Column]:
    """Neighbouring columns of one kind, their headings by key."""
    return [Column(key, label, kind, group) for key, label in labels.items()]


@dataclass(frozen=True)
class Table:
    """A table of raw values; None is a fact that was not measured, INAPPLICABLE one the row cannot have.

    `strong` rows (by index) are those to look at first; a `folded` table stays closed on the page until asked for.
    """

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    notes: Sequence[str] = ()
    strong: frozenset[int] = frozenset()
    folded: bool = False

    def written(self) -> Iterator[list[str]]:
        """The rows as people read them."""
        for row in self.rows:
            yield [cell(value, column.kind) for value, column in zip(row, self.columns, strict=True)]

    def as_json(self) -> dict[str, Any]:
        """The table for programs: the raw values, keyed; null where there is none."""
        columns = [{"key": column.key, "label": column.full_label, "kind": column.kind} for column in self.columns]
        keys = [column.key for column in self.columns]
        rows = [{key: None if value == INAPPLICABLE else value for key, value in zip(keys, row, strict=True)} for row in self.rows]
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
