"""Lines of a document beside those of a benchmark's task, as the ledger, the report and `snow trace` show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

LINES, COLUMNS = 12, 160  # of each side that are shown


@dataclass(frozen=True)
class Pair:
    """`line` is the document's first line of them, from 1; both sides are cut to LINES lines of COLUMNS characters, which is said."""

    line: int
    document_lines: str
    task_lines: str


def cut(lines: Sequence[str]) -> str:
    """These lines, at most as many and as long as are shown."""
    kept = [line if len(line) <= COLUMNS else f"{line[:COLUMNS]}…" for line in lines[:LINES]]
    return "\n".join([*kept, f"… {len(lines) - LINES} more lines"] if len(lines) > LINES else kept)


def numbered(line: int, lines: str) -> str:
    """A document's lines with their numbers."""
    shown = lines.split("\n")
    width = len(str(line + len(shown) - 1))
    return "\n".join(text if text.startswith("…") else f"{line + number:{width}}  {text}" for number, text in enumerate(shown))


def columns(pair: Pair, width: int = 60) -> list[str]:
    """Both sides as lines of two columns, whatever no terminal should get replaced; what is longer than the first column is cut."""
    ours, theirs = (_printed(lines).split("\n") for lines in (numbered(pair.line, pair.document_lines), pair.task_lines))
    return [f"{one[:width]:{width}} | {other}".rstrip() for one, other in zip_longest(ours, theirs, fillvalue="")]


def _printed(text: str) -> str:
    return "".join(character if character.isprintable() or character == "\n" else "\ufffd" for character in text.expandtabs(4))
