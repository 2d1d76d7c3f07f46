"""What the annotator said of the corpus, read from the score tables: histograms per language and the extremes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from snow.tables import read_batches

BINS = 20  # of the score's range, 0 to 1
EXTREMES = 8  # documents named at either end
BATCH = 1 << 16


@dataclass(frozen=True)
class Scored:
    """One document and its score."""

    score: float
    language: str
    repo: str
    path: str


@dataclass
class Scores:
    """Counts in `BINS` equal bins from 0 to 1 by language, and the documents with the highest and the lowest scores."""

    histograms: dict[str, np.ndarray] = field(default_factory=dict)
    highest: list[Scored] = field(default_factory=list)
    lowest: list[Scored] = field(default_factory=list)

    @property
    def languages(self) -> list[str]:
        """By number of documents, the most first."""
        return sorted(self.histograms, key=lambda language: (-int(self.histograms[language].sum()), language))


def read_scores(paths: Iterable[Path]) -> Scores:
    """Stream the score tables; memory is one batch. Of equal scores the document that comes first counts as the extreme."""
    found = Scores()
    for path in paths:
        for batch in read_batches(path, ["language", "repo", "path", "score"], BATCH):
            values = batch.column("score").to_numpy().astype(np.float64)
            languages = batch.column("language").to_numpy(zero_copy_only=False).astype(str)
            for language in np.unique(languages).tolist():
                counts, _ = np.histogram(values[languages == language], BINS, (0.0, 1.0))
                found.histograms[language] = found.histograms.get(language, np.zeros(BINS, np.int64)) + counts
            order = np.argsort(-values, kind="stable")
            rows = [*order[:EXTREMES], *np.argsort(values, kind="stable")[:EXTREMES]]
            named = [
                Scored(float(values[row]), *(batch.column(name)[row].as_py() for name in ("language", "repo", "path")))
                for row in map(int, rows)
            ]
            middle = min(EXTREMES, len(values))
            found.highest = sorted([*found.highest, *named[:middle]], key=lambda one: -one.score)[:EXTREMES]
            found.lowest = sorted([*found.lowest, *named[middle:]], key=lambda one: one.score)[:EXTREMES]
    return found
