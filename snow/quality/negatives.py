"""Random documents of the corpus, the annotator's negatives: drawn by a seeded hash of the id, read without loading the corpus."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from snow.corpus.heldout import Heldout
from snow.tables import read_tuples
from snow.tokens.seeded import draw


@dataclass(frozen=True)
class Drawn:
    """A document to draw, and the file and row that hold it."""

    id: str
    file: int
    row: int


def sample(documents: Iterable[Drawn], count: int, seed: int) -> list[Drawn]:
    """At most `count` of the documents, in the order of the draw. Memory is `count` entries."""
    return heapq.nsmallest(count, documents, key=lambda one: draw(seed, "negatives", one.id))


def candidates(paths: Sequence[Path], heldout: Heldout) -> Iterator[Drawn]:
    """Every document that is not held out, reading only its names."""
    for file, path in enumerate(paths):
        for row, (name, repo, inside) in enumerate(read_tuples(path, ["id", "repo", "path"])):
            if not heldout.holds(repo, inside):
                yield Drawn(name, file, row)


def fetch(paths: Sequence[Path], drawn: Iterable[Drawn]) -> Iterator[tuple[Drawn, str, str]]:
    """(drawn, language, content) in file order; row groups without a drawn document are not read."""
    wanted: dict[tuple[int, int], Drawn] = {(each.file, each.row): each for each in drawn}
    for number in sorted({file for file, _ in wanted}):
        with pq.ParquetFile(paths[number]) as file:
            first = 0
            for group in range(file.num_row_groups):
                rows = [row for row in range(first, first + file.metadata.row_group(group).num_rows) if (number, row) in wanted]
                if rows:
                    table = file.read_row_group(group, columns=["language", "content"]).take([row - first for row in rows])
                    for row, values in zip(rows, table.to_pylist(), strict=True):
                        yield wanted[number, row], values["language"], values["content"]
                first += file.metadata.row_group(group).num_rows
