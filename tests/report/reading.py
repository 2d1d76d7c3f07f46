"""A report built from recorded receipts, and its page and tables as a reader has them."""

from __future__ import annotations

import json
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import recorded

from snow import sealed
from snow.job import Job
from snow.report import stage

VOID = {"meta", "br", "hr", "link", "img", "input"}


def build(folder: Path, inputs: dict[str, tuple[Path, ...]], title: str = "Pocket run", name: str = "report", values: Any = None) -> Path:
    params = recorded.view(recorded.declared(values))
    params.report = params.report.model_copy(update={"title": title})
    facts = stage.run(Job("all", params, inputs, {"report": folder / name}, 1, folder / "work", "key"))
    assert facts["receipts"] == len(inputs["receipts"])
    return folder / name


def tables(report: Path) -> dict[str, list[dict[str, Any]]]:
    return {table["name"]: table["rows"] for table in json.loads((report / "tables.json").read_text())["tables"]}


class Page(HTMLParser):
    """The parsed page: its tags, attributes, visible text, and tables by id as rows of cell texts. Unbalanced tags fail."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.tables: dict[str, list[list[str]]] = {}
        self._table = ""
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        given = dict(attrs).get("id") or ""
        if given.startswith("table-"):
            self._table = given.removeprefix("table-")
            self.tables[self._table] = []
        if tag == "tr" and self._table:
            self.tables[self._table].append([])
        if tag in ("td", "th") and self._table:
            self.tables[self._table][-1].append("")

    def handle_endtag(self, tag):
        assert self.open[-1:] == [tag], f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.text += data
        if self.open and self.open[-1] in ("td", "th") and self._table:
            self.tables[self._table][-1][-1] += data


def read_page(report: Path) -> Page:
    return Page((report / "index.html").read_text(encoding="utf-8"))


def change(path: Path, edit) -> None:
    receipt = json.loads(path.read_text())
    edit(receipt)
    path.write_bytes(sealed.dump(receipt))


def receipt_of(inputs: dict[str, tuple[Path, ...]], name: str) -> Path:
    return next(path for path in inputs["receipts"] if path.as_posix().endswith(f"receipts/{name}.json"))
