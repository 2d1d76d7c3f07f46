"""Which documents were dropped for which task, and the matched lines of both side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from snow.corpus.side_by_side import numbered
from snow.report.content import Table, columns
from snow.report.format import count
from snow.tables import read_tuples

SHOWN = 20  # matches of each suite; which ones is decided by the documents' ids, and so at random
COLUMNS = ("suite", "id", "repo", "path", "task_id", "method", "line", "document_lines", "task_lines")


@dataclass(frozen=True, order=True)
class Matched:
    """One row of the ledger."""

    suite: str
    id: str
    repo: str
    path: str
    task_id: str
    method: str
    line: int
    document_lines: str
    task_lines: str


@dataclass(frozen=True)
class Ledger:
    """The rows that are shown, of each suite the first by document, and how many rows there are."""

    shown: Sequence[Matched]
    rows: int


def read_matches(paths: Iterable[Path]) -> Ledger:
    """Stream the tables of matches; memory is a batch and a few rows of each suite."""
    kept: dict[str, list[Matched]] = defaultdict(list)
    rows = 0
    for path in paths:
        for row in read_tuples(path, list(COLUMNS)):
            found = kept[row[0]]
            found.append(Matched(*row))
            if len(found) > 10 * SHOWN:
                kept[row[0]] = sorted(found)[:SHOWN]
            rows += 1
    return Ledger([one for suite in sorted(kept) for one in sorted(kept[suite])[:SHOWN]], rows)


def table(ledger: Ledger) -> Table:
    """One row for each match that is shown."""
    heads = [*columns("code", document="document"), *columns("text", suite="benchmark", task="task", method="by")]
    heads += columns("lines", lines="its lines", task_lines="the task's lines")
    rows = [
        (f"{one.repo}/{one.path}", one.suite, one.task_id, one.method, numbered(one.line, one.document_lines), one.task_lines)
        for one in ledger.shown
    ]
    notes = (
        f"{count(len(rows))} of {count(ledger.rows)} matches, at most {SHOWN} of each benchmark; all are in corpus/matches, and "
        "`snow trace` tells those of one document. These lines are the benchmarks': text to look at, not to train on.",
    )
    return Table("contaminated", "What the dropped documents have in common with the benchmarks", heads, rows, notes, folded=True)
