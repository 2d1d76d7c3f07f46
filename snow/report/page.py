"""The page: one HTML file that needs nothing else, no script, no font, no network."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from snow.report.content import Figure, Section, Table
from snow.report.format import INAPPLICABLE, NOT_MEASURED
from snow.report.markup import document, element

_CODE = ("code", "name", "digest", "lines")  # kinds set in a fixed-width face; the first and the last are broken over lines
STYLE = """
:root { color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1f24; --soft: #59636e; --rule: #d8dee4; --shade: #f5f7f9;
  --c0: #7a8594; --c1: #0b6bb5; --c2: #c2530a; --c3: #08825c; --c4: #8a4fb5; --mark: #b3261e; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #14171b; --ink: #e3e7ec; --soft: #9aa5b1; --rule: #333a42; --shade: #1c2127;
  --c0: #8e99a8; --c1: #5cb0ee; --c2: #f0925a; --c3: #45c496; --c4: #c396e8; --mark: #ff8a80; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif; }
main, header, footer { max-width: 920px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 56px; }
h1 { font-size: 32px; line-height: 1.2; letter-spacing: -0.015em; margin: 0 0 12px; }
h2 { font-size: 22px; line-height: 1.3; letter-spacing: -0.01em; margin: 64px 0 12px; padding-top: 20px;
  border-top: 1px solid var(--rule); }
h3 { font-size: 16px; line-height: 1.4; margin: 32px 0 8px; }
p { margin: 0 0 12px; max-width: 44em; overflow-wrap: anywhere; }
a { color: var(--c1); text-decoration: none; } a:hover { text-decoration: underline; }
nav { margin: 24px 0 0; font-size: 14px; }
nav ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 20px; }
.lead { font-size: 18px; line-height: 1.55; }
.note, figcaption { color: var(--soft); font-size: 13.5px; line-height: 1.5; max-width: 52em; margin: 8px 0 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13.5px; line-height: 1.4; font-variant-numeric: tabular-nums; min-width: 50%; }
th, td { padding: 6px 0 6px 14px; text-align: right; vertical-align: top; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th:first-child, td:first-child { padding-left: 0; } th:last-child, td:last-child { padding-right: 4px; }
th { font-weight: 600; color: var(--soft); vertical-align: bottom; white-space: normal; }
th.text, td.text { text-align: left; } td.text { white-space: normal; }
tr.strong td { font-weight: 600; } tbody tr:hover { background: var(--shade); } td.absent { color: var(--soft); }
th.group { text-align: center; padding-bottom: 2px; border-bottom-color: var(--soft); }
thead tr:has(th.group) th:not(.group) { border-bottom: 0; }
td.code { overflow-wrap: anywhere; min-width: 9em; } td.name, td.digest { white-space: nowrap; }
td.lines { white-space: pre-wrap; overflow-wrap: anywhere; min-width: 26em; }
td.code, td.name, td.digest, td.lines { font-family: ui-monospace, "SFMono-Regular", Menlo, Consolas, "Liberation Mono", monospace;
  font-size: 12.5px; }
section > div { margin-bottom: 20px; } figure { margin: 28px 0; } figure h3 { margin-top: 0; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); gap: 14px 20px; }
.grid p { margin: 0; font-size: 13.5px; font-weight: 600; }
svg { display: block; width: 100%; height: auto; } .wide svg { min-width: 560px; }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif;
  fill: var(--ink); font-variant-numeric: tabular-nums; }
svg .tick, svg .label { fill: var(--soft); } svg .name, svg .value { font-size: 13px; } svg .series { font-weight: 600; }
svg .rule { stroke: var(--rule); stroke-width: 1; } svg .axis { stroke: var(--soft); stroke-width: 1; }
svg .mark { stroke: var(--mark); stroke-width: 1.5; } svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .c0 { stroke: var(--c0); } svg .c1 { stroke: var(--c1); } svg .c2 { stroke: var(--c2); }
svg .c3 { stroke: var(--c3); } svg .c4 { stroke: var(--c4); }
svg .f0 { fill: var(--c0); } svg .f1 { fill: var(--c1); } svg .f2 { fill: var(--c2); }
svg .f3 { fill: var(--c3); } svg .f4 { fill: var(--c4); }
details { margin: 20px 0; } summary { cursor: pointer; font-weight: 600; padding: 4px 0; }
footer { margin-top: 72px; padding-top: 20px; padding-bottom: 48px; color: var(--soft); font-size: 13.5px;
  border-top: 1px solid var(--rule); }
@media (max-width: 640px) { main, header, footer { padding: 0 16px; } h1 { font-size: 26px; } header { padding-top: 32px; } }
@media print { nav { display: none; } h2, figure, table { break-inside: avoid; } }
"""


def page(title: str, lead: str, sections: Sequence[Section], colophon: str) -> str:
    """The whole report as HTML text."""
    contents = element("nav", element("ul", *(element("li", element("a", one.title, href=f"#{one.anchor}")) for one in sections)))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", STYLE),
    )
    body = element(
        "body",
        element("header", element("h1", title), element("p", lead, class_="lead"), contents),
        element("main", *(_section(one) for one in sections)),
        element("footer", element("p", colophon)),
    )
    return document(element("html", head, body, lang="en"))


def _section(section: Section) -> Element:
    return element("section", element("h2", section.title), *(_block(block) for block in section.blocks), id=section.anchor)


def _block(block: str | Table | Figure) -> Element:
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Figure):
        return _figure(block)
    return element("p", block)


def _figure(figure: Figure) -> Element:
    several = len(figure.charts) > 1
    charts = [element("div", element("p", chart.findtext("title")), chart) if several else chart for chart in figure.charts]
    holder = element("div", *charts, class_="grid" if several else "scroll wide")
    return element("figure", element("h3", figure.title), holder, element("figcaption", figure.caption))


def _table(table: Table) -> Element:
    kinds = [column.kind for column in table.columns]
    rows = (
        element(
            "tr", *(_cell(text, kind) for text, kind in zip(row, kinds, strict=True)), class_="strong" if index in table.strong else None
        )
        for index, row in enumerate(table.written())
    )
    grid = element("div", element("table", element("thead", *_heads(table)), element("tbody", *rows)), class_="scroll")
    notes = [element("p", note, class_="note") for note in table.notes]
    if table.folded:
        return element("details", element("summary", table.title), grid, *notes, id=f"table-{table.name}")
    return element("div", element("h3", table.title), grid, *notes, id=f"table-{table.name}")


def _heads(table: Table) -> list[Element]:
    """One row of headings, and above it the shared ones where columns have them."""
    rows = [element("tr", *(element("th", column.label, class_=_align(column.kind), scope="col") for column in table.columns))]
    if any(column.group for column in table.columns):
        runs = [(group, len(list(columns))) for group, columns in itertools.groupby(table.columns, lambda column: column.group)]
        shared = (element("th", group, class_="group" if group else None, colspan=width, scope="colgroup") for group, width in runs)
        rows.insert(0, element("tr", *shared))
    return rows


def _align(kind: str) -> str | None:
    return "text" if kind in ("text", *_CODE) else None


def _cell(text: str, kind: str) -> Element:
    classes = [_align(kind), kind if kind in _CODE else None, "absent" if text in (NOT_MEASURED, INAPPLICABLE) else None]
    return element("td", text, class_=" ".join(filter(None, classes)) or None)
