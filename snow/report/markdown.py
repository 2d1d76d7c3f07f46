"""Markdown from the report's content: tables that GitHub and model hubs show, with every cell as plain text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from snow.report.content import Figure, Section, Table
from snow.report.markup import printable

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~$])")


def escaped(text: str) -> str:
    """Text that Markdown shows as it is: one line, its markup characters and HTML disarmed."""
    return _SPECIAL.sub(r"\\\1", " ".join(printable(text).replace("&", "&amp;").split()))


def markdown_table(table: Table) -> str:
    """A pipe table; numbers are aligned to the right."""
    heads = [escaped(column.full_label) for column in table.columns]
    rules = [":---" if column.kind in ("text", "code", "name", "digest", "lines") else "---:" for column in table.columns]
    rows = [[escaped(cell) for cell in row] for row in table.written()]
    return "\n".join(f"| {' | '.join(row)} |" for row in [heads, rules, *rows])


def markdown_section(section: Section) -> str:
    """A section without its figures."""
    parts = [f"## {escaped(section.title)}"]
    for block in section.blocks:
        if isinstance(block, Table):
            parts += [f"### {escaped(block.title)}", markdown_table(block), *(escaped(note) for note in block.notes)]
        elif not isinstance(block, Figure):
            parts.append(escaped(block))
    return "\n\n".join(parts)


def markdown(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The report's words and tables as one Markdown file."""
    return "\n\n".join([f"# {escaped(title)}", escaped(lead), *(markdown_section(one) for one in sections)]) + "\n"
