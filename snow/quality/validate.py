"""How well an annotator tells the benchmarks' solutions from documents it has not seen [P 3.4, Figure 2], and what else could.

Solutions are short and in one language, documents are neither. Beside the paper's ROC-AUC therefore stand the one that merely
preferring short texts would reach, the one against documents of the solutions' language, and the one against pieces of those
documents as long as the solutions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snow.quality.fit import roc_auc
from snow.tokens.seeded import draw

SUITE_LANGUAGE = "Python"  # of every suite snow knows

Score = Callable[[Sequence[str]], np.ndarray]  # of texts, as the corpus is scored


@dataclass(frozen=True)
class Unseen:
    """Corpus documents the annotator was not trained on: texts, languages and scores, aligned."""

    texts: Sequence[str]
    languages: Sequence[str]
    scores: np.ndarray


def suite(solutions: Sequence[str], unseen: Unseen, score: Score, seed: int) -> dict[str, Any]:
    """The facts of one suite; an AUC is None when there is nothing on one side."""
    alike = np.array([language == SUITE_LANGUAGE for language in unseen.languages], dtype=bool)
    texts = [text for text, same in zip(unseen.texts, alike, strict=True) if same]
    shortness, unseen_shortness = -np.array(list(map(len, solutions))), -np.array(list(map(len, unseen.texts)))
    scores = score(solutions)
    return {
        "positives": len(solutions),
        "negatives": len(unseen.texts),
        "auc": roc_auc(scores, unseen.scores),
        "auc_of_shortness": roc_auc(shortness, unseen_shortness),
        "negatives_same_language": len(texts),
        "auc_same_language": roc_auc(scores, unseen.scores[alike]),
        "auc_of_shortness_same_language": roc_auc(shortness, unseen_shortness[alike]),
        "auc_same_length": roc_auc(scores, score(excerpts(texts, map(len, solutions), seed))),
    }


def excerpts(texts: Sequence[str], sizes: Iterable[int], seed: int) -> list[str]:
    """For every size a piece of a random text, that many characters from the beginning of a line; none where all texts are shorter."""
    pieces = []
    for number, size in enumerate(sizes):
        longer = [text for text in texts if len(text) >= size]
        if longer:
            text = longer[draw(seed, "excerpt", str(number)) % len(longer)]
            start = text.rfind("\n", 0, draw(seed, "start", str(number)) % (len(text) - size + 1)) + 1
            pieces.append(text[start : start + size])
    return pieces
